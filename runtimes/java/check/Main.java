// `guichet runtime check` runs this: the image holds what every program is promised.
import java.io.FileOutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.util.concurrent.Callable;

class Check {
    private static boolean missing;

    private static void check(String what, Callable<Boolean> holds) {
        try {
            if (holds.call()) {
                return;
            }
        } catch (Exception error) {
            System.out.println(error);
        }
        System.out.println("missing: " + what);
        missing = true;
    }

    private static boolean opens(String path) throws Exception {
        new FileOutputStream(path).close();
        return true;
    }

    public static void main(String[] arguments) {
        var winter = Instant.ofEpochSecond(1_700_000_000);
        String user = System.getenv("USER");
        check("the locale of LANG", () -> Charset.defaultCharset().equals(StandardCharsets.UTF_8) && Files.notExists(Path.of("né")));
        check("the time zone Europe/Paris", () -> winter.atZone(ZoneId.of("Europe/Paris")).getHour() == 23);
        check("the time zones", () -> Files.exists(Path.of("/usr/share/zoneinfo/Europe/Paris")));
        check("a name for the uid", () -> System.getProperty("user.name").equals(user) && user.equals(System.getenv("LOGNAME")));
        check("a home for the uid", () -> System.getProperty("user.home").equals(System.getenv("HOME")));
        check("a stream that can be opened by name", () -> opens("/dev/stderr"));
        check("a work folder that can be written to", () -> opens("made"));
        System.exit(missing ? 1 : 0);
    }
}
