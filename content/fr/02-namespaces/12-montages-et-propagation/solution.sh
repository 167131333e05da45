#!/bin/bash
set -eu
mkdir -p /srv/commun
mount -t tmpfs commun /srv/commun
mount --make-shared /srv/commun
mkdir /srv/commun/nouveau
detacher() { setsid -f "$@" </dev/null >/dev/null 2>&1; }
detacher unshare --mount --propagation private sleep 3001
detacher unshare --mount --propagation slave sleep 3002
detacher unshare --mount --propagation unchanged sleep 3003
sleep 1
mount -t tmpfs nouveau /srv/commun/nouveau
