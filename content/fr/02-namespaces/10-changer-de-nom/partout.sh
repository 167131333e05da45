#!/bin/bash
# Le nom est changé sur la machine aussi.
set -eu
hostname "$TP_NOM"
setsid -f unshare --uts sleep 1000 </dev/null >/dev/null 2>&1
