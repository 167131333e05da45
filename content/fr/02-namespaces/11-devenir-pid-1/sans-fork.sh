#!/bin/bash
# Sans --fork, unshare exécute sleep lui-même, dans l'ancien namespace.
set -eu
setsid -f unshare --pid sleep 1000 </dev/null >/dev/null 2>&1
