#!/bin/sh
# Installs the Debian package on a bare Debian of its own, starts engine and service there as it says, has a program graded, and
# purges it: scripts/try-package.sh PACKAGE ENGINE
#
# ENGINE is the address of an engine that has the image of Python. Needs root and mmdebstrap.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

package=$1
engine=$2
dir=$(realpath -m "$own_dir/bare")
root=$dir/root
image=guichet-python:2

# What the bare Debian runs; it has processes and mounts of its own, which end with the first of its processes.
inside() {
    nsenter --target "$init" --mount --pid --uts --ipc -- chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"
}

stop() {
    [ -z "${holder:-}" ] || kill -KILL "$holder" 2>/dev/null || :
    [ -z "${init:-}" ] || wait_gone "$init" 100 || :
    rm -rf --one-file-system "$dir" || :
    wait 2>/dev/null || :
}
trap stop EXIT
trap 'exit 130' INT TERM

# $1: what is waited for; then a command that ends with 0 when it has come.
wait_for() {
    what=$1
    shift
    left=300
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" = 0 ]; then
            tail -n 30 "$root/var/log/dockerd.log" "$root/var/log/guichet.log" >&2 || :
            die "$what has not come"
        fi
        sleep 0.1
    done
}

say "a bare Debian"
rm -rf --one-file-system "$dir"
mkdir -p "$dir"
mmdebstrap --quiet --aptopt='Acquire::Retries "3"' --mode=root --variant=minbase --include=docker.io,adduser,ca-certificates,curl bookworm "$root" >&2
cp "$package" "$root/guichet.deb"
setsid unshare --mount --pid --uts --ipc --fork --kill-child sh -c "
    mount --bind '$root' '$root' &&
    mount --rbind /sys '$root/sys' && mount --rbind /dev '$root/dev' && mount -t proc proc '$root/proc' &&
    mount -t tmpfs run '$root/run' && exec sleep infinity" </dev/null &
holder=$!
wait_for "the first process" pgrep -P "$holder"
init=$(pgrep -P "$holder")
wait_for "its /proc" inside test -e /proc/1/status

say "the package"
inside dpkg -i /guichet.deb >&2
inside guichet --version >&2
inside test -e /usr/share/man/man1/guichet.1.gz
start=$(sed -n 's/^ExecStart=//p' "$root"/usr/lib/systemd/system/guichet.service "$root"/lib/systemd/system/guichet.service 2>/dev/null | head -n 1)
[ -n "$start" ] || die "the package has no unit that says how it is started"

say "its engine and its service"
inside sh -c 'setsid dockerd --bridge=none --iptables=false --ip-forward=false --ip-masq=false --log-level=warn </dev/null >/var/log/dockerd.log 2>&1 &'
wait_for "the engine" inside docker version
docker -H "$engine" save "$image" | inside docker load >&2
inside install -d -o guichet -g guichet -m 700 /var/lib/guichet
# As the unit says: its user with all groups of his. The network is this machine's, where its usual port may be taken.
inside env GUICHET_LISTEN=127.0.0.1:0 sh -c "setsid setpriv --reuid guichet --regid guichet --init-groups $start </dev/null >/var/log/guichet.log 2>&1 & echo \$! >/run/guichet.pid"
serves() {
    url=http://$(sed -n 's/.*guichet serves address=\([^ ]*\).*/\1/p' "$root/var/log/guichet.log")
    inside curl -fs "$url/readyz"
}
wait_for "the service" serves

say "a program"
as_guichet() {
    inside setpriv --reuid guichet --regid guichet --init-groups "$@"
}
token=$(as_guichet guichet token --config /etc/guichet/guichet.toml --sub alice --role student)
echo 'print(sum(map(int, input().split())))' >"$root/tmp/sum.py"
answer=$(printf '1 2\n' | inside env GUICHET_URL="$url" GUICHET_TOKEN="$token" guichet run --stdin - /tmp/sum.py)
[ "$answer" = 3 ] || die "the program's answer is $answer"

say "no trace after a purge"
inside sh -c 'kill -TERM "$(cat /run/guichet.pid)"'
# shellcheck disable=SC2016 # the inner shell reads it
wait_for "the end of the service" inside sh -c '! grep "^State:[[:space:]]*[^ZX[:space:]]" "/proc/$(cat /run/guichet.pid)/status"'
inside dpkg --purge guichet >&2
left=$(inside find / -xdev -not -path '/proc/*' -name 'guichet*' -not -path '/var/lib/docker/*' -not -path '/guichet.deb' -not -path '/var/log/*' -not -path '/sys/*')
[ -z "$left" ] || die "left behind: $left"
say "ok"
