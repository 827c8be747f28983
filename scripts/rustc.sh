#!/bin/sh
# The compiler as cargo calls it for this workspace's packages (RUSTC_WORKSPACE_WRAPPER): the agent's program is linked
# statically, since it runs in any image. Its flag alone differs, so that both programs share compiled dependencies.
set -eu

case " $* " in
*" --crate-name guichet_agent "*" --crate-type bin "*) set -- "$@" -C target-feature=+crt-static ;;
esac
exec "$@"
