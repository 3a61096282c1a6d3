"""Python as one language among the others: the tests that all languages have. tests/box/test_python.py
compares many more programs with python3."""

import os
import tempfile
import unittest
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage python { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SEMANTICS = {
    "hello": 'print("Hello, World!")\n',
    "stdin to its end": ("import sys\nsys.stdout.write(sys.stdin.read().upper())\n", {"stdin": "some\nlines äö\nand no end"}),
    "stdin by line": ("import sys\nfor line in sys.stdin: print(repr(line))\n", {"stdin": "one\n two \nthree\r\n\nfour"}),
    "args": ("import sys\nprint(sys.argv)\n", {"args": ["", "a b", "žluťoučký", "-x", "--", "*", "$HOME"]}),
    "env": ("import os\nprint(os.environ['GREETING'], flush=True)\nos.system('echo $GREETING')\n", {"env": {"GREETING": "good day = 1"}}),
    "several files": ("from lib import greet\nprint(greet.hi('you'))\n",
                      {"files": {"lib/__init__.py": "", "lib/greet.py": "def hi(w): return f'hi {w} from {__name__}'\n"}}),
    "exit code": "import sys\nsys.exit(3)\n",
    "uncaught error": "def f(x):\n    y = 1\n    return x.y\nprint('before')\nf(5)\n",
    "syntax error": "print('never')\nx = = 2\n",
    "death by signal": "import os, signal\nprint('lost')\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "exit hook": "import atexit\natexit.register(print, 'bye')\nprint('work')\nraise SystemExit(4)\n",
    "buffered output": "print('no newline', end='')\n",
    "binary output": "import sys\nsys.stdout.buffer.write(bytes(range(256)))\n",
    "utf-8 output": "größe = 'Grüße, 世界 🐣'\nprint(größe, len(größe))\n",
    "unread stdin": ("print('done')\n", {"stdin": "x" * 200_000}),
    "pending work": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()\n"
                    "threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\nprint('end')\n",
    "own source": "print(__file__)\n# from the source\nprint(open(__file__).read().splitlines()[1])\n",
    "subprocess": "import subprocess\nr = subprocess.run('echo inner; exit 7', shell=True, capture_output=True, text=True)\nprint(r.stdout, r.returncode)\n",
    "stderr": "import sys\nprint('err', file=sys.stderr)\nprint('out')\n",
}

CORPUS = {
    "hello": SEMANTICS["hello"],
    "fizzbuzz": "for i in range(1, 101): print('Fizz' * (i % 3 == 0) + 'Buzz' * (i % 5 == 0) or i)\n",
    "primes": "n = 1_000_000\nsieve = bytearray([1]) * n\nsieve[:2] = b'\\0\\0'\nfor i in range(2, 1000):\n"
              "    if sieve[i]: sieve[i * i::i] = bytes(len(sieve[i * i::i]))\nprint(sum(sieve))\n",
    "word count": "import sys\nfrom collections import Counter\nfor word, n in sorted(Counter(sys.stdin.read().split()).items(), key=lambda p: (-p[1], p[0])): print(word, n)\n",
    "json": "import json, sys\nd = json.load(sys.stdin)\nprint(json.dumps({'name': d['name'], 'total': sum(d['items'])}, separators=(',', ':')))\n",
}

ECHO = [
    ("1 + 1", "2\n"),
    ("x = 4\nx * x, x", "(16, 4)\n"),
    ("'text'", "'text'\n"),
    ("None", ""),
    ("print(1)", "1\n"),
    ("1\n2\n3", "3\n"),
    ("x = 5", ""),
    ("", ""),
    ("# nothing", ""),
    ("def f():\n    return 7\nf()  # called", "7\n"),
    ("1; 2", "2\n"),
    ("1;", "1\n"),
    ("for i in range(2): i", ""),
    ("if True: 5", ""),
    ("'a docstring'\n__doc__", "'a docstring'\n"),
    ("6 * 7\n_ = 3", ""),
    ("_ = 1\n6 * 7\n", "42\n"),
    ("import sys\nsys.displayhook = lambda v: print('hook', v)\n5", "hook 5\n"),
    ("import builtins, atexit\natexit.register(lambda: print(builtins._))\n8", "8\n8\n"),
    ("from __future__ import annotations\ndef f(x: y): pass\nf.__annotations__", "{'x': 'y'}\n"),
    ("# -*- coding: latin-1 -*-\nx = 1\nx", "1\n"),
    ("class A:\n    def __repr__(self): return 'an A'\nA()", "an A\n"),
    ("'größe'", "'größe'\n"),
    ("[\n 1,\n 2,\n]", "[1, 2]\n"),
    ("...", "Ellipsis\n"),
    ("x: int", ""),
    ("(y := 3)", "3\n"),
    ("def f(): global g; g = 5\nf(); g", "5\n"),
]

# The environment variables that Python documents. Python reads them when it starts, so a request with such a variable
# gets a fresh process; some rows below are exceptions. The output of the command python3 is the reference.
SEE = ("import encodings, locale, os, sys, time\nprint(sys.flags, sys.path, sys.warnoptions, sys.pycache_prefix, sys.stdout, sys._xoptions, "
       "sys.platlibdir, sys.get_int_max_str_digits(), os.environ.get('LC_CTYPE'), locale.setlocale(locale.LC_CTYPE), sys.dont_write_bytecode, "
       "'tracemalloc' in sys.modules)\nif not sys.flags.hash_randomization: print(hash('abc'))\n")
# All of the standard streams' settings. A thread that is alive at the end has Python end in its long way.
STREAMS = ("import sys, threading, time\nfor name in 'stdin', 'stdout', 'stderr':\n    s = getattr(sys, name)\n    b = s.buffer\n"
           "    print(s, type(b), getattr(b, 'raw', b).closefd, s.newlines, s.line_buffering, s.write_through, s.fileno(), s.isatty(), "
           "s is getattr(sys, f'__{name}__'))\n"
           "print(ascii(sys.stdin.readline()))\nprint(chr(56575), file=sys.stderr)\n"
           "threading.Thread(target=time.sleep, args=[9], daemon=True).start()\nsys.stdout.write('end')\n")
STREAMS_INPUT = "ä\r\nb"
VARIABLES = {
    "TZ": ("import datetime, time\nprint(time.tzname, time.timezone, time.daylight, time.localtime(0).tm_hour, time.strftime('%Z', time.localtime(0)), "
           "datetime.datetime.fromtimestamp(0))\n", {"env": {"TZ": "America/New_York"}}),
    "LANG": (SEE, {"env": {"LANG": "C"}}),
    "LC_ALL": (SEE, {"env": {"LC_ALL": "POSIX"}}),
    "LD_DEBUG": ("print(1)\n", {"env": {"LD_DEBUG": "help"}}),
    "PYTHON of many sorts": (SEE, {"env": {
        "PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error,ignore::UserWarning", "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1", "PYTHONINTMAXSTRDIGITS": "700", "PYTHONPYCACHEPREFIX": "p",
        "PYTHONTRACEMALLOC": "2", "PYTHONFAULTHANDLER": "1", "PYTHONPATH": "lib:/other", "PYTHONIOENCODING": "latin-1:replace",
        "PYTHONUNBUFFERED": "1", "PYTHONNODEBUGRANGES": "1", "PYTHONMALLOC": "malloc", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0",
        "PYTHONASYNCIODEBUG": "1", "PYTHONUSERBASE": "base", "PYTHONEXECUTABLE": "x", "PYTHONPLATLIBDIR": "lib"}}),
    # The warm interpreter obeys the variables of these rows.
    "PYTHONUNBUFFERED and others": (SEE + "import site\nprint(site.USER_BASE, site.USER_SITE, sys.stdin, sys.stderr)\nprint(chr(56550))\n", {"env": {
        "PYTHONDONTWRITEBYTECODE": "true", "PYTHONIOENCODING": "utf-8:strict", "PYTHONUNBUFFERED": "true", "PYTHONUSERBASE": "/hatchery/packages"}}),
    "streams as they are": (STREAMS, {"stdin": STREAMS_INPUT}),
    "streams without buffers": (STREAMS, {"stdin": STREAMS_INPUT, "env": {"PYTHONUNBUFFERED": "1"}}),
    "streams that are strict": (STREAMS, {"stdin": STREAMS_INPUT, "env": {"PYTHONIOENCODING": "utf-8:strict"}}),
    "strict streams without buffers": (STREAMS, {"stdin": STREAMS_INPUT, "env": {"PYTHONIOENCODING": "utf-8:strict", "PYTHONUNBUFFERED": "1"}}),
    "PYTHONUNBUFFERED of zero": (SEE, {"env": {"PYTHONDONTWRITEBYTECODE": "0", "PYTHONUNBUFFERED": "", "PYTHONUSERBASE": ""}}),
    "PYTHONDEVMODE": (SEE, {"env": {"PYTHONDEVMODE": "1"}}),
    "PYTHONHOME": ("import sys\nprint(sys.prefix, sys.path)\n", {"env": {"PYTHONHOME": "/usr:/usr"}}),
    "PYTHONVERBOSE": ("import sys\nprint(sys.flags.verbose)\nsys.stderr = None\n", {"env": {"PYTHONVERBOSE": "0", "PYTHONDEBUG": "0"}}),
    "PYTHONINSPECT": ("x = 5\n", {"env": {"PYTHONINSPECT": "1"}, "stdin": "print(x)\n"}),
    "PYTHONBREAKPOINT": ("breakpoint()\nprint(2)\n", {"env": {"PYTHONBREAKPOINT": "builtins.print"}}),
}

Python = tests_of(SERVER, Language(
    name="python",
    killed="import os, sys\nprint('one')\nprint('part', end='')\nprint('err', file=sys.stderr)\nsys.stdout.write('two')\nos.kill(os.getpid(), 9)\n", fresh={"PYTHONHASHSEED": "1"}, more=VARIABLES,
    main="main.py", command=["/usr/bin/python3"], semantics=SEMANTICS, corpus=CORPUS, echo=ECHO,
    random=["import random; print(random.random())\n", "import tempfile; print(tempfile.mktemp())\n", "import uuid; print(uuid.uuid4())\n"]))


class Echo(Case):
    """With echo_last_expression, a program behaves as without it, except for the echo."""

    SERVER = SERVER

    def both(self, program):
        return self.execute(program, echo_last_expression=True), self.execute(program)

    def test_errors_are_those_of_the_plain_program(self):
        for program in ("def f():\n    return 1 / 0\n\nf()", "x = 1\nraise ValueError(x)\n3", "x = (", "return 3", "x = 1\n  y", b"print('\xff')\n",
                        "x = 1\nawait x", "# -*- coding: nonsense -*-\n1", "undefined", "exit(4)", "import sys; sys.exit('text')"):
            echoed, plain = self.both(program)
            with self.subTest(program):
                self.assertEqual((plain.stdout, plain.stderr, plain.exit_code), (echoed.stdout, echoed.stderr, echoed.exit_code))
                self.assertNotEqual(0, plain.exit_code, describe(plain))

    def test_a_value_that_can_not_be_shown(self):
        echoed, _ = self.both("class A:\n    def __repr__(self): raise ValueError('no')\nA()")
        self.assert_exited(echoed, 1)
        self.assertIn(b"line 3, in <module>", echoed.stderr)
        self.assertTrue(echoed.stderr.endswith(b"ValueError: no\n"), echoed.stderr)

    def test_a_warning_is_given_once(self):
        echoed, plain = self.both("x = 1\nx is 1")
        self.assertEqual(b"True\n", echoed.stdout)
        self.assertEqual(plain.stderr, echoed.stderr)

    def test_a_python_that_starts_afresh_says_that_it_does_not_echo(self):
        result = self.execute("print(1)\n6 * 7", echo_last_expression=True, env={"PYTHONHASHSEED": "1"})
        self.assertEqual((b"1\n", b"python: the last expression is not printed, because PYTHONHASHSEED needs a process of its own\n"),
                         (result.stdout, result.stderr))

    def test_without_the_wish_nothing_is_printed(self):
        self.assertEqual("", self.output("1 + 1"))

    def test_finalizers_run_at_the_end(self):
        echoed, _ = self.both("class A:\n    def __del__(self): print('gone')\na = A()\n5")
        self.assertEqual(b"5\ngone\n", echoed.stdout)


class Warm(Case):
    """Which requests run in the warm interpreter, and which requests get a fresh process."""

    SERVER = SERVER
    SELF = "import os; print(os.path.basename(os.readlink('/proc/self/exe')).startswith('python'))"

    def is_fresh(self, **fields):
        result = self.execute(**fields)
        self.assert_exited(result)
        return result.stdout == b"True\n"

    def test_code_on_the_command_line_is_warm(self):
        self.assertFalse(self.is_fresh(interpreter_args=["-c", self.SELF]))
        self.assertFalse(self.is_fresh(interpreter_args=["-c", self.SELF], args=["-O", "-c"], env={"PYTHONUNBUFFERED": "1"}))
        self.assertTrue(self.is_fresh(interpreter_args=["-I", "-c", self.SELF]))
        self.assertTrue(self.is_fresh(interpreter_args=["-c", self.SELF], interpreter="python3"))
        self.assertTrue(self.is_fresh(interpreter_args=["-c", self.SELF], code="print('an argument')"))
        self.assertTrue(self.is_fresh(interpreter_args=["-c", self.SELF], env={"PYTHONHASHSEED": "1"}))

    def test_some_variables_are_obeyed_by_the_warm_interpreter(self):
        for name, value, fresh in (
                ("PYTHONUNBUFFERED", "1", False), ("PYTHONDONTWRITEBYTECODE", "x", False), ("PYTHONUSERBASE", "base", False),
                ("PYTHONIOENCODING", "utf-8:strict", False), ("OMP_NUM_THREADS", "1", False), ("OPENBLAS_NUM_THREADS", "1", False),
                ("MKL_NUM_THREADS", "1", False), ("PYTHONIOENCODING", "utf-8:replace", True), ("OMP_NUM_THREADS", "2", True),
                ("PYTHONUNBUFFEREDX", "1", True), ("OMP_NUM_THREADS", "11", True)):
            with self.subTest(f"{name}={value}"):
                self.assertEqual(fresh, self.is_fresh(code=self.SELF, env={name: value}))


class HeldStreams(Case):
    """A preloaded module may refer to the streams. Then no others take their places, and the streams themselves change."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="hatchery-python-")
        os.chmod(cls.folder.name, 0o755)
        Path(cls.folder.name, "holder.py").write_text("import sys\nheld = [sys.stdin, sys.stdout.buffer, sys.stderr]\n")
        cls.SERVER = ServerModule("test_python_held", config=f'language python {{ warm = 2 packages = "{cls.folder.name}" preload = {{ holder }} }}\n')
        cls.SERVER.set_up()

    @classmethod
    def tearDownClass(cls):
        cls.SERVER.tear_down()
        cls.folder.cleanup()

    def test_held_streams_are_changed(self):
        program = ("import sys, holder\nfor s in sys.stdin, sys.stdout, sys.stderr: print(s.errors, s.write_through, type(s.buffer).__name__)\n"
                   "print(holder.held[0] is sys.stdin, holder.held[2] is sys.stderr)\n")
        self.assertEqual("surrogateescape False BufferedReader\nsurrogateescape False BufferedWriter\nbackslashreplace False BufferedWriter\n"
                         "True True\n", self.output(program))
        self.assertEqual("strict True BufferedReader\nstrict True FileIO\nbackslashreplace True FileIO\nTrue True\n",
                         self.output(program, env={"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:strict"}))
        self.assertEqual("strict False BufferedReader\nstrict False BufferedWriter\nbackslashreplace False BufferedWriter\nTrue True\n",
                         self.output(program, env={"PYTHONIOENCODING": "utf-8:strict"}))


class Hostile(HostileCase):
    """These are the tests that all languages have. The tests of the walls are in tests/box, and use Python."""

    SERVER = SERVER
    LANGUAGE = "python"
    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while True: pass", limits={"wall_us": 300_000})

    def test_a_list_that_grows_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "l = []\nwhile True: l.append(bytearray(100_000))", limits={"memory_bytes": 64 * MIB})

    def test_a_fork_bomb_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)", limits={"wall_us": 500_000})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "while True: print('x' * 1000)", limits={"output_bytes": MIB})

    def test_an_endless_echo_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "class A:\n    def __repr__(self):\n        while True: pass\nA()",
                         limits={"wall_us": 300_000}, echo_last_expression=True)

    def test_an_echo_of_much_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "'x' * 3_000_000", limits={"output_bytes": MIB}, echo_last_expression=True)


if __name__ == "__main__":
    unittest.main()
