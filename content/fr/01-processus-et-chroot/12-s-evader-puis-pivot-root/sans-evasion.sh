#!/bin/bash
# Le prisonnier reste dedans ; un processus libre ne fait pas une évasion.
set -eu
mkdir -p /srv/prison/bin /srv/prison/dev
cp /bin/busybox /srv/prison/bin/
touch /srv/prison/dev/null
for f in /usr/bin/perl $(ldd /usr/bin/perl | grep -o '/[^ ]*'); do
  cp -L --parents "$f" /srv/prison/
done
setsid -f chroot /srv/prison /bin/busybox sleep 1000 </dev/null >/dev/null 2>&1
setsid -f sleep 1000 </dev/null >/dev/null 2>&1
sleep 2
