"""The compile stage of a compiled language: its results, its limits, its early ends, and the entries of the cache."""

import os
import signal
import threading
import time
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.hatchery import Closed, Refused, Status
from lib.scale import ALL
from lib.server import wait_until

LANGUAGES = "language c { warm = 2 }\nlanguage cpp { warm = 2 }\nlanguage rust { warm = 1 }\nlanguage go { warm = 1 }\n"
NAME = 96  # number of letters in the name of a cache entry: peer, client name and key

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage python { warm = 1 }\n" + LANGUAGES)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

HELLO = '#include <stdio.h>\nint main(void)\n{\n        puts("Hello, World!");\n}\n'
MIB = 1 << 20
SECOND = 1_000_000

# A source that keeps a compiler busy for longer than any test waits, without more memory: 2 to the
# 100th inclusions of itself.
SLOW = '#if __INCLUDE_LEVEL__ < 100\n#include "main.c"\n#include "main.c"\n#endif\n'

last = 0


def unique(program):
    """A source that the cache can't know."""
    global last
    last += 1
    return f"// {os.getpid()} {last} {time.time_ns()}\n{program}"


class Compiled(Case):
    SERVER = SERVER

    def compile_error(self, program, language="c", **fields):
        result = self.execute(program, language=language, **fields)
        self.assert_status(result, "COMPILE_ERROR")
        return result

    def stage_ends(self, program, statuses, language="c", **fields):
        """Asserts that the compile stage ends with one of these statuses. Returns the result."""
        result = self.compile_error(program, language, **fields)
        ended = Status.Name(result.compile.status)
        self.assertIn(ended, statuses, f"{describe(result)} {str(result.compile)[-1500:]}")
        if ended == "EXITED":
            self.assertNotEqual(0, result.compile.exit_code)
        return result


class Stages(Compiled):
    def test_a_program_is_compiled_and_run(self):
        result = self.execute(unique(HELLO), language="c")
        self.assert_exited(result)
        self.assertEqual(b"Hello, World!\n", result.stdout)
        compiled = result.compile
        self.assertFalse(compiled.cached)
        self.assertEqual("EXITED", Status.Name(compiled.status))
        self.assertEqual((0, 0, b"", b""), (compiled.exit_code, compiled.signal, compiled.stdout, compiled.stderr))
        self.assertGreater(compiled.wall_us, 0)
        self.assertGreater(compiled.cpu_us, 0)
        self.assertGreater(compiled.memory_peak_bytes, 1 * MIB)
        self.assertGreaterEqual(compiled.compile_us, compiled.wall_us)

    def test_other_languages_have_no_such_stage(self):
        result = self.execute("print(1)")
        self.assertFalse(result.HasField("compile"))
        self.assert_refused("INVALID_ARGUMENT", ["compile_limits", "python"], self.execute, "print(1)",
                            compile_limits={"wall_us": SECOND})

    def test_an_error_of_the_program_is_the_compilers_to_tell(self):
        result = self.compile_error("int main(void)\n{\n        return nothing;\n}\n")
        self.assertEqual(1, result.compile.exit_code)
        self.assertEqual(1, result.exit_code)
        self.assertEqual("EXITED", Status.Name(result.compile.status))
        self.assertIn(b"main.c:3:16: error:", result.compile.stderr)
        self.assertEqual((b"", b""), (result.stdout, result.stderr))
        self.assertEqual((0, 0, 0), (result.wall_us, result.cpu_us, result.stages.run_us))
        self.assertEqual("c", result.language)

    def test_warnings_come_with_the_result_and_from_the_cache(self):
        program = unique("int main(void) { int *p = 5; return !p; }\n")
        for cached in False, True:
            result = self.execute(program, language="c")
            self.assert_exited(result)
            self.assertEqual((cached, "EXITED"), (result.compile.cached, Status.Name(result.compile.status)))
            self.assertIn(b"main.c:2:27: warning:", result.compile.stderr)

    def test_what_the_compiler_made_is_nothing_that_the_run_changed(self):
        program = "#include <stdio.h>\nint main(void) { fclose(fopen(\"made\", \"w\")); return 0; }\n"
        for changed_only, names in (True, ["made"]), (False, ["made", "main", "main.c"]):
            result = self.execute(program, language="c", collect={"globs": ["*"], "changed_only": changed_only})
            self.assertEqual(names, [f.name for f in result.files])

    def test_the_time_of_all_stages_is_that_of_the_request(self):
        for program in unique(HELLO), HELLO, HELLO:
            began = time.monotonic()
            result = self.execute(program, language="c")
            took_us = (time.monotonic() - began) * 1e6
            stages = result.stages
            total = (stages.queue_us + stages.dispatch_us + stages.run_us + stages.drain_us + stages.collect_us
                     + result.compile.compile_us)
            self.assertLessEqual(total, took_us)
            self.assertGreaterEqual(total, result.wall_us + result.compile.wall_us)

    def test_the_status_counts_what_was_compiled_and_no_hits(self):
        def row():
            [language] = [language for language in self.client.status().languages if language.name == "c"]
            return language.runs, next(stage for stage in language.stages if stage.name == "compile")

        runs, before = row()
        program = unique(HELLO)
        results = [self.execute(program, language="c") for _ in range(3)] + [self.compile_error(unique("int main(void) { no; }\n"))]
        after_runs, after = row()
        self.assertEqual((4, 2), (after_runs - runs, after.count - before.count))
        took = sum(result.compile.compile_us for result in results if not result.compile.cached)
        self.assertGreaterEqual(after.sum_us - before.sum_us, took)
        [other] = [language for language in self.client.status().languages if language.name == "python"]
        self.assertEqual(0, next(stage for stage in other.stages if stage.name == "compile").count)

    def test_nothing_of_the_compilers_sandbox_is_there_when_the_program_runs(self):
        result = self.execute(unique('#include <stdio.h>\n#include <stdlib.h>\n'
                                     'int main(void) { return system("ls -A; ls /tmp /dev/shm"); }\n'),
                              language="c", files={"data.txt": "1"})
        self.assert_exited(result)
        self.assertEqual("data.txt\nmain\nmain.c\n/dev/shm:\n\n/tmp:\n", result.stdout.decode())

    def test_the_program_gets_what_is_its_own_and_the_compiler_does_not(self):
        program = unique("#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **args)\n{\n"
                         '        char line[10];\n        printf("%d %s %s %s", n, args[1], getenv("CPATH"), '
                         "fgets(line, 10, stdin));\n        fputs(\" err\", stderr);\n}\n")
        result = self.execute(program, language="c", args=["a b"], env={"CPATH": "/nowhere"}, stdin=b"in",
                              merge_stderr=True, files={"CPATH": ""})
        self.assert_exited(result)
        self.assertIn(b"2 a b /nowhere in", result.stdout)
        self.assertIn(b" err", result.stdout)

    def test_a_file_of_the_artifacts_name_gives_way(self):
        result = self.execute(unique(HELLO), language="c", files={"main": "not me"})
        self.assert_exited(result)
        self.assertEqual(b"Hello, World!\n", result.stdout)

    def test_several_files_headers_and_collected_files(self):
        files = {"main.c": '#include "lib/f.h"\n#include <stdio.h>\nint main(void) { fputs(f(), fopen("out", "w")); }\n',
                 "lib/f.c": '#include "f.h"\nconst char *f(void) { return "of f"; }\n',
                 "lib/f.h": unique("const char *f(void);\n")}
        result = self.execute(language="c", files=files, collect=["out"])
        self.assert_exited(result)
        self.assertEqual([("out", b"of f")], [(f.name, f.content) for f in result.files])

    def test_the_run_stage_has_its_own_limits(self):
        program = unique("int main(void) { for (;;) ; }\n")
        result = self.execute(program, language="c", limits={"cpu_us": SECOND // 4})
        self.assert_status(result, "CPU_LIMIT")
        self.assertEqual("EXITED", Status.Name(result.compile.status))
        result = self.execute(program, language="c", limits={"wall_us": SECOND // 4})
        self.assert_status(result, "TIME_LIMIT")
        self.assertTrue(result.compile.cached)

    def test_the_command_shows_what_the_compiler_said(self):
        done = SERVER.run("run", "--language", "c", "-e", "int main(void) { return x; }")
        self.assertEqual(1, done.returncode)
        self.assertEqual(b"", done.stdout)
        self.assertIn(b"main.c:1:25: error:", done.stderr)
        self.assertIn(b"the program does not compile", done.stderr)
        done = SERVER.run("run", "--language", "c", "--compile-wall", "1ms", "-e", unique(HELLO))
        self.assertEqual(124, done.returncode)
        self.assertIn(b"the compiler was killed: wall time limit of 1 ms", done.stderr)
        done = SERVER.run("run", "--language", "c", "--json", "-e", HELLO)
        self.assertIn(b'"compile": {"cached": ', done.stdout)


class EarlyEnds(Compiled):
    def test_limits_of_the_stage(self):
        for limits, statuses in (({"wall_us": 1000}, ["TIME_LIMIT"]),
                                 ({"cpu_us": 5000}, ["CPU_LIMIT"]),
                                 ({"memory_bytes": 4 * MIB}, ["MEMORY_LIMIT", "EXITED"]),
                                 ({"pids": 1, "wall_us": 2 * SECOND}, ["TIME_LIMIT", "EXITED"]),  # gcc tries to fork for 15 s
                                 ({"disk_bytes": 4096}, ["DISK_LIMIT", "EXITED"]),
                                 ({"open_files": 4}, ["EXITED"])):
            with self.subTest(limits=limits):
                self.stage_ends(unique(HELLO), statuses, compile_limits=limits)

    def test_a_limit_above_the_ceiling_is_refused(self):
        self.assert_refused("INVALID_ARGUMENT", "compile_limits.wall_us", self.execute, HELLO, language="c",
                            compile_limits={"wall_us": 10**12})
        self.assert_refused("INVALID_ARGUMENT", "compile-pids is 0; it must be at least", self.execute, HELLO, language="c",
                            compile_limits={"pids": 0})

    def test_much_that_the_compiler_says_is_cut_off(self):
        program = "".join(f"int f{i}(void) {{ return x{i}; }}\n" for i in range(200))
        result = self.compile_error(unique(program), compile_limits={"output_bytes": 5000})
        self.assertEqual(5000, len(result.compile.stderr))
        self.assertTrue(result.compile.stderr_truncated)
        self.assertEqual(("EXITED", 1), (Status.Name(result.compile.status), result.compile.exit_code))

    def test_a_deadline_holds_over_both_stages(self):
        result = self.compile_error(unique(SLOW), deadline_us=SECOND // 2)
        self.assertEqual("TIME_LIMIT", Status.Name(result.compile.status))
        result = self.execute(unique("int main(void) { for (;;) ; }\n"), language="c", deadline_us=2 * SECOND)
        self.assert_status(result, "TIME_LIMIT")
        self.assertGreater(result.compile.compile_us, 0)

    def test_cancel_ends_the_stage(self):
        request = self.client.send_execute(unique(SLOW), language="c")
        self.wait_for_a_compiler()
        self.assertTrue(self.client.cancel(request))
        result = self.client.result(request)
        self.assert_status(result, "CANCELLED")
        self.assertEqual("CANCELLED", Status.Name(result.compile.status))

    def test_cancel_at_any_time_is_answered_once(self):
        for delay_ms in range(0, 90, 6):
            request = self.client.send_execute(unique(HELLO), language="c")
            time.sleep(delay_ms / 1000)
            found = self.client.cancel(request)
            try:
                result = self.client.result(request)
                self.assertIn(Status.Name(result.status), ["CANCELLED", "EXITED"])
            except Refused as refused:
                self.assertEqual("CANCELLED", refused.code)
                self.assertTrue(found)
        self.assertEqual(b"Hello, World!\n", self.execute(HELLO, language="c").stdout)

    def test_a_client_that_leaves_takes_its_compilers_along(self):
        with SERVER.connect() as client:
            client.send_execute(unique(SLOW), language="c")
            self.wait_for_a_compiler()
        wait_until(lambda: self.language("c").running == 0, what="the end of the compiler")
        for delay_ms in range(0, 90, 15):
            with SERVER.connect() as client:
                client.send_execute(unique(HELLO), language="c")
                time.sleep(delay_ms / 1000)
        wait_until(lambda: self.language("c").running == 0, what="the end of all runs")

    def test_a_zygote_that_dies_is_told_and_another_one_compiles(self):
        request = self.client.send_execute(unique(SLOW), language="c")
        self.wait_for_a_compiler()
        for process in SERVER.zygote_processes():
            os.kill(process.pid, signal.SIGKILL)
        with self.assertRaises(Refused) as caught:
            self.client.result(request)
        self.assertEqual("UNAVAILABLE", caught.exception.code)
        wait_until(self.hello_works, what="another zygote")

    def hello_works(self):
        try:
            return self.execute(unique(HELLO), language="c").stdout == b"Hello, World!\n"
        except Refused as refused:
            self.assertEqual("UNAVAILABLE", refused.code)
            return False

    def language(self, name):
        return next(l for l in self.client.status().languages if l.name == name)

    def wait_for_a_compiler(self):
        """A request counts as running before its compiler is there."""
        wait_until(lambda: any(process.name == "cc1" for process in SERVER.processes()), what="a compiler that runs")


# Sources that make a compiler work endlessly, or use memory or disk without a bound. Each ends as a COMPILE_ERROR: the
# compiler itself ends, or a limit of the compile stage ends it.
ANY_END = ["EXITED", "SIGNALED", "TIME_LIMIT", "CPU_LIMIT", "MEMORY_LIMIT", "DISK_LIMIT"]
BOUND = {"wall_us": 4 * SECOND, "cpu_us": 3 * SECOND, "memory_bytes": 256 * MIB}

BOMBS = {
    "macros that double": ("c", "#define A(x) x x x x x x x x\n#define B(x) A(A(A(A(A(x)))))\n"
                                "const char *s = B(B(\"ha\"));\nint main(void) { return s[0]; }\n"),
    "a file that includes itself": ("c", '#include "main.c"\n#include "main.c"\nint main(void) { return 0; }\n'),
    "/dev/zero as a header": ("c", '#include "/dev/zero"\n'),
    "/dev/stdin as a header": ("c", '#include "/dev/stdin"\nint x = y;\n'),
    "a giant array": ("c", "char a[1ull << 40] = { 1 };\nint main(void) { return a[5]; }\n"),
    "an array that fills the disk": ("c", "char a[3000000000] = { 1 };\nint main(void) { return a[5]; }\n"),
    "a file of zeros by the assembler": ("c", '__asm__(".fill 0x7fffffff, 8, 1");\nint main(void) { return 0; }\n'),
    ".incbin of /dev/zero": ("c", '__asm__(".incbin \\"/dev/zero\\"");\nint main(void) { return 0; }\n'),
    "an assembler's loop": ("c", '__asm__(".rept 100000000\\n.rept 1000\\nnop\\n.endr\\n.endr");\nint main(void) {}\n'),
    "templates without an end": ("cpp", "template<int N> struct A { A<N + 1> a; A<N + 2> b; };\nA<0> a;\nint main() {}\n"),
    "templates that double": ("cpp", "template<class A, int N> struct D { using t = typename D<A, N - 1>::t; D<D<A, "
                                     "N - 1>, N - 1> x; };\ntemplate<class A> struct D<A, 0> { using t = A; };\n"
                                     "D<int, 24> d;\nint main() { return sizeof d ? x : 0; }\n"),
    "a constexpr loop": ("cpp", "constexpr long f() { long n = 0; for (long i = 0; i < (1L << 60); i++) n += i; "
                                "return n; }\nstatic_assert(f() > 0);\nint main() {}\n"),
    "constexpr recursion": ("cpp", "constexpr int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n"
                                   "static_assert(f(90) > 0);\nint main() {}\n"),
    "a macro without an end in Rust": ("rust", "#![recursion_limit = \"4000000000\"]\nmacro_rules! m { ($($t:tt)*) => "
                                               "{ m!($($t)* $($t)* x) } }\nfn main() { m!(x) }\n"),
    "a const loop in Rust": ("rust", "const N: u64 = { let mut i = 0u64; while i < 1 << 60 { i += 1; } i };\n"
                                     "fn main() { println!(\"{}\", N) }\n"),
    "/dev/zero in Rust": ("rust", "const Z: &[u8] = include_bytes!(\"/dev/zero\");\nfn main() { "
                                  "println!(\"{}\", Z.len()) }\n"),
    "a giant array in Rust": ("rust", "static A: [u8; 1 << 42] = [1; 1 << 42];\nfn main() { println!(\"{}\", A[5]) }\n"),
    "a giant array in Go": ("go", "package main\nvar a = [1 << 40]byte{1 << 39: 1}\nfunc main() { println(a[5]) }\n"),
    "a giant constant in Go": ("go", "package main\nconst (\n a = \"0123456789abcdef\"\n" + "".join(
        f" a{i} = {'a' if i == 0 else f'a{i - 1}'} + {'a' if i == 0 else f'a{i - 1}'}\n" for i in range(60))
        + ")\nfunc main() { println(len(a59)) }\n"),
    "a type without an end in Go": ("go", "package main\ntype T [2]T\nfunc main() { var t T; println(len(t)) }\n"),
}


class Bombs(Compiled):
    def test_code_can_not_be_had_from_the_host_by_including_it(self):
        for path in "/etc/shadow", "/proc/1/environ", "/proc/self/mem", "/var/cache/hatchery":
            result = self.compile_error(f'#include "{path}"\n')
            self.assertNotIn(b"root:", result.compile.stderr)

    def test_bytes_of_a_file_by_incbin_are_only_those_of_the_sandbox(self):
        result = self.execute(unique('#include <stdio.h>\n__asm__("s: .incbin \\"/etc/passwd\\"\\n.byte 0");\n'
                                     "extern char s[];\nint main(void) { puts(s); }\n"), language="c")
        self.assert_exited(result)
        self.assertNotEqual(Path("/etc/passwd").read_bytes(), result.stdout.rstrip(b"\n") + b"\n")


def bomb(language, program):
    def test(self):
        self.stage_ends(program, ANY_END, language, compile_limits=BOUND)
        self.assertEqual(b"Hello, World!\n", self.execute(HELLO, language="c").stdout)
    return test


for title, row in BOMBS.items():
    setattr(Bombs, "test_" + "".join(c if c.isalnum() else "_" for c in title), bomb(*row))


class Cache(Compiled):
    def test_what_was_compiled_once_is_not_compiled_again(self):
        program = unique(HELLO)
        first, second = (self.execute(program, language="c") for _ in range(2))
        self.assertFalse(first.compile.cached)
        self.assertTrue(second.compile.cached)
        self.assertEqual(first.stdout, second.stdout)
        self.assertEqual((0, 0, 0), (second.compile.wall_us, second.compile.cpu_us, second.compile.memory_peak_bytes))
        self.assertGreater(second.compile.compile_us, 0)
        self.assertNotEqual(first.sandbox, second.sandbox)

    def test_what_one_request_let_the_compiler_say_is_not_what_the_next_one_hears(self):
        program = unique("int f(void) { }\nint main(void) { char *p = 1; return !p; }\n")
        short = self.execute(program, language="c", compile_limits={"output_bytes": 10})
        self.assertEqual((10, True), (len(short.compile.stderr), short.compile.stderr_truncated), describe(short))
        whole = self.execute(program, language="c")
        self.assertEqual((False, False), (whole.compile.cached, whole.compile.stderr_truncated))
        self.assertIn(b"main.c:3", whole.compile.stderr)
        self.assertTrue(self.execute(program, language="c").compile.cached)

    def test_by_every_language(self):
        programs = {"cpp": "#include <iostream>\nint main() { std::cout << 42; }\n",
                    "rust": 'fn main() { print!("42"); }\n', "go": 'package main\nimport "fmt"\nfunc main() { fmt.Print("42") }\n'}
        for language, program in programs.items():
            program = unique(program)
            for cached in False, True:
                result = self.execute(program, language=language)
                self.assert_exited(result)
                self.assertEqual((b"42", cached), (result.stdout, result.compile.cached), language)

    def test_whatever_matters_is_compiled_anew(self):
        files = {"main.c": unique('#include "a.h"\n#include <stdio.h>\nint main(void) { puts(A); }\n'),
                 "a.h": '#define A "1"\n'}
        first = self.execute(language="c", files=files, entry="main.c")
        self.assertEqual((b"1\n", False), (first.stdout, first.compile.cached))
        files["a.h"] = '#define A "2"\n'
        other = self.execute(language="c", files=files, entry="main.c")
        self.assertEqual((b"2\n", False), (other.stdout, other.compile.cached))
        more = self.execute(language="c", files={**files, "data": "x"}, entry="main.c")
        self.assertFalse(more.compile.cached)

    def test_arguments_input_and_limits_do_not_matter(self):
        program = unique(HELLO)
        self.execute(program, language="c")
        result = self.execute(program, language="c", args=["x"], env={"A": "b"}, stdin=b"1",
                              limits={"wall_us": 2 * SECOND}, compile_limits={"cpu_us": SECOND})
        self.assertTrue(result.compile.cached)

    def test_no_client_profits_from_what_another_one_asked_for(self):
        program = unique(HELLO)
        self.execute(program, language="c")
        self.assertFalse(self.execute(program, language="c", client="guild").compile.cached)
        self.assertTrue(self.execute(program, language="c", client="guild").compile.cached)
        with SERVER.connect(source="127.0.0.2") as other:
            self.assertFalse(other.execute(program, language="c").compile.cached)

    def test_a_failure_is_not_kept(self):
        program = unique("int main(void) { return x; }\n")
        for _ in range(2):
            self.assertFalse(self.compile_error(program).compile.cached)

    def test_a_damaged_entry_is_compiled_anew(self):
        program = unique(HELLO)
        before = set(self.entries())
        self.execute(program, language="c")
        (entry,) = set(self.entries()) - before
        size = entry.stat().st_size
        for damage in (lambda: os.truncate(entry, size // 2), lambda: os.truncate(entry, 0), lambda: flip(entry, size // 2),
                       lambda: flip(entry, 0), lambda: flip(entry, size - 1), entry.unlink):
            damage()
            result = self.execute(program, language="c")
            self.assert_exited(result)
            self.assertEqual((b"Hello, World!\n", False), (result.stdout, result.compile.cached))
            self.assertTrue(self.execute(program, language="c").compile.cached)

    def entries(self):
        return [path for path in (SERVER.dir / "cache").glob("hatchery-*/*") if len(path.name) == NAME]


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


class Restarts(Compiled):
    """This class is the last one, because it kills the pool."""

    def test_entries_survive_the_pool_and_no_half_one_is_ever_used(self):
        program = unique(HELLO)
        self.execute(program, language="c")
        outputs = {}
        for i in range(12 if ALL else 4):  # nearly every kill comes while an artifact is being stored
            self.retry(lambda client: client.execute(program, language="c"))  # waits until a zygote can compile again
            self.kill_the_pool_while_it_stores(outputs, i)
        self.assertTrue(self.retry(lambda client: client.execute(program, language="c")).compile.cached)
        for program, expected in outputs.items():
            result = self.retry(lambda client, program=program: client.execute(program, language="c"))
            self.assert_exited(result)
            self.assertEqual(expected, result.stdout)
        left = [path.name for path in (SERVER.dir / "cache").glob("hatchery-*/*")]
        self.assertEqual([], [name for name in left if len(name) != NAME])

    def kill_the_pool_while_it_stores(self, outputs, round_number):
        """Several clients compile programs with artifacts of some MiB. Storing each artifact takes a while."""
        stop = threading.Event()

        def compile_some(worker):
            n = 0
            while not stop.is_set():
                n += 1
                tag = f"{round_number}-{worker}-{n}"
                program = unique(f'#include <stdio.h>\nstatic volatile char big[4000000] = {{ 1, 2, {worker} }};\n'
                                 f'int main(void) {{ puts("{tag}"); return big[3]; }}\n')
                outputs[program] = f"{tag}\n".encode()
                try:
                    with SERVER.connect() as client:
                        client.execute(program, language="c", compile_limits={"disk_bytes": 64 * MIB})
                except (Refused, Closed, OSError):
                    return

        workers = [threading.Thread(target=compile_some, args=(i,)) for i in range(2)]
        for worker in workers:
            worker.start()
        unfinished = [path for path in (SERVER.dir / "cache").glob("hatchery-*")][0] / "unfinished"
        end = time.monotonic() + 2
        while time.monotonic() < end and not unfinished.exists():
            pass
        os.kill(SERVER.pool_process().pid, signal.SIGKILL)
        stop.set()
        for worker in workers:
            worker.join()

    def retry(self, action):
        def attempt():
            try:
                with SERVER.connect() as client:
                    return action(client)
            except (Refused, Closed, OSError):
                return None
        return wait_until(attempt, what="a pool that serves")
