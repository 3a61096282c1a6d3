"""C by libtcc: a program must not be able to tell Hatchery from `tcc -lm OTHER.c... -run main.c args`. Both run the
same programs, and the results are compared.

A program that tcc refuses ends as COMPILE_ERROR with status 1, as `tcc main.c` does. (`tcc -run` ends with 255 if
linking fails.)
"""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import language_case
from lib.case import Case, ServerModule, describe
from lib.hatchery import Status
from lib.language_case import Language, tests_of
from lib.planted import planted_tests
from lib.server import BUILD, sanitized_limits

SERVER = ServerModule(__name__, config='client_share = 100\nlanguage "c-fast" { warm = 2 running = 2 }\n')
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def command(folder, entry, args):
    others = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.c"))
    return ["tcc", "-lm", *[name for name in others if name != entry], "-run", entry, *args]


# The end of a program that tcc refuses. tcc's messages belong to the compile stage: see class
# Refused.
REFUSED = (b"", b"", ("COMPILE_ERROR", 1))


def main(body, *headers):
    return "".join(f"#include <{name}>\n" for name in ("stdio.h", "stdlib.h", "string.h", *headers)) + \
        "int main(int argc, char **argv, char **envp)\n{\n" + body + "\n}\n"


STDIN = b"first\nsecond \xc3\xa4\n\nlast without newline"

SEMANTICS = {
    "hello": main('puts("hello"); return 0;'),
    "stdin to its end": (main("int c; while ((c = getchar()) != EOF) putchar(c >= 'a' && c <= 'z' ? c - 32 : c); return 0;"),
                         {"stdin": STDIN}),
    "stdin by line": (main('char *line = NULL; size_t n = 0; ssize_t len;'
                           'while ((len = getline(&line, &n, stdin)) > 0) { printf("%zd <%.*s>\\n", len, (int)strcspn(line, "\\n"), line); fflush(stdout); }'
                           'free(line); return 0;'), {"stdin": STDIN}),
    "args": (main('for (int i = 0; i <= argc; i++) printf("%d <%s>\\n", i, argv[i] ? argv[i] : "NULL"); return 0;'),
             {"args": ["one", "", "two words", "ä日本", "-x", "--", "*"]}),
    "env": (main('printf("%s %d\\n", getenv("GREETING"), getenv("NOTHING") == NULL);'
                 'for (char **e = envp; *e; e++) if (strncmp(*e, "GREET", 5) == 0) puts(*e); return 0;'),
            {"env": {"GREETING": "hi = there"}}),
    "several files": ('#include "deep/add.h"\n#include <stdio.h>\nint main(void) { printf("%d %s\\n", add(NUMBER, 2), name()); return 0; }\n',
                      {"files": {"deep/add.h": "#define NUMBER 40\nint add(int, int);\nconst char *name(void);\n",
                                 "deep/add.c": '#include "add.h"\nint add(int a, int b) { return a + b; }\n',
                                 "name.c": 'const char *name(void) { return __FILE__; }\n'}}),
    "exit code": main('puts("leaving"); exit(3);'),
    "uncaught error": main('puts("lost"); int *nowhere = NULL; *nowhere = 1; return 0;'),
    "syntax error": ('#include <stdio.h>\nint main(void) {\n    int x = ;\n    return x;\n}\n', {"ours": REFUSED}),
    "death by signal": main('puts("lost"); kill(getpid(), SIGTERM); pause(); return 0;', "signal.h", "unistd.h"),
    "exit hook": '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n'
                 'void one(void) { puts("one"); }\nvoid two(void) { printf("two"); }\n'
                 'int main(void) { atexit(one); atexit(two); puts("main"); return 4; }\n',
    "buffered output": main('printf("no newline"); return 0;'),
    "binary output": main('for (int i = 0; i < 256; i++) putchar(i); return 0;'),
    "utf-8 output": main('puts("äöü 日本 🐣"); printf("%zu\\n", strlen("ä")); return 0;'),
    "unread stdin": (main('puts("not read"); return 0;'), {"stdin": b"x" * 200_000}),
    "pending work": '#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n'
                    'void *wait(void *x) { sleep(100); puts("never"); return x; }\n'
                    'int main(void) { pthread_t t; pthread_create(&t, NULL, wait, NULL); alarm(90); puts("main ends"); return 0; }\n',
    "own source": main('printf("%s:%d %s\\n", __FILE__, __LINE__, argv[0]); FILE *f = fopen(__FILE__, "r"); char line[99];'
                       'fgets(line, sizeof line, f); fputs(line, stdout); fclose(f); return 0;'),
    "subprocess": main('puts("before"); fflush(stdout); int s = system("echo from below; exit 5"); printf("%d\\n", WEXITSTATUS(s)); return 0;', "sys/wait.h"),
    "stderr": main('puts("out"); fprintf(stderr, "err %d\\n", 1); puts("out again"); return 0;'),
}

MORE = {
    "a variable that comes too late": (main('puts("on"); return 0;'), {"env": {"MALLOC_ARENA_MAX": "1"}, "ours": (
        b"on\n", b"c-fast: MALLOC_ARENA_MAX does nothing here: it is read when a process starts, and this one had started\n", ("exit", 0))}),
    "return of main is cut to a byte": main("return 256 + 7;"),
    "a negative return": main("return -1;"),
    "main without a return": "int main(void) { }\n",
    "_exit loses what is buffered": main('printf("lost"); _exit(6);', "unistd.h"),
    "_Exit": main('printf("lost"); _Exit(6);'),
    "quick_exit": '#include <stdlib.h>\n#include <stdio.h>\nvoid f(void) { write(1, "quick\\n", 6); }\nint main(void) { printf("lost"); quick_exit(9); }\n',
    "abort": main('puts("lost"); abort();'),
    "assert": main('puts("before"); assert(argc == 7); return 0;', "assert.h"),
    "an exit hook that exits": '#include <stdio.h>\n#include <stdlib.h>\nvoid f(void) { puts("f"); _Exit(fflush(stdout) + 8); }\nint main(void) { atexit(f); return 1; }\n',
    "pthread_exit in main": main('pthread_exit(NULL);', "pthread.h"),
    "a bus error": main('raise(SIGBUS); return 0;', "signal.h"),
    "division by zero": main('volatile int zero = 0; printf("%d\\n", 1 / zero); return 0;'),
    "deep recursion": ('int f(int n) { char room[1000]; room[n % 1000] = n; return f(n + 1) + room[3]; }\nint main(void) { return f(0); }\n', {}),
    "recursion that fits": '#include <stdio.h>\nint f(int n) { return n ? 1 + f(n - 1) : 0; }\nint main(void) { printf("%d\\n", f(60000)); return 0; }\n',
    "a handler of SIGSEGV": '#include <signal.h>\n#include <unistd.h>\nvoid h(int n) { write(1, "caught\\n", 7); _exit(n); }\nint main(void) { signal(SIGSEGV, h); *(int *)0 = 1; return 0; }\n',
    "sigaction, alarm and setjmp": '#include <setjmp.h>\n#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\nsigjmp_buf b;\nvoid h(int n) { siglongjmp(b, n); }\n'
                                   'int main(void) { struct sigaction a = { .sa_handler = h }; sigaction(SIGALRM, &a, NULL);'
                                   ' int n = sigsetjmp(b, 1); if (n) { printf("%d\\n", n == SIGALRM); return 0; } ualarm(1000, 0); for (;;) pause(); }\n',
    "fork and wait": main('printf("twice "); fflush(stdout); if (fork() == 0) { puts("child"); exit(3); } int s; wait(&s); printf("%d\\n", WEXITSTATUS(s)); return 0;', "unistd.h", "sys/wait.h"),
    "what is buffered comes twice after fork": main('printf("buffered "); if (fork() == 0) return 0; wait(NULL); return 0;', "unistd.h", "sys/wait.h"),
    "execvp": main('puts("kept"); fflush(stdout); execlp("echo", "echo", "replaced", (char *)NULL); return 1;', "unistd.h"),
    "popen": main('FILE *p = popen("sort -r", "w"); fputs("a\\nb\\n", p); printf("%d\\n", pclose(p)); return 0;'),
    "threads and a mutex": '#include <pthread.h>\n#include <stdio.h>\nint n; pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n'
                           'void *f(void *x) { for (int i = 0; i < 10000; i++) { pthread_mutex_lock(&m); n++; pthread_mutex_unlock(&m); } return x; }\n'
                           'int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, f, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); printf("%d\\n", n); return 0; }\n',
    "a detached thread outlives main by pthread_exit": '#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\nvoid *f(void *x) { usleep(20000); puts("after main"); return x; }\n'
                           'int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_exit(0); }\n',
    "mathematics": main('printf("%.10f %.10f %.3Lf %d\\n", sin(1.0) + pow(argc, 0.5), fmod(7.5, 2), sqrtl(2.0L), isnan(NAN)); return 0;', "math.h"),
    "complex preprocessor": '#include <stdio.h>\n#define S_(x) #x\n#define S(x) S_(x)\n#define CAT(a, b) a##b\n#define F(...) printf(__VA_ARGS__)\n#if defined(__TINYC__) && __STDC_VERSION__ >= 199901L\n'
                            'int main(void) { int CAT(x, 1) = __LINE__; F("%s %d %s\\n", S(x1), x1, __func__); return 0; }\n#endif\n',
    "C99 and some of C11": main('struct { int a, b[3]; } s = { .b = { [1] = 5 } }; int n = argc + 2, vla[n]; vla[n - 1] = 4; bool t = true;'
                                'printf("%d %d %zu %d %d %d\\n", s.b[1], vla[2], sizeof vla, t, _Generic(1.5, double: 1, default: 2), ((int[]){ 7, 8 })[1]); return 0;', "stdbool.h"),
    "scanf": (main('int a, b; while (scanf("%d %d", &a, &b) == 2) printf("%d\\n", a + b); return 0;'), {"stdin": b"1 2\n3 4\n 5\n6"}),
    "setvbuf and order": main('setvbuf(stdout, NULL, _IONBF, 0); printf("a"); fprintf(stderr, "b"); write(1, "c", 1); return 0;', "unistd.h"),
    "freopen": main('freopen("log", "w", stdout); puts("in the file"); fclose(stdout); char b[20] = ""; FILE *f = fopen("log", "r"); fgets(b, 20, f); fputs(b, stderr); return 0;'),
    "streams are fully buffered pipes": main('struct stat s; fstat(1, &s); printf("%d %d %d\\n", S_ISFIFO(s.st_mode), isatty(0), errno_is()); return 0;', "unistd.h", "sys/stat.h").replace(
        "int main", "#include <errno.h>\nint errno_is(void) { return errno; }\nint main"),
    "errno begins at zero": main('printf("%d\\n", errno); return 0;', "errno.h"),
    "strerror and perror": main('fopen("/nowhere", "r"); perror("open"); return 0;'),
    "locale": main('printf("%s %s\\n", setlocale(LC_ALL, NULL), setlocale(LC_ALL, "")); printf("%d\\n", (int)mblen("ä", 4)); return 0;', "locale.h"),
    "qsort, bsearch and strtok": main('int a[] = { 3, 1, 2 }; qsort(a, 3, sizeof *a, cmp); printf("%d%d%d\\n", a[0], a[1], a[2]); char t[] = "x,y"; puts(strtok(t, ",")); puts(strtok(NULL, ",")); return 0;').replace(
        "int main", "int cmp(const void *a, const void *b) { return *(int *)a - *(int *)b; }\nint main"),
    "rand gives its usual numbers": main('printf("%d\\n", rand()); srand(7); printf("%d\\n", rand()); return 0;'),
    "stat, which libc has as a function": main('struct stat s; printf("%d %d\\n", stat(argv[0], &s), lstat("nothing", &s)); return 0;', "sys/stat.h"),
    "large objects": '#include <stdio.h>\nstatic char big[20 << 20];\nint main(void) { big[sizeof big - 1] = 1; printf("%d %zu\\n", big[5], sizeof big); return 0; }\n',
    "inline assembly": '#include <stdio.h>\nint main(void) { long r; __asm__("mov $42, %0" : "=r"(r)); printf("%ld\\n", r); return 0; }\n',
    "a symbol in two files that is static": ('#include <stdio.h>\nstatic int x = 1; int other(void);\nint main(void) { printf("%d %d\\n", x, other()); return 0; }\n', {"files": {"b.c": "static int x = 2;\nint other(void) { return x; }\n"}}),
    "a name that libc has, too": '#include <stdio.h>\nint read(int a, char *b, int c) { return 77; }\nint main(void) { printf("%d\\n", read(0, 0, 0)); return 0; }\n',
    "a warning does not stop a program": '#include <stdio.h>\nint main(void) { char *p = 5; int q = "x"; printf("%d\\n", p != 0); return 0; }\n',
    "an undeclared function warns": "int main(void) { puts(\"implicit\"); return 0; }\n",
    "a pragma and #warning": "#pragma once\n#warning careful\nint main(void) { return 0; }\n",
    "CRLF": b'#include <stdio.h>\r\nint main(void) {\r\n  puts("crlf"); return 0; }\r\n',
    "no newline at the end": "int main(void) { return 2; }",
    "#include of a header of tcc": '#include <tcclib.h>\nint main(void) { printf("%d\\n", 5); return 0; }\n',
    # ---- refused
    "an unknown name": ("int main(void) { return nothing; }\n", {"ours": REFUSED}),
    "a missing header": ('#include "nothing.h"\nint main(void) { return 0; }\n', {"ours": REFUSED}),
    "an error in a header": ('#include "bad.h"\nint main(void) { return 0; }\n', {"ours": REFUSED, "files": {"bad.h": "\n\nint x = ;\n"}}),
    "an error in another file": ("int main(void) { return 0; }\n", {"ours": REFUSED, "files": {"sub/b.c": "int f( {\n"}}),
    "an undefined function": ("int f(void);\nint main(void) { return f() + g(); }\n", {"ours": REFUSED}),
    "a function defined twice": ("int main(void) { return 0; }\n", {"ours": REFUSED, "files": {"b.c": "int main(void) { return 1; }\n"}}),
    "no main": ("int f(void) { return 1; }\n", {"ours": REFUSED}),
    "an empty program": ("", {"ours": REFUSED}),
    "#error": ("#error not today\n", {"ours": REFUSED}),
    "an #include of itself": ('#include "main.c"\n', {"ours": REFUSED}),
    "bytes that are no C": (bytes(range(1, 256)), {"ours": REFUSED}),
    "a NUL byte": (b"int main(void) { return 0; }\n\0\n", {"ours": REFUSED}),
}

CORPUS = {
    "hello": main('puts("Hello, World!"); return 0;'),
    "fizzbuzz": main('for (int i = 1; i <= 100; i++) if (i % 15 == 0) puts("FizzBuzz"); else if (i % 5 == 0) puts("Buzz"); else if (i % 3 == 0) puts("Fizz"); else printf("%d\\n", i); return 0;'),
    "primes": main('enum { N = 1000000 }; static char no[N]; int n = 0; for (int i = 2; i < N; i++) { if (no[i]) continue; n++; for (long j = (long)i * i; j < N; j += i) no[j] = 1; } printf("%d\\n", n); return 0;'),
    "word count": "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nstruct w { char s[64]; int n; } w[999]; int k;\n"
                  "int cmp(const void *a, const void *b) { const struct w *x = a, *y = b; return y->n != x->n ? y->n - x->n : strcmp(x->s, y->s); }\n"
                  'int main(void) { char s[64]; while (scanf("%63s", s) == 1) { int i = 0; while (i < k && strcmp(w[i].s, s)) i++; if (i == k) strcpy(w[k++].s, s); w[i].n++; }\n'
                  'qsort(w, k, sizeof *w, cmp); for (int i = 0; i < k; i++) printf("%s %d\\n", w[i].s, w[i].n); return 0; }\n',
}

LANGUAGE = Language(
    name="c-fast",
    killed=main('puts("one"); printf("part"); fprintf(stderr, "err\\n"); fputs("two", stdout); kill(getpid(), SIGKILL); pause(); return 0;', "signal.h", "unistd.h"),
    main="main.c", command=command, semantics=SEMANTICS, corpus=CORPUS, more=MORE,
    absent={"json": "C's library has no JSON"},
    random=["#include <stdio.h>\n#include <sys/random.h>\nint main(void) { unsigned long x; getrandom(&x, sizeof x, 0); printf(\"%lx\\n\", x); return 0; }\n",
            '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { char t[] = "/tmp/xXXXXXX"; mkstemp(t); puts(t); return 0; }\n',
            '#include <stdio.h>\n#include <sys/time.h>\nint main(void) { char n[99]; FILE *f = fopen("/proc/sys/kernel/random/uuid", "r"); struct timeval t; gettimeofday(&t, 0); printf("%d %ld.%06ld\\n", f != 0, t.tv_sec, t.tv_usec); return 0; }\n'],
)


Planted = planted_tests(SERVER, "c-fast")


class Semantics(tests_of(SERVER, LANGUAGE)):
    pass


class Refused(Case):
    """tcc's messages about a refused program are those of the compile stage."""
    SERVER, LANGUAGE = SERVER, LANGUAGE
    run_program = language_case.LanguageCase.run_program

    def test_its_messages_are_those_of_tcc(self):
        rows = {name: row for name, row in {**SEMANTICS, **MORE}.items() if isinstance(row, tuple) and row[1].get("ours") is REFUSED}
        self.assertGreater(len(rows), 10)
        for name, (program, options) in rows.items():
            with self.subTest(name):
                result = self.run_program(program, **options)
                out, err, _ = language_case.reference(LANGUAGE, program, options)
                self.assertNotEqual(b"", err)
                self.assertEqual((out, err), (result.compile.stdout, result.compile.stderr), describe(result))


# If a process loads this as a library, its initialiser runs. It then sends a false report to every
# open descriptor: that the compiler has ended with status 77.
FORGER = r"""
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
__attribute__((constructor)) static void forge(void)
{
        struct { uint32_t step; int32_t error; char name[1028]; } refused = { 4, 77, "" };
        if (write(1, "it runs\n", 8) != 8)
                _exit(8);
        for (int fd = 3; fd < 64; fd++)
                send(fd, &refused, sizeof refused, MSG_NOSIGNAL);
        _exit(9);
}
"""


class Hostile(Case):
    """Programs that must not hurt the server, and their ends."""
    SERVER, LANGUAGE = SERVER, LANGUAGE
    run_program = language_case.LanguageCase.run_program

    def alive(self):
        result = self.run_program(SEMANTICS["hello"])
        self.assertEqual(b"hello\n", result.stdout, describe(result))

    def ends(self, program, status, **options):
        result = self.run_program(program, **options)
        self.assert_status(result, status)
        self.alive()
        return result

    def test_an_endless_loop(self):
        self.ends("int main(void) { for (;;); }\n", "CPU_LIMIT", limits={"cpu_us": 300_000})

    def test_sleep(self):
        self.ends("int main(void) { pause(); }\n", "TIME_LIMIT", limits={"wall_us": 300_000})

    def test_all_memory(self):
        self.ends(main("for (;;) { char *p = malloc(1 << 20); if (p) memset(p, 1, 1 << 20); }"), "MEMORY_LIMIT")

    def test_a_flood_of_output(self):
        self.ends(main('for (;;) puts("flood");'), "OUTPUT_LIMIT")

    def test_a_fork_bomb(self):
        out = self.run_program(main('int n = 0; for (;;) { pid_t p = fork(); if (p < 0) break; if (p == 0) pause(); n++; } printf("%d\\n", n > 5 && n < 130); return 0;', "unistd.h"))
        self.assertEqual(b"1\n", out.stdout, describe(out))
        self.alive()

    def test_a_full_disk(self):
        out = self.run_program(main('FILE *f = fopen("/tmp/big", "w"); static char b[1 << 16]; long n = 0; while (fwrite(b, 1, sizeof b, f) == sizeof b) n++; printf("%d\\n", n > 0); return 0;'))
        self.assertIn(out.stdout, (b"1\n", b""), describe(out))
        self.alive()

    def test_calls_that_are_refused(self):
        program = main('int n = 0;'
                       'n += socket(AF_INET, SOCK_STREAM, 0) >= 0; n += ptrace(PTRACE_TRACEME, 0, 0, 0) >= 0; n += mount("a", "/mnt", "tmpfs", 0, 0) >= 0;'
                       'n += unshare(CLONE_NEWUSER) >= 0; n += syscall(SYS_bpf, 0, 0, 0) >= 0; n += chroot("/tmp") >= 0; n += setuid(0) >= 0; n += kill(1, 9) >= 0 ;'
                       'n += fopen("/etc/shadow", "r") != NULL; n += fopen("/proc/1/environ", "r") != NULL; n += fopen("/proc/1/mem", "r") != NULL;'
                       'printf("%d\\n", n); return 0;', "sys/socket.h", "sys/ptrace.h", "sys/mount.h", "sys/syscall.h", "sched.h", "unistd.h", "signal.h")
        program = "#define _GNU_SOURCE\n" + program
        out = self.run_program(program)
        self.assertEqual(b"0\n", out.stdout, describe(out))
        self.alive()

    def test_nothing_of_the_server_can_be_read(self):
        program = main('char line[500]; FILE *f = fopen("/proc/self/maps", "r"); while (fgets(line, 500, f)) fputs(line, stdout);'
                       'f = fopen("/proc/self/cmdline", "r"); while (fgets(line, 500, f)) fputs(line, stdout);'
                       'f = fopen("/proc/self/environ", "r"); while (fgets(line, 500, f)) fputs(line, stdout); return 0;')
        out = self.run_program(program).stdout
        self.assertIn(b"libc.so.6", out)
        self.assertFalse(re.search(str(BUILD).encode() + rb"|HATCHERY_|SUDO|--config", out), out)

    def test_compile_bombs(self):
        deep = '#include "main.c"\n'
        doubling = "#define A0 1+1\n" + "".join(f"#define A{i} A{i - 1}+A{i - 1}\n" for i in range(1, 40)) + "int main(void) { return A39; }\n"
        tests = {
            "an endless device": ('#include "/dev/zero"\n', {}, "COMPILE_ERROR"),
            "itself": (deep, {}, "COMPILE_ERROR"),
            "a macro that doubles": (doubling, {}, "MEMORY_LIMIT"),
            "a giant array": ("char big[1 << 30] = { 1 }; char more[(1L << 40)]; int main(void) { return big[5]; }\n", {}, "MEMORY_LIMIT"),
            "deep parentheses": ("int x = " + "(" * 100000 + "1" + ")" * 100000 + ";\nint main(void) { return x; }\n", {}, "SIGNALED"),
            "a flood of warnings": ("int main(void) {\n" + "char *p = 5;{\n" * 200 + "}" * 200 + "}\n", {}, "EXITED"),
            "standard input": ('#include "/dev/stdin"\n', {"stdin": "int main(void) { return 9; }\n"}, "EXITED"),
        }
        for name, (program, options, *ends) in tests.items():
            with self.subTest(name):
                result = self.run_program(program, limits={"memory_bytes": 128 << 20, **sanitized_limits("c-fast"), "cpu_us": 1_500_000, "wall_us": 6_000_000}, **options)
                self.assertIn(Status.Name(result.status), ends, describe(result))
                self.alive()

    def forger(self):
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "libown.so"
            subprocess.run(["gcc", "-shared", "-fPIC", "-xc", "-o", library, "-"], check=True, input=FORGER.encode())
            return library.read_bytes()

    def test_a_library_of_the_request_does_not_run_while_it_is_translated(self):
        """The compiler loads no library of the request: the library's initialiser could forge the compiler's report"""
        library = self.forger()
        ways = {
            "by its directory": ("-L.", {"libown.so": library}),
            "by a directory of /proc": ("-L/proc/self/cwd", {"libown.so": library}),
            "by a script of the linker": ("-L.", {"libown.so": "GROUP ( ./real.so )\n", "real.so": library}),
            "as the compiler's own": ("-B.", {"libtcc1.a": "INPUT ( real.so )\n", "real.so": library, "libown.so": library}),
        }
        for name, (option, files) in ways.items():
            with self.subTest(name):
                program = f'#pragma comment(option, "{option}")\n#pragma comment(lib, "own")\nint main(void) {{ return 0; }}\n'
                result = self.ends(program, "COMPILE_ERROR", files=files)
                self.assertEqual((1, b"", b""), (result.exit_code, result.compile.stdout, result.stdout), describe(result))
        opened = main('return dlopen("./libown.so", RTLD_NOW) == NULL;', "dlfcn.h")
        self.assertEqual(9, self.ends(opened, "EXITED", files={"libown.so": library}).exit_code)

    def test_no_option_in_a_source_makes_the_translator_run_or_tell_something(self):
        """An option in a pragma, or an #include of an open descriptor, runs no code and reveals nothing"""
        lines = [f'#pragma comment(option, "{option}")' for option in
                 ("-run forge.h", "-include forge.h", "-o /proc/self/fd/3", "-MD -MF /proc/self/fd/3", "-b", "-bt", "-static", "-E", "-m32", "@list")]
        lines += [f'#include "/proc/self/fd/{fd}"' for fd in range(3, 8)]
        for line in lines:
            with self.subTest(line):
                result = self.run_program(f"{line}\nint main(void) {{ return 5; }}\n", limits={"wall_us": 500_000},
                                          files={"forge.h": FORGER, "list": "-run forge.h"})
                self.assertNotIn(b"it runs", result.stdout + result.compile.stdout, describe(result))
                self.assertIn(Status.Name(result.status), ("EXITED", "COMPILE_ERROR", "SIGNALED", "CPU_LIMIT", "TIME_LIMIT"), describe(result))
                self.assertNotEqual(77, result.exit_code, describe(result))
        self.alive()

    def test_a_library_of_the_system_is_there_for_the_asking(self):
        result = self.ends('#pragma comment(lib, "z")\nconst char *zlibVersion(void);\nint main(void) { return zlibVersion()[0]; }\n',
                           "EXITED")
        self.assertEqual(ord("1"), result.exit_code)

    def test_a_program_that_rewrites_its_own_memory(self):
        self.ends(main('extern char etext; for (char *p = (char *)((long)main & ~4095L); ; p++) *p = 0;'), "SIGNALED")


if __name__ == "__main__":
    unittest.main()
