#!/bin/sh
# From a fresh machine to a graded submission: installs what is missing, builds, and starts (scripts/start.sh).
#
# GUICHET_LISTEN, GUICHET_DATA_DIR and GUICHET_DOCKER_HOSTS are honoured. scripts/down.sh ends it.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

scripts/setup.sh run
[ -x target/quick/guichet ] || say "Building: the first time takes some minutes, about $((8 / $(nproc) + 1)) if the machine has nothing else to do"
scripts/build.sh quick
scripts/start.sh target/quick/guichet
