// `guichet runtime check` compiles and runs this: the image holds what every program is promised.
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <langinfo.h>
#include <locale>
#include <pwd.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

static bool missing = false;

static void check(bool holds, const char *what) {
    if (!holds) std::cout << "missing: " << what << "\n";
    missing |= !holds;
}

static std::string variable(const char *name) {
    const char *value = std::getenv(name);
    return value ? value : "";
}

int main() {
    try {
        std::locale::global(std::locale(""));
    } catch (const std::runtime_error &) {
    }
    check(nl_langinfo(CODESET) == std::string("UTF-8"), "the locale of LANG");
    setenv("TZ", "Europe/Paris", 1);
    std::time_t winter = 1700000000;
    check(std::localtime(&winter)->tm_gmtoff == 3600, "the time zone Europe/Paris");
    passwd *user = getpwuid(getuid());
    check(user && user->pw_name == variable("USER") && user->pw_name == variable("LOGNAME"), "a name for the uid");
    check(user && user->pw_dir == variable("HOME"), "a home for the uid");
    check(bool(std::ofstream("/dev/stderr")), "a stream that can be opened by name");
    check(bool(std::ofstream("made")), "a work folder that can be written to");
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    check(ran, "threads");
    return missing;
}
