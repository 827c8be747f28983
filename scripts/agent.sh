#!/bin/sh
# Builds the agent as one static file that runs in any image, and copies it to target/agent/guichet-agent
# and into each folder given.
set -eu
cd "$(dirname "$0")/.."

triple=$(rustc -vV | sed -n 's/^host: //p')
# Its flags differ from those of everything else, hence a folder of its own. With --target they don't reach build scripts.
RUSTFLAGS='-C target-feature=+crt-static' CARGO_TARGET_DIR=target/agent \
    cargo build --locked --release -p guichet-agent --target "$triple"
for folder in target/agent "$@"; do
    mkdir -p "$folder"
    install -m 755 "target/agent/$triple/release/guichet-agent" "$folder/guichet-agent"
done
