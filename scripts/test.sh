#!/bin/sh
# Sets up what the tests need and runs all of them: format, lints, documentation, the API's description, the
# dependencies, unit and integration tests on a real engine, the Debian package on a bare Debian, the page in a real
# browser, and schemathesis and the clients of four languages against a running service.
#
# Nothing of it is skipped: a part that cannot be had ends the run with a message. Needs root for its Docker engine,
# unless GUICHET_TEST_DOCKER_HOST names one.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

engine_dir=$own_dir/test-engine
venv=$own_dir/venv
own_engine=

stop() {
    [ -z "$own_engine" ] || scripts/engine.sh down "$engine_dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

step() {
    say "== $*"
}

step "what the tests need"
scripts/setup.sh test
mkdir -p "$own_dir"
# Python's part, made anew when another version is wanted.
wanted='schemathesis==4.32.5 openapi-spec-validator websockets==15.0.1'
if [ "$(cat "$venv/wanted" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    # shellcheck disable=SC2086 # one word per package
    fetching "$venv/bin/pip" install -q --disable-pip-version-check $wanted
    echo "$wanted" >"$venv/wanted"
fi

step "the page"
scripts/page.sh
. scripts/node.sh
use_node
(cd web-demo && npm run --silent types && npm run --silent check && npm test --silent) </dev/null

step "format"
cargo fmt --all --check
step "the agent and the program"
scripts/agent.sh
cargo build --locked --features failpoints

export GUICHET_EXECUTION__AGENT_PATH="$PWD/target/agent/guichet-agent"
export GUICHET_TEST_AGENT="$GUICHET_EXECUTION__AGENT_PATH"

step "a Docker engine with the images"
if [ -z "${GUICHET_TEST_DOCKER_HOST:-}" ]; then
    own_engine=yes
    GUICHET_TEST_DOCKER_HOST=$(scripts/engine.sh up "$engine_dir")
fi
export GUICHET_TEST_DOCKER_HOST
for action in build check; do
    GUICHET_DOCKER_HOSTS=$GUICHET_TEST_DOCKER_HOST target/debug/guichet runtime $action
done

step "tests"
# A pipe passes on the exit code of its last command only, so the tests' own goes through a file.
{
    code=0
    cargo test --locked --workspace --features failpoints --no-fail-fast </dev/null || code=$?
    echo "$code" >"$own_dir/tests.code"
} 2>&1 | tee "$own_dir/tests.log"
[ "$(cat "$own_dir/tests.code")" = 0 ] || die "tests failed"

# What follows needs two languages; a service keeps containers warm for each of which it finds an image.
runtimes=$PWD/.guichet/few-runtimes
mkdir -p "$runtimes"
for language in c python; do
    ln -sfn "$PWD/runtimes/$language" "$runtimes/$language"
done
export GUICHET_EXECUTION__RUNTIMES_DIR="$runtimes"

step "the Debian package on a bare Debian"
package=$(scripts/package.sh target/debug/guichet target/agent/guichet-agent --fast)
scripts/try-package.sh "$package" "$GUICHET_TEST_DOCKER_HOST"

step "the page in Chromium"
(cd web-demo && npm run --silent stories) </dev/null

step "lints, documentation, the API's description, the dependencies"
make --no-print-directory clippy rustdoc openapi settings deny
"$venv/bin/openapi-spec-validator" openapi/openapi.json

step "schemathesis"
# The same examples at each run; without the option, or with --seed, others.
scripts/schemathesis.sh "$venv/bin/schemathesis" --max-examples 40 --generation-deterministic

step "clients of other languages"
scripts/sdk.sh
"$own_dir/sdk/bin/python" sdk/tests/clients.py target/debug/guichet </dev/null

awk '/^test result:/ { passed += $4; failed += $6 } END { print passed " passed, " failed " failed" }' "$own_dir/tests.log"
