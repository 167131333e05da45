#!/bin/bash
set -eu
mkdir -p /srv/prison/bin
cp /bin/busybox /srv/prison/bin/
chroot /srv/prison /bin/busybox --install -s /bin
setsid -f chroot /srv/prison /bin/sleep 1000 </dev/null >/dev/null 2>&1
echo "::answer appel Sa racine"
