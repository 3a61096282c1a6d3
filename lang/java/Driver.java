package hatchery;

import java.io.DataInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdk.internal.access.SharedSecrets;

/**
 * Does what `javac *.java && java Main` does, in one process that was started ahead. It rehearses (Rehearsal), and
 * waits for its job on descriptor 3 (lang/prestart.h describes the frames). Then it compiles all sources of the job
 * into the work directory, and runs main of the class that Compiler.mainClass has chosen from the entry file.
 *
 * With an argument it is a fresh process: it was started for one job that a warm process can't do, with that job's
 * environment. It does not rehearse.
 */
public final class Driver {
    /** The original thread asks Program through this interface, because a hidden class has no name. */
    interface Outcome {
        boolean failed();
    }

    private record Job(String entry, boolean isCompiled, boolean merge, String[] args, boolean hasVariables) {}

    /** Makes the launcher exit with 1 when all threads have ended. No handler prints it. */
    private static final class ProgramFailed extends Error {
        private static final long serialVersionUID = 1;

        ProgramFailed() {
            super(null, null, false, false);
        }
    }

    private static final Path PACKAGES = Path.of("/hatchery/packages");
    private static final Path SAMPLES = Path.of("/hatchery/lang/java/sample");
    private static final int JOB = 3; /* the descriptor of the socket */

    private final List<Path> classPath = findClassPath();
    private final Compiler compiler = new Compiler();
    private final Constructor<?> programThread;
    private final Method appendToClassPath;

    Driver() throws IOException, ReflectiveOperationException {
        try (InputStream in = Driver.class.getResourceAsStream("Program.class")) {
            Class<?> hidden = MethodHandles.lookup().defineHiddenClass(in.readAllBytes(), true).lookupClass();
            programThread = hidden.getDeclaredConstructor(MethodHandle.class, Class.class, String[].class);
        }
        appendToClassPath = ClassLoader.getSystemClassLoader().getClass()
                .getDeclaredMethod("appendToClassPathForInstrumentation", String.class);
        appendToClassPath.setAccessible(true);
    }

    Compiler compiler() {
        return compiler;
    }

    /* ------------------------------------------------------------ the program */

    /**
     * The work directory, and the jars of third-party packages in the order in which the launcher expands a wildcard.
     */
    private static List<Path> findClassPath() throws IOException {
        List<Path> found = new ArrayList<>(List.of(Path.of(".")));
        if (Files.isDirectory(PACKAGES))
            try (Stream<Path> all = Files.list(PACKAGES)) {
                all.filter(p -> p.toString().toLowerCase(Locale.ROOT).endsWith(".jar")).forEach(found::add);
            }
        return found;
    }

    /**
     * Gives this virtual machine its class path. Until now it has none, because the platform looks for services in the
     * class path (of the compiler, of file systems, of character sets) and runs those that it finds. No class of a job
     * may run before the compiler has ended.
     */
    private void openClassPath() throws ReflectiveOperationException {
        for (Path path : classPath)
            appendToClassPath.invoke(ClassLoader.getSystemClassLoader(), path.toString());
        System.setProperty("java.class.path", classPath.stream().map(Path::toString).collect(Collectors.joining(":")));
    }

    /**
     * Compiles the job's files into the work directory, unless they are compiled already. The compiler prints its own
     * messages.
     */
    private boolean compileJob(String entry, boolean isCompiled) {
        Path here = Path.of("");
        PrintWriter err = new PrintWriter(System.err, true);
        try {
            if (isCompiled)
                return compiler.look(here, entry);
            return compiler.compile(here, entry, classPath, here.toAbsolutePath(), err);
        } catch (IOException | RuntimeException e) { /* a name or a folder can't be read */
            err.println("hatchery: the sources can't be compiled: " + e);
            return false;
        } finally {
            err.flush();
        }
    }

    private static void say(String sentence, Object... words) {
        System.err.println(String.format(sentence, words));
    }

    /** Finds main. Null: there is none, and this has printed the launcher's message. */
    static MethodHandle findMain(Class<?> type) throws ReflectiveOperationException {
        String name = type.getName();
        Driver.class.getModule().addReads(type.getModule());
        Method main;
        try {
            main = type.getMethod("main", String[].class);
        } catch (NoSuchMethodException e) {
            say("Error: Main method not found in class %s, please define the main method as:\n"
                    + "   public static void main(String[] args)\n"
                    + "or a JavaFX application class must extend javafx.application.Application", name);
            return null;
        } catch (LinkageError e) {
            say("Error: Unable to initialize main class %s\nCaused by: %s", name, e);
            return null;
        }
        if (!Modifier.isStatic(main.getModifiers())) {
            say("Error: Main method is not static in class %s, please define the main method as:\n"
                    + "   public static void main(String[] args)", name);
            return null;
        }
        if (main.getReturnType() != void.class) {
            say("Error: Main method must return a value of type void in class %s, please \ndefine the main method as:\n"
                    + "   public static void main(String[] args)", name);
            return null;
        }
        main.setAccessible(true);
        return MethodHandles.lookup().unreflect(main);
    }

    /** Finds the class to start. Null: there is none, and this has printed the launcher's message. */
    private Class<?> findClass() throws ClassNotFoundException {
        String name = compiler.mainClass();
        if (name == null) {
            say("error: no class declared in source file");
            return null;
        }
        try {
            return Class.forName(name, false, ClassLoader.getSystemClassLoader());
        } catch (LinkageError e) {
            say("Error: LinkageError occurred while loading main class %s\n\t%s", name, e);
            return null;
        }
    }

    /** Runs the program's main to its end. False: main threw. */
    boolean runProgram(Class<?> type, MethodHandle main, String[] args) throws ReflectiveOperationException, InterruptedException {
        Thread program = (Thread) programThread.newInstance(main, type, args);
        program.start();
        program.join();
        return !((Outcome) program).failed();
    }

    /** Runs the program's main to its end. Throws ProgramFailed if main threw, so that the launcher exits with 1. */
    private void run(String[] args) throws Exception {
        openClassPath();
        Class<?> type = findClass();
        MethodHandle main = type == null ? null : findMain(type);
        if (main == null)
            System.exit(1);
        Thread original = Thread.currentThread();
        original.setName("DestroyJavaVM");
        original.setUncaughtExceptionHandler((t, e) -> { });
        if (!runProgram(type, main, args))
            throw new ProgramFailed();
    }

    /* ------------------------------------------------------------ the job */

    /** Makes descriptor 2 a copy of descriptor 1. */
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
        return new Job(words[0], words[1].equals("compiled"), !words[2].isEmpty(), Arrays.copyOfRange(words, 4, 4 + n),
                       words.length - 1 > 4 + n); /* the last word ends with NUL, too */
    }

    private static void takeJob(int number, boolean isFresh) throws Exception {
        FileDescriptor fd = new FileDescriptor();
        SharedSecrets.getJavaIOFileDescriptorAccess().set(fd, number);
        FileInputStream in = new FileInputStream(fd);
        FileOutputStream out = new FileOutputStream(fd);
        Driver driver = new Driver();
        if (!isFresh)
            Rehearsal.rehearse(driver, SAMPLES);
        Class.forName("sun.nio.ch.FileDispatcherImpl"); /* loaded ahead for mergeErrors */
        out.write('R');

        Job job = readJob(in);
        if (job.hasVariables && !isFresh) { /* a running Java can't change the environment of its children */
            out.write('N');
            Runtime.getRuntime().halt(0);
        }
        if (job.merge)
            mergeErrors();
        if (!driver.compileJob(job.entry, job.isCompiled)) {
            out.write('C');
            Runtime.getRuntime().halt(1);
        }
        out.write('G');
        if (in.read() != 'S')
            Runtime.getRuntime().halt(1);
        in.close();
        driver.run(job.args);
    }

    public static void main(String[] args) throws Exception {
        takeJob(JOB, args.length > 0);
    }
}
