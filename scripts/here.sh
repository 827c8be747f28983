# Where the service of this working folder is; sourced by the other scripts, which run in the repository root.
# shellcheck shell=sh disable=SC2034

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# Engines and tools that the scripts made for this folder.
own_dir=.guichet
# Where the service is that `make up` started (scripts/start.sh).
record=$own_dir/up.toml

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$(basename "$0"): $*"
    exit 1
}

# Runs a command that fetches from the network, and once more if it fails.
fetching() {
    "$@" </dev/null >&2 || {
        say "failed, once more: $*"
        sleep 10
        "$@" </dev/null >&2
    }
}

# The value of key $1 in guichet.toml, if there is one and it says so.
setting() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\1/p" guichet.toml 2>/dev/null | head -n 1
}

# The same of the record.
recorded() {
    sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" "$record" 2>/dev/null | sed 's/\\\([\\"]\)/\1/g'
}

listen=${GUICHET_LISTEN:-$(setting listen)}
listen=${listen:-$(recorded listen)}
listen=${listen:-127.0.0.1:8080}
data_dir=${GUICHET_DATA_DIR:-$(setting dir)}
data_dir=${data_dir:-$(recorded dir)}
data_dir=${data_dir:-./data}

# The address that this machine reaches the service at, whatever it is bound to.
host=${listen%:*}
case $host in
0.0.0.0 | '[::]') host=127.0.0.1 ;;
esac
base_url=http://$host:${listen##*:}

# The id of the process that file $1 names, if it still is a `guichet serve`.
service_pid() {
    pid=$(cat "$1" 2>/dev/null) || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'guichet serve' || return 1
    echo "$pid"
}

# Waits until process $1 is gone (or dead and not yet reaped), at most $2 tenths of a second.
wait_gone() {
    left=$2
    while grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}
