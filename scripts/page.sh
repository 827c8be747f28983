#!/bin/sh
# Builds the page for people, web-demo/, into web-demo/dist/page, from where build.rs puts it into the program.
#
# Its packages are those of package-lock.json. Needs Node 20.19 or newer with npm: what is on the machine, else Node from
# PyPI for this folder alone. Does nothing if the page is as new as its sources.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh
. scripts/node.sh

built=web-demo/dist/page/index.html
packages=web-demo/node_modules/.package-lock.json

if [ ! -e "$packages" ] || [ web-demo/package-lock.json -nt "$packages" ]; then
    use_node
    say "Packages of the page"
    (cd web-demo && fetching npm ci --no-audit --no-fund --loglevel=error)
    touch "$packages"
fi
if [ -e "$built" ] && [ -z "$(find web-demo openapi/openapi.json -name node_modules -prune -o -path web-demo/dist -prune \
    -o -path web-demo/tests -prune -o -type f ! -name schema.d.ts -newer "$built" -print | head -n 1)" ]; then
    exit 0
fi
use_node
say "Building the page"
(cd web-demo && npm run --silent build </dev/null >&2) || die "the page could not be built"
touch "$built"
