#!/bin/sh
# Sets up what the benches need (a Docker engine with the images, release builds) and runs them: scripts/bench.sh [NAME…]
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

engine_dir=$own_dir/test-engine
own_engine=

stop() {
    [ -z "$own_engine" ] || scripts/engine.sh down "$engine_dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

scripts/setup.sh run
scripts/build.sh
if [ -z "${GUICHET_TEST_DOCKER_HOST:-}" ]; then
    own_engine=yes
    GUICHET_TEST_DOCKER_HOST=$(scripts/engine.sh up "$engine_dir")
fi
export GUICHET_TEST_DOCKER_HOST
GUICHET_DOCKER_HOSTS=$GUICHET_TEST_DOCKER_HOST target/release/guichet runtime build c python
if [ -n "${GUICHET_BENCH_OTHER:-}" ]; then
    # Another build has images of its own.
    other=$(dirname "$GUICHET_BENCH_OTHER")
    GUICHET_DOCKER_HOSTS=$GUICHET_TEST_DOCKER_HOST GUICHET_EXECUTION__AGENT_PATH=$other/guichet-agent \
        GUICHET_EXECUTION__RUNTIMES_DIR=$other/runtimes "$GUICHET_BENCH_OTHER" runtime build c python
fi
if [ $# -eq 0 ]; then
    set -- --benches
else
    for name; do
        shift
        set -- "$@" --bench "$name"
    done
fi
GUICHET_EXECUTION__AGENT_PATH=$PWD/target/release/guichet-agent cargo bench --locked "$@" </dev/null
