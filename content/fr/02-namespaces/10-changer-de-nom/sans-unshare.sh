#!/bin/bash
set -eu
hostname "$TP_NOM"
