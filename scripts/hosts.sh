#!/bin/sh
# Prints the Docker hosts to work on, comma-separated: those of GUICHET_DOCKER_HOSTS or guichet.toml, else the local
# engine if it answers, else one of this folder's own, which is started.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

if [ -n "${GUICHET_DOCKER_HOSTS:-}" ]; then
    echo "$GUICHET_DOCKER_HOSTS"
elif configured=$(sed -n 's/^[[:space:]]*hosts[[:space:]]*=[[:space:]]*\[\(.*[^[:space:]].*\)\].*/\1/p' guichet.toml 2>/dev/null) &&
    [ -n "$configured" ]; then
    echo "$configured" | tr -d '" '
elif configured=$(sed -n '/^[[:space:]]*\[\[docker\.hosts\]\]/,/^[[:space:]]*\[[^[]/s/^[[:space:]]*url[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' guichet.toml 2>/dev/null) &&
    [ -n "$configured" ]; then
    echo "$configured" | paste -sd ,
elif curl -s --max-time 5 --unix-socket /var/run/docker.sock http://localhost/_ping >/dev/null 2>&1; then
    echo unix:///var/run/docker.sock
elif [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
    die "$(id -un) may not use /var/run/docker.sock: join the group docker, or run as root"
else
    say "No Docker engine answers at /var/run/docker.sock: starting one in $own_dir/engine"
    scripts/engine.sh up "$own_dir/engine"
fi
