#!/bin/bash
# La prison existe, mais le processus est enfermé un étage plus bas.
set -eu
mkdir -p /srv/prison/bin /srv/prison/cellule/bin
cp /bin/busybox /srv/prison/bin/
cp /bin/busybox /srv/prison/cellule/bin/
setsid -f chroot /srv/prison/cellule /bin/busybox sleep 1000 </dev/null >/dev/null 2>&1
