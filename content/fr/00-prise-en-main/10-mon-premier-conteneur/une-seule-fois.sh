#!/bin/bash
set -eu
docker run hello-world
