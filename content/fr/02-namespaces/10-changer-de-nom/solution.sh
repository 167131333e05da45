#!/bin/bash
set -eu
setsid -f unshare --uts sh -c "hostname '$TP_NOM'; exec sleep 1000" </dev/null >/dev/null 2>&1
