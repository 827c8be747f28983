# `guichet runtime check` runs this: the image holds what every program is promised.
missing=0

check() {
    local what=$1
    shift
    "$@" && return
    echo "missing: $what"
    missing=1
}

winter() { [ "$(TZ=Europe/Paris date -d @1700000000 +%H:%M)" = 23:13 ]; }
locale_of_lang() { local text=é; [ "${#text}" = 1 ] && [ "$(printf é | wc -m)" = 1 ] && [ "${text^}" = É ]; }
named() { [ "$(id -un)" = "$USER" ] && [ "$USER" = "$LOGNAME" ]; }
at_home() { local home; eval "home=~$USER" && [ "$home" = "$HOME" ]; }
stream() { : >/dev/stderr; }
folder() { echo x >made; }
tools() { [ "$(seq 3 | awk '{ n += $1 } END { print n }' | sed 's/^/2+/' | bc)" = 8 ] && find . -name made | xargs diff made; }

check "the locale of LANG" locale_of_lang
check "the time zone Europe/Paris" winter
check "a name for the uid" named
check "a home for the uid" at_home
check "a stream that can be opened by name" stream
check "a work folder that can be written to" folder
check "the usual tools" tools
exit "$missing"
