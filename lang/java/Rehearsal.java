package hatchery;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Does ahead of time what every job does: compiles a sample from a file and runs it, by the same functions. So the
 * classes are loaded and the hot methods compiled when a job comes. Nothing of the sample stays behind.
 *
 * It is also a program of its own, which does only this and ends. prepare.sh runs that program to find the classes
 * that belong in the archive.
 */
final class Rehearsal {
    private static final String ENTRY = "Sample.java";
    private static final int ROUNDS = 3; /* further rounds cost more time than they save */

    private Rehearsal() {}

    static void rehearse(Driver driver, Path samples) throws Exception {
        Path output = Path.of(System.getProperty("java.io.tmpdir"), "rehearsal");
        Files.createDirectories(output);
        try {
            for (int i = 0; i < ROUNDS; i++)
                round(driver, samples, output);
        } finally {
            remove(output);
        }
    }

    private static void round(Driver driver, Path samples, Path output) throws Exception {
        StringWriter said = new StringWriter();
        if (!driver.compiler().compile(samples, ENTRY, List.of(output), output, new PrintWriter(said)))
            throw new IllegalStateException("the sample does not compile: " + said);
        try (URLClassLoader loader = new URLClassLoader(new URL[] { output.toUri().toURL() })) {
            Class<?> sample = Class.forName(driver.compiler().mainClass(), false, loader);
            if (!driver.runProgram(sample, Driver.findMain(sample), new String[] { "4" }))
                throw new IllegalStateException("the sample does not run");
        }
    }

    private static void remove(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList())
                Files.delete(path);
        }
    }

    public static void main(String[] args) throws Exception {
        rehearse(new Driver(), Path.of(args[0]));
    }
}
