"""Files that a request plants beside its program never run before the run stage: not while a compiler reads the
program, and not while a prestarted helper can still report the compilation. The program of each row of PLANTS prints
"real". A planted file prints "planted" if it runs, and tries to make the server report another end.

A module of tests/lang/ calls `planted_tests` for the rows of its language."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from lib.case import Case, describe
from lib.hatchery import Status
from lib.server import sanitized_limits

# The script's own standard error may be a pipe to its parent. The compiler's standard error is not.
PLANTED = "#!/bin/sh\necho planted >/proc/2/fd/2\nexit 77\n"
SCRIPT = "/home/sandbox/planted.sh"

# Reports over the helper's socket that the program does not compile, and exits with status 77.
JAVA_FORGER = """
final class Forger {
    static void forge() {
        System.err.println("planted");
        try {
            java.lang.reflect.Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
            f.setAccessible(true);
            sun.misc.Unsafe unsafe = (sun.misc.Unsafe) f.get(null);
            java.io.FileDescriptor socket = new java.io.FileDescriptor();
            unsafe.putInt(socket, unsafe.objectFieldOffset(java.io.FileDescriptor.class.getDeclaredField("fd")), 3);
            new java.io.FileOutputStream(socket).write('C');
        } catch (Throwable e) {
            System.err.println(e);
        }
        Runtime.getRuntime().halt(77);
    }
}
"""

# Services that the platform and its compiler look for among a program's classes, and instantiate.
JAVA_SERVICES = {
    "com.sun.source.util.Plugin": "public String getName() { return \"x\"; } public boolean autoStart() { return true; }\n"
                                  "public void init(com.sun.source.util.JavacTask task, String... args) { }",
    "javax.annotation.processing.Processor": None,
    "java.nio.charset.spi.CharsetProvider": "public java.util.Iterator<java.nio.charset.Charset> charsets() { return null; }\n"
                                            "public java.nio.charset.Charset charsetForName(String name) { return null; }",
    "java.util.spi.ToolProvider": "public String name() { return \"x\"; }\n"
                                  "public int run(java.io.PrintWriter o, java.io.PrintWriter e, String... a) { return 0; }",
}


def java_services():
    """The files of one class for each service. Each class calls Forger.forge when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Forger.java").write_text(JAVA_FORGER)
        files = {}
        for i, (service, body) in enumerate(JAVA_SERVICES.items()):
            base = "extends" if service.endswith("CharsetProvider") else "implements"
            if body is None:
                base, service_type, body = "extends", "javax.annotation.processing.AbstractProcessor", (
                    "public boolean process(java.util.Set<? extends javax.lang.model.element.TypeElement> a,\n"
                    "        javax.annotation.processing.RoundEnvironment e) { return false; }")
            else:
                service_type = service
            Path(folder, f"Planted{i}.java").write_text(
                f"public class Planted{i} {base} {service_type} {{\n    static {{ Forger.forge(); }}\n{body}\n}}\n")
            files[f"META-INF/services/{service}"] = f"Planted{i}\n"
        subprocess.run(["javac", "-proc:none", "-nowarn", "-d", folder, *map(str, Path(folder).glob("*.java"))], check=True,
                       capture_output=True)
        return {**files, **{path.name: path.read_bytes() for path in Path(folder).glob("*.class")}}


GIT = {".git/HEAD": "ref: refs/heads/main\n", ".git/objects/x": "", ".git/refs/x": "",
       ".git/config": f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = {SCRIPT}\n"}

C = '#include <stdio.h>\nint main(void) { puts("real"); return 0; }\n'
GO = 'package main\nfunc main() { print("real\\n") }\n'


class Plant(NamedTuple):
    name: str
    language: str
    main: str
    program: str
    files: object  # or a function that makes them


PLANTS = [
    Plant("services of javac and of the platform", "java", "Main.java",
          'public class Main { public static void main(String[] a) { System.out.println("real"); } }\n', java_services),
    Plant("a file of settings in go's home", "go", "main.go", GO,
          {".config/go/env": f"GOFLAGS=-toolexec={SCRIPT}\n", "planted.sh": PLANTED}),
    Plant("a repository whose settings name a program", "go", "main.go", GO,
          {**GIT, "go.mod": "module x\n", "planted.sh": PLANTED}),
    Plant("settings of git in go's home", "go", "main.go", GO,
          {**GIT, ".git/config": "", ".gitconfig": f"[core]\n\tfsmonitor = {SCRIPT}\n", ".config/git/config": f"[core]\n\tfsmonitor = {SCRIPT}\n",
           "go.mod": "module x\n", "planted.sh": PLANTED}),
    *[Plant("compilers, specs and settings beside the program", language, main, program,
            {**dict.fromkeys((".cargo/bin/rustc", "as", "ld", "cc", "cc1", "cc1plus", "collect2", "rustc"), PLANTED),
             **dict.fromkeys(("specs", ".gccrc", "lib/specs"), f"*cc1:\n+ -wrapper {SCRIPT}\n\n"),
             ".cargo/config": f'[build]\nrustc = "{SCRIPT}"\n', "rust-toolchain": "[toolchain]\npath = \".\"\n", "planted.sh": PLANTED})
      for language, main, program in (("c", "main.c", C), ("cpp", "main.cpp", C), ("c-fast", "main.c", C),
                                      ("rust", "main.rs", 'fn main() { println!("real"); }\n'))],
    Plant("settings of Node, and packages with the names of Node's modules", "javascript", "main.js", 'console.log("real");\n',
          {".noderc": f"--require {SCRIPT}\n", ".npmrc": "node-options=--require /home/sandbox/planted.js\n",
           "package.json": '{"type": "commonjs", "exports": "./planted.js", "imports": {"#x": "./planted.js"}}',
           **dict.fromkeys(("planted.js", "node_modules/fs/index.js", "node_modules/path/index.js", "node_modules/vm/index.js"),
                           'process.stderr.write("planted\\n"); process.reallyExit(77);\n')}),
]


class PlantedCase(Case):
    LANGUAGE = None

    def check(self, plant):
        files = plant.files() if callable(plant.files) else plant.files
        files = {name: (content, 0o755 if content == PLANTED else 0) for name, content in {plant.main: plant.program, **files}.items()}
        result = self.execute(language=self.LANGUAGE, files=files, entry=plant.main, limits=sanitized_limits(plant.language))
        said = result.stdout + result.stderr + result.compile.stdout + result.compile.stderr
        self.assertEqual(("EXITED", 0), (Status.Name(result.status), result.exit_code), describe(result))
        self.assertNotIn(b"planted", said, describe(result))
        self.assertIn(b"real\n", said)


def planted_tests(server, language, called=None):
    """A class with a test for each row of `language`. `called`: the language's name on the server, if another."""
    tests = {f"test_{re.sub(r'[^A-Za-z0-9]+', '_', plant.name)}": lambda self, plant=plant: self.check(plant)
             for plant in PLANTS if plant.language == language}
    # unittest reads from the class which module's server it has to start.
    return type("Planted", (PlantedCase,), {"SERVER": server, "LANGUAGE": called or language,
                                            "__module__": sys._getframe(1).f_globals["__name__"], **tests})
