// `guichet runtime check` compiles and runs this: the image holds what every program is promised.
#include <langinfo.h>
#include <locale.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int missing;

static void check(int holds, const char *what) {
    if (!holds) printf("missing: %s\n", what);
    missing |= !holds;
}

static int same(const char *one, const char *other) { return one && other && !strcmp(one, other); }

int main(void) {
    check(setlocale(LC_ALL, "") && same(nl_langinfo(CODESET), "UTF-8"), "the locale of LANG");
    setenv("TZ", "Europe/Paris", 1);
    time_t winter = 1700000000;
    check(localtime(&winter)->tm_gmtoff == 3600, "the time zone Europe/Paris");
    struct passwd *user = getpwuid(getuid());
    check(user && same(user->pw_name, getenv("USER")) && same(user->pw_name, getenv("LOGNAME")), "a name for the uid");
    check(user && same(user->pw_dir, getenv("HOME")), "a home for the uid");
    FILE *error = fopen("/dev/stderr", "w"), *file = fopen("made", "w");
    check(error != NULL, "a stream that can be opened by name");
    check(file != NULL, "a work folder that can be written to");
    return missing;
}
