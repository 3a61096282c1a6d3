"""C by gcc, a language that is data: compiled in one sandbox, run in another."""

from lib.case import ServerModule, describe
from lib.compiled import NOT_COMPILED, compile_and_run, compiler_says
from lib.hatchery import Status
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, LanguageCase, tests_of
from lib.planted import planted_tests

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage c { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LINE = ["gcc", "-O2", "-std=gnu17", "-pipe", "-o", "main", "main.c", "-lm"]
IO = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"


def main(body, more=""):
    return f"{IO}{more}int main(int n, char **args)\n{{\n        (void)n, (void)args;\n{body}\n}}\n"


SYNTAX_ERROR = "int main(void)\n{\n        return 0\n}\n"

SEMANTICS = {
    "hello": main('puts("Hello, World!");'),
    "stdin to its end": (main("int c; while ((c = getchar()) != EOF) putchar(toupper(c));", "#include <ctype.h>\n"),
                         {"stdin": "some\nlines\nand no end"}),
    "stdin by line": (main('char *l = NULL; size_t s = 0; ssize_t k; while ((k = getline(&l, &s, stdin)) > 0) '
                           'printf("<%.*s>\\n", (int)strcspn(l, "\\n"), l);'), {"stdin": "one\n two \nthree\nfour"}),
    "args": (main('printf("%s %d", args[0], n); for (int i = 1; i < n; i++) printf("[%s]", args[i]);'),
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*"]}),
    "env": (main('puts(getenv("GREETING")); puts(getenv("USER"));'), {"env": {"GREETING": "good day = 1"}}),
    "several files": ('#include "lib/f.h"\n#include <stdio.h>\nint main(void) { puts(f()); }\n',
                      {"files": {"lib/f.h": "const char *f(void);\n",
                                 "lib/f.c": '#include "f.h"\nconst char *f(void) { return __FILE__; }\n'}}),
    "exit code": main("exit(3);"),
    "uncaught error": main("puts(\"before\"); fflush(stdout); int *p = NULL; __asm__ volatile(\"\" : \"+r\"(p)); *p = 1;"),
    "syntax error": (SYNTAX_ERROR, NOT_COMPILED),
    "death by signal": main("kill(getpid(), SIGTERM); pause();", "#include <signal.h>\n"),
    "exit hook": main('atexit(bye); puts("work"); return 4;', 'static void bye(void) { puts("bye"); }\n'),
    "buffered output": main('printf("no newline");'),
    "binary output": main("for (int i = 0; i < 256; i++) putchar(i);"),
    "utf-8 output": main('puts("Grüße, 世界 🐣");'),
    "unread stdin": (main('puts("done");'), {"stdin": "x" * 200_000}),
    "pending work": main('pthread_t t; pthread_create(&t, NULL, work, NULL); puts("end");',
                         "#include <pthread.h>\nstatic void *work(void *a) { sleep(1); puts(\"late\"); return a; }\n"),
    "own source": main('puts(__FILE__); FILE *f = fopen(__FILE__, "r"); char l[64]; fgets(l, 64, f); puts(l);'),
    "subprocess": main('int r = system("echo inner; exit 7"); printf("%d\\n", WEXITSTATUS(r));',
                       "#include <sys/wait.h>\n"),
    "stderr": main('puts("out"); fflush(stdout); fputs("err\\n", stderr);'),
}

MORE = {
    "TZ and MALLOC_": (main('time_t t = 0; printf("%d\\n", localtime(&t)->tm_hour); volatile unsigned char *p = malloc(99); printf("%x\\n", p[50]);', "#include <time.h>\n"),
                       {"env": {"TZ": "Asia/Tokyo", "MALLOC_PERTURB_": "85"}}),
    "abort": main("abort();"),
    "a failed assertion": main("assert(n == 5);", "#include <assert.h>\n"),
    "division by zero": main("volatile int z = 0; return 1 / z;"),
    "stack overflow": main("return f(1);", "static int f(volatile int i) { volatile char a[1000]; a[i % 1000] = 1; "
                                           "return f(i + 1) + a[0]; }\n"),
    "the stack protector's word": main("char *p = malloc(8); free(p); __asm__ volatile(\"\" : \"+r\"(p)); free(p);"),
    "mathematics": main('printf("%.17g %.17g\\n", sqrt(n + 1.0), pow(n + 1.0, 0.3));', "#include <math.h>\n"),
    "an exit status above 255": main("return 258;"),
    "_exit without a flush": main('printf("lost"); _exit(2);'),
    "quick_exit": main('at_quick_exit(bye); quick_exit(5);', 'static void bye(void) { puts("quick"); fflush(stdout); }\n'),
    "a destructor": main("return 0;", '__attribute__((destructor)) static void end(void) { puts("destroyed"); }\n'),
    "a constructor": main("return 0;", '__attribute__((constructor)) static void begin(void) { puts("made"); }\n'),
    "fork and wait": main('if (fork() == 0) { puts("child"); exit(6); } int s; wait(&s); printf("%d\\n", WEXITSTATUS(s));',
                          "#include <sys/wait.h>\n"),
    "a caught signal": main('signal(SIGUSR1, on); raise(SIGUSR1); puts("after");',
                            "#include <signal.h>\nstatic void on(int s) { write(1, \"caught\\n\", 7); (void)s; }\n"),
    "threads that are joined": main("pthread_t t[8]; for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, work, NULL);\n"
                                    "for (int i = 0; i < 8; i++) pthread_join(t[i], NULL); printf(\"%d\\n\", count);",
                                    "#include <pthread.h>\n#include <stdatomic.h>\nstatic atomic_int count;\n"
                                    "static void *work(void *a) { for (int i = 0; i < 1000; i++) count++; return a; }\n"),
    "wide characters": main('setlocale(LC_ALL, ""); printf("%ls %zu\\n", L"žlutý", wcslen(L"žlutý"));',
                            "#include <locale.h>\n#include <wchar.h>\n"),
    "time zone": main('time_t t = 0; printf("%s", asctime(gmtime(&t)));', "#include <time.h>\n"),
    "the standard": main('printf("%ld\\n", __STDC_VERSION__);'),
    "a pipe nobody reads": main('FILE *p = popen("true", "w"); sleep(1); for (;;) fputs("x", p);'),
    "temporary files": main('FILE *f = tmpfile(); fputs("x", f); printf("%ld\\n", ftell(f));'),
    "a shared library at run time": main('void *m = dlopen("libm.so.6", RTLD_NOW); printf("%d\\n", m != NULL);',
                                         "#include <dlfcn.h>\n"),
}

CORPUS = {
    "hello": main('puts("Hello, World!");'),
    "fizzbuzz": main('for (int i = 1; i <= 100; i++) if (i % 15 == 0) puts("FizzBuzz"); else if (i % 5 == 0) puts("Buzz");'
                     ' else if (i % 3 == 0) puts("Fizz"); else printf("%d\\n", i);'),
    "primes": main("static char c[1000000]; int k = 0; for (int i = 2; i < 1000000; i++) { if (c[i]) continue; k++; "
                   'for (long j = (long)i * i; j < 1000000; j += i) c[j] = 1; } printf("%d\\n", k);'),
    "word count": main("struct w w[99] = {0}; int k = 0; char b[50]; while (scanf(\"%49s\", b) == 1) { int i = 0; while (i < k "
                       "&& strcmp(w[i].s, b)) i++; if (i == k) strcpy(w[k++].s, b); w[i].n++; } qsort(w, k, sizeof *w, by); "
                       'for (int i = 0; i < k; i++) printf("%s %d\\n", w[i].s, w[i].n);',
                       "struct w { char s[50]; int n; };\nstatic int by(const void *a, const void *b) { const struct w *x = a, "
                       "*y = b; return x->n != y->n ? y->n - x->n : strcmp(x->s, y->s); }\n"),
}

C = Language(name="c",
             killed=main('puts("one"); printf("part"); fputs("err\\n", stderr); fputs("two", stdout); kill(getpid(), SIGKILL); pause();', "#include <signal.h>\n"),
             main="main.c", command=compile_and_run(*LINE[:6], "{sources}", "-lm", extensions=["c"]),
             semantics=SEMANTICS, more=MORE, corpus=CORPUS, absent={"json": "C has no JSON"},
             random=[main('unsigned long r; getrandom(&r, sizeof r, 0); printf("%lx\\n", r);', "#include <sys/random.h>\n"),
                     main('printf("%p\\n", (void *)&n);'), main('char t[] = "/tmp/XXXXXX"; mkstemp(t); puts(t);')])

Semantics = tests_of(SERVER, C)
Planted = planted_tests(SERVER, "c")


class Compiler(LanguageCase):
    SERVER, LANGUAGE = SERVER, C

    def test_what_gcc_says_is_what_it_says_by_itself(self):
        status, said = compiler_says(LINE, {"main.c": SYNTAX_ERROR})
        result = self.run_program(SYNTAX_ERROR)
        self.assertEqual((status, said), (result.compile.exit_code, result.compile.stderr), describe(result))

    def test_the_aliases(self):
        self.assertEqual("c", self.execute(main('puts("");'), language="gcc").language)


class Hostile(HostileCase):
    SERVER, LANGUAGE = SERVER, "c"
    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop(self):
        self.assert_ends("CPU_LIMIT", main("for (;;) __asm__ volatile(\"\");"), limits={"cpu_us": 300_000})

    def test_a_sleep(self):
        self.assert_ends("TIME_LIMIT", main("for (;;) pause();"), limits={"wall_us": 300_000})

    def test_a_memory_bomb(self):
        self.assert_ends("MEMORY_LIMIT", main("for (;;) memset(malloc(1 << 20), 1, 1 << 20);"),
                         limits={"memory_bytes": 32 * MIB})

    def test_the_stack_is_what_the_request_asks_for(self):
        program = main("return f(n << 14) & 0;", "static int f(volatile int i) { volatile char a[1024]; a[i % 1024] = 0; "
                                                 "return i ? f(i - 1) + a[i % 1024] : 0; }\n")  # uses 16 MiB of stack
        self.assert_exited(self.execute(program, language="c", limits={"stack_bytes": 32 * MIB}))
        self.assert_ends("SIGNALED", program)

    def test_a_flood_of_output(self):
        self.assert_ends("OUTPUT_LIMIT", main('for (;;) puts("flood");'))

    def test_a_fork_bomb(self):
        self.assert_ends("TIME_LIMIT", main("for (;;) fork();"), limits={"wall_us": 500_000})

    def test_a_disk_filler(self):
        program = main('int d = open("x", O_CREAT | O_WRONLY, 0600); static char b[1 << 16]; while (write(d, b, sizeof b) > 0) '
                       ";\nreturn 1;", "#include <fcntl.h>\n")
        self.assert_ends("DISK_LIMIT", program, limits={"disk_bytes": 4 * MIB})

    def test_what_is_refused(self):
        calls = {"ptrace(PTRACE_TRACEME, 0, 0, 0)": "sys/ptrace.h", 'mount("none", "/tmp", "tmpfs", 0, "")': "sys/mount.h",
                 "socket(AF_INET, SOCK_STREAM, 0)": "sys/socket.h", 'chroot("/tmp")': "unistd.h", "setuid(0)": "unistd.h",
                 'open("/etc/shadow", O_RDONLY)': "fcntl.h", 'open("/proc/1/mem", O_RDONLY)': "fcntl.h",
                 "kill(1, SIGKILL)": "signal.h", "unshare(CLONE_NEWUSER)": "sched.h", 'open("/usr/x", O_CREAT | O_WRONLY, 0)': "fcntl.h"}
        for call, header in calls.items():
            with self.subTest(call=call):
                result = self.hostile(f"#define _GNU_SOURCE\n#include <{header}>\n" + main(f"return {call} < 0 ? 0 : 1;"))
                self.assertEqual(("EXITED", 0), (Status.Name(result.status), result.exit_code), describe(result))

    def test_what_stays_behind_is_killed(self):
        result = self.hostile(main("if (fork() == 0) { setsid(); for (;;) pause(); }\nputs(\"end\");"))
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)
