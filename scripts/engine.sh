#!/bin/sh
# A Docker engine of one's own, for tests and for machines where none runs.
#
#   scripts/engine.sh up DIR [DOCKERD-OPTION…]    starts it if it does not answer yet; prints its address
#   scripts/engine.sh down DIR                    removes its containers, stops it, waits until it is gone
#
# Everything of it lies in DIR: docker.sock, data (images stay there after `down`), exec, log, pid. If DIR is too long
# for the sockets below it, they lie in /run/guichet-NUMBER; the printed address is right in both cases.
# Needs root, dockerd and docker.
#
# live-restore stays off: this engine shall leave nothing behind when it stops. (`up DIR --live-restore` turns it on;
# an operator's engine should have it, see docs/operating.md.)
set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

die() {
    echo "engine.sh: $*" >&2
    exit 1
}

answers() {
    [ -S "$run/docker.sock" ] && docker -H "$address" version >/dev/null 2>&1
}

# The dockerd of this directory: a process id in a file may belong to another process by now.
own_pid() {
    pid=$(cat "$dir/pid" 2>/dev/null) || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$address" || return 1
    echo "$pid"
}

# Waits until the process of id $1 is gone (or dead and not yet reaped), at most $2 tenths of a second.
wait_gone() {
    left=$2
    while grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

# dockerd takes its containerd along when it dies, but not at once; a new dockerd must not meet the old one.
stop_containerd() {
    containerd=$(cat "$run/exec/containerd/containerd.pid" 2>/dev/null) || return 0
    if tr '\0' '\n' <"/proc/$containerd/cmdline" 2>/dev/null | grep -qF -- "$run/exec/"; then
        wait_gone "$containerd" 50 || kill -KILL "$containerd"
        wait_gone "$containerd" 50 || die "containerd, process $containerd, does not end"
    fi
    rm -f "$run/exec/containerd/containerd.pid"
}

# Some minimal machines boot without control groups; every container needs them.
mount_cgroups() {
    grep -qE ' - cgroup2? ' /proc/self/mountinfo && return
    if [ -r /proc/cgroups ] && awk '$1 == "memory" && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups; then
        mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
        # shellcheck disable=SC2013 # one word a line
        for controller in $(awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups); do
            mkdir -p "/sys/fs/cgroup/$controller"
            mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
        done
        mkdir -p /sys/fs/cgroup/systemd
        mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    else
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    fi
}

# What was mounted last goes first: a mount may lie on another's folder.
unmount_below() {
    awk -v root="$1/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r point; do
        umount "$point" 2>/dev/null || umount -l "$point"
    done
}

up() {
    if answers; then
        return
    fi
    if ! own_pid >/dev/null; then
        stop_containerd
        rm -f "$dir/pid" "$run/docker.sock"
        mount_cgroups
        # A containerd that runs already is shared under a name of our own; else dockerd starts one itself.
        setsid dockerd --host "$address" --data-root "$dir/data" --exec-root "$run/exec" --pidfile "$dir/pid" \
            --containerd-namespace "$name" --containerd-plugins-namespace "$name-plugins" \
            --config-file "$dir/daemon.json" --exec-opt native.cgroupdriver=cgroupfs \
            --bridge=none --iptables=false --ip-forward=false --ip-masq=false --log-level=warn \
            "$@" </dev/null >>"$dir/log" 2>&1 9>&- &
        started=$!
    fi
    left=600
    until answers; do
        left=$((left - 1))
        if [ "$left" = 0 ] || { [ -n "${started:-}" ] && [ ! -d "/proc/$started" ]; }; then
            tail -n 20 "$dir/log" >&2
            die "the engine did not start; its log is $dir/log"
        fi
        sleep 0.1
    done
}

# Removes all containers. One that ends or is removed by another client meanwhile makes the engine refuse: it is asked again.
remove_containers() {
    left=50
    # What it no longer knows though it lists it counts as removed.
    until remove_listed; do
        left=$((left - 1))
        case $refused in
        # An engine that ended while it made a container left that mounted below what the next one mounts its data on: none can
        # remove it, and what unmounts all behind the engine's end can. The container does not run.
        *'device or resource busy'*) [ "$left" -gt 47 ] || return 0 ;;
        esac
        [ "$left" -gt 0 ] || die "containers stay: $refused"
        sleep 0.1
    done
}

remove_listed() {
    containers=$(docker -H "$address" ps -aq)
    # shellcheck disable=SC2086 # one word per container
    [ -z "$containers" ] || refused=$(docker -H "$address" rm -f $containers 2>&1 >/dev/null)
}

down() {
    # A dockerd that was killed left its containers running: it has to come back to remove them.
    if ! own_pid >/dev/null && [ -d "$run/exec" ]; then
        up
    fi
    if pid=$(own_pid); then
        if answers; then
            remove_containers
        fi
        kill "$pid"
        if ! wait_gone "$pid" 300; then
            kill -KILL "$pid"
            wait_gone "$pid" 100 || die "process $pid does not end"
        fi
    fi
    stop_containerd
    # Control groups of Guichet's slots stay behind. Of those in use by another engine, not even the empty ones
    # inside may go: they wait for the next command.
    for group in /sys/fs/cgroup/guichet/* /sys/fs/cgroup/*/guichet/*; do
        if [ -d "$group" ] && ! find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | grep -q .; then
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
        fi
    done
    unmount_below "$dir"
    unmount_below "$run"
    rm -rf "$run/exec" "$dir/pid" "$run/docker.sock"
    [ "$run" = "$dir" ] || rm -rf "$run"
}

[ $# -ge 2 ] || die "usage: engine.sh up DIR [DOCKERD-OPTION…] | engine.sh down DIR"
command=$1
dir=$(realpath -m -- "$2")
shift 2
name=guichet-$(printf %s "$dir" | cksum | cut -d' ' -f1)
run=$dir
[ "${#dir}" -le 60 ] || run=/run/$name
address=unix://$run/docker.sock
[ "$(id -u)" = 0 ] || die "starting an engine needs root"
for program in dockerd docker; do
    command -v "$program" >/dev/null || die "$program is missing: apt-get install docker.io (scripts/setup.sh does it)"
done

case $command in
up)
    mkdir -p "$dir"
    [ "$run" = "$dir" ] || mkdir -p "$run"
    [ -e "$dir/daemon.json" ] || echo '{}' >"$dir/daemon.json"
    exec 9>"$dir/lock"
    flock 9
    up "$@"
    echo "$address"
    ;;
down)
    [ -d "$dir" ] || exit 0
    exec 9>"$dir/lock"
    flock 9
    down
    ;;
*) die "unknown command $command" ;;
esac
