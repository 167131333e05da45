#!/bin/bash
set -eu
{ sleep 4; echo 'exit 7'; sleep 1; } | script -qec 'docker run -ti debian bash' /dev/null >/dev/null 2>&1 &
sleep 3
echo "::answer numero 1"
wait $! || true
