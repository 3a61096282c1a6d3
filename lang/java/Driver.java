package hatchery;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.DataInputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ForwardingJavaFileObject;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;
import jdk.internal.access.SharedSecrets;

/**
 * Java, as `javac *.java && java Main` has it, in one process that was started ahead: it warms the compiler up, waits for
 * its job on descriptor 3 (lang/prestart.h has the frames), compiles all sources of the job into the work
 * directory, and runs main of the first class with one in the file that was named.
 *
 * With arguments it does the same at once, for the file that is the first of them.
 */
public final class Driver {
    /** What the original thread asks Program, which is a hidden class and so has no name to be called by. */
    interface Outcome {
        boolean failed();
    }

    private record Job(String entry, boolean merge, String[] args, boolean hasVariables) {}

    /** Thrown to the launcher, which then ends with 1 when all threads have ended; nobody prints it. */
    private static final class ProgramFailed extends Error {
        private static final long serialVersionUID = 1;

        ProgramFailed() {
            super(null, null, false, false);
        }
    }

    private static final List<Path> CLASS_PATH = findClassPath();
    private static final Path NO_FOLDER = Path.of("/nonexistent");
    private static final int WARM_UPS = 4;
    private static final int JOB = 3; /* the descriptor of the socket */

    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
    private CompilationUnitTree mainUnit;

    /* ------------------------------------------------------------ the compiler */

    /** The file to start may hold a public class of any name, as with `java FILE`. */
    private static final class Entry extends ForwardingJavaFileObject<JavaFileObject> {
        Entry(JavaFileObject file) {
            super(file);
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return kind == Kind.SOURCE;
        }
    }

    private static final class Sample extends SimpleJavaFileObject {
        Sample() {
            super(URI.create("string:///Sample.java"), Kind.SOURCE);
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return """
                    import java.io.*;
                    import java.util.*;
                    import java.util.function.*;
                    import java.util.stream.*;
                    public class Sample {
                        interface Shape { double area(); }
                        record Square(double side) implements Shape { public double area() { return side * side; } }
                        enum Kind { A, B }
                        static <T extends Comparable<T>> T max(List<T> list) { return Collections.max(list); }
                        public static void main(String[] args) throws IOException {
                            Map<String, Integer> counts = new TreeMap<>();
                            try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
                                for (String line; (line = in.readLine()) != null;)
                                    for (String word : line.split(" ")) counts.merge(word, 1, Integer::sum);
                            }
                            int[] numbers = new int[10];
                            for (int i = 0; i < numbers.length; i++) numbers[i] = i % 3 == 0 ? i * 2 : i;
                            String text = Arrays.stream(numbers).boxed().map(n -> "x" + n).collect(Collectors.joining(","));
                            switch (Kind.A) { case A -> System.out.println(text); default -> throw new IllegalStateException(); }
                            System.out.printf("%s %d%n", new Square(2).area(), max(List.of(1, 2)));
                        }
                    }
                    """;
        }
    }

    /** The file manager, with what is compiled thrown away. */
    private static final class Nowhere extends javax.tools.ForwardingJavaFileManager<JavaFileManager> {
        Nowhere(JavaFileManager files) {
            super(files);
        }

        @Override
        public JavaFileObject getJavaFileForOutput(Location where, String name, JavaFileObject.Kind kind,
                                                   javax.tools.FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("string:///" + name + kind.extension), kind) {
                @Override
                public java.io.OutputStream openOutputStream() {
                    return java.io.OutputStream.nullOutputStream();
                }
            };
        }
    }

    /** Sets mainUnit to the first of the units. */
    private boolean compile(JavaFileManager manager, Writer out, List<JavaFileObject> units) {
        JavacTask task = (JavacTask) compiler.getTask(out, manager, null, List.of("-proc:none"), null, units);
        mainUnit = null;
        task.setTaskListener(new TaskListener() {
            @Override
            public void finished(TaskEvent e) {
                if (e.getKind() == TaskEvent.Kind.PARSE && mainUnit == null)
                    mainUnit = e.getCompilationUnit();
            }
        });
        return task.call();
    }

    private void warmUp() throws IOException {
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, List.of(NO_FOLDER));
        JavaFileObject sample = new Sample();
        for (int i = 0; i < WARM_UPS; i++)
            if (!compile(new Nowhere(files), new StringWriter(), List.of(sample)))
                throw new IllegalStateException("the compiler does not compile");
    }

    private List<Path> sources(String entry) throws IOException {
        List<Path> found = new ArrayList<>();
        found.add(Path.of(entry));
        try (Stream<Path> all = Files.walk(Path.of(""))) {
            all.filter(p -> p.toString().endsWith(".java") && Files.isRegularFile(p) && !p.equals(found.get(0))).sorted()
                    .forEach(found::add);
        }
        return found;
    }

    /**
     * The work directory, and the jars of third-party packages: the launcher has put them in the place of a wildcard.
     * Where there are none it has left that as it is, and a program is not to see it.
     */
    private static List<Path> findClassPath() {
        List<Path> found = Stream.of(System.getProperty("java.class.path").split(":")).map(Path::of).filter(Files::exists).toList();
        System.setProperty("java.class.path", found.stream().map(Path::toString).collect(Collectors.joining(":")));
        return found;
    }

    /** Compiles the job's files into the work directory; the compiler speaks for itself. */
    private boolean compileJob(String entry) throws IOException {
        Path here = Path.of("");
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, CLASS_PATH);
        files.setLocationFromPaths(StandardLocation.CLASS_OUTPUT, List.of(here.toAbsolutePath()));
        List<JavaFileObject> units = new ArrayList<>();
        files.getJavaFileObjectsFromPaths(sources(entry)).forEach(units::add);
        units.set(0, new Entry(units.get(0)));
        PrintWriter err = new PrintWriter(System.err, true);
        try {
            return compile(files, err, units);
        } finally {
            err.flush();
        }
    }

    /* ------------------------------------------------------------ the program */

    private static boolean hasMain(ClassTree type) {
        return type.getMembers().stream().anyMatch(m -> m instanceof MethodTree method && method.getName().contentEquals("main")
                && method.getModifiers().getFlags().contains(javax.lang.model.element.Modifier.STATIC));
    }

    /** The first class of the file that has a main, or the first one at all; null for a file without any. */
    private String mainClass() {
        List<ClassTree> types = new ArrayList<>();
        for (Tree t : mainUnit.getTypeDecls())
            if (t instanceof ClassTree type)
                types.add(type);
        if (types.isEmpty())
            return null;
        ClassTree main = types.stream().filter(Driver::hasMain).findFirst().orElse(types.get(0));
        String prefix = mainUnit.getPackageName() == null ? "" : mainUnit.getPackageName() + ".";
        return prefix + main.getSimpleName();
    }

    private static MethodHandle findMain(String name) throws ReflectiveOperationException {
        Class<?> type = Class.forName(name, false, ClassLoader.getSystemClassLoader());
        Driver.class.getModule().addReads(type.getModule());
        Method main;
        try {
            main = type.getMethod("main", String[].class);
        } catch (NoSuchMethodException e) {
            System.err.println("Error: Main method not found in class " + name + ", please define the main method as:\n"
                    + "   public static void main(String[] args)\n"
                    + "or a JavaFX application class must extend javafx.application.Application");
            return null;
        }
        if (!Modifier.isStatic(main.getModifiers())) {
            System.err.println("Error: Main method is not static in class " + name + ", please define the main method as:\n"
                    + "   public static void main(String[] args)");
            return null;
        }
        if (main.getReturnType() != void.class) {
            System.err.println("Error: Main method must return a value of type void in class " + name
                    + ", please \ndefine the main method as:\n   public static void main(String[] args)");
            return null;
        }
        main.setAccessible(true);
        return MethodHandles.lookup().unreflect(main);
    }

    private static Constructor<?> programThread() throws IOException, ReflectiveOperationException {
        try (InputStream in = Driver.class.getResourceAsStream("Program.class")) {
            Class<?> hidden = MethodHandles.lookup().defineHiddenClass(in.readAllBytes(), true).lookupClass();
            return hidden.getDeclaredConstructor(MethodHandle.class, Class.class, String[].class);
        }
    }

    /** Returns when the program's main has, or throws what makes the launcher end with 1. */
    private static void run(Constructor<?> thread, String name, String[] args) throws Exception {
        MethodHandle main = name == null ? null : findMain(name);
        if (name == null)
            System.err.println("error: no class declared in source file");
        if (main == null) {
            System.exit(1);
            return;
        }
        Thread original = Thread.currentThread();
        original.setName("DestroyJavaVM");
        original.setUncaughtExceptionHandler((t, e) -> { });
        Thread program = (Thread) thread.newInstance(main, Class.forName(name, false, ClassLoader.getSystemClassLoader()), args);
        program.start();
        program.join();
        if (((Outcome) program).failed())
            throw new ProgramFailed();
    }

    /* ------------------------------------------------------------ the job */

    /** Descriptor 2 becomes the pipe that descriptor 1 is. */
    private static void mergeErrors() throws ReflectiveOperationException {
        Method dup = Class.forName("sun.nio.ch.FileDispatcherImpl").getDeclaredMethod("dup0", FileDescriptor.class,
                                                                                      FileDescriptor.class);
        dup.setAccessible(true);
        dup.invoke(null, FileDescriptor.out, FileDescriptor.err);
    }

    private static Job readJob(InputStream from) throws IOException {
        DataInputStream in = new DataInputStream(from);
        byte[] frame = new byte[in.readInt()];
        in.readFully(frame);
        String[] words = new String(frame, StandardCharsets.UTF_8).split("\0", -1);
        int n = Integer.parseInt(words[3]);
        return new Job(words[0], !words[2].isEmpty(), Arrays.copyOfRange(words, 4, 4 + n),
                       words.length - 1 > 4 + n); /* the last word ends with NUL, too */
    }

    private static void takeJob(int number) throws Exception {
        FileDescriptor fd = new FileDescriptor();
        SharedSecrets.getJavaIOFileDescriptorAccess().set(fd, number);
        FileInputStream in = new FileInputStream(fd);
        FileOutputStream out = new FileOutputStream(fd);
        Driver driver = new Driver();
        Constructor<?> thread = programThread();
        driver.warmUp();
        Class.forName("sun.nio.ch.FileDispatcherImpl"); /* what merging takes */
        out.write('R');

        Job job = readJob(in);
        if (job.hasVariables) { /* no Java can change the environment that its children get */
            out.write('N');
            Runtime.getRuntime().halt(0);
        }
        if (job.merge)
            mergeErrors();
        if (!driver.compileJob(job.entry)) {
            out.write('C');
            Runtime.getRuntime().halt(1);
        }
        out.write('G');
        if (in.read() != 'S')
            Runtime.getRuntime().halt(1);
        in.close();
        run(thread, driver.mainClass(), job.args);
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            takeJob(JOB);
            return;
        }
        Driver driver = new Driver();
        if (!driver.compileJob(args[0]))
            System.exit(1);
        run(programThread(), driver.mainClass(), Arrays.copyOfRange(args, 1, args.length));
    }
}
