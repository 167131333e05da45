#!/bin/bash
# Le segment est créé avant d'entrer : il reste au dehors.
set -eu
ipcmk --shmem "$TP_TAILLE"
setsid -f unshare --ipc sleep 1000 </dev/null >/dev/null 2>&1
