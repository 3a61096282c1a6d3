package hatchery;

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.lang.model.element.Modifier;
import javax.tools.ForwardingJavaFileObject;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

/** The compiler of this process. It gets faster with each compilation. */
final class Compiler {
    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
    private String mainClass;

    /**
     * Gives the compiler an empty path for plug-ins. Without one, the compiler would look for plug-ins among the
     * program's classes.
     */
    Compiler() throws IOException {
        files.setLocationFromPaths(StandardLocation.ANNOTATION_PROCESSOR_PATH, List.of());
    }

    /**
     * The entry file. As with `java FILE`, its public class may have any name, and its own name need not end in
     * ".java".
     */
    private static final class Entry extends ForwardingJavaFileObject<JavaFileObject> {
        Entry(JavaFileObject file) {
            super(file);
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return kind == Kind.SOURCE;
        }

        @Override
        public Kind getKind() {
            return Kind.SOURCE;
        }
    }

    private static List<Path> sources(Path folder, String entry) throws IOException {
        List<Path> found = new ArrayList<>();
        found.add(folder.resolve(entry));
        try (Stream<Path> all = Files.walk(folder)) {
            all.filter(p -> p.toString().endsWith(".java") && Files.isRegularFile(p) && !p.equals(found.get(0))).sorted()
                    .forEach(found::add);
        }
        return found;
    }

    /** Finds the main class as compile does, but compiles nothing: the classes are there already. */
    boolean look(Path folder, String entry) throws IOException {
        JavaFileObject file = new Entry(files.getJavaFileObjects(folder.resolve(entry)).iterator().next());
        JavacTask task = (JavacTask) compiler.getTask(Writer.nullWriter(), files, null, List.of("-proc:none"), null, List.of(file));
        mainClass = findMainClass(task.parse().iterator().next());
        return true;
    }

    /** Compiles all sources of the folder, the entry first. The compiler's messages go to out. */
    boolean compile(Path folder, String entry, List<Path> classPath, Path output, Writer out) throws IOException {
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, classPath);
        files.setLocationFromPaths(StandardLocation.CLASS_OUTPUT, List.of(output));
        List<JavaFileObject> units = new ArrayList<>();
        files.getJavaFileObjectsFromPaths(sources(folder, entry)).forEach(units::add);
        units.set(0, new Entry(units.get(0)));
        JavacTask task = (JavacTask) compiler.getTask(out, files, null, List.of("-proc:none"), null, units);
        mainClass = null;
        task.setTaskListener(new TaskListener() {
            private boolean isFirst = true;

            /**
             * The entry is parsed first. Looks for its main class now, because its tree is empty once its classes are
             * written.
             */
            @Override
            public void finished(TaskEvent e) {
                if (e.getKind() == TaskEvent.Kind.PARSE && isFirst) {
                    isFirst = false;
                    mainClass = findMainClass(e.getCompilationUnit());
                }
            }
        });
        return task.call();
    }

    /**
     * Would the launcher start this method? It takes public static void main(String[]); in an interface `public` is
     * implied.
     */
    private static boolean isMain(MethodTree method, boolean isInterface) {
        if (method.getParameters().size() != 1 || !"void".equals(String.valueOf(method.getReturnType())))
            return false;
        String type = method.getParameters().get(0).getType().toString();
        return (isInterface || method.getModifiers().getFlags().contains(Modifier.PUBLIC))
                && (type.equals("String[]") || type.equals("java.lang.String[]"));
    }

    /**
     * Ranks a class as a candidate for the main class. A real main counts most, then any static method called main
     * (the launcher explains what is wrong with it), then being public.
     */
    private static int rank(ClassTree type) {
        int best = 0;
        for (Tree member : type.getMembers())
            if (member instanceof MethodTree method && method.getName().contentEquals("main")
                    && method.getModifiers().getFlags().contains(Modifier.STATIC))
                best = Math.max(best, isMain(method, type.getKind() == Tree.Kind.INTERFACE) ? 4 : 2);
        return best + (type.getModifiers().getFlags().contains(Modifier.PUBLIC) ? 1 : 0);
    }

    private static String findMainClass(CompilationUnitTree unit) {
        ClassTree main = null;
        for (Tree t : unit.getTypeDecls())
            if (t instanceof ClassTree type && (main == null || rank(type) > rank(main)))
                main = type;
        if (main == null)
            return null;
        String prefix = unit.getPackageName() == null ? "" : unit.getPackageName() + ".";
        return prefix + main.getSimpleName();
    }

    /**
     * The main class of the last compilation: the entry's public class that has a main, else its first class that has
     * one, else its public class, else its first class. Null: the entry has no class. Nested classes do not count, as
     * the launcher starts none.
     */
    String mainClass() {
        return mainClass;
    }
}
