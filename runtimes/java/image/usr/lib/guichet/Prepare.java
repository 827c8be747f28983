// Run when the image is made: packs Compile.java, compiled, as compile.jar.

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.spi.ToolProvider;

class Prepare {
    private static void run(String tool, String... arguments) {
        if (ToolProvider.findFirst(tool).orElseThrow().run(System.out, System.err, arguments) != 0) {
            throw new IllegalStateException(tool + " failed");
        }
    }

    public static void main(String[] arguments) throws Exception {
        var jar = Path.of("/usr/lib/guichet/compile.jar");
        run("javac", "-d", "/tmp/compile", "/usr/lib/guichet/Compile.java");
        run("jar", "--create", "--file", jar.toString(), "-C", "/tmp/compile", ".");
        // An archive of classes goes by the time of its jar, and the image keeps no time later than its packages'.
        Files.setLastModifiedTime(jar, FileTime.fromMillis(1_000_000_000_000L));
    }
}
