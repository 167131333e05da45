#!/bin/bash
set -eu
ipcmk --shmem "$TP_TAILLE"
setsid -f unshare --ipc sh -c "ipcmk --shmem $TP_TAILLE; exec sleep 1000" </dev/null >/dev/null 2>&1
