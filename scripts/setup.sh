#!/bin/sh
# Installs what is missing, from Debian's packages: scripts/setup.sh [run|test]
#
# On a terminal it asks first, unless YES=1. Without root it says what to install and fails.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

packages=

# needs PROGRAM PACKAGE: remembers the package if the program isn't there.
needs() {
    command -v "$1" >/dev/null || packages="$packages $2"
}

needs cc build-essential
needs curl curl
# The tour of the README shows answers by it.
needs jq jq
needs mmdebstrap mmdebstrap
needs dockerd docker.io
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || packages="$packages debian-archive-keyring"
# Newer Debian has the client in a package of its own.
if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
    packages="$packages docker-cli"
fi
# The page is built by Node; where this machine's is too old or there is none, it comes from PyPI.
. scripts/node.sh
if ! node_will_do; then
    needs python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
fi
if [ "${1:-run}" = test ]; then
    needs python3 python3
    needs sqlite3 sqlite3
    # The original backends and front ends that Guichet is tested with, and the SDK's client in Java with its generator.
    # What Go the SDK needs, scripts/go.sh gets.
    needs javac default-jdk-headless
    needs mvn maven
    needs chromium chromium
    # What reaches the disk before a client is told.
    needs strace strace
    python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
fi

if ! command -v cargo >/dev/null; then
    die "cargo is missing: Guichet is built by Rust 1.95 or newer, see https://rustup.rs"
fi
[ -n "$packages" ] || exit 0

command -v apt-get >/dev/null || die "missing here, under the names Debian gives them:$packages"
[ "$(id -u)" = 0 ] || die "missing: run as root: apt-get install$packages"
if [ -t 0 ] && [ "${YES:-}" != 1 ]; then
    printf 'Install%s? [y/N] ' "$packages" >&2
    read -r answer
    case $answer in
    y | Y | yes) ;;
    *) die "needed: apt-get install$packages" ;;
    esac
fi
export DEBIAN_FRONTEND=noninteractive
fetching apt-get update -q
# shellcheck disable=SC2086 # one word per package
fetching apt-get install -q -y --no-install-recommends $packages || die "could not install:$packages"
