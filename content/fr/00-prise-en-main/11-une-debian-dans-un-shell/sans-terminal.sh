#!/bin/bash
set -eu
docker run -d -i --name muet debian bash
sleep 2
