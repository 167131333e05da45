#!/bin/bash
set -eu
docker run -d --name dormeur debian sleep "$TP_DUREE"
sleep 1
