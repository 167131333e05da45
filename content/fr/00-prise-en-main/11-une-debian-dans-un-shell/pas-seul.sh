#!/bin/bash
set -eu
setsid -f script -qec "docker run -ti debian bash -c 'sleep 600 & exec bash'" /dev/null </dev/null >/dev/null 2>&1
{ sleep 600; } | script -qec "docker run -ti debian bash -c 'sleep 600 & exec bash'" /dev/null >/dev/null 2>&1 &
sleep 3
