#!/bin/bash
set -eu
{ sleep 3; echo 'exit 0'; sleep 1; } | script -qec 'docker run -ti debian bash' /dev/null >/dev/null 2>&1 || true
