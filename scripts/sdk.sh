#!/bin/sh
# Generates the clients of other languages from openapi/openapi.json and builds them with their stream helpers and
# examples: scripts/sdk.sh [typescript|python|go|java]… Without a name all of them.
#
# What is generated lies in sdk/, in folders that Git ignores. Does nothing for a language where all is newer than what it
# is made from. Needs python3; TypeScript needs Node (scripts/node.sh), Go needs Go (scripts/go.sh), Java a JDK 17 with
# Maven; openapi-generator, which makes the clients in Go and Java, needs Java too.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh
. scripts/node.sh
. scripts/go.sh

venv=$own_dir/sdk
document=$PWD/openapi/openapi.json

# The generators, and what the client in Python needs; made anew when others are wanted.
use_python() {
    wanted=sdk/python/requirements.txt
    if ! cmp -s "$wanted" "$venv/wanted"; then
        say "Generators of clients, from PyPI"
        rm -rf "$venv"
        mkdir -p "$own_dir"
        python3 -m venv "$venv" || die "needs python3 with venv"
        fetching "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$venv/wanted"
    fi
}

# openapi_generator LANGUAGE FOLDER: with the settings beside it.
openapi_generator() {
    command -v java >/dev/null || die "needs Java: make setup installs it"
    jar=$(find "$venv" -name openapi-generator.jar)
    java -jar "$jar" generate -i "$document" -g "$1" -o "sdk/$1/$2" -c "sdk/$1/openapi-generator.yml" \
        </dev/null >"sdk/$1/generator.log" 2>&1 || {
        tail -n 20 "sdk/$1/generator.log" >&2
        die "no client in $1 could be generated"
    }
}

make_typescript() {
    use_node
    (
        cd sdk/typescript
        fetching npm ci --no-audit --no-fund --loglevel=error
        rm -rf generated dist
        npm run --silent generate </dev/null >&2
        npm run --silent build </dev/null >&2
    )
}

make_python() {
    rm -rf sdk/python/generated
    (
        cd sdk/python
        "../../$venv/bin/openapi-python-client" generate --path "$document" --output-path generated/guichet_client --meta none \
            --config openapi-python-client.yml --custom-template-path templates --fail-on-warning </dev/null >generator.log 2>&1 || {
            tail -n 20 generator.log >&2
            exit 1
        }
        "../../$venv/bin/python" -m compileall -q generated/guichet_client guichet_stream.py example.py
    ) || die "no client in Python could be generated"
}

make_go() {
    use_go
    rm -rf sdk/go/guichet
    openapi_generator go guichet
    (
        cd sdk/go
        export GOFLAGS=-mod=readonly GOTOOLCHAIN=local
        fetching go mod download
        go vet ./... </dev/null >&2
        go build -o bin/ ./example </dev/null >&2
    )
}

make_java() {
    command -v mvn >/dev/null || die "needs Maven: make setup installs it"
    rm -rf sdk/java/generated
    openapi_generator java generated
    (cd sdk/java && rm -rf target && fetching mvn -q -B compile)
}

[ $# -gt 0 ] || set -- typescript python go java
use_python
for language; do
    case $language in
    typescript | python | go | java) ;;
    *) die "there is no client in $language: typescript, python, go, java" ;;
    esac
    made=sdk/$language/.made
    if [ -e "$made" ] && [ -z "$(find "sdk/$language" openapi/openapi.json sdk/python/requirements.txt scripts/sdk.sh \
        \( -name node_modules -o -name generated -o -name guichet -path "sdk/go/*" -o -name dist -o -name bin -o -name target \
        -o -name __pycache__ \) -prune -o -type f -newer "$made" -print | head -n 1)" ]; then
        continue
    fi
    say "Client in $language"
    rm -f "$made"
    "make_$language"
    touch "$made"
done
