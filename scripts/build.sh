#!/bin/sh
# Builds the page, and guichet with it and guichet-agent beside it: scripts/build.sh [release|quick]
#
# quick: in target/quick, for trying out; compiled in a fraction of the time, and not as fast.
set -eu
cd "$(dirname "$0")/.."

scripts/page.sh
RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/rustc.sh cargo build --locked --profile "${1:-release}" --workspace --bins
