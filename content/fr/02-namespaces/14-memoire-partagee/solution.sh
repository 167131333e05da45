#!/bin/bash
set -eu
setsid -f unshare --ipc sh -c "ipcmk --shmem $TP_TAILLE; exec sleep 1000" </dev/null >/dev/null 2>&1
