"""snekbox's contract (docs/http-snekbox.md), case by case.

The tables can test another server: PEER_URL=http://127.0.0.1:8060 runs them there, without the rows that only Hatchery
promises (`ours`).
"""

import base64
import http.client
import json
import os
import re
import threading
import unittest
from urllib.parse import urlsplit

from lib.scale import patience
from lib.server import wait_until
from lib.shared import start

PEER = os.environ.get("PEER_URL")
SERVER = None
CONFIG = "client_share = 100\nlanguage python { warm = 2 running = 4 }\n"
ANY = object()  # a value that may be anything, but must be there


def setUpModule():
    global SERVER  # pylint: disable=global-statement
    if not PEER:
        SERVER = start("snekbox", config=CONFIG, http='listen = { "127.0.0.1:0" } contracts = { snekbox }')


def tearDownModule():
    if SERVER:
        SERVER.stop()


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def connect(timeout=120):
    url = urlsplit(PEER or SERVER.http)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=patience(timeout))


def request(method="POST", path="/eval", body=None, headers=None):
    """Sends one request on a connection of its own. Returns (status, headers, JSON or bytes)."""
    connection = connect()
    try:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {"Content-Type": "application/json"} if headers is None else headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status, answer.headers, json.loads(content) if is_json else content


def evaluate(code=None, **fields):
    body = fields if code is None else {"input": code, **fields}
    return request(body=body)


def main(code, *args, files=(), **fields):
    """A body that runs code as the file main.py."""
    return {"args": ["main.py", *args], "files": [{"path": "main.py", "content": b64(code)}, *files], **fields}


def answer(stdout="", returncode=0, files=()):
    return {"stdout": stdout, "returncode": returncode, "files": list(files)}


def file(path, content=""):
    return {"path": path, "size": len(content), "content": b64(content)}


def lost(message):
    return answer(message, None)


def differs(expected, got):
    """True unless each pattern is found in its text, and all else is equal and of the same type."""
    if expected is ANY:
        return False
    if isinstance(expected, re.Pattern):
        return not (isinstance(got, str) and expected.search(got))
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() != got.keys() or any(differs(value, got[name]) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) != len(got) or any(differs(a, b) for a, b in zip(expected, got))
    return expected != got or isinstance(expected, bool) != isinstance(got, bool)


ENV = ("LANG", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
       "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONUSERBASE", "HOME")
SAID = re.compile("^Traceback")

# Title, body, answer.
RUNS = [
    ("input alone", {"input": "print('Hello')"}, answer("Hello\n")),
    ("-c as an argument", {"args": ["-c", "print('Hello')"]}, answer("Hello\n")),
    ("-c and input", {"args": ["-c"], "input": "print('Hello')"}, answer("Hello\n")),
    ("an empty program", {"input": ""}, answer()),
    ("arguments behind the program", {"args": ["-c", "import sys; print(sys.argv)", "a", "", "-x"]},
     answer("['-c', 'a', '', '-x']\n")),
    ("empty arguments before the program are dropped", {"args": ["", "", "-c", "print(1)"]}, answer("1\n")),
    ("input is the last argument", {"args": ["-c", "import sys; print(sys.argv)"], "input": "x"}, answer("['-c', 'x']\n")),
    ("-m", {"args": ["-m", "timeit", "-n", "1", "-r", "1"], "input": "pass"}, answer(re.compile("^1 loop, best of 1: "))),
    ("an option of the interpreter", {"args": ["-O", "-c", "print(__debug__)"]}, answer("False\n")),
    ("no arguments at all", {"args": []}, answer()),
    ("-c without a program", {"args": ["-c"]}, answer(re.compile("Argument expected for the -c option"), 2)),
    ("an unknown option", {"args": ["-Z"]}, answer(re.compile("^[Uu]nknown option"), 2)),
    ("a file that is not there", {"args": ["nothing.py"]}, answer(re.compile("can't open file '.*nothing.py'"), 2)),
    ("unknown fields", {"input": "print(1)", "version": 5, "limits": None}, answer("1\n")),
    ("no files", {"input": "print(1)", "files": []}, answer("1\n")),
    ("an empty executable_path", {"input": "print(1)", "executable_path": ""}, answer("1\n")),
    ("__main__ of -c", {"input": "print(__name__, __doc__, __spec__, '__file__' in globals(), __loader__)"},
     answer(re.compile(r"^__main__ None None False <class '(_frozen_importlib|importlib\._bootstrap).BuiltinImporter'>\n$"))),
    ("the traceback of -c", {"input": "1/0"},
     answer(re.compile(r'^Traceback \(most recent call last\):\n  File "<string>", line 1, in <module>\n(.*\n)*ZeroDivisionError'), 1)),
    ("the path of -c", {"input": "import sys; print(repr(sys.path[0]))"}, answer("''\n")),
    ("the program's standard input is empty", {"input": "import sys; print(repr(sys.stdin.read()))"}, answer("''\n")),
    ("an exit code", {"input": "raise SystemExit(42)"}, answer("", 42)),
    ("both streams in order", {"input": "import sys\nfor i in range(3):\n print(i)\n print(-i, file=sys.stderr)"},
     answer("0\n0\n1\n-1\n2\n-2\n")),
    ("streams are unbuffered", {"input": "import os\nprint('a', end='')\nos.system('printf b')\nprint('c')"}, answer("abc\n")),
    ("text beyond ASCII", {"input": "print('\u00e4\u20ac\U0001f600')"}, answer("\u00e4\u20ac\U0001f600\n")),
    ("NUL in the output", {"input": "print('a\\0b')"}, answer("a\0b\n")),
    ("line ends of the output", {"input": "print('a\\rb\\r\\nc')"}, answer("a\nb\nc\n")),
    ("SIGSEGV", {"input": "import ctypes; ctypes.string_at(0)"}, answer("", 139)),
    ("SIGTERM", {"input": "import os; os.kill(os.getpid(), 15)"}, answer("", 143)),
    ("SIGKILL", {"input": "import os; os.kill(os.getpid(), 9)"}, answer("", 137)),
    ("SIGUSR1", {"input": "import os; os.kill(os.getpid(), 10)"}, answer("", 138)),
    ("SIGINT", {"input": "import os; os.kill(os.getpid(), 2)"}, answer(re.compile("KeyboardInterrupt\n$"), 130)),
    ("memory", {"input": "x = []\nwhile True: x.append(bytes(100_000))"}, answer("", 137)),
    ("too much output", {"input": "print('x' * 999_990)\nwhile True: print('y' * 1000)"}, answer(re.compile("^x{999990}\ny+"), 143)),
    ("too much output, cut within a character", {"input": "while True: print('\u20ac' * 1000)"},
     answer(re.compile("^[\u20ac\n]{300000,}$"), 143)),
    ("output that is no text", {"input": "import sys; sys.stdout.buffer.write(b'\\xff')"},
     lost("UnicodeDecodeError: invalid Unicode in output pipe")),
    ("output that ends within a character", {"input": "import sys; sys.stdout.buffer.write(b'a\\xc3')"},
     lost("UnicodeDecodeError: invalid Unicode in output pipe")),
    ("a surrogate is not printed", {"input": "print(chr(56550))"}, answer(re.compile("UnicodeEncodeError"), 1)),
    ("nor in a file", main("print(chr(56550))"), answer(re.compile("UnicodeEncodeError"), 1)),
    ("a Python without the variable prints it", {"input": "import os, sys\nos.environ['PYTHONIOENCODING'] = 'utf-8:surrogateescape'\n"
                                                           "os.execl(sys.executable, 'python', '-c', 'print(chr(56550))')"},
     lost("UnicodeDecodeError: invalid Unicode in output pipe")),
    ("NUL in the program", {"input": "print(1)\0"}, lost("ValueError: embedded null byte")),
    ("NUL in an argument", {"args": ["-c", "print(1)", "a\0"]}, lost("ValueError: embedded null byte")),
    ("the variables are set", {"input": f"import os; print([v for v in {ENV} if not os.environ.get(v)])"}, answer("[]\n")),
    ("variables of Python", {"input": "import os, sys; print(os.environ['PYTHONIOENCODING'], sys.stdout.encoding, sys.stdout.errors,"
                                      " sys.stdin.errors, sys.stderr.errors, sys.dont_write_bytecode, sys.flags.dont_write_bytecode)"},
     answer("utf-8:strict utf-8 strict strict backslashreplace True 1\n")),
    ("the work directory is HOME", {"input": "import os; os.chdir(os.path.expanduser('~')); open('a', 'w')"}, answer(files=[file("a")])),
    ("no network", {"input": "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 2)\nexcept OSError: print('no')"}, answer("no\n")),
    ("open files", {"input": "l = []\ntry:\n while True: l.append(open('/dev/null'))\nexcept OSError as e: print(e.errno, len(l) < 32)"},
     answer("24 True\n")),
    ("processes", {"input": "import os\ntry:\n while True:\n  if os.fork() == 0:\n   import time; time.sleep(5); os._exit(0)\n"
                            "except OSError as e: print(e.errno)"}, answer("11\n")),
    ("a pool of processes", main("from multiprocessing import Pool\ndef f(x): return x * x\n"
                                 "if __name__ == '__main__':\n with Pool(2) as p: print(p.map(f, [1, 2, 3]))"), answer("[1, 4, 9]\n")),
    ("the disk", {"input": "with open('_f', 'wb') as f:\n while True: f.write(bytes(1 << 20))"},
     answer(re.compile("No space left on device"), 1)),
    ("the root is read-only", main("for d in ('', '/etc', '/lib', '/lib64', '/usr'):\n try: open(d + '/hello', 'w')\n except OSError as e: print(e.strerror)"),
     answer("Read-only file system\n" * 5)),
    ("a file of the system", {"input": "open('/usr/bin/hello', 'w')"}, answer(re.compile("Read-only file system: '/usr/bin/hello'\n$"), 1)),
    # ------------------------------------------------------------ files in
    ("a program from a file", main("import sys; print(sys.argv, __name__)", "a", ""), answer("['main.py', 'a', ''] __main__\n")),
    ("the traceback of a file", main("x = 1\n1/0"),
     answer(re.compile(r'File "/.*/main.py", line 2, in <module>\n    1/0\n(.*\n)*ZeroDivisionError'), 1)),
    ("modules beside it", main("from mod import lib; print(lib.x)",
                               files=[{"path": "mod/__init__.py"}, {"path": "mod/lib.py", "content": b64("x = 'hello'")}]), answer("hello\n")),
    ("modules of -c", {"input": "import lib; print(lib.x)", "files": [{"path": "lib.py", "content": b64("x = 5")}]}, answer("5\n")),
    ("a module with a name of the library's", {"input": "import json; print(json.x)", "files": [{"path": "json.py", "content": b64("x = 5")}]},
     answer("5\n")),
    ("files may be changed", {"input": "open('a', 'a').write('c')", "files": [{"path": "a", "content": b64("b")}]},
     answer(files=[file("a", "bc")])),
    ("files may be run", {"input": "import os; os.system('./a')", "files": [{"path": "a", "content": b64("#!/bin/sh\necho ran")}]}, answer("ran\n")),
    ("files without a change do not come back", {"input": "open('a').read()", "files": [{"path": "a", "content": b64("b")}]}, answer()),
    ("of two files with one path the last counts", {"input": "print(open('a').read())", "files": [
        {"path": "a", "content": b64("1")}, {"path": "./a", "content": b64("2")}]}, answer("2\n")),
    ("base64 with line ends", {"input": "print(open('a').read())", "files": [{"path": "a", "content": "Zm9v\r\nYmFy\n"}]}, answer("foobar\n")),
    ("./main.py", {"args": ["./main.py", "x"], "files": [{"path": "main.py", "content": b64("import sys; print(sys.argv)")}]},
     answer("['./main.py', 'x']\n")),
    ("a program below", {"args": ["d/e.py"], "files": [{"path": "d/e.py", "content": b64("import sys, os; print(sys.argv, os.path.basename(sys.path[0]))")}]},
     answer("['d/e.py'] d\n")),
    ("a program without an ending", {"args": ["prog"], "files": [{"path": "prog", "content": b64("print(__file__[-5:])")}]}, answer("/prog\n")),
    ("a file and a directory", {"args": [""], "files": [{"path": "dir/test.txt", "content": b64("abc")}, {"path": "dir", "content": b64("xyz")}]},
     lost("IsADirectoryError: Failed to create file 'dir'.")),
    ("a directory and a file", {"args": [""], "files": [{"path": "dir"}, {"path": "dir/test.txt"}]},
     lost("FileExistsError: Failed to create file 'dir/test.txt'.")),
    ("the work directory as a file", {"args": [""], "files": [{"path": "."}]}, lost("IsADirectoryError: Failed to create file '.'.")),
    ("a long name", {"args": [""], "files": [{"path": "x" * 300}]}, lost("OSError: Failed to create file '" + "x" * 300 + "'.")),
    # ------------------------------------------------------------ files out
    ("files come back, sorted", {"input": "import os\nos.makedirs('dir/sub')\nfor n in ('b', 'dir/x', 'a', 'dir/sub/y'): open(n, 'w').write(n)"},
     answer(files=[file(n, n) for n in ("a", "b", "dir/sub/y", "dir/x")])),
    ("binary files", {"input": "open('a', 'wb').write(bytes(range(256)))"}, answer(files=[{"path": "a", "size": 256, "content": b64(bytes(range(256)))}])),
    ("empty directories do not", {"input": "import os; os.mkdir('d')"}, answer()),
    ("neither hidden ones nor those with an underscore",
     {"input": "import os\nfor d in ('.d', '_d', 'd'): os.mkdir(d)\nfor n in ('.a', '_a', 'a', '.d/b', '_d/b', 'd/.b', 'd/_b', 'd/b'): open(n, 'w')"},
     answer(files=[file(n) for n in ("_d/b", "a", "d/b")])),
    ("after an error, too", {"input": "open('a', 'w').write('b')\n1/0"}, answer(SAID, 1, [file("a", "b")])),
    ("names beyond ASCII", {"input": "open('\u00e4\u20ac', 'w')"}, answer(files=[file("\u00e4\u20ac")])),
    ("a name that is no text", {"input": "open(b'\\xc3.txt', 'w')"},
     lost("FileParsingError: invalid bytes in filename while parsing attachments")),
    ("a hidden name that is no text", {"input": "open(b'.\\xc3.txt', 'w')"}, answer()),
    ("a deep tree", {"input": "import os\nfor _ in range(1000): os.mkdir('a'); os.chdir('a')\nopen('test.txt', 'w')"},
     lost("FileParsingError: Exceeded directory depth limit while parsing attachments")),
    ("a sparse file", {"input": "import os\nwith open('a', 'w') as f: os.truncate(f.fileno(), 1 << 40)\nopen('b', 'w')"}, answer(files=[file("b")])),
]

# The same columns, for answers in which Hatchery differs from snekbox on purpose (docs/http-snekbox.md).
OURS = [
    ("a long program", {"input": "print(1)\n" + "# " + "x" * 200_000}, answer("1\n")),
    ("symbolic links are not followed", {"input": "import os\nopen('a', 'w')\nos.symlink('a', 'b')\nos.symlink('/etc/passwd', 'c')\n"
                                                  "os.symlink('/etc', 'd')"}, answer(files=[file("a")])),
    ("exactly a hundred files", {"input": "for i in range(150): open(f'{i:03}', 'w')"}, answer(files=[file(f"{i:03}") for i in range(100)])),
    ("nothing of the root changes", {"input": "import os\nfor act in (os.utime, os.unlink, lambda p: os.chmod(p, 0o777), lambda p: open(p, 'a')):\n"
                                              " for p in ('/etc/passwd', '/usr/bin/env'):\n  try: act(p)\n  except OSError as e: print(e.strerror)"},
     answer("Read-only file system\n" * 8)),
    ("another interpreter finds it read-only, too", {"args": ["-c", "for d in / /etc /usr; do : > $d/hello; done 2>&1 | grep -c 'Read-only file system'"],
                                                     "executable_path": "/bin/bash"}, answer("3\n")),
    ("/tmp is there, and its files stay", {"input": "import tempfile; print(tempfile.NamedTemporaryFile('w', delete=False).name[:5])"}, answer("/tmp/\n")),
    ("the usual programs run in the warm interpreter", {"input": "import os; print('python' in os.readlink('/proc/self/exe'))"}, answer("False\n")),
    ("those from files, too", main("import os; print('python' in os.readlink('/proc/self/exe'))"), answer("False\n")),
    ("and with the interpreter named", {"input": "import os; print('python' in os.readlink('/proc/self/exe'))",
                                        "executable_path": "/usr/bin/python3"}, answer("False\n")),
    ("another interpreter", {"args": ["-c", "echo $0 $1", "name", "arg"], "executable_path": "/bin/sh"}, answer("name arg\n")),
    ("another interpreter and input", {"input": "echo hi", "executable_path": "/bin/bash"}, answer("hi\n")),
]

VALIDATION = "Request data failed validation"
INVALID = "Request file is invalid"
PATTERN = re.compile(r"does not match '\^\(\?!/\)\(\?!\.\*\\\\\\\\0\)\.\*\$'$")


def of_path(path, **fields):
    return {"args": ["test.py"], "files": [{"path": path, **fields}]}


# Title, body, title of the answer, its description (None: there is none).
REFUSALS = [
    ("neither input nor args", {"stuff": "foo"}, VALIDATION, "{'stuff': 'foo'} is not valid under any of the given schemas"),
    ("an array", [1], VALIDATION, "[1] is not of type 'object'"),
    ("args that are a number", {"args": 400}, VALIDATION, "400 is not of type 'array'"),
    ("a number among args", {"args": [1.5]}, VALIDATION, "1.5 is not of type 'string'"),
    ("input that is null", {"input": None}, VALIDATION, "None is not of type 'string'"),
    ("files that are a number", {"args": [], "files": [215]}, VALIDATION, "215 is not of type 'object'"),
    ("a file without a path", {"args": [], "files": [{"content": ""}]}, VALIDATION, "'path' is a required property"),
    ("content that is a number", of_path("a", content=5), VALIDATION, "5 is not of type 'string'"),
    *((f"an absolute path {path}", of_path(path), VALIDATION, PATTERN) for path in ("/", "/etc", "/etc/vars/secrets", "/file.bin")),
    *((f"a path {path} with an escaped NUL", of_path(path), VALIDATION, PATTERN)
      for path in (r"etc/passwd\0", r"a\0b", r"\0", r"\\0", r"var/\0/path")),
    *((f"a path {path} that leaves the directory", of_path(path), INVALID, f"File path '{path}' may not traverse beyond root")
      for path in ("../secrets", "../../dir", "dir/../../secrets", "dir/var/../../../file")),
    ("content that is no base64", of_path("a.txt", content="Zm9vY"), INVALID, "Invalid base64 encoding for file 'a.txt'"),
    ("an empty body", b"", "Invalid JSON", "Could not parse an empty JSON body"),
    ("a body that is no JSON", b"{'input': 'foo'}", "Invalid JSON", re.compile("^Could not parse JSON body - .")),
    ("an interpreter that is not there", {"input": "1", "executable_path": "/abc/def"}, "executable_path does not exist", None),
    ("a directory as the interpreter", {"input": "1", "executable_path": "/usr"}, "executable_path is not a file", None),
    ("a file as the interpreter that is none", {"input": "1", "executable_path": "/etc/passwd"}, "executable_path is not executable", None),
]

# Paths that are accepted.
PATHS = ("file.txt", "./0.jpg", "path/to/file", "folder/../hm", "folder/./to/./somewhere", "traversal/but/../not/beyond/../root",
         "backslash\\\\okay", "backslash\\okay", "numbers/0123456789")


class Tables(unittest.TestCase):
    def check_runs(self, rows):
        for title, body, expected in rows:
            with self.subTest(title):
                status, _, got = request(body=body)
                self.assertEqual(200, status, str(got)[:500])
                if differs(expected, got):
                    self.fail(f"{str(got)[:1000]}\nis not\n{str(expected)[:1000]}")

    def test_programs_and_their_files(self):
        self.check_runs(RUNS)

    @unittest.skipIf(PEER, "only Hatchery promises this")
    def test_what_only_hatchery_promises(self):
        self.check_runs(OURS)

    def test_refusals_of_bodies(self):
        for title, body, expected, description in REFUSALS:
            with self.subTest(title):
                status, headers, got = request(body=body)
                self.assertEqual(400, status, got)
                self.assertEqual("application/json", headers["Content-Type"].split(";")[0])
                wanted = {"title": expected} if description is None else {"title": expected, "description": description}
                self.assertFalse(differs(wanted, got), got)

    def test_good_paths(self):
        for path in PATHS:
            with self.subTest(path):
                _, _, got = evaluate(f"import os; print(open({os.path.normpath(path)!r}).read())", files=[{"path": path, "content": b64("here")}])
                self.assertEqual(answer("here\n"), got)


class Http(unittest.TestCase):
    def test_types_of_bodies(self):
        body = b'{"input": "print(1)"}'
        for headers in ({}, {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "application/JSON"}):
            with self.subTest(str(headers)):
                self.assertEqual((200, answer("1\n")), request(body=body, headers=headers)[::2])
        for name in ("application/xml", "text/plain", "text/html; charset=utf-8"):
            with self.subTest(name):
                status, _, got = request(body=b"{'input': 'foo'}", headers={"Content-Type": name})
                self.assertEqual(415, status)
                self.assertEqual({"title": "415 Unsupported Media Type", "description": f"{name} is an unsupported media type."}, got)

    def test_other_methods_and_paths(self):
        for method in ("GET", "PUT", "DELETE"):
            with self.subTest(method):
                status, headers, _ = request(method)
                self.assertEqual(405, status)
                self.assertEqual({"POST", "OPTIONS"}, set(headers["Allow"].replace(" ", "").split(",")))
        status, headers, _ = request("OPTIONS", headers={})
        self.assertEqual((200, "POST"), (status, headers["Allow"]))
        for path in ("/", "/evil", "/eval/x", "/Eval"):
            with self.subTest(path):
                self.assertEqual((404, {"title": "404 Not Found"}), request(path=path, body={"input": ""})[::2])

    @unittest.skipIf(PEER, "only Hatchery promises this")
    def test_refusals_of_http(self):
        """refusals of HTTP itself have the title of their status"""
        status, _, got = request(path="/eval?" + "x" * 9000, body={"input": ""})
        self.assertEqual((414, "414 Request-URI Too Long"), (status, got["title"]))
        status, _, got = request(body={"input": ""}, headers={"Content-Type": "application/json", "Expect": "a miracle"})
        self.assertEqual((417, "417 Expectation Failed"), (status, got["title"]))

    def test_one_connection_serves_many_requests(self):
        connection = connect()
        try:
            for i in range(20):
                connection.request("POST", "/eval", json.dumps({"input": f"print({i})"}), {"Content-Type": "application/json"})
                got = connection.getresponse()
                self.assertEqual(answer(f"{i}\n"), json.loads(got.read()))
        finally:
            connection.close()

    def test_many_clients_at_one_time(self):
        answers = [None] * 12

        def ask(i):
            answers[i] = evaluate(f"import time; time.sleep(0.05); print({i}, len(' ' * 33_000_000))")

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(answers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, (status, _, got) in enumerate(answers):
            self.assertEqual((200, answer(f"{i} 33000000\n")), (status, got))


class Limits(unittest.TestCase):
    def test_six_seconds(self):
        for code in ("print(1)\nwhile True: pass", "import time\nprint(1)\ntime.sleep(60)"):
            with self.subTest(code):
                self.assertEqual((200, answer("1\n", 137)), evaluate(code)[::2])

    def test_several_processes_may_use_more_than_six_seconds_of_processor_time(self):
        code = ("import os, time\nend = time.monotonic() + 4\nfor _ in range(2): os.fork()\n"
                "while time.monotonic() < end: pass\nos._exit(0)")
        self.assertEqual((200, answer()), evaluate(code)[::2])

    def test_a_child_that_needs_too_much_memory_is_killed_alone(self):
        code = ("from multiprocessing import Process\ndef f():\n x = []\n while True: x.append(bytes(100_000))\n"
                "p = Process(target=f)\np.start()\np.join()\nprint(p.exitcode)")
        self.assertEqual((200, answer("-9\n")), request(body=main(code))[::2])

    @unittest.skipIf(PEER, "the server's state is Hatchery's")
    def test_a_closed_connection_ends_the_run(self):
        connection = connect()
        connection.request("POST", "/eval", json.dumps({"input": "import time; time.sleep(5)"}), {"Content-Type": "application/json"})
        with SERVER.connect() as client:
            wait_until(lambda: client.status().languages[0].running == 1)
            connection.close()
            wait_until(lambda: client.status().languages[0].running == 0, guard=3)


if __name__ == "__main__":
    unittest.main()
