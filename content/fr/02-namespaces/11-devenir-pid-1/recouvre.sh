#!/bin/bash
# /proc est monté sans namespace de montages : toute la machine le subit.
set -eu
setsid -f unshare --pid --fork sh -c 'mount -t proc proc /proc; exec sleep 1000' </dev/null >/dev/null 2>&1
