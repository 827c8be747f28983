#!/bin/sh
# Builds target/release/guichet with guichet-agent beside it.
set -eu
cd "$(dirname "$0")/.."

cargo build --locked --release -p guichet
scripts/agent.sh target/release
