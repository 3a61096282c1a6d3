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
    private CompilationUnitTree mainUnit;

    /** The compiler looks for plug-ins of its own among a program's classes, unless they have a place. This one is empty. */
    Compiler() throws IOException {
        files.setLocationFromPaths(StandardLocation.ANNOTATION_PROCESSOR_PATH, List.of());
    }

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

    private static List<Path> sources(Path folder, String entry) throws IOException {
        List<Path> found = new ArrayList<>();
        found.add(folder.resolve(entry));
        try (Stream<Path> all = Files.walk(folder)) {
            all.filter(p -> p.toString().endsWith(".java") && Files.isRegularFile(p) && !p.equals(found.get(0))).sorted()
                    .forEach(found::add);
        }
        return found;
    }

    /** Compiles all sources of the folder, the entry first; says what there is to say to out. */
    boolean compile(Path folder, String entry, List<Path> classPath, Path output, Writer out) throws IOException {
        files.setLocationFromPaths(StandardLocation.CLASS_PATH, classPath);
        files.setLocationFromPaths(StandardLocation.CLASS_OUTPUT, List.of(output));
        List<JavaFileObject> units = new ArrayList<>();
        files.getJavaFileObjectsFromPaths(sources(folder, entry)).forEach(units::add);
        units.set(0, new Entry(units.get(0)));
        JavacTask task = (JavacTask) compiler.getTask(out, files, null, List.of("-proc:none"), null, units);
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

    private static boolean hasMain(ClassTree type) {
        return type.getMembers().stream().anyMatch(m -> m instanceof MethodTree method && method.getName().contentEquals("main")
                && method.getModifiers().getFlags().contains(javax.lang.model.element.Modifier.STATIC));
    }

    /** Of what was compiled last: the first class of the entry that has a main, or the first one at all, or null. */
    String mainClass() {
        List<ClassTree> types = new ArrayList<>();
        for (Tree t : mainUnit.getTypeDecls())
            if (t instanceof ClassTree type)
                types.add(type);
        if (types.isEmpty())
            return null;
        ClassTree main = types.stream().filter(Compiler::hasMain).findFirst().orElse(types.get(0));
        String prefix = mainUnit.getPackageName() == null ? "" : mainUnit.getPackageName() + ".";
        return prefix + main.getSimpleName();
    }
}
