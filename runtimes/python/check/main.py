# `guichet runtime check` runs this: the image holds what every program is promised.
import codecs, datetime, getpass, json, locale, math, os, pwd, random, re, sys, zoneinfo

missing = []


def check(what, holds):
    try:
        if not holds():
            missing.append(what)
    except Exception as error:
        missing.append(f"{what} ({error!r})")


winter = datetime.datetime.fromtimestamp(1_700_000_000, datetime.timezone.utc)
user = os.environ["USER"]
check("the locale of LANG", lambda: locale.setlocale(locale.LC_ALL, "") and codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "utf-8")
check("the time zone Europe/Paris", lambda: winter.astimezone(zoneinfo.ZoneInfo("Europe/Paris")).hour == winter.hour + 1)
check("a name for the uid", lambda: pwd.getpwuid(os.getuid()).pw_name == getpass.getuser() == user == os.environ["LOGNAME"])
check("a home for the uid", lambda: os.path.expanduser(f"~{user}") == os.environ["HOME"])
check("a stream that can be opened by name", lambda: open("/dev/stderr", "w"))
check("a work folder that can be written to", lambda: open("made", "w"))
for what in missing:
    print("missing:", what)
sys.exit(bool(missing))
