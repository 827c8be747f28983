// Compiles a submission, says what is wrong with it as gcc does, and leaves OUTPUT/start: the arguments that java is
// started with. A file may have any name, whatever class is public in it.

import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
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
import javax.tools.JavaCompiler;
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
        var task = (JavacTask) compiler.getTask(null, null, this::tell, options, null, sources);
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
