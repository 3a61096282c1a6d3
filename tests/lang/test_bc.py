"""bc, a language that is data: bc -q FILE ARGUMENTS becomes the sandbox's main process."""

from lib.case import ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage bc { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SEMANTICS = {
    "hello": 'print "Hello, World!\\n"\n',
    "stdin to its end": ("x = 5\n", {"stdin": "x * 2\nx ^ 10\n"}),
    "stdin by line": ("for (i = 0; i < 3; i++) { n = read(); n * n }\n", {"stdin": "1\n12\n3\n"}),
    "args": ("1\n", {"args": ["a b.bc", "c.bc"], "files": {"a b.bc": "2\n", "c.bc": "3\n"}}),
    "env": ("2 ^ 200\n", {"env": {"BC_LINE_LENGTH": "0"}}),
    "several files": ("define f(x) { return (x * 2); }\n", {"args": ["use.bc"], "files": {"use.bc": "f(21)\n"}}),
    "uncaught error": "1\n2\n3 / 0\n4\n",
    "syntax error": "1\nif (2 {\n3\n",
    "buffered output": 'print "no-newline"\n',
    "utf-8 output": 'print "Grüße, 世界\\n"\n',
    "unread stdin": ("1\nquit\n", {"stdin": "2\n" * 100_000}),
    "own source": ("1\n", {"args": ["main.bc"]}),
}

MORE = {
    "BC_ENV_ARGS": ("s(1)\n", {"env": {"BC_ENV_ARGS": "-l"}}),
    "POSIXLY_CORRECT": ("1 || 0\n", {"env": {"POSIXLY_CORRECT": "1"}}),
    "long numbers": "2 ^ 1000\n",
    "the scale": "scale = 50\n4 * a(1)\n1 / 3\n",
    "with the library of mathematics": ("scale = 20\ns(1)\nc(1)\ne(1)\nl(2)\n4 * a(1)\n", {"args": ["-l"]}),
    "bases": "obase = 16\n255\nibase = 2\n1010\n",
    "functions and recursion": "define f(n) {\n  if (n < 2) return (1);\n  return (n * f(n - 1));\n}\nf(30)\n",
    "arrays": "for (i = 0; i < 5; i++) a[i] = i * i\na[3]\na[9]\n",
    "loops": "while (i < 3) { i += 1; if (i == 2) continue; i }\n",
    "comparisons": "1 < 2\n2 < 1\n(1 < 2) && !(2 < 1)\n",
    "the last value": "5 + 5\nlast * 2\n. + 1\n",
    "square roots": "scale = 10\nsqrt(2)\nsqrt(-1)\n",
    "remainders": "17 % 5\n-17 % 5\nscale = 2\n17 % 5\n",
    "halt in a function": "define f() { halt }\n1\nf()\n2\n",
    "an undefined function": "nothing(1)\n2\n",
    "a string of many lines": '"a\nb\n"\n',
    "comments": "/* many\nlines */ 1 # rest\n2\n",
    "no newline at the end": ("1 + 1", {"ours": (b"2\n", b"", ("exit", 0))}),  # the bc command reports an error here
    "no newline at the end of a function": ("define f(x) {\n  return (x * 2)\n}\nf(4)", {"ours": (b"8\n", b"", ("exit", 0))}),
    "quit inside": "1\nif (0) quit\n2\n",
    "a missing file": ("1\n", {"args": ["/nonexistent"]}),
    "unknown option": ("1\n", {"args": ["--nothing"]}),
    "strict POSIX": ("if (1 || 0) 2\n", {"args": ["-s"]}),
    "warnings": ("if (1 || 0) 2\n", {"args": ["-w"]}),
    "empty program": "",
    "standard input with an error": ("", {"stdin": "1 +\n2 /0\n3\n"}),
    "length and scale": "length(12345)\nscale(1.234)\n",
    "carriage returns": "1\r\n2\r\n",
    "arrays by value": "define f(a[]) { a[0] = 9; return (a[1]); }\nb[0] = 1\nb[1] = 5\nf(b[])\nb[0]\n",
}

Bc = tests_of(SERVER, Language(
    name="bc",
    killed=('print "one\\n"\nprint "part"\nwhile (1) x = 0\n', {"limits": {"cpu_us": 300_000}, "printed": b"one\npart"}), failing="1\n2\n3 / 0\n",
    main="main.bc", command=["bc", "-q"], semantics=SEMANTICS, more=MORE,
    corpus={
        "hello": 'print "Hello, World!\\n"\n',
        "fizzbuzz": 'for (i = 1; i <= 100; i++) {\n  if (i % 15 == 0) { print "FizzBuzz\\n" } else {\n'
                    '    if (i % 5 == 0) { print "Buzz\\n" } else {\n      if (i % 3 == 0) { print "Fizz\\n" } else { i }\n'
                    "    }\n  }\n}\n",
    },
    absent={"exit code": "bc has no way to choose one", "death by signal": "bc reaches no other process, nor itself",
            "exit hook": "bc has none", "binary output": "bc prints numbers and its source's strings",
            "pending work": "bc has neither threads nor timers", "subprocess": "bc starts none", "stderr": "bc can't choose it",
            "primes": "a bc array has 16,777,216 elements, but a million of them take bc minutes",
            "word count": "bc reads no words", "json": "bc has no strings"}))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "bc"
    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while (1) x = 0\n", limits={"wall_us": 300_000})

    def test_a_giant_number_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "x = 9 ^ 99999999\n", limits={"wall_us": 500_000})

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "for (i = 0; 1; i++) { a[i % 2048] = 10 ^ 100000 }\n",
                         limits={"memory_bytes": 32 * MIB, "wall_us": 60_000_000, "cpu_us": 60_000_000})

    def test_endless_recursion_ends(self):
        result = self.hostile("define f(n) { return (f(n + 1)); }\nf(0)\n", limits={"wall_us": 20_000_000})
        self.assertIn(describe(result).split()[0], ("MEMORY_LIMIT", "SIGNALED", "TIME_LIMIT", "EXITED"))
