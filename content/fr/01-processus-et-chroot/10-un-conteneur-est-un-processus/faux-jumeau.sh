#!/bin/bash
# Un autre « sleep », lancé sur la machine, ressemble au bon.
set -eu
docker run -d --name dormeur busybox sleep "$TP_DUREE"
setsid -f sleep "$TP_DUREE" </dev/null >/dev/null 2>&1
sleep 1.5
echo "::answer dehors $(pgrep -nx sleep)"
echo "::answer dedans 1"
