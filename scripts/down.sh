#!/bin/sh
# Stops what scripts/up.sh started: the service (its containers go with it) and the engine of this folder, if any.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

started=$(recorded dir)
if [ -z "${GUICHET_DATA_DIR:-}" ] && [ -n "$started" ]; then
    data_dir=$started
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
rm -f "$pid_file"

if [ -n "$started" ] && [ "$started" != "$(realpath -m "$data_dir")" ]; then
    say "The service of $started, started from this folder, is left as it is"
    exit
fi
rm -f "$record"
if [ -d "$own_dir/engine" ]; then
    scripts/engine.sh down "$own_dir/engine"
fi
