#!/bin/bash
set -eu
useradd -m alice
setsid -f su alice -c 'exec unshare --user --map-root-user --uts sh -c "hostname chez-alice; exec sleep 1000"' </dev/null >/dev/null 2>&1
