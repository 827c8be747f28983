#!/bin/sh
# Builds the agent as one static file that runs in any image (scripts/rustc.sh): target/agent/guichet-agent. For tests and
# benches, whose other builds have profiles of their own; scripts/build.sh makes it beside guichet.
set -eu
cd "$(dirname "$0")/.."

CARGO_TARGET_DIR=target/agent RUSTC_WORKSPACE_WRAPPER=$PWD/scripts/rustc.sh \
    cargo build --locked --release -p guichet-agent
install -m 755 target/agent/release/guichet-agent target/agent/guichet-agent
