#!/bin/bash
set -eu
mkdir -p /srv/prison/bin /srv/prison/dev
cp /bin/busybox /srv/prison/bin/
touch /srv/prison/dev/null
for f in /usr/bin/perl $(ldd /usr/bin/perl | grep -o '/[^ ]*'); do
  cp -L --parents "$f" /srv/prison/
done
# Le même processus est enfermé, attend, puis sort.
setsid -f chroot /srv/prison /usr/bin/perl -e '
  sleep 2;
  mkdir "trou"; chroot "trou" or die; chdir ".." for 1..64; chroot "." or die;
  exec "/bin/sleep", "1000";' </dev/null >/dev/null 2>&1
sleep 4
mkdir -p /srv/racine/bin /srv/racine/ancienne
cp /bin/busybox /srv/racine/bin/
# Un namespace de montages à soi, mais la racine n'est changée que par chroot.
setsid -f unshare --mount bash -c '
  mount --bind /srv/racine /srv/racine
  exec chroot /srv/racine /bin/busybox sleep 1000
' </dev/null >/dev/null 2>&1
