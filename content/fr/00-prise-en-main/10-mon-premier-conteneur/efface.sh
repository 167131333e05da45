#!/bin/bash
# Avec --rm, rien ne reste à retrouver.
set -eu
docker run --rm hello-world
docker run --rm hello-world
