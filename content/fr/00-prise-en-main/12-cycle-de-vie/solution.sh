#!/bin/bash
set -eu
docker run -d --name "$TP_NOM" busybox sleep 3600
sleep 1.5
docker stop -t 1 "$TP_NOM"
docker start "$TP_NOM"
sleep 1
docker stop -t 1 "$TP_NOM"
docker rm "$TP_NOM"
