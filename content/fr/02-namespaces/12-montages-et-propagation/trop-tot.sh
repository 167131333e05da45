#!/bin/bash
# Monté avant les copies : la copie privée le contient aussi.
set -eu
mkdir -p /srv/commun
mount -t tmpfs commun /srv/commun
mount --make-shared /srv/commun
mkdir /srv/commun/nouveau
detacher() { setsid -f "$@" </dev/null >/dev/null 2>&1; }
mount -t tmpfs nouveau /srv/commun/nouveau
detacher unshare --mount sleep 3001
detacher unshare --mount --propagation slave sleep 3002
detacher unshare --mount --propagation unchanged sleep 3003
