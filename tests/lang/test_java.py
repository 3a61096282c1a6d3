"""Java, prestarted: a virtual machine that waits in each sandbox does the work of javac and java."""

import struct

from lib.case import ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of
from lib.planted import planted_tests
from lib.scale import ALL

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage java { warm = 1 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000}  # another memory limit would need a fresh virtual machine


def main(body, imports="", beside=""):
    head = "".join(f"import {name};\n" for name in imports.split())
    return f"{head}public class Main {{\n    public static void main(String[] args) throws Exception {{\n{body}\n    }}\n{beside}}}\n"


def refused_class(name):
    """Returns a class file that javac reads, but that no virtual machine loads: its constructor is both public and
    private."""
    def utf8(text):
        return b"\x01" + struct.pack(">H", len(text)) + text

    constants = [utf8(name), b"\x07\0\x01", utf8(b"java/lang/Object"), b"\x07\0\x03", utf8(b"<init>"), utf8(b"()V"), utf8(b"Code"),
                 b"\x0c\0\x05\0\x06", b"\x0a\0\x04\0\x08"]
    code = struct.pack(">HHL", 1, 1, 5) + b"\x2a\xb7\0\x09\xb1" + bytes(4)
    constructor = struct.pack(">HHHHHL", 0x0003, 5, 6, 1, 7, len(code)) + code
    return (b"\xca\xfe\xba\xbe" + struct.pack(">HHH", 0, 61, len(constants) + 1) + b"".join(constants)
            + struct.pack(">HHHHHH", 0x0021, 2, 4, 0, 0, 1) + constructor + bytes(2))


HELPERS = {"Helper.java": 'class Helper { String hi() { return "hi"; } }\n',
           "lib/Deep.java": "package lib;\npublic class Deep { public static final int X = 5; }\n"}

SEMANTICS = {
    "hello": main('System.out.println("Hello, World!");'),
    "stdin to its end": (main('System.out.print(new String(System.in.readAllBytes()).toUpperCase());'),
                         {"stdin": "some\nlines\nand no end"}),
    "stdin by line": (main('Scanner in = new Scanner(System.in); while (in.hasNextLine()) System.out.println("<" + in.nextLine() + ">");',
                           "java.util.Scanner"), {"stdin": "one\n two \nthree"}),
    "args": (main('for (String a : args) System.out.println("[" + a + "]");'), {"args": ["", "a b", "žluťoučký", "-x", "--"]}),
    "env": (main('System.out.println(System.getenv("GREETING") + System.getenv("USER") + System.getenv("HATCHERY_JOB"));\n'
                 'new ProcessBuilder("sh", "-c", "echo $GREETING $HATCHERY_JOB").inheritIO().start().waitFor();'),
            {"env": {"GREETING": "good day = 1"}}),
    "several files": (main('System.out.println(new Helper().hi() + lib.Deep.X);'),
                      {"files": HELPERS}),
    "exit code": main("System.exit(3);"),
    "uncaught error": main('f(0);', beside='    static void f(int n) {\n        System.out.println(1 / n);\n    }\n'),
    "syntax error": ("public class Main {\n    int x = ;\n}\n",
                     {"ours": lambda theirs: (*theirs[:2], ("COMPILE_ERROR", 1))}),
    "death by signal": main('new ProcessBuilder("sh", "-c", "kill -KILL $PPID").start().waitFor(); Thread.sleep(10000);'),
    "exit hook": main('Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("bye"))); System.exit(4);'),
    "buffered output": main('System.out.print("no-newline");'),
    "binary output": main("for (int i = 0; i < 256; i++) System.out.write(i); System.out.flush();"),
    "utf-8 output": main('String s = "Grüße, 世界 🐣"; System.out.println(s + s.length());'),
    "unread stdin": (main('System.out.println("done");'), {"stdin": "x" * 200_000}),
    "pending work": main('new Thread(() -> { try { Thread.sleep(100); } catch (InterruptedException e) { } System.out.println("late"); }).start();\n'
                         'System.out.println("end");'),
    "own source": main('System.out.print(Files.readString(Path.of("Main.java")).lines().count());', "java.nio.file.Files java.nio.file.Path"),
    "subprocess": main('Process p = new ProcessBuilder("sh", "-c", "echo inner; exit 7").start();\n'
                       'System.out.println(new String(p.getInputStream().readAllBytes()) + p.waitFor());'),
    "stderr": main('System.out.println("out"); System.err.println("err");'),
}

HEAP = "System.out.println(Runtime.getRuntime().maxMemory() >> 20);"

COMPILE_ERROR = {"ours": lambda theirs: (*theirs[:2], ("COMPILE_ERROR", 1))}

# Several rows of SEMANTICS as one program, because a sandbox costs seconds of processor time.
TOGETHER = (main('System.out.println("Hello, World!"); for (String a : args) System.out.println("[" + a + "]");\n'
                 'System.out.println(new Helper().hi() + lib.Deep.X);\n'
                 'Process p = new ProcessBuilder("sh", "-c", "echo inner; exit 7").start();\n'
                 'System.out.println(new String(p.getInputStream().readAllBytes()) + p.waitFor());\n'
                 'System.err.println("err"); f(0);', beside='    static void f(int n) {\n        System.out.println(1 / n);\n    }\n'),
            {"args": ["", "a b", "žluťoučký", "-x", "--"], "files": HELPERS})

MORE = {
    "arguments, files, a process and an error": TOGETHER,
    "the stack of main": main('for (StackTraceElement e : Thread.currentThread().getStackTrace()) System.out.println(e);'),
    "a stack that is walked": main('StackWalker.getInstance().forEach(System.out::println); new Exception("x").printStackTrace();'),
    "its thread": main('Thread t = Thread.currentThread(); System.out.println(t.getName() + t.getThreadGroup().getName() + t.getPriority() + t.isDaemon()\n'
                       '    + t.getContextClassLoader().getClass().getName());'),
    "its class loader and module": main('System.out.println(Main.class.getClassLoader().getClass() + " " + Main.class.getModule().isNamed()\n'
                                        '    + System.getProperty("java.class.path") + Main.class.getResource("Main.class").getPath().endsWith("/Main.class"));'),
    "a cause": main('try { Integer.parseInt("x"); } catch (Exception e) { throw new IllegalStateException("outer", e); }'),
    "an error in a static block": "public class Main {\n    static int x = 1 / Integer.parseInt(\"0\");\n    public static void main(String[] a) { }\n}\n",
    "an error in another thread": main('Thread t = new Thread(() -> { throw new RuntimeException("t"); }); t.start(); t.join(); System.out.println("on");'),
    "an error in main while a thread goes on": main(
        'new Thread(() -> { try { Thread.sleep(100); } catch (InterruptedException e) { } System.out.println("late"); }).start();\n'
        'throw new Exception("main");'),
    "a handler for what nobody catches": main('Thread.setDefaultUncaughtExceptionHandler((t, e) -> System.out.println(t.getName() + e)); throw new Exception("x");'),
    "deep recursion": main('try { f(); } catch (StackOverflowError e) { System.out.println(e); }', beside="    static int f() { return f() + 1; }\n"),
    "a class before that with main": "class A { }\n" + main('System.out.println(Main.class);'),
    "a public class before that with main": ("public class Main { }\nrecord R(int x) { static void main(int x) { } }\n"
                                             "interface I { static void main(String... a) { System.out.println(1); } }\n",
                                             {"ours": (b"1\n", b"", ("exit", 0))}),
    "main in an interface, a record, an enum before it": "record R(int x) { static void main() { } }\nenum E { X; void main(String[] a) { } }\n"
                                                         "public interface Main { static void main(String[] a) { System.out.println(2); } }\n",
    "main that is inherited": "class Base { public static void main(String[] a) { System.out.println(3); } }\npublic class Main extends Base { }\n",
    "a class within": "public class Main { static class A { public static void main(String[] a) { System.out.println(4); } }\n"
                      "    public static void main(String[] a) { System.out.println(5); } }\n",
    "no main": "public class Main {\n}\n",
    "a main that is not static": "public class Main {\n    public void main(String[] a) { }\n}\n",
    "a main class that can't be loaded": ("public class Main extends Base {\n    public static void main(String[] a) { }\n}\n",
                                          {"files": {"Base.class": refused_class(b"Base")}}),
    "a signature that can't be loaded": ("public class Main {\n    public static void main(String[] a) { }\n    public void f(Base b) { }\n}\n",
                                         {"files": {"Base.class": refused_class(b"Base")}}),
    "a class that is not public": 'class Main {\n    public static void main(String[] a) { System.out.println("ok"); }\n}\n',
    "a type error": ('public class Main {\n    public static void main(String[] a) { int x = "s"; String y = 1; }\n}\n', COMPILE_ERROR),
    "an error in another file": (main("new Helper();"), {"files": {"Helper.java": "class Helper { int f() { } }\n"}, **COMPILE_ERROR}),
    "a warning": main('List x = new ArrayList(); x.add(1); System.out.println(x);', "java.util.List java.util.ArrayList"),
    "records, switches, text blocks": main('Object o = new P(1, 2); System.out.println(o + """\n    text\n    """ + switch (args.length) { case 0 -> "none"; default -> "some"; });',
                                           beside="    record P(int x, int y) { }\n"),
    "a class that is named as the rehearsal's": (main('System.out.println(new Sample().hi() + new java.io.File("/tmp/rehearsal").exists());'),
                                                 {"files": {"Sample.java": 'class Sample { String hi() { return "mine"; } }\n'}}),
    "reflection into the platform is refused": main('try { Class.forName("java.lang.ProcessEnvironment").getDeclaredField("theEnvironment").setAccessible(true); }\n'
                                                    'catch (RuntimeException e) { System.out.println(e.getClass()); }'),
    "modules beside java.base": main('System.out.println(java.sql.Types.INTEGER + " " + java.util.logging.Level.INFO);'),
    "locale and encoding": main('System.out.println(java.nio.charset.Charset.defaultCharset() + " " + java.util.Locale.getDefault() + String.format("%.2f", 1.5));'),
    "a time zone": (main('System.out.println(java.time.ZoneId.systemDefault());'), {"env": {"TZ": "Asia/Tokyo"}}),
    "JDK_JAVA_OPTIONS": (main('System.out.println(System.getProperty("x"));'), {"env": {"JDK_JAVA_OPTIONS": "-Dx=jdk"}}),
    # The plain command prints the variables twice: in javac and in java. Here one virtual machine
    # does both, and prints them once.
    "JAVA_TOOL_OPTIONS and _JAVA_OPTIONS": (main('System.out.println(System.getProperty("x") + System.getProperty("y"));'), {
        "env": {"JAVA_TOOL_OPTIONS": "-Dx=tool", "_JAVA_OPTIONS": "-Dy=under"},
        "ours": lambda theirs: (theirs[0], theirs[1][:len(theirs[1]) // 2], theirs[2])}),
    "LC_ALL": (main('System.out.println(System.getProperty("file.encoding") + java.util.Locale.getDefault());'), {"env": {"LC_ALL": "C"}}),
    "much output": main('for (int i = 0; i < 20000; i++) System.out.println("line " + i);'),
}


def command(folder, entry, args):
    return ["sh", "-c", 'javac $(find . -name "*.java" | sed "s,^./,," | sort) && exec java -cp . "$@"', "sh", entry.removesuffix(".java"), *args]


Java = tests_of(SERVER, Language(
    name="java",
    killed=main('System.out.println("one"); System.out.print("part"); System.err.println("err"); System.out.print("two"); '
                'new ProcessBuilder("sh", "-c", "kill -KILL $PPID").start().waitFor(); Thread.sleep(10000);'),
    failing=main('System.out.println("before"); throw new RuntimeException("dropped");'),
    main="Main.java", command=command, semantics=SEMANTICS, more=MORE,
    corpus={
        "hello": SEMANTICS["hello"],
        "fizzbuzz": main('for (int i = 1; i <= 100; i++) System.out.println(i % 15 == 0 ? "FizzBuzz" : i % 5 == 0 ? "Buzz" : i % 3 == 0 ? "Fizz" : "" + i);'),
        "primes": main("int n = 1000000, k = 0; boolean[] c = new boolean[n];\nfor (int i = 2; i < n; i++) if (!c[i]) { k++; for (long j = (long) i * i; j < n; j += i) c[(int) j] = true; }\n"
                       "System.out.println(k);"),
        "word count": main('Map<String, Integer> n = new TreeMap<>(); Scanner in = new Scanner(System.in); while (in.hasNext()) n.merge(in.next(), 1, Integer::sum);\n'
                           'n.entrySet().stream().sorted((a, b) -> b.getValue() - a.getValue()).forEach(e -> System.out.println(e.getKey() + " " + e.getValue()));',
                           "java.util.Map java.util.TreeMap java.util.Scanner"),
    },
    absent={"json": "the platform has no JSON"},
    random=[main("System.out.println(Math.random() + java.util.UUID.randomUUID().toString());")],
    # The rows of `elsewhere` are covered by other rows: "exit hook" also ends with a status, and
    # "word count" also reads lines.
    limits=LIMITS, is_costly=True, always=("arguments, files, a process and an error",),
    elsewhere=("hello", "args", "several files", "subprocess", "uncaught error", "exit code", "stdin by line")))


Planted = planted_tests(SERVER, "java")


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "java"
    HELLO = SEMANTICS["hello"]
    LIMITS = LIMITS
    LOOKS_AFTER = ALL

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", main("while (true) args = args.clone();"), limits={"wall_us": 3_000_000})

    def test_a_full_heap_is_an_error_of_the_program(self):
        """An array of 200 MB and 100 threads fit into the default limits; then a full heap is the program's error"""
        result = self.hostile(main('int[] a = new int[50_000_000]; CountDownLatch all = new CountDownLatch(100);\n'
                                   'for (int i = 0; i < 100; i++) new Thread(() -> { all.countDown();\n'
                                   '    try { all.await(); } catch (InterruptedException e) { } }).start();\n'
                                   f'all.await(); System.out.println(a.length); {HEAP}\n'
                                   'try { Object[] o = new Object[1 << 20]; for (int i = 0;; i++) o[i] = new byte[1 << 20]; }\n'
                                   'catch (OutOfMemoryError e) { throw new IllegalStateException(e); }', "java.util.concurrent.CountDownLatch"))
        self.assert_exited(result, 1)
        length, heap = result.stdout.split()
        self.assertEqual(b"50000000", length, describe(result))
        self.assertIn(int(heap), range(360, 385))
        self.assertIn(b"java.lang.OutOfMemoryError", result.stderr, describe(result))
        self.assertNotIn(b"hatchery", result.stderr, describe(result))

    def test_the_heap_follows_the_limit_of_memory(self):
        result = self.run_program(main(HEAP), limits={"memory_bytes": 1 << 30})
        self.assert_exited(result)
        self.assertIn(int(result.stdout), range(480, 513))
        refused = self.run_program("class Main { int x = ; }\n", env={"A": "b"})
        self.assert_status(refused, "COMPILE_ERROR")
        self.assertIn(b"Main.java:1: error:", refused.compile.stderr, describe(refused))

    def test_what_comes_again_is_compiled_once(self):
        """A program that comes again is compiled by its own run, then in another sandbox, then not at all.

        Each result is the same. Standard error goes to standard output, also from a child.
        """
        program = main('List x = new ArrayList(); x.add(args[0]); System.out.println(x); System.err.println(lib.Deep.X);\n'
                       'new ProcessBuilder("sh", "-c", "echo child >&2").inheritIO().start().waitFor();', "java.util.List java.util.ArrayList")
        results = [self.run_program(program, args=["b"], merge_stderr=True,
                                    files={"lib/Deep.java": "package lib;\npublic class Deep { public static int X = 5; }\n"}) for _ in range(3)]
        for result in results:
            self.assert_exited(result)
            self.assertEqual(results[0].stdout, result.stdout)
        self.assertRegex(results[0].stdout, rb"^Note: Main.java uses unchecked.*\n.*\n\[b\]\n5\nchild\n$")
        self.assertEqual({b""}, {result.stderr for result in results})
        self.assertEqual([(False, False), (True, False), (True, True)], [(r.HasField("compile"), r.compile.cached) for r in results])

    def test_the_file_to_start_needs_no_extension_and_its_first_class_no_main(self):
        result = self.execute(language="java", entry="TestRun", limits=LIMITS, files={
            "TestRun": "class A { }\nrecord R(int x) { static void main() { } }\n" + main("System.out.println(new Other());"),
            "Other.java": "record Other() { }\n"})
        self.assert_exited(result)
        self.assertEqual(b"Other[]\n", result.stdout)

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", main('while (true) System.out.println("flood");'), limits={"output_bytes": MIB})

    def test_what_follows_it_and_what_is_outside_are_out_of_its_reach(self):
        result = self.hostile(main('for (String name : new String[] { "mem", "environ", "maps" })\n'
                                   '    try { Files.newInputStream(Path.of("/proc/2/" + name)).close(); System.out.println(name); }\n'
                                   '    catch (java.io.IOException e) { System.out.println("no"); }\n'
                                   'new java.net.Socket("127.0.0.1", 22);',
                                   "java.nio.file.Files java.nio.file.Path"))
        self.assertEqual(b"no\nno\nno\n", result.stdout, describe(result))
        self.assertIn(b"java.net.SocketException", result.stderr, describe(result))
