"""SandboxFusion's contract (docs/http-sandboxfusion.md), case by case.

The tables can test another server: PEER_URL=http://127.0.0.1:8080 runs them there, without the rows that only Hatchery
promises (`ours`). Every request has a connection of its own, as in the clients of trainers.
"""

import base64
import http.client
import json
import os
import re
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from lib.scale import ALL, patience, repeat
from lib.server import PARTS, wait_until
from lib.shared import start

PEER = os.environ.get("PEER_URL")
LANGUAGES = ("bash", "c", "cpp", "go", "go-test", "java", "javascript", "lua", "perl", "php", "pytest", "python", "r", "ruby",
             "rust", "sqlite", "typescript")
# A trainer has one address, so all its requests are one caller's.
CONFIG = "".join(f"language {name} {{ }}\n" for name in LANGUAGES if name in PARTS)
SERVER = None

ANY = object()  # a value that may be anything, but must be there


def setUpModule():
    global SERVER  # pylint: disable=global-statement
    if not PEER:
        SERVER = start("sandboxfusion", config=CONFIG, http='listen = { "127.0.0.1:0" } contracts = { sandboxfusion }')


def tearDownModule():
    if SERVER:
        SERVER.stop()


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def request(method, path, body=None, headers=None, timeout=120):
    """Sends one request on a connection of its own. Returns (status, headers, JSON or bytes)."""
    url = urlsplit(PEER or SERVER.http)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=patience(timeout))
    try:
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, {"Content-Type": "application/json"} if headers is None else headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status, answer.headers, json.loads(content) if is_json else content


def run_code(code="", language="python", **fields):
    return request("POST", "/run_code", {"code": code, "language": language, **fields})


def run_cells(*cells, **fields):
    return request("POST", "/run_jupyter", {"cells": list(cells), **fields})


def difference(expected, got, place="answer"):
    """The first place where got differs from expected. Dicts may have more members; patterns must be found in texts."""
    if expected is ANY:
        return None
    if isinstance(expected, re.Pattern):
        fits = isinstance(got, str) and expected.search(got)
        return None if fits else f"{place} is {got!r:.500}, expected /{expected.pattern}/"
    if isinstance(expected, dict) and isinstance(got, dict):
        for name, value in expected.items():
            if name not in got:
                return f"{place}.{name} is missing"
            if found := difference(value, got[name], f"{place}.{name}"):
                return found
        return None
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for i, value in enumerate(expected):
            if found := difference(value, got[i], f"{place}[{i}]"):
                return found
        return None
    same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
    return None if same else f"{place} is {got!r:.500}, expected {expected!r:.500}"


def ran(stdout="", stderr="", code=0, status="Finished"):
    return {"status": status, "return_code": code, "stdout": stdout, "stderr": stderr, "execution_time": ANY}


def success(stdout="", stderr="", compile_result=None, **fields):
    return {"status": "Success", "message": "", "compile_result": compile_result, "run_result": ran(stdout, stderr),
            "executor_pod_name": None, "files": {}, **fields}


def failed(run_result, compile_result=None, **fields):
    return {"status": "Failed", "compile_result": compile_result, "run_result": run_result, **fields}


COMPILED = {"status": "Finished", "return_code": 0, "execution_time": ANY, "stdout": ANY, "stderr": ANY}
HELLO_JAVA = "class Main { public static void main(String[] a) { System.out.println(6 * 7); } }"
ASSERT_JAVA = "class Main { public static void main(String[] a) { assert 1 > 2 : \"smaller\"; } }"
TEST_GO = 'package main\nimport "testing"\nfunc TestA(t *testing.T) { if f() != 42 { t.Fatalf("%d is wrong", f()) } }\n'
HELLO_GO = 'package main\nimport "fmt"\nfunc main() { fmt.Println(6 * 7) }'

FORKS = """import os, time
for i in range(300):
    try:
        if os.fork() == 0:
            time.sleep(9)
            os._exit(0)
    except BlockingIOError:
        break
"""

# Title, language, code, other fields, expected answer.
RUNS = [
    ("a program prints", "python", "print(6 * 7)", {}, success("42\n")),
    ("an empty program runs", "python", "", {}, success()),
    ("both streams are apart", "python", "import sys; print(1); print(2, file=sys.stderr)", {}, success("1\n", "2\n")),
    ("an exit code is told", "python", "import sys; sys.exit(3)", {}, failed(ran(code=3), message="")),
    ("an exception is told", "python", "1/0", {}, failed(ran("", re.compile("ZeroDivisionError"), 1))),
    ("a death by signal has a negative code", "python", "import os; os.kill(os.getpid(), 11)", {}, failed(ran(code=-11))),
    ("SIGKILL is a signal like others", "bash", "kill -9 $$", {}, failed(ran(code=-9))),
    ("standard input is read", "python", "print(input() + input())", {"stdin": "a\nb"}, success("ab\n")),
    ("standard input may be null", "python", "import sys; print(repr(sys.stdin.read()))", {"stdin": None}, success("''\n")),
    ("what trainers send", "python", "print(1)", {"files": {}, "fetch_files": [], "stdin": None, "compile_timeout": 10,
                                                  "run_timeout": 10, "memory_limit_MB": 1024}, success("1\n")),
    ("unknown fields are ignored", "python", "print(1)", {"extra": {"a": 1}}, success("1\n")),
    ("text beyond ASCII", "python", "print('\u00e4\u20ac\U0001f600')", {}, success("\u00e4\u20ac\U0001f600\n")),
    ("a time-out", "python", "print(1, flush=True)\nwhile True: pass", {"run_timeout": 0.5},
     failed(ran("1\n", "", None, "TimeLimitExceeded"))),
    ("a time-out while sleeping", "bash", "sleep 20", {"run_timeout": 0.5}, failed(ran("", "", None, "TimeLimitExceeded"))),
    ("times are numbers with a fraction, or text", "python", "print(1)", {"run_timeout": 2.5, "compile_timeout": "3"},
     success("1\n")),
    ("files are there", "python", "print(open('d/a.txt').read())", {"files": {"d/a.txt": b64("hi")}}, success("hi\n")),
    ("binary files are there", "python", "print(open('a','rb').read() == bytes(range(256)))",
     {"files": {"a": b64(bytes(range(256)))}}, success("True\n")),
    ("a file without content is none", "python", "import os; print(os.path.exists('a'))", {"files": {"a": None}},
     success("False\n")),
    ("files are fetched", "python", "open('out','w').write('hi')", {"fetch_files": ["out"]}, success(files={"out": b64("hi")})),
    ("a module beside the program", "python", "import m; print(m.x)", {"files": {"m.py": b64("x = 5")}}, success("5\n")),
    ("nodejs", "nodejs", "console.log(6 * 7)", {}, success("42\n")),
    ("bash", "bash", "echo $((6 * 7))", {}, success("42\n")),
    ("php without its tag", "php", "echo 6 * 7;", {}, success("42")),
    ("php with its tag", "php", "a<?php echo 6 * 7;", {}, success("a42")),
    ("lua", "lua", "print(6 * 7)", {}, success("42\n")),
    ("perl", "perl", "print 6 * 7", {}, success("42")),
    ("ruby", "ruby", "puts 6 * 7", {}, success("42\n")),
    ("R", "R", "cat(6 * 7)", {}, success("42")),
    ("cpp", "cpp", "#include <iostream>\nint main() { std::cout << 6 * 7; }", {}, success("42", "", COMPILED)),
    ("rust", "rust", 'fn main() { println!("{}", 6 * 7); }', {}, success("42\n", "", COMPILED)),
    ("go", "go", HELLO_GO, {}, success("42\n", "", COMPILED)),
    ("java", "java", HELLO_JAVA, {}, success("42\n", "", COMPILED)),
    ("Java's assertions are on", "java", ASSERT_JAVA, {},
     failed(ran("", re.compile(r"^Exception in thread \"main\" java.lang.AssertionError: smaller"), 1), COMPILED)),
    ("typescript", "typescript", "const x: number = 42; console.log(x)", {}, {"status": "Success", "run_result": ran("42\n")}),
    ("a mistake that cpp's compiler finds", "cpp", "int main() { return x; }", {},
     failed(None, {**COMPILED, "return_code": 1, "stderr": re.compile("not declared")})),
    ("a mistake that Java's compiler finds", "java", "class Main { int x = ; }", {},
     failed(None, {**COMPILED, "return_code": 1, "stderr": re.compile("illegal start")})),
    ("a compiler that takes too long", "cpp",
     "template<int N> struct F { static constexpr long v = F<N-1>::v + F<N-2>::v; };\n"
     "#include <bits/stdc++.h>\n#include <regex>\nint main() { std::regex r(\"a\"); return 0; }",
     {"compile_timeout": 0.01}, failed(None, {"status": "TimeLimitExceeded", "return_code": None, "stdout": ANY, "stderr": ANY,
                                             "execution_time": ANY})),
    ("pytest whose tests pass", "pytest", "def test_a():\n    assert 1 + 1 == 2", {},
     {"status": "Success", "run_result": ran(re.compile("1 passed"))}),
    ("pytest whose tests fail", "pytest", "def test_a():\n    assert 1 + 1 == 3", {},
     failed(ran(re.compile("1 failed"), ANY, 1))),
    ("pytest with arguments", "pytest", "def test_a(): pass\ndef test_b(): assert 0", {"args": ["-k", "test_a"]},
     {"status": "Success", "run_result": ran(re.compile("1 passed"))}),
    ("go_test whose tests pass", "go_test", TEST_GO + "func f() int { return 42 }", {"run_timeout": 30},
     success(re.compile(r"^ok  \t\S+\t[0-9.]+s\n$"))),
    ("go_test whose tests fail", "go_test", TEST_GO + "func f() int { return 41 }", {"run_timeout": 30},
     failed(ran(re.compile("^--- FAIL: TestA(.*\n)*.*41 is wrong"), ANY, 1))),
    ("go_test that does not compile", "go_test", TEST_GO, {"run_timeout": 30},
     failed(ran(re.compile("^FAIL\t"), re.compile("undefined: f"), ANY))),
]

# The same columns, for answers that only Hatchery promises.
OURS = [
    ("memory has a verdict", "python", "x = bytearray(300 << 20)\nprint(len(x))", {"memory_limit_MB": 64},
     failed(ran("", ANY, -9), message=re.compile("^Memory limit exceeded: the run held 6. MiB"))),
    ("a time-out says so", "python", "while True: pass", {"run_timeout": 0.3}, {"message": re.compile("^Time limit exceeded")}),
    ("one megabyte of output is whole", "python", "print('x' * 1048575)", {}, success("x" * 1048575 + "\n")),
    ("output over the limit is cut, and that is told", "python", "print('x' * 1500000); print('end')", {},
     {"status": "Success", "run_result": ran("x" * (1 << 20)),
      "message": re.compile("stdout was cut: the first 1048576 of 1500005 bytes")}),
    ("a full disk is told", "python", "open('a','wb').write(bytes(100 << 20))", {}, {"status": "Failed", "message": ANY}),
    ("processes that could not start are told", "python", FORKS, {}, {"message": re.compile("processes or threads could not be started")}),
    ("invalid UTF-8 is replaced", "python", r"import os; os.write(1, b'a\xff\x00b')", {}, success("a\ufffd\0b")),
    ("an absolute path below the work directory", "python", "print(open('/home/sandbox/d/a').read())",
     {"files": {"/home/sandbox/d/a": b64("hi")}, "fetch_files": ["/home/sandbox/d/a", "./d/../d/a"]},
     success("hi\n", files={"/home/sandbox/d/a": b64("hi"), "./d/../d/a": b64("hi")})),
    ("a file that is missing is told", "python", "", {"fetch_files": ["none"]},
     {"status": "Success", "files": {}, "message": re.compile("none is not among the files")}),
    ("a link is not followed", "python", "import os; os.symlink('/etc/passwd', 'a')", {"fetch_files": ["a"]}, {"files": {}}),
    ("a file with the program's name", "python", "import main; print(main.x)", {"files": {"main.py": b64("x = 5")}},
     success("5\n")),
    ("code with a NUL byte is the language's affair", "bash", "echo a\0b", {}, {"run_result": {"status": "Finished"}}),
    ("c", "c", "#include <stdio.h>\nint main() { puts(\"42\"); }", {}, success("42\n", "", COMPILED)),
    ("go_test beside another file", "go_test", TEST_GO,
     {"run_timeout": 30, "files": {"f.go": b64("package main\nfunc f() int { return 42 }\n")}, "args": ["-v"]},
     success(re.compile("^=== RUN   TestA\n--- PASS: TestA"))),
    ("sql", "sql", "select 6 * 7;", {}, success("42\n")),
    ("no interpreter's state is left", "python", "import builtins; print(hasattr(builtins, 'mine')); builtins.mine = 1", {},
     success("False\n")),
]

# Title, body, the fault's type and place.
FAULTS = [
    ("an empty object", {}, ANY, ANY),
    ("no code", {"language": "python"}, "missing", ["body", "code"]),
    ("no language", {"code": ""}, "missing", ["body", "language"]),
    ("a language that nobody has", {"code": "", "language": "klingon"}, "literal_error", ["body", "language"]),
    ("code that is no text", {"code": 5, "language": "python"}, "string_type", ["body", "code"]),
    ("code that is null", {"code": None, "language": "python"}, "string_type", ["body", "code"]),
    ("a time that is text", {"code": "", "language": "python", "run_timeout": "soon"}, ANY, ["body", "run_timeout"]),
    ("files that are an array", {"code": "", "language": "python", "files": []}, "dict_type", ["body", "files"]),
    ("a file that is a number", {"code": "", "language": "python", "files": {"a": 1}}, "string_type", ["body", "files", "a"]),
    ("fetch_files that is text", {"code": "", "language": "python", "fetch_files": "a"}, "list_type", ["body", "fetch_files"]),
    ("an array", [], "model_attributes_type", ["body"]),
    ("no JSON", b"{", "json_invalid", ["body", ANY]),
]
OUR_FAULTS = [
    ("a language that is not here", {"code": "", "language": "cuda"}, "literal_error", ["body", "language"]),
    ("a path outside", {"code": "", "language": "python", "files": {"/tmp/a": ""}}, "value_error", ["body", "files", "/tmp/a"]),
    ("a path upwards", {"code": "", "language": "python", "fetch_files": ["../a"]}, "value_error", ["body", "fetch_files", 0]),
    ("no base64", {"code": "", "language": "python", "files": {"a": "?"}}, "value_error", ["body", "files", "a"]),
    ("too much time", {"code": "", "language": "python", "run_timeout": 1000}, "value_error", ["body", "run_timeout"]),
    ("too much time for the compiler", {"code": "", "language": "cpp", "compile_timeout": 1000}, "value_error",
     ["body", "compile_timeout"]),
    ("no time", {"code": "", "language": "python", "run_timeout": 0}, "greater_than", ["body", "run_timeout"]),
    ("too much memory", {"code": "", "language": "python", "memory_limit_MB": 99999}, "value_error",
     ["body", "memory_limit_MB"]),
    ("one name for a file and a folder", {"code": "", "language": "python", "files": {"a": "", "a/b": ""}}, "value_error", ANY),
    ("a key twice", b'{"code":"","code":"","language":"python"}', "json_invalid", ["body", ANY]),
    ("a lone surrogate", b'{"code":"\\ud800","language":"python"}', "json_invalid", ["body", ANY]),
    ("too deep", b"[" * 10000, "json_invalid", ["body", ANY]),
]

# Title, cells, other fields, expected answer.
ERROR = {"ename": ANY, "evalue": ANY, "traceback": ANY}


def cell(stdout="", stderr="", display=(), error=()):
    return {"stdout": stdout, "stderr": stderr, "display": list(display), "error": list(error)}


def notebook(*cells, **fields):
    return {"status": "Success", "driver": {"status": "Finished", "return_code": 0}, "cells": list(cells),
            "executor_pod_name": None, "files": {}, **fields}


NOTEBOOKS = [
    ("no cells", [], {}, notebook()),
    ("cells share their names", ["a = 1", "print(a)"], {}, notebook(cell(), cell("1\n"))),
    ("the last expression is shown", ["a = 'x'", "a", "a;", "None"], {},
     notebook(cell(), cell(display=[{"text/plain": "'x'"}]), cell(), cell())),
    ("both streams are apart", ["import sys; print(1); sys.stderr.write('2')"], {}, {"cells": [{"stdout": "1\n", "stderr": "2"}]}),
    ("a failing cell does not stop the next", ["1/0", "print(2)"], {},
     notebook(cell(error=[{"ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": ANY}]), cell("2\n"))),
    ("a cell that is no Python", ["a b", "1"], {},
     notebook(cell(error=[{**ERROR, "ename": "SyntaxError"}]), cell(display=[{"text/plain": "1"}]))),
    ("files come and go", ["open('out','w').write(open('in').read() + '!')"],
     {"files": {"in": b64("hi")}, "fetch_files": ["out"]}, {"status": "Success", "files": {"out": b64("hi!")}}),
    ("functions and classes stay", ["def f(x):\n    return x * 2", "f(21)"], {},
     notebook(cell(), cell(display=[{"text/plain": "42"}]))),
]
OUR_NOTEBOOKS = [
    ("a cell out of time", ["while True: pass", "print(2)"], {"cell_timeout": 0.5},
     notebook(cell(error=[{**ERROR, "ename": "TimeoutError"}]), cell("2\n"))),
    ("a notebook out of time", ["print(1)", "import time; time.sleep(30)", "print(3)"], {"total_timeout": 1.5},
     {"status": "Failed", "driver": {"status": "TimeLimitExceeded", "return_code": None},
      "cells": [cell("1\n"), cell(error=[ERROR])], "message": re.compile("total_timeout")}),
    ("a cell that can't be interrupted", ["print(1)", "x = 3 ** 10 ** 9"], {"total_timeout": 1.5},
     {"status": "Failed", "driver": {"status": "TimeLimitExceeded"}, "cells": [cell("1\n"), cell(error=[ERROR])]}),
    ("a cell that ends Python", ["print(1)", "print(2, flush=True); import os; os._exit(4)", "print(3)"], {},
     {"status": "Failed", "driver": {"return_code": 4}, "cells": [cell("1\n"), cell("2\n", error=[ERROR])],
      "message": re.compile("Python ended in cell 1")}),
    ("memory has a verdict", ["x = bytearray(300 << 20)"], {"memory_limit_MB": 64},
     {"status": "Failed", "message": re.compile("Memory limit exceeded")}),
    ("too much output keeps the later cells", ["print('x' * 3000000)", "print(2)"], {},
     {"status": "Success", "cells": [{"stdout": re.compile("^x{100000,}$")}, cell("2\n")], "message": re.compile("Cell 0: .* cut")}),
    ("a subprocess writes into its cell", ["import subprocess\nsubprocess.run(['echo', 'hi'])"], {}, {"cells": [{"stdout": "hi\n"}]}),
    ("rich forms of a value", ["class A:\n  def _repr_html_(self): return '<b>'\n  def __repr__(self): return 'A'\nA()"], {},
     notebook(cell(display=[{"text/plain": "A", "text/html": "<b>"}]))),
    ("a cell that awaits", ["import asyncio\nawait asyncio.sleep(0.01)\n5"], {}, notebook(cell(display=[{"text/plain": "5"}]))),
    ("the driver is not seen", ["import os; os.listdir('.'), __name__"], {},
     notebook(cell(display=[{"text/plain": "([], '__main__')"}]))),
    ("the traceback has the cells' lines alone", ["def f():\n    raise ValueError('x')", "f()"], {},
     {"cells": [cell(), {"error": [{"traceback": ["Traceback (most recent call last):", '  File "<cell 1>", line 1, in <module>',
                                                  "    f()", '  File "<cell 0>", line 2, in f', "    raise ValueError('x')",
                                                  "ValueError: x"]}]}]}),
]
NOTEBOOK_FAULTS = [
    ("no cells", {}, "missing", ["body", "cells"]),
    ("cells that are text", {"cells": "1"}, "list_type", ["body", "cells"]),
    ("a cell that is a number", {"cells": ["1", 2]}, "string_type", ["body", "cells", 1]),
    ("another kernel", {"cells": [], "kernel": "julia"}, "literal_error", ["body", "kernel"]),
]


def is_here(language):
    ours = {"nodejs": "javascript", "R": "r", "sql": "sqlite", "go_test": "go-test"}.get(language, language)
    return bool(PEER) or ours in PARTS


class Contract(unittest.TestCase):
    maxDiff = None

    def check(self, answer, expected, status=200):
        self.assertEqual(status, answer[0], answer[2])
        self.assertEqual("application/json", answer[1].get_content_type())
        if found := difference(expected, answer[2]):
            self.fail(f"{found}\n{str(answer[2])[:2000]}")

    def check_runs(self, table):
        for title, language, code, fields, expected in table:
            with self.subTest(title):
                if is_here(language):
                    self.check(run_code(code, language, **fields), expected)

    def check_faults(self, path, table):
        for title, body, kind, place in table:
            with self.subTest(title):
                self.check(request("POST", path, body), {"detail": [{"type": kind, "loc": place, "msg": re.compile(".")}]}, 422)

    def test_programs_and_their_ends(self):
        self.check_runs(RUNS)

    def test_bodies_that_do_not_fit_are_told_with_their_place(self):
        self.check_faults("/run_code", FAULTS)
        self.check_faults("/run_jupyter", NOTEBOOK_FAULTS)

    def test_notebooks(self):
        for title, cells, fields, expected in NOTEBOOKS:
            with self.subTest(title):
                self.check(run_cells(*cells, **fields), expected)

    def test_ping_answers_pong(self):
        self.check(request("GET", "/v1/ping"), "pong")

    def test_other_paths_and_methods_are_refused(self):
        self.assertEqual((404, {"detail": ANY}), self.refused("GET", "/nothing"))
        self.assertEqual((405, {"detail": ANY}), self.refused("GET", "/run_code"))
        self.assertEqual((405, {"detail": ANY}), self.refused("POST", "/v1/ping"))

    def refused(self, method, path):
        status, _, answer = request(method, path, b"" if method == "POST" else None)
        self.assertEqual(["detail"], list(answer))
        return status, {"detail": ANY}


@unittest.skipIf(PEER, "only Hatchery promises this")
class Ours(Contract):
    test_programs_and_their_ends = test_ping_answers_pong = test_other_paths_and_methods_are_refused = None

    def test_programs_and_their_ends_beyond_the_peer(self):
        self.check_runs(OURS)

    def test_bodies_that_do_not_fit_are_told_with_their_place(self):
        self.check_faults("/run_code", OUR_FAULTS)

    def test_notebooks(self):
        for title, cells, fields, expected in OUR_NOTEBOOKS:
            with self.subTest(title):
                self.check(run_cells(*cells, **fields), expected)

    def test_a_body_of_another_type_is_refused(self):
        body = json.dumps({"code": "print(1)", "language": "python"})
        for kind, status in (("application/json; charset=utf-8", 200), ("text/plain", 422),
                             ("application/x-www-form-urlencoded", 422)):
            self.assertEqual(status, request("POST", "/run_code", body, {"Content-Type": kind})[0], kind)

    def test_a_client_that_goes_away_takes_its_run_with_it(self):
        url = urlsplit(SERVER.http)
        connection = http.client.HTTPConnection(url.hostname, url.port)
        connection.request("POST", "/run_code", json.dumps({"code": "import time; time.sleep(50)", "language": "python",
                                                            "run_timeout": 55}), {"Content-Type": "application/json"})
        wait_until(lambda: self.running() == 1, what="the run")
        connection.close()
        wait_until(lambda: self.running() == 0, what="the end of the run")

    def running(self):
        with SERVER.connect() as client:
            return sum(row.running for row in client.status().languages if row.name == "python")


class Parallel(unittest.TestCase):
    """Many clients at one time, each request on a new connection. No answer may be lost, mixed up or a refusal."""

    def check_clients(self, clients, requests):
        problems, lock, numbers = [], threading.Lock(), iter(range(requests))

        def one_client():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None or problems:
                    return
                try:
                    status, _, answer = run_code(f"print(input(), {number})", stdin=f"in-{number}")
                    if status != 200 or answer["status"] != "Success" or answer["run_result"]["stdout"] != f"in-{number} {number}\n":
                        problems.append((number, status, str(answer)[:500]))
                except Exception as error:  # pylint: disable=broad-exception-caught
                    problems.append((number, repr(error)))

        with ThreadPoolExecutor(clients) as pool:
            for _ in range(clients):
                pool.submit(one_client)
        self.assertEqual([], problems[:3])

    def test_128_clients(self):
        self.check_clients(128, repeat(128 * 4, 128))

    @unittest.skipUnless(ALL, "only with --all: a thousand connections at once")
    def test_1024_clients(self):
        self.check_clients(1024, 1024 * 3)

    @unittest.skipUnless(ALL, "only with --all: 50,000 requests take minutes")
    def test_50000_requests_leave_speed_and_memory_as_they_were(self):
        self.check_clients(64, 2000)
        first, before = self.pace(), gateway_memory()
        self.check_clients(64, 50000)
        last, after = self.pace(), gateway_memory()
        self.assertLess(last, first * 1.3 + 0.02, "a request takes longer than at the start")
        if before:
            self.assertLess(after, before * 1.2 + (8 << 20), "the gateway has grown")

    def pace(self):
        """The median time of a request, in seconds."""
        times = []
        for _ in range(101):
            began = time.monotonic()
            run_code("print(1)")
            times.append(time.monotonic() - began)
        return sorted(times)[len(times) // 2]


def gateway_memory():
    """Bytes of resident memory of all gateway workers; 0 for a peer."""
    if PEER:
        return 0
    total = 0
    for process in SERVER.processes():
        if process.name.startswith("hatchery-gatew"):
            status = open(f"/proc/{process.pid}/status", encoding="utf-8").read()
            total += int(re.search(r"VmRSS:\s*(\d+)", status)[1]) << 10
    return total
