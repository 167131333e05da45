#!/bin/bash
# Le terminal est là, mais un second processus tient compagnie au shell.
set -eu
( sleep 600 | script -qec "docker run -ti debian bash -c 'sleep 600 & exec bash'" /dev/null ) >/dev/null 2>&1 &
sleep 3
