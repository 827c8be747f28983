#!/bin/sh
# Starts the service that scripts/up.sh has built and shows that it works: makes the images, loads the demo exercises,
# submits a program and prints its stream. The last line is the service's address.
#
#   scripts/start.sh PROGRAM       PROGRAM is guichet, with guichet-agent beside it
#
# .guichet/up.toml then says where the service is: commands of guichet in this folder read it (src/config/mod.rs), and so
# does scripts/down.sh, which ends all this.
set -eu
cd "$(dirname "$0")/.."
. scripts/here.sh

guichet=$1
pid_file=$data_dir/guichet.pid
log_file=$data_dir/guichet.log

as() {
    # as ROLE CURL-ARGUMENT…: a request of the demo's subject in that role
    token=$("$guichet" token --sub demo --role "$1" --ttl 10m)
    shift
    printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --config - -sS --fail-with-body "$@"
}

ready() {
    curl -s -o /dev/null --fail --max-time 5 "$base_url/readyz"
}

# $1 as a string of TOML.
quoted() {
    printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"
}

write_record() {
    mkdir -p "$own_dir"
    {
        echo "# Where the service is that \`make up\` started; \`make down\` removes this file."
        echo "[server]"
        echo "listen = $(quoted "$listen")"
        echo "[data]"
        echo "dir = $(quoted "$(realpath "$data_dir")")"
        if [ -z "${GUICHET_DOCKER_HOSTS:-}" ] && [ "${hosts#*,}" = "$hosts" ]; then
            # Names that guichet.toml has count.
            echo "[[docker.hosts]]"
            echo 'name = "local"'
            echo "url = $(quoted "$hosts")"
        else
            echo "[docker]"
            echo "hosts = [$(quoted "$hosts" | sed 's/ *, */", "/g')]"
        fi
    } >"$record"
}

start_service() {
    if curl -s -o /dev/null --max-time 5 "$base_url/"; then
        die "something else answers at $base_url: choose a free address, for example GUICHET_LISTEN=127.0.0.1:8090 make up"
    fi
    setsid "$guichet" serve </dev/null >>"$log_file" 2>&1 &
    pid=$!
    echo "$pid" >"$pid_file"
    left=600
    until ready; do
        left=$((left - 1))
        if [ "$left" = 0 ] || ! service_pid "$pid_file" >/dev/null; then
            tail -n 20 "$log_file" >&2
            die "the service did not start; its log is $log_file"
        fi
        sleep 0.1
    done
}

started=$(recorded dir)
if [ -n "$started" ] && [ "$started" != "$(realpath -m "$data_dir")" ] && service_pid "$started/guichet.pid" >/dev/null; then
    die "the service of $started, started from this folder, still runs: make down stops it"
fi

mkdir -p "$data_dir"
chmod 700 "$data_dir"
# All that follows means this service, whatever else is set.
export GUICHET_LISTEN="$listen" GUICHET_DATA_DIR="$data_dir"

if service_pid "$pid_file" >/dev/null && ready; then
    say "The service runs already"
else
    hosts=$(scripts/hosts.sh)
    # First, since the commands that follow read there which hosts there are.
    trap 'rm -f "$record"' EXIT
    write_record
    say "Images of the runtimes on $hosts"
    "$guichet" runtime build c python >&2
    say "guichet runtime build ID... makes those of the other languages: guichet runtime list"
    start_service
    trap - EXIT
fi

if ! "$guichet" token --sub demo --ttl 1m >/dev/null; then
    say "So there is no token for the demo; the service runs."
    echo "$base_url"
    exit
fi
for exercise in exercises/*/exercise.json; do
    id=$(basename "$(dirname "$exercise")")
    as teacher -o /dev/null -X PUT -H 'Content-Type: application/json' --data-binary @"$exercise" "$base_url/v1/exercises/$id"
    say "Exercise $id is loaded"
done

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
as student -o /dev/null -D "$answer" -H 'Content-Type: application/json' \
    --data-binary @exercises/sum/submission.json "$base_url/v1/submissions"
location=$(tr -d '\r' <"$answer" | sed -n 's/^[Ll]ocation: *//p')
[ -n "$location" ] || die "the submission's answer has no Location"
say "Submitted a program: $base_url$location"
echo
as student -N --max-time 120 "$base_url$location/events" | tee "$answer"
grep -q '^event: submission.finished' "$answer" || die "the submission did not finish; the log is $log_file"

echo
echo "Mint a token:  $guichet token --sub alice --role student"
echo "Look around:   $guichet doctor"
echo "Stop it:       make down"
echo "$base_url"
