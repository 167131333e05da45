#!/bin/bash
set -eu
docker run -d --name "$TP_NOM" busybox sleep 3600
sleep 1.5
docker kill "$TP_NOM"
sleep 1
docker rm "$TP_NOM"
