// `guichet runtime check` runs this: the image holds what every program is promised.
using System;
using System.IO;
using System.Linq;
using System.Numerics;
using System.Text;

static class Check {
    static bool missing;

    static void That(string what, Func<bool> holds) {
        try {
            if (holds()) return;
        } catch (Exception error) {
            Console.WriteLine(error);
        }
        Console.WriteLine("missing: " + what);
        missing = true;
    }

    static bool Opens(string path) {
        File.OpenWrite(path).Close();
        return true;
    }

    static int Main() {
        var winter = new DateTime(2023, 11, 14, 22, 13, 20, DateTimeKind.Utc);
        string user = Environment.GetEnvironmentVariable("USER"), home = Environment.GetEnvironmentVariable("HOME");
        That("the locale of LANG", () => Console.OutputEncoding.CodePage == Encoding.UTF8.CodePage);
        That("the time zone Europe/Paris", () => TimeZoneInfo.ConvertTimeFromUtc(winter, TimeZoneInfo.FindSystemTimeZoneById("Europe/Paris")).Hour == 23);
        That("the time UTC", () => winter.ToLocalTime().Hour == 22);
        That("a name for the uid", () => Environment.UserName == user && user == Environment.GetEnvironmentVariable("LOGNAME"));
        That("a home for the uid", () => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) == home);
        That("a stream that can be opened by name", () => Opens("/dev/stderr"));
        That("a work folder that can be written to", () => Opens("made"));
        That("numbers of any size", () => BigInteger.Pow(2, 70).ToString() == "1180591620717411303424");
        That("LINQ", () => Enumerable.Range(1, 4).Sum() == 10);
        return missing ? 1 : 0;
    }
}
