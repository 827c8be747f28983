#!/bin/sh
# Runs schemathesis against a service of its own: scripts/schemathesis.sh SCHEMATHESIS [OPTION…]
#
# Needs target/debug/guichet, target/agent/guichet-agent, and GUICHET_TEST_DOCKER_HOST with the runtimes' images.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

schemathesis=$1
shift
guichet=$PWD/target/debug/guichet
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base_url=http://127.0.0.1:$port
service=

stop() {
    if [ -n "$service" ]; then
        kill "$service" 2>/dev/null || true
        wait_gone "$service" 400 || kill -KILL "$service"
    fi
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

export GUICHET_DATA_DIR="$folder/data" GUICHET_LISTEN="127.0.0.1:$port" GUICHET_DOCKER_HOSTS="$GUICHET_TEST_DOCKER_HOST"
export GUICHET_EXECUTION__AGENT_PATH="$PWD/target/agent/guichet-agent"
"$guichet" serve </dev/null >"$folder/log" 2>&1 &
service=$!
left=600
until curl -s -o /dev/null --fail --max-time 5 "$base_url/readyz"; do
    left=$((left - 1))
    if [ "$left" = 0 ] || [ ! -d "/proc/$service" ]; then
        tail -n 20 "$folder/log" >&2
        die "the service did not start"
    fi
    sleep 0.1
done

# schemathesis.toml names a module of this folder.
export PYTHONPATH="$PWD" PYTHONDONTWRITEBYTECODE=1
token=$("$guichet" token --sub schemathesis --role admin --ttl 2h)
if ! "$schemathesis" run "$base_url/openapi.json" --header "Authorization: Bearer $token" --checks all \
    --no-color "$@" </dev/null; then
    tail -n 40 "$folder/log" >&2
    die "the API does not keep what openapi.json promises"
fi
