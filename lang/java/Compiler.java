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

/** The compiler of this process, which is the faster the more it has compiled. */
final class Compiler {
    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null);
    private String mainClass;

    /** The compiler looks for plug-ins of its own among a program's classes, unless they have a place. This one is empty. */
    Compiler() throws IOException {
        files.setLocationFromPaths(StandardLocation.ANNOTATION_PROCESSOR_PATH, List.of());
    }

    /** The file to start may hold a public class of any name, and have a name without ".java", as with `java FILE`. */
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

    /** As compile does, where the classes are there already. */
    boolean look(Path folder, String entry) throws IOException {
        JavaFileObject file = new Entry(files.getJavaFileObjects(folder.resolve(entry)).iterator().next());
        JavacTask task = (JavacTask) compiler.getTask(Writer.nullWriter(), files, null, List.of("-proc:none"), null, List.of(file));
        mainClass = findMainClass(task.parse().iterator().next());
        return true;
    }

    /** Compiles all sources of the folder, the entry first; says what there is to say to out. */
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

            /** The entry is parsed first. Its tree is empty once its classes are written. */
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

    /** As the launcher takes it: public static void main(String[]), of which an interface need not say that it is public. */
    private static boolean isMain(MethodTree method, boolean isInterface) {
        if (method.getParameters().size() != 1 || !"void".equals(String.valueOf(method.getReturnType())))
            return false;
        String type = method.getParameters().get(0).getType().toString();
        return (isInterface || method.getModifiers().getFlags().contains(Modifier.PUBLIC))
                && (type.equals("String[]") || type.equals("java.lang.String[]"));
    }

    /** How much a class looks like the one to start: it has a main; or something static of that name, to be told of; is public. */
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
     * Of what was compiled last: the public class of the entry that has a main, or else the first that has one, or the public
     * one, or the first; null where there is none. Only those at the top, as the launcher starts no other.
     */
    String mainClass() {
        return mainClass;
    }
}
