// Compiles a submission, says what is wrong with it as gcc does, and leaves OUTPUT/start: the arguments that java is
// started with. A file may have any name, whatever class is public in it.

import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import javax.lang.model.element.Element;
import javax.lang.model.element.ElementKind;
import javax.lang.model.element.ExecutableElement;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.TypeElement;
import javax.lang.model.type.TypeKind;
import javax.tools.Diagnostic;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.ForwardingJavaFileObject;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

public final class Compile {
    /** A class that can be started. */
    private record Start(String name, boolean isInEntry, boolean isPublic) {}

    /** A submitted file. */
    private static final class Source extends SimpleJavaFileObject {
        final String path;
        final String text;

        Source(String path, String text) {
            super(Path.of(path).toAbsolutePath().toUri(), Kind.SOURCE);
            this.path = path;
            this.text = text;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return text;
        }

        @Override
        public String getName() {
            return path;
        }

        /** Two names mean something of their own; a class may be in a file of any other. */
        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            boolean isSpecial = simpleName.equals("package-info") || simpleName.equals("module-info");
            return !isSpecial || Path.of(path).endsWith(simpleName + ".java");
        }
    }

    /** Writes classes; a stack trace names their files by whole paths, not by the last part alone. */
    private static final class Output extends ForwardingJavaFileManager<JavaFileManager> {
        Output(JavaFileManager usual) {
            super(usual);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(Location location, String name, JavaFileObject.Kind kind, FileObject sibling)
                throws IOException {
            JavaFileObject file = super.getJavaFileForOutput(location, name, kind, sibling);
            return sibling instanceof Source source && source.path.contains("/") ? new Named(file, source.path) : file;
        }
    }

    private static final class Named extends ForwardingJavaFileObject<JavaFileObject> {
        private final String path;

        Named(JavaFileObject file, String path) {
            super(file);
            this.path = path;
        }

        @Override
        public OutputStream openOutputStream() {
            return new ByteArrayOutputStream() {
                @Override
                public void close() throws IOException {
                    try (OutputStream out = fileObject.openOutputStream()) {
                        out.write(named(toByteArray(), path));
                    }
                }
            };
        }
    }

    /** A class file (JVMS 4) with the whole path in place of its source's name, unless a text of the program is that name. */
    private static byte[] named(byte[] file, String path) throws IOException {
        String name = path.substring(path.lastIndexOf('/') + 1);
        var in = ByteBuffer.wrap(file);
        int at = 10;
        int found = 0;
        int place = 0;
        var texts = new HashSet<Integer>();
        for (int index = 1; index < Short.toUnsignedInt(in.getShort(8)); index++) {
            int first = Short.toUnsignedInt(in.getShort(at + 1));
            switch (file[at]) {
                case 1 -> {
                    if (new String(file, at + 3, first, StandardCharsets.UTF_8).equals(name)) {
                        found = index;
                        place = at;
                    }
                    at += 3 + first;
                }
                case 5, 6 -> {
                    index++;
                    at += 9;
                }
                case 8 -> {
                    texts.add(first);
                    at += 3;
                }
                case 7, 16, 19, 20 -> at += 3;
                case 15 -> at += 4;
                default -> at += 5;
            }
        }
        if (found == 0 || texts.contains(found)) {
            return file;
        }
        var bytes = new ByteArrayOutputStream();
        var out = new DataOutputStream(bytes);
        out.write(file, 0, place + 1);
        out.writeUTF(path);
        int rest = place + 3 + Short.toUnsignedInt(in.getShort(place + 1));
        out.write(file, rest, file.length - rest);
        return bytes.toByteArray();
    }

    private final List<Start> starts = new ArrayList<>();
    private final Path output;
    private boolean failed;

    private Compile(Path output) {
        this.output = output;
    }

    public static void main(String[] arguments) throws IOException {
        var compile = new Compile(Path.of(arguments[0]));
        compile.run(List.of(arguments).subList(1, arguments.length));
        System.exit(compile.failed ? 1 : 0);
    }

    private void run(List<String> paths) throws IOException {
        var sources = new ArrayList<Source>();
        for (String path : paths) {
            sources.add(new Source(path, read(path)));
        }
        if (failed) {
            return;
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        var options = List.of("-d", output.toString(), "-classpath", output.toString(), "-proc:none", "-g");
        var files = new Output(compiler.getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8));
        var task = (JavacTask) compiler.getTask(null, files, this::tell, options, null, sources);
        task.addTaskListener(new TaskListener() {
            @Override
            public void finished(TaskEvent event) {
                if (event.getKind() == TaskEvent.Kind.ANALYZE && event.getTypeElement() != null) {
                    findStarts(task, event.getTypeElement(), event.getSourceFile() == sources.get(0));
                }
            }
        });
        if (!task.call()) {
            failed = true;
            return;
        }
        start();
    }

    /** The text of a file; a byte order mark says nothing. */
    private String read(String path) throws IOException {
        byte[] bytes = Files.readAllBytes(Path.of(path));
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException error) {
            System.out.println(path + ":" + lineOfBadByte(bytes) + ": error: not text in UTF-8");
            failed = true;
            return "";
        }
    }

    private static int lineOfBadByte(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        int bad = Math.max(text.indexOf('\uFFFD'), 0);
        return 1 + (int) text.substring(0, bad).chars().filter(c -> c == '\n').count();
    }

    private void tell(Diagnostic<? extends JavaFileObject> diagnostic) {
        String severity = switch (diagnostic.getKind()) {
            case ERROR -> "error";
            case WARNING, MANDATORY_WARNING -> "warning";
            case NOTE, OTHER -> "note";
        };
        System.out.println(place(diagnostic) + severity + ": " + oneLine(diagnostic.getMessage(Locale.ROOT)));
    }

    private static String place(Diagnostic<? extends JavaFileObject> diagnostic) {
        if (!(diagnostic.getSource() instanceof Source source) || diagnostic.getPosition() == Diagnostic.NOPOS) {
            return "";
        }
        int position = (int) Math.min(diagnostic.getPosition(), source.text.length());
        int column = position - source.text.lastIndexOf('\n', position - 1);
        return source.path + ":" + diagnostic.getLineNumber() + ":" + column + ": ";
    }

    /** A message's first line, and what is told below it in parentheses. */
    private static String oneLine(String message) {
        String[] lines = message.strip().split("\\s*\\R\\s*");
        String more = Arrays.stream(lines).skip(1).map(line -> line.replaceAll("\\s+", " ")).collect(Collectors.joining("; "));
        return more.isEmpty() ? lines[0] : lines[0] + " (" + more + ")";
    }

    private void findStarts(JavacTask task, TypeElement type, boolean isInEntry) {
        for (Element member : type.getEnclosedElements()) {
            if (member instanceof ExecutableElement method && isMain(method)) {
                String name = task.getElements().getBinaryName(type).toString();
                starts.add(new Start(name, isInEntry, type.getModifiers().contains(Modifier.PUBLIC)));
            }
            if (member instanceof TypeElement inner) {
                findStarts(task, inner, isInEntry);
            }
        }
    }

    private static boolean isMain(ExecutableElement method) {
        return method.getKind() == ElementKind.METHOD
            && method.getSimpleName().contentEquals("main")
            && method.getModifiers().containsAll(List.of(Modifier.PUBLIC, Modifier.STATIC))
            && method.getReturnType().getKind() == TypeKind.VOID
            && method.getParameters().size() == 1
            && method.getParameters().get(0).asType().toString().equals("java.lang.String[]");
    }

    /** Chooses the class to start: of the entry file if one is there, a public one before others, the first of those. */
    private void start() throws IOException {
        var inEntry = starts.stream().filter(Start::isInEntry).toList();
        var candidates = inEntry.isEmpty() ? starts : inEntry;
        var chosen = candidates.stream().filter(Start::isPublic).findFirst().or(() -> candidates.stream().findFirst());
        if (chosen.isEmpty()) {
            System.out.println("error: no class has a method public static void main(String[])");
            failed = true;
            return;
        }
        Files.writeString(output.resolve("start"), "-cp \"" + output + "\" \"" + chosen.get().name() + "\"\n");
    }
}
