# `guichet runtime check` runs this: the image holds what every program is promised.
import codecs, datetime, getpass, locale, os, pwd, sys, tempfile, zoneinfo

missing = []


def check(what, holds):
    try:
        if not holds():
            missing.append(what)
    except Exception as error:
        missing.append(f"{what} ({error!r})")


def draws():
    import matplotlib.pyplot as plt

    plt.plot([1, 2, 3])
    plt.savefig("plot.png")
    return plt.get_backend().lower() == "agg" and os.path.getsize("plot.png") > 1000


def has_fonts_listed():
    return not any("fontlist" in name for _, _, files in os.walk(tempfile.gettempdir()) for name in files)


def computes():
    import numpy, pandas, scipy.linalg

    table = pandas.DataFrame({"x": numpy.linspace(0, 1, 5)})
    return table.x.sum() == 2.5 and numpy.allclose(scipy.linalg.inv(numpy.eye(50) * 2), numpy.eye(50) / 2)


winter = datetime.datetime.fromtimestamp(1_700_000_000, datetime.timezone.utc)
user = os.environ["USER"]
check("the locale of LANG", lambda: locale.setlocale(locale.LC_ALL, "") and codecs.lookup(locale.nl_langinfo(locale.CODESET)).name == "utf-8")
check("the time zone Europe/Paris", lambda: winter.astimezone(zoneinfo.ZoneInfo("Europe/Paris")).hour == winter.hour + 1)
check("a name for the uid", lambda: pwd.getpwuid(os.getuid()).pw_name == getpass.getuser() == user == os.environ["LOGNAME"])
check("a home for the uid", lambda: os.path.expanduser(f"~{user}") == os.environ["HOME"])
check("a stream that can be opened by name", lambda: open("/dev/stderr", "w"))
check("a work folder that can be written to", lambda: open("made", "w"))
check("numpy, pandas, scipy", computes)
check("drawing into a file", draws)
check("the list of fonts", has_fonts_listed)
for what in missing:
    print("missing:", what)
sys.exit(bool(missing))
