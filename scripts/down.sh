#!/bin/sh
# Stops what scripts/up.sh started: the service (its containers go with it) and the engine of this folder, if any.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

if [ -z "${GUICHET_DATA_DIR:-}" ] && [ -r "$own_dir/data-dir" ]; then
    data_dir=$(cat "$own_dir/data-dir")
fi
pid_file=$data_dir/guichet.pid

if pid=$(service_pid "$pid_file"); then
    say "Stopping the service (running submissions may end first)"
    kill "$pid"
    # Longer than the grace period of its settings, 30 s by default.
    if ! wait_gone "$pid" 600; then
        say "It does not stop by itself"
        kill -KILL "$pid"
        wait_gone "$pid" 100 || die "process $pid does not end"
    fi
else
    say "No service of $data_dir runs"
fi
rm -f "$pid_file" "$own_dir/data-dir"

if [ -d "$own_dir/engine" ]; then
    scripts/engine.sh down "$own_dir/engine"
fi
