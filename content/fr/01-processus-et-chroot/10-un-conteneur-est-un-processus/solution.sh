#!/bin/bash
set -eu
docker run -d --name dormeur busybox sleep "$TP_DUREE"
sleep 1.5
pid=$(docker inspect --format '{{.State.Pid}}' dormeur)
echo "::answer dehors $pid"
echo "::answer dedans $(awk '/^NSpid/ { print $NF }' "/proc/$pid/status")"
