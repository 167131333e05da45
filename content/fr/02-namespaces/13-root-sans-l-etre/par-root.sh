#!/bin/bash
# root qui se fait root n'apprend rien.
set -eu
setsid -f unshare --user --map-root-user --uts sh -c "hostname chez-alice; exec sleep 1000" </dev/null >/dev/null 2>&1
