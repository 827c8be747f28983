#!/bin/sh
# Makes the Debian package out of what scripts/build.sh has built, or of other builds: scripts/package.sh [GUICHET GUICHET-AGENT [OPTION…]]
#
# OPTIONs are those of cargo-deb. Prints the package's path. cargo-deb comes from crates.io, into .guichet.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

program=${1:-target/release/guichet}
agent=${2:-target/release/guichet-agent}
[ $# -lt 2 ] || shift 2
version=3.8.0
made=target/package
tool=$own_dir/cargo-deb

[ -x "$program" ] && [ -x "$agent" ] || die "$program or $agent is missing: scripts/build.sh makes them"
if [ "$("$tool/bin/cargo-deb" --version 2>/dev/null)" != "$version" ]; then
    fetching cargo install --quiet --locked --root "$tool" --version "$version" --no-default-features cargo-deb
fi

rm -rf "$made"
mkdir -p "$made/man"
cp "$program" "$made/guichet"
cp "$agent" "$made/guichet-agent"
# Made here, as an archive of the sources may hold it as a file.
ln -s ../lib/guichet/guichet "$made/link"
"$program" man "$made/man"
"$program" completions bash >"$made/guichet.bash"
"$program" completions zsh >"$made/_guichet"
"$program" completions fish >"$made/guichet.fish"
"$tool/bin/cargo-deb" --no-build --no-strip --output "$made/" "$@"
