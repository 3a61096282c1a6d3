"""Words for the interpreter itself (interpreter_args), and another interpreter in its place. The
plain command and Hatchery both run each row in an empty directory. Standard output, standard error
and the end must be the same."""

import os
import re
import subprocess
import tempfile
import unittest
from dataclasses import dataclass, field
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.hostile import MIB
from lib.language_case import WORK, ending_of, to_bytes
from lib.recorded import Recorded, compare, digest
from lib.scale import ALL, patience

# The environment of a sandbox, so that both have the same variables.
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "USER": "sandbox", "LOGNAME": "sandbox", "LANG": "C.UTF-8"}
LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000}


@dataclass
class Command:
    """A language's own command: the words before the program's name."""

    name: str
    main: str
    before: list = field(default_factory=list)
    env: dict = field(default_factory=dict)
    feeds: bool = False  # the command reads the program from standard input
    normalise: object = None


COMMANDS = {
    "python": Command("python3", "main.py"),
    "perl": Command("perl", "main.pl"),
    "ruby": Command("ruby", "main.rb"),
    "php": Command("php", "main.php"),
    "lua": Command("lua", "main.lua"),
    "luajit": Command("luajit", "main.lua"),
    "tcl": Command("tclsh", "main.tcl"),
    "sqlite": Command("sqlite3", "main.sql", feeds=True),
    "prolog": Command("swipl", "main.pl", ["-g", "true", "-t", "halt"]),
    "r": Command("Rscript", "main.R"),
    "javascript": Command("node", "main.js"),
    "java": Command("java", "Main.java"),
    "bash": Command("bash", "main.sh"),
    "awk": Command("awk", "main.awk", ["-f"]),
    "sed": Command("sed", "main.sed", ["-f"]),
    "bc": Command("bc", "main.bc", ["-q"]),
    "pytest": Command("python3", "test_main.py", ["-m", "pytest", "-p", "no:cacheprovider"],
                      {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "/hatchery/packages"}),
}
REFUSED = ("c", "cpp", "rust", "go", "typescript", "c-fast")

# The number of rows that run without --all, if each row of the language takes seconds of processor time.
USUAL = {"java": 3}

# The recorded results of the plain commands, in a file for each language.
RECORDED = {language: Recorded(language, f"{language}-words") for language in COMMANDS}


def row_name(words, options):
    """A name for the row. Different rows of a language have different names."""
    return " ".join(words) + " " + digest(words, options)[:6]


SERVER = ServerModule(__name__, config="client_share = 100\n" + "".join(
    f"language {name} {{ warm = 1 running = 2 }}\n" for name in (*COMMANDS, *REFUSED)))
setUpModule = SERVER.set_up


def tearDownModule():  # pylint: disable=invalid-name
    SERVER.tear_down()
    for language, rows in ROWS.items():
        RECORDED[language].write({row_name(words, options) for words, options in rows})


JAVA = ("public class Main { public static void main(String[] a) {\n"
        "    try { assert a.length == 9 : \"no\"; System.out.println(\"off\"); }\n"
        "    catch (AssertionError e) { System.out.println(\"on \" + e.getMessage()); }\n"
        "    System.out.println(System.getProperty(\"color\") + String.join(\"|\", a));\n} }\n")
FLAGS = "import sys\nprint(sys.flags, sys.argv, sys.orig_argv, sys.path[0], sys.executable, __debug__)\n"

# language: (words, options). Options: code, files, entry, args, stdin, env.
ROWS = {
    "python": [
        (["-c", "import sys; print(sys.argv, sys.orig_argv, sys.path[0] == '')"], {"args": ["", "a b", "-x", "žluť"]}),
        (["-c", "raise SystemExit(3)"], {}),
        (["-c", "def f():\n  raise ValueError('no')\nf()"], {}),
        (["-c", "import sys; print(sys.stdin.read().upper())"], {"stdin": "some\ninput"}),
        (["-c", "print(1"], {}),
        (["-c", "import helper; print(helper.x, helper.__file__)"], {"files": {"helper.py": "x = 7\n"}}),
        (["-c", "print(__name__, __file__)"], {"code": "print('not run')\n"}),
        (["-c", "print(__name__, __doc__, __package__, __spec__, __loader__, __annotations__, sorted(globals()))"], {}),
        (["-c", "# -*- coding: latin-1 -*-\nprint('größe', __file__)"], {}),
        (["-c", "import atexit, threading, time\natexit.register(print, 'bye')\n"
                "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()\nprint('end', end='')"], {}),
        (["-c", "import os, signal, sys\nprint('lost')\nsys.stdout.flush()\nos.kill(os.getpid(), signal.SIGINT)\n"], {}),
        (["-c", "import sys; sys.exit('text')"], {}),
        (["-c", "import json, textwrap; print(json.x, json.__file__, textwrap.x)"],
         {"files": {"json.py": "x = 1\n", "textwrap/__init__.py": "x = 2\n"}}),
        (["-c", "import inspect\ndef f(): pass\ninspect.getsource(f)"], {}),
        (["-c", "from __future__ import annotations\nx: y = 1\nprint(__annotations__)\nclass A:\n"
                "    def __del__(self): print('gone')\na = A()"], {}),
        (["-c", "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; print(sys.flags)'],"
                " capture_output=True, text=True).stdout, sys.flags)"], {}),
        (["-c", "import sys, site\nprint(sys.flags, sys.stdin, sys.stdout, sys.stderr, sys.path, site.USER_BASE, site.USER_SITE,"
                " sys.dont_write_bytecode)\nimport mine\nprint(mine.x, mine.__cached__)\nprint(chr(56550))"],
         {"env": {"PYTHONDONTWRITEBYTECODE": "true", "PYTHONIOENCODING": "utf-8:strict", "PYTHONUNBUFFERED": "true",
                  "PYTHONUSERBASE": "base", "OMP_NUM_THREADS": "1"},
          "files": {"base/lib/python3.11/site-packages/mine.py": "x = 7\n"}}),
        (["-m", "json.tool", "--sort-keys"], {"stdin": '{"b": 1, "a": [2]}'}),
        (["-m", "pkg"], {"files": {"pkg/__init__.py": "", "pkg/__main__.py": "import sys; print(sys.argv, __package__)\n"},
                         "args": ["x"]}),
        (["-m", "nothing.there"], {}),
        (["-O"], {"code": "assert False\n" + FLAGS, "args": ["-c", "x"]}),
        (["-OO", "-B"], {"code": 'def f():\n    "doc"\nprint(f.__doc__)\n' + FLAGS}),
        (["-X", "dev", "-X", "utf8=0"], {"code": FLAGS + "print(sys._xoptions)\nopen('main.py')\n"}),
        (["-W", "error"], {"code": "import warnings\nwarnings.warn('now')\nprint('never')\n"}),
        (["-W", "ignore", "-u"], {"code": "import warnings\nwarnings.warn('now')\n" + FLAGS}),
        (["-I", "-S"], {"code": FLAGS + "import helper\n", "files": {"helper.py": "x = 7\n"}}),
        (["-E"], {"code": FLAGS + "import helper\n", "env": {"PYTHONPATH": "lib"}, "files": {"lib/helper.py": "x = 7\n"}}),
        (["-R"], {"code": FLAGS, "env": {"PYTHONHASHSEED": "0"}}),
        (["-x"], {"code": "this is no Python\nprint(1)\n"}),
        (["-"], {"stdin": "import sys; print(sys.argv)\n", "args": ["a"]}),
        (["-V"], {}),
        (["-Z"], {"code": "print(1)\n"}),
        (["-m", "unittest", "-q"], {"files": {"test_a.py": "import unittest\nclass A(unittest.TestCase):\n"
                                                          "    def test_a(self):\n        self.assertEqual(1, 1)\n"},
                                    "normalise": True}),
        (["-O"], {"files": {"a/b.py": FLAGS, "c.py": ""}, "entry": "a/b.py", "args": ["1"]}),
    ],
    "perl": [
        (["-e", 'print join("|", $0, @ARGV), "\\n"; exit 3'], {"args": ["", "a b", "-x"]}),
        (["-w", "-e", "my $x; print 1 + $x, qq(\\n)"], {}),
        (["-w"], {"code": "my $x;\nprint 1 + $x, qq(\\n);\n"}),
        (["-ne", "print uc if /b/"], {"stdin": "abc\ndef\nb\n"}),
        (["-lane", "print $F[1]"], {"stdin": "a b\nc d\n"}),
        (["-MList::Util=sum", "-E", "say sum 1..4"], {}),
        (["-c"], {"code": "print 'never';\nBEGIN { print qq(begin\\n) }\n"}),
        (["-T"], {"code": "print ${^TAINT}, qq(\\n);\nopen my $f, '>', $ARGV[0];\n", "args": ["x"]}),
        (["-e", "die 'no'"], {}),
        (["-e", "1 +"], {}),
        (["-s"], {"code": "print qq($color\\n);\n", "args": ["-color=red"]}),
        (["-Q"], {}),
    ],
    "ruby": [
        (["-e", "p $0, ARGV, __FILE__; exit 3"], {"args": ["", "a b", "-x"]}),
        (["-w"], {"code": "x = 1\ndef f; @a; end\ndef f; 2; end\np f\n"}),
        (["-W0"], {"code": "warn 'w'\np $VERBOSE\n"}),
        (["-ne", "puts $_.upcase if /b/"], {"stdin": "abc\ndef\n"}),
        (["-rset", "-rjson", "-e", "puts JSON.generate(Set[1, 2].to_a)"], {}),
        (["-c"], {"code": "puts 1\n"}),
        (["--disable=gems", "-e", "p defined?(Gem)"], {}),
        (["--enable=frozen-string-literal"], {"code": "p 'a'.frozen?\n"}),
        (["-ruri"], {"code": "p URI('http://a/b').path, ARGV\n", "args": ["1"]}),
        (["-I", "lib", "-e", "require 'mine'; p X"], {"files": {"lib/mine.rb": "X = 5\n"}}),
        (["-e", "raise 'no'"], {}),
        (["-e", "1 +"], {}),
        (["-Q"], {}),
    ],
    "php": [
        (["-r", "var_dump($argv, $argc); exit(3);"], {"args": ["", "a b"]}),
        (["-d", "memory_limit=33M", "-d", "precision=3"], {"code": "<?php echo ini_get('memory_limit'), ' ', 1/3, \"\\n\"; var_dump($argv);",
                                                           "args": ["x"]}),
        (["-d", "display_errors=stderr", "-r", "echo $x; nope();"], {}),
        (["-l"], {"code": "<?php echo 1;"}),
        (["-l"], {"code": "<?php echo 1"}),
        (["-n", "-r", "var_dump(extension_loaded('standard'), php_ini_loaded_file());"], {}),
        (["-R", "echo strtoupper($argn), \"\\n\";"], {"stdin": "a\nb\n"}),
        (["-f"], {"code": "<?php echo __FILE__, \"\\n\";"}),
        (["-w"], {"code": "<?php /* c */ echo   1;\n"}),
        (["--nothing"], {}),
    ],
    "lua": [
        (["-e", "print(1, ...)"], {}),
        (["-e", "x = 5"], {"code": "print(x, ..., arg[0], arg[-1], arg[-2], arg[-3])\n", "args": ["a", ""]}),
        (["-l", "mine"], {"code": "print(mine.x)\n", "files": {"mine.lua": "return { x = 8 }\n"}}),
        (["-W", "-e", "warn('w')"], {}),
        (["-E", "-e", "print(package.path)"], {"env": {"LUA_PATH": "mine"}}),
        (["-v"], {}),
        (["-"], {"stdin": "print(...)", "args": ["a"]}),
        (["-i"], {"code": "print(1)\n", "stdin": "2 + 3\n"}),
        (["-e", "error('no')"], {}),
        (["-e", "x ="], {}),
        (["-Q"], {}),
    ],
    "luajit": [
        (["-e", "print(1, ...)"], {}),
        (["-e", "x = 5"], {"code": "print(x, ..., arg[0], arg[-1], arg[-2])\n", "args": ["a"]}),
        (["-joff"], {"code": "print(jit.status())\n"}),
        (["-O1", "-e", "print(select('#', jit.status()))"], {}),
        (["-l", "mine"], {"code": "print(x)\n", "files": {"mine.lua": "x = 8\n"}}),
        (["-bl"], {"code": "print(1)\n", "normalise": True}),
        (["-e", "error('no')"], {"normalise": True}),
    ],
    "tcl": [
        (["-encoding", "iso8859-1"], {"code": b'puts [string length "\xe4"]; puts "$argv0 $argv"\n', "args": ["a b"]}),
        (["other.tcl"], {"files": {"other.tcl": "puts [list $argv0 $argv]; exit 3\n"}, "args": ["a"]}),
        (["-encoding", "utf-8"], {"code": "error no\n"}),
        (["none.tcl"], {}),
    ],
    "sqlite": [
        ([":memory:", "SELECT 1 + 1; SELECT x"], {}),
        (["-header", "-csv"], {"code": "SELECT 1 AS a, 'x,y' AS b;\n"}),
        (["-json", ":memory:", "SELECT 1 AS a"], {}),
        ([":memory:"], {"stdin": "SELECT 6 * 7;\n"}),
        (["-bail"], {"code": "SELECT nothing;\nSELECT 1;\n"}),
        (["-cmd", "CREATE TABLE t(x)"], {"code": "INSERT INTO t VALUES (3); SELECT * FROM t;\n"}),
        (["-version"], {}),
        (["-nothing"], {}),
    ],
    "prolog": [
        (["-g", "writeln(hi),current_prolog_flag(argv, A),print(A),nl", "-t", "halt"], {"args": ["a", "b c"]}),
        (["-g", "p"], {"code": "p :- writeln(p).\n:- initialization(writeln(i)).\n"}),
        (["-O"], {"code": ":- current_prolog_flag(optimise, X), writeln(X).\n:- current_prolog_flag(argv, A), print(A), nl.\n",
                  "args": ["x"]}),
        (["-g", "X is 1/0, writeln(X)", "-t", "halt"], {}),
        (["-g", "halt(3)"], {}),
        (["-q", "-g", "main"], {"code": "main :- read(X), writeln(X).\n", "stdin": "foo(Bar).\n"}),
        (["--version"], {}),
    ],
    "r": [
        (["-e", "cat(commandArgs(TRUE), sep = '|'); cat('\\n')"], {"args": ["a", "b c"]}),
        (["-e", "x <- 2", "-e", "print(x + 1)"], {}),
        (["--vanilla"], {"code": "cat(commandArgs(TRUE), getwd(), '\\n')\n", "args": ["a"]}),
        (["--default-packages=methods"], {"code": "print(search())\n"}),
        (["-e", "stop('no')"], {}),
        (["-e", "quit(status = 3)"], {}),
        (["-e", "cat(toupper(readLines('stdin')), sep = '\\n')"], {"stdin": "a\nb\n"}),
        (["--version"], {}),
    ],
    "javascript": [
        (["-e", "console.log(process.argv.slice(1), process.execArgv); process.exitCode = 3"], {"args": ["a", "b c", "-x"]}),
        (["-p", "6 * 7"], {}),
        (["-p", "[__filename, require.main, module.paths.length]"], {}),
        (["--check"], {"code": "if (\n"}),
        (["--check"], {"code": "console.log('never')\n"}),
        (["--expose-gc", "--no-warnings"], {"code": "console.log(typeof gc, process.execArgv, process.argv)\n", "args": ["--x"]}),
        (["-r", "./pre.js"], {"code": "console.log(global.x, process.argv)\n", "files": {"pre.js": "global.x = 4\n"}}),
        (["--input-type=module", "-e", "import fs from 'fs'; console.log(typeof fs.readFileSync, import.meta.url)"], {}),
        (["--expose-gc"], {"code": "const { fork } = require('child_process');\nif (process.argv[2]) console.log(typeof gc);\n"
                                   "else fork(__filename, ['x']).on('exit', (c) => console.log(c));\n"}),
        (["--expose-gc"], {"code": "const w = require('worker_threads');\nconsole.log(w.isMainThread, typeof gc, process.execArgv);\n"
                                   "if (w.isMainThread) new w.Worker(__filename);\n"}),
        (["--disable-proto=delete"], {"code": "console.log(({}).__proto__)\n"}),
        (["--throw-deprecation"], {"code": "new Buffer(1)\n", "normalise": True}),
        (["-"], {"stdin": "console.log(process.argv.slice(1))\n", "args": ["a"]}),
        (["-e", "throw new Error('no')"], {}),
        (["-e", "if ("], {}),
        (["--nothing"], {}),
        (["--version"], {}),
        (["--stack-trace-limit=1"], {"code": "function f() { throw new Error('no') }\nf()\n"}),
        (["--trace-uncaught"], {"code": "console.log(1)\n", "files": {"x.mjs": "export default 3\n"}}),
        (["--no-warnings"], {"files": {"m.mjs": "import x from './x.mjs'; console.log(x, import.meta.url)\n", "x.mjs": "export default 3\n"},
                             "entry": "m.mjs"}),
    ],
    "java": [
        (["-ea", "-Dcolor=red"], {"code": JAVA, "args": ["a", "b c"]}),
        (["-da"], {"code": JAVA}),
        (["-version"], {}),
        (["-ea"], {"code": "public class Main { void f( }\n"}),
        (["-Dcolor=blue", "-cp", "."], {"code": JAVA}),
        (["-ea", "Other.java"], {"files": {"Other.java": JAVA.replace("Main", "Other")}, "args": ["q"]}),
    ],
    "bash": [
        (["-c", 'echo "$0" "$@"; exit 3'], {"args": ["name", "a b", ""]}),
        (["-x"], {"code": "x=1\necho $x $0 $*\n", "args": ["a"]}),
        (["-e", "-u"], {"code": "echo a\nfalse\necho b\n"}),
        (["-u"], {"code": "echo $nothing\n"}),
        (["-n"], {"code": "echo never\nif\n"}),
        (["-o", "pipefail"], {"code": "false | true; echo $?\n"}),
        (["-s"], {"stdin": "echo in $1\n", "args": ["a"]}),
        (["--posix", "-c", "set -o | grep posix"], {}),
        (["--nothing"], {"normalise": True}),
    ],
    "awk": [
        (["BEGIN { print ARGV[1]; exit 3 }"], {"args": ["a b"]}),
        (["-F", ":", "-v", "x=1"], {"code": "{ print $2, x }\n", "stdin": "a:b\n"}),
        (["{ print toupper($0) }"], {"stdin": "a\nb\n"}),
        (["--lint"], {"code": "BEGIN { print x }\n"}),
        (["--nothing"], {}),
    ],
    "sed": [
        (["s/a/b/"], {"stdin": "aa\nca\n"}),
        (["-n"], {"code": "/b/p\n", "stdin": "a\nb\n"}),
        (["-E"], {"code": "s/(a)+/<\\1>/\n", "stdin": "aaa\n"}),
        (["-e", "1d", "-e", "s/$/!/"], {"args": ["f"], "files": {"f": "1\n2\n"}}),
        (["-n", "--posix"], {"code": "p\np", "stdin": "x\n"}),
        (["--nothing"], {}),
    ],
    "bc": [
        (["-l"], {"code": "4 * a(1)\nquit"}),
        (["-l"], {"stdin": "scale\ne(1)\n"}),
        (["-s"], {"code": "1; a = 2; a\nabc = 3\n"}),
        (["-l"], {"args": ["f.bc"], "files": {"f.bc": "s(0)\nquit\n"}}),
    ],
    "pytest": [
        (["-W", "error", "-c", "import sys; print(sys.argv, sys.warnoptions)"], {"args": ["a"]}),
        (["-O"], {"code": "def test_a():\n    assert __debug__ is False, 1\n    print(1)\n", "args": ["-q", "-rN"], "normalise": True}),
        (["-X", "utf8"], {"code": "import sys\ndef test_a():\n    assert sys.flags.utf8_mode == 0\n", "args": ["-q"], "normalise": True}),
    ],
}


def plain_line(command, words, options):
    if command.feeds:  # the program comes as standard input; the database is in memory
        return ["sqlite3", *(["-batch"] if "code" in options else []), *words, *([":memory:"] if "code" in options else []),
                *options.get("args", [])]
    entry = options.get("entry") or (command.main if "code" in options else None)
    return [command.name, *words, *([*command.before, entry] if entry else []), *options.get("args", [])]


def reference(command, words, options):
    """Runs the plain command. Returns (stdout, stderr, ending). In the output, the command's directory
    is replaced by the sandbox's."""
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        files = {**options.get("files", {}), **({command.main: options["code"]} if "code" in options else {})}
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_bytes(content))
        env = {**ENV, "HOME": folder, **command.env, **options.get("env", {})}
        given = options["code"] if command.feeds and "code" in options else options.get("stdin", b"")
        done = subprocess.run(plain_line(command, words, options), cwd=folder, input=to_bytes(given), capture_output=True,
                              env=env, timeout=patience(120), check=False)
        ending = ("signal", -done.returncode) if done.returncode < 0 else ("exit", done.returncode)
        return tuple(stream.replace(folder.encode(), WORK.encode()) for stream in (done.stdout, done.stderr)) + (ending,)


def without_what_varies(stream):
    """Removes addresses and times, which differ in every run."""
    return re.sub(rb"0x[0-9a-f]+|\d+\.\d+s|node:\d+", b"N", stream)


class Words(Case):
    SERVER = SERVER

    def run_row(self, language, words, options):
        fields = {key: options[key] for key in ("files", "entry", "args", "env") if key in options}
        if not options.get("files"):
            fields.pop("files", None)
        return self.execute(options.get("code"), language=language, interpreter_args=words,
                            stdin=to_bytes(options.get("stdin", b"")), limits=LIMITS, **fields)

    def assert_same_as_command(self, language, words, options):
        def told(answer):
            out, err, end = answer
            return (without_what_varies(out), without_what_varies(err), end) if options.get("normalise") else answer

        def ask():
            return told(reference(COMMANDS[language], words, options))

        def assert_same(theirs, ours):
            for name, expected, got in zip(("stdout", "stderr", "ending"), theirs, ours):
                self.assertEqual(expected, got, f"{name} of {language} {words}: {describe(result)}")

        result = self.run_row(language, words, options)
        ours = told((result.stdout, result.stderr, ending_of(result)))
        compare(RECORDED[language], row_name(words, options), [words, options], ours, ask, assert_same)

    def test_compiled_languages_and_those_without_a_command_refuse_them(self):
        for name in REFUSED:
            word = "no interpreter that could be started" if name == "c-fast" else "is compiled"
            for fields in ({"interpreter_args": ["-x"]}, {"interpreter": "sh"}):
                with self.subTest(language=name, fields=fields):
                    self.assert_refused("INVALID_ARGUMENT", [f'"{name}"', next(iter(fields)), word],
                                        self.execute, "", language=name, **fields)

    def test_what_makes_no_sense_together_is_refused(self):
        words = {"interpreter_args": ["-c", "1"]}
        for fields, sentence in (
                ({"interpreter": "python3"}, "nothing to run"),
                ({**words, "entry": "a.py"}, "not among the files"),
                ({**words, "files": {"b.py": ""}, "entry": "a.py"}, "not among the files"),
                ({**words, "echo_last_expression": True}, "echo_last_expression is set together with interpreter_args"),
                ({"terminal": (1, 1), "stream": True, "live_stdin": True, "code": "1",
                  "echo_last_expression": True}, "echo_last_expression is set together with terminal"),
                ({"terminal": (1, 1), "code": "1"}, "without stream and live_stdin"),
                ({"terminal": (0, 1), "stream": True, "live_stdin": True, "code": "1"}, "terminal.rows is 0"),
                ({"terminal": (1, 65536), "stream": True, "live_stdin": True, "code": "1"},
                 "terminal.columns is 65536"),
                ({"terminal": (1, 1), "stream": True, "live_stdin": True, "language": "perl"},
                 'there is nothing to run, and "perl" has no prompt of its own'),
                ({"terminal": (1, 1), "stream": True, "live_stdin": True, "language": "c"},
                 'there is nothing to run, and "c" has no prompt of its own')):
            with self.subTest(fields=fields):
                self.assert_refused("INVALID_ARGUMENT", sentence, lambda: self.execute(**fields))

    def test_another_interpreter_is_a_path_or_found_in_path(self):
        script = "#!/bin/sh\necho \"mine $0 $*\"\n"
        for language, fields, expected in (
                ("python", {"interpreter": "/usr/bin/python3.11", "code": "import sys; print(sys.orig_argv)\n"},
                 "['/usr/bin/python3.11', 'main.py', 'a']\n"),
                ("python", {"interpreter": "python3.11", "code": "import sys; print(sys.orig_argv[0])\n"}, "python3.11\n"),
                ("python", {"interpreter": "perl", "interpreter_args": ["-e", "print qq($^X @ARGV\n)"]}, "/usr/bin/perl a\n"),
                ("python", {"interpreter": "./bin/mine", "interpreter_args": ["-x"], "files": {"bin/mine": (script, 0o755)}},
                 "mine ./bin/mine -x a\n"),
                ("python", {"interpreter": "mine", "files": {"bin/mine": (script, 0o755), "main.py": ""}, "entry": "main.py",
                            "env": {"PATH": "/home/sandbox/bin:/bin"}}, "mine /home/sandbox/bin/mine main.py a\n"),
                ("r", {"interpreter": "R", "interpreter_args": ["--slave", "--no-save", "-e", "cat(6*7, '\\n')", "--args"]}, "42 \n"),
                ("bash", {"interpreter": "sh", "code": "echo $0 $BASH_VERSION $1\n"}, "main.sh a\n"),
                ("awk", {"interpreter": "mawk" if Path("/usr/bin/mawk").exists() else "gawk", "code": "BEGIN { print ARGV[1] }\n"}, "a\n"),
                ("javascript", {"interpreter": "/usr/bin/node", "code": "console.log(process.argv)\n"},
                 "[ '/usr/bin/node', '/home/sandbox/main.js', 'a' ]\n"),
                ("java", {"interpreter": "/usr/bin/java", "code": JAVA}, "off\nnulla\n")):
            with self.subTest(language=language, **{key: fields[key] for key in ("interpreter",)}):
                result = self.execute(fields.pop("code", None), language=language, args=["a"], limits=LIMITS, **fields)
                self.assert_exited(result)
                self.assertEqual(expected, result.stdout.decode(), describe(result))

    def test_an_interpreter_that_is_not_there_ends_as_in_a_shell(self):
        for language in ("python", "bash", "javascript"):
            for name, status, sentence in (("nothing9", 127, f"{language}: can't start nothing9: there is no such program in PATH"),
                                           ("/no/thing", 127, f"{language}: can't start /no/thing: No such file or directory"),
                                           ("./main.txt", 126, f"{language}: can't start ./main.txt: Permission denied")):
                with self.subTest(language=language, interpreter=name):
                    result = self.execute(files={"main.txt": ""}, entry="main.txt", language=language, interpreter=name, limits=LIMITS)
                    self.assert_exited(result, status)
                    self.assertEqual((b"", f"{sentence}\n".encode()), (result.stdout, result.stderr), describe(result))

    def test_variables_and_unbuffered_output_are_as_in_any_run(self):
        result = self.execute(language="python", interpreter_args=["-c", "import os, sys; print(os.environ['A'], os.environ['HOME']);"
                                                                         " print(sys.stdout.write_through, sys.flags.hash_randomization)"],
                              env={"A": "b c", "PYTHONHASHSEED": "0"}, unbuffered=True, limits=LIMITS)
        self.assertEqual(b"b c /home/sandbox\nTrue 0\n", result.stdout, describe(result))
        result = self.execute(language="perl", interpreter_args=["-e", "print qq(one ); print STDERR qq(two ); kill 9, $$"],
                              unbuffered=True, merge_stderr=True, limits=LIMITS)
        self.assert_status(result, "SIGNALED")
        self.assertEqual(b"one two ", result.stdout, describe(result))
        result = self.execute(language="awk", interpreter_args=["BEGIN { print 1; while (1) n++ }"], unbuffered=True,
                              limits={"cpu_us": 300_000})
        self.assertEqual(b"1\n", result.stdout, describe(result))

    def test_a_fresh_node_and_java_have_the_sandbox_to_themselves(self):
        result = self.execute(language="javascript", limits=LIMITS, interpreter_args=["-e", "console.log(require('fs').readdirSync('/proc')"
                              ".filter((x) => +x > 1).length, process.memoryUsage().rss > 0)"])
        self.assertEqual((b"1 true\n", b""), (result.stdout, result.stderr), describe(result))
        for _ in range(3):
            result = self.execute(language="java", limits=LIMITS, interpreter_args=["-Dx=y"], interpreter="ls", args=["-d", "/proc/[0-9]*"])
            self.assertNotIn(b"Exception", result.stderr, describe(result))

    def test_a_heap_may_be_chosen_again(self):
        for words, least, most in (([], 400, 560), (["--max-old-space-size=100"], 90, 160)):
            words = [*words, "-p", "require('v8').getHeapStatistics().heap_size_limit >> 20"]
            result = self.execute(language="javascript", interpreter_args=words, limits={**LIMITS, "memory_bytes": 512 * MIB})
            self.assertTrue(least <= int(result.stdout) <= most, describe(result))
        code = JAVA.replace("System.getProperty(\"color\")", "(Runtime.getRuntime().maxMemory() >> 20)")
        for words, least, most in ((["-ea"], 350, 390), (["-Xmx100m"], 90, 110)):
            result = self.execute(code, language="java", interpreter_args=words, limits=LIMITS)
            self.assertTrue(least <= int(result.stdout.split()[-1]) <= most, describe(result))

    def test_a_program_that_comes_again_is_not_compiled_for_java_itself(self):
        # A run with options never uses the compile cache, even after a run without options has filled
        # the cache.
        for words in ([], ["-ea"], [], ["-ea"], [], ["-ea"]):
            result = self.execute(JAVA, language="java", interpreter_args=words, limits=LIMITS)
            self.assert_exited(result)
            self.assertEqual(b"on no\nnull\n" if words else b"off\nnull\n", result.stdout, describe(result))
            self.assertFalse(words and result.HasField("compile"), describe(result))

    def test_many_words_and_more_than_fit(self):
        count = self.output(language="python", interpreter_args=["-c", "import sys; print(len(sys.argv), sys.argv[-1] == 'ž' * 1000)",
                                                                 *["x"] * 61, "ž" * 1000], limits=LIMITS)
        self.assertEqual("63 True\n", count)
        result = self.execute(language="python", interpreter_args=["-c", "1", *["x" * 100_000] * 40], limits=LIMITS)
        self.assert_exited(result, 126)
        self.assertIn(b"can't start /usr/bin/python3: Argument list too long", result.stderr)

    def test_which_languages_have_a_prompt(self):
        without = {"perl", "awk", "sed", "pytest", *REFUSED}
        rows = {row.name: row.prompts for row in self.client.status().languages}
        programs = {"ruby": "irb", "java": "jshell", "r": "R"}
        expected = {name: name not in without and Path("/usr/bin", programs.get(name, COMMANDS[name].name)).exists() for name in COMMANDS}
        self.assertEqual({**expected, **dict.fromkeys(REFUSED, False)}, rows)

    def test_every_language_that_takes_them_is_in_the_table(self):
        told = {row.name for row in self.client.status().languages}
        self.assertEqual(set(), (set(COMMANDS) | set(REFUSED)) - told)
        self.assertEqual(set(COMMANDS), set(ROWS))


def add_row(language):
    def test(self):
        for words, options in ROWS[language] if ALL else ROWS[language][:USUAL.get(language)]:
            with self.subTest(words=words):
                self.assert_same_as_command(language, words, options)
    setattr(Words, f"test_words_of_{language}_do_what_they_do_on_its_own_command_line", test)


for name_ in ROWS:
    add_row(name_)


if __name__ == "__main__":
    unittest.main()
