#!/bin/bash
# « rm -f » tue et efface sans arrêter.
set -eu
docker run -d --name "$TP_NOM" busybox sleep 3600
sleep 1.5
docker stop -t 1 "$TP_NOM"
docker start "$TP_NOM"
sleep 1
docker rm -f "$TP_NOM"
