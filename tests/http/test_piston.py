"""Piston's HTTP contract, version 2, as tables (docs/http-piston.md).

With HATCHERY_PISTON_URL=http://HOST:PORT the tables test a running server, such as Piston itself. Rows marked
`ours` are deliberate differences, which only Hatchery has.
"""

import base64
import http.client
import json
import os
import socket
import time
import unittest
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.scale import patience
from lib.server import wait_until

PEER = os.environ.get("HATCHERY_PISTON_URL")
CONFIG = "".join(f"language {name} {{ }}\n" for name in ("python", "bash", "javascript", "c", "cpp", "java", "lua",
                                                        "typescript"))
HTTP = 'listen = { "127.0.0.1:0" }  contracts = { "piston" }'
SERVER = ServerModule(__name__, config=CONFIG, http=HTTP)
JSON = {"Content-Type": "application/json"}
PREFIXES = "/api/v2", "/api/v2/piston"

# Time limits for a compiler on a slow machine. A peer has limits that a request can't raise.
LONG = {} if PEER else {"compile_timeout": 60_000, "run_timeout": 60_000}

ours = unittest.skipIf(PEER, "Hatchery differs from Piston on purpose here")


def setUpModule():
    if not PEER:
        SERVER.set_up()


def tearDownModule():
    if not PEER:
        SERVER.tear_down()


def url():
    return PEER or SERVER.http


def connect(timeout=60):
    return http.client.HTTPConnection(urlsplit(url()).netloc, timeout=patience(timeout))


def ask(method, path, body=None, headers=None):
    """The status, the headers and the body of an answer; the body is read as JSON if it is JSON."""
    connection = connect()
    try:
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, {**(JSON if body is not None else {}), **(headers or {})})
        answer = connection.getresponse()
        text = answer.read()
        is_json = (answer.getheader("Content-Type") or "").startswith("application/json")
        return answer.status, answer.headers, json.loads(text) if is_json and text else text
    finally:
        connection.close()


def request(*files, language="python", version="*", **fields):
    """A body for /execute. Each file is given as its text, as (name, text), or as a whole dict."""
    def one(file):
        if isinstance(file, str):
            return {"content": file}
        return {"name": file[0], "content": file[1]} if isinstance(file, tuple) else file
    return {"language": language, "version": version, "files": [one(file) for file in files], **fields}


class PistonCase(unittest.TestCase):
    maxDiff = None

    def execute(self, *files, **fields):
        status, _, body = ask("POST", "/api/v2/execute", request(*files, **fields))
        self.assertEqual(200, status, body)
        return body

    def run_stage(self, *files, **fields):
        return self.execute(*files, **fields)["run"]

    def output(self, *files, **fields):
        run = self.run_stage(*files, **fields)
        self.assertEqual(0, run["code"], run)
        return run["stdout"]

    def refusal(self, body, status=400, path="/api/v2/execute", method="POST", headers=None):
        got, _, answer = ask(method, path, body, headers)
        self.assertEqual(status, got, answer)
        self.assertEqual(["message"], list(answer), answer)
        return answer["message"]


# ---------------------------------------------------------------- refusals

HELLO = {"language": "python", "version": "*", "files": [{"content": "print(1)"}]}

REFUSALS = [  # fields that replace those of HELLO (None: the field is left out), and the sentence
    ({"language": None}, "language is required as a string"),
    ({"language": 3}, "language is required as a string"),
    ({"language": ""}, "language is required as a string"),
    ({"version": None}, "version is required as a string"),
    ({"version": 3}, "version is required as a string"),
    ({"files": None}, "files is required as an array"),
    ({"files": {"main.py": "1"}}, "files is required as an array"),
    ({"files": "print(1)"}, "files is required as an array"),
    ({"files": [{}]}, "files[0].content is required as a string"),
    ({"files": [{"content": "1"}, {"content": 1}]}, "files[1].content is required as a string"),
    ({"files": []}, "files must include at least one utf8 encoded file"),
    ({"files": [{"content": "MQ==", "encoding": "base64"}]}, "files must include at least one utf8 encoded file"),
    ({"language": "brainrot"}, "brainrot-* runtime is unknown"),
    ({"version": "1.0.0"}, "python-1.0.0 runtime is unknown"),
    ({"version": "<3"}, "python-<3 runtime is unknown"),
    ({"run_timeout": "3000"}, "If specified, run_timeout must be a number"),
    ({"compile_timeout": {}}, "If specified, compile_timeout must be a number"),
    ({"run_cpu_time": True}, "If specified, run_cpu_time must be a number"),
    ({"compile_cpu_time": "1"}, "If specified, compile_cpu_time must be a number"),
    ({"run_memory_limit": "1"}, "If specified, run_memory_limit must be a number"),
    ({"compile_memory_limit": [1]}, "If specified, compile_memory_limit must be a number"),
    ({"run_timeout": -3}, "run_timeout must be non-negative"),
    ({"run_cpu_time": -1}, "run_cpu_time must be non-negative"),
]

OUR_REFUSALS = [
    ({"args": "-v"}, "If specified, args must be an array of strings"),
    ({"args": [1]}, "args[0] must be a string without NUL characters"),
    ({"stdin": 3}, "If specified, stdin must be a string"),
    ({"files": [{"name": "../x", "content": "1"}]}, 'File path "../x" tries to escape parent directory'),
    ({"files": [{"content": "1"}, {"content": "!", "encoding": "base64"}]}, "files[1].content is not valid base64"),
    ({"files": [{"content": "1"}, {"content": "x", "encoding": "hex"}]}, "files[1].content is not valid hex"),
    ({"run_memory_limit": 1000}, "run_memory_limit must be at least 4194304"),
    ({"run_timeout": 60001}, "run_timeout cannot exceed the configured limit of 60000"),
    ({"run_cpu_time": 60001}, "run_cpu_time cannot exceed the configured limit of 60000"),
    ({"compile_timeout": 1e12}, "compile_timeout cannot exceed the configured limit of 60000"),
    ({"run_memory_limit": 1 << 40}, "run_memory_limit cannot exceed the configured limit of 1073741824"),
]


class Refusals(PistonCase):
    def check(self, rows):
        for fields, message in rows:
            with self.subTest(fields):
                body = {name: value for name, value in {**HELLO, **fields}.items() if value is not None}
                self.assertEqual(message, self.refusal(body))

    def test_a_bad_request_gets_the_sentence_of_piston(self):
        self.check(REFUSALS)

    @ours
    def test_what_piston_lets_through_is_refused_with_a_sentence(self):
        self.check(OUR_REFUSALS)

    def test_another_content_type_is_415(self):
        for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/xml"},
                        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": ""}):
            for path in ("/api/v2/execute", "/api/v2/packages"):
                with self.subTest(path, **headers):
                    self.assertEqual("requests must be of type application/json",
                                     self.refusal(HELLO, 415, path, headers=headers))

    def test_a_charset_may_follow_the_content_type(self):
        status, _, body = ask("POST", "/api/v2/execute", HELLO, {"Content-Type": "application/json; charset=utf-8"})
        self.assertEqual((200, "1\n"), (status, body["run"]["stdout"]))

    @ours
    def test_what_fetch_says_of_a_string_is_taken_without_an_origin(self):
        plain = {"Content-Type": "text/plain;charset=UTF-8"}
        status, _, body = ask("POST", "/api/v2/execute", HELLO, plain)
        self.assertEqual((200, "1\n"), (status, body["run"]["stdout"]))
        status, _, body = ask("POST", "/api/v2/execute", HELLO, {**plain, "Origin": url()})
        self.assertEqual(415, status, body)

    @ours
    def test_a_body_that_is_no_json_tells_its_fault_and_no_more(self):
        for text in ("", "{", "{\"language\":", "[1,]", "\xff", "{\"a\":1}{", '{"a":1,"a":2}', '{"a":"\\ud800"}', "[" * 100_000):
            with self.subTest(text[:40]):
                message = self.refusal(text.encode("latin-1"))
                self.assertTrue(message)
                self.assertNotIn("/", message)

    def test_an_unknown_path_is_404(self):
        for path in ("/api/v2", "/api/v2/", "/api/v2/executes", "/api/v2/piston", "/api/v2/piston/piston/execute"):
            with self.subTest(path):
                self.assertEqual(404, ask("GET", path)[0])

    @ours
    def test_another_method_is_405(self):
        for method, path, allowed in (("GET", "/api/v2/execute", "POST"), ("PUT", "/api/v2/packages", "DELETE"),
                                      ("DELETE", "/api/v2/runtimes", "GET")):
            with self.subTest(method, path=path):
                status, headers, body = ask(method, path)
                self.assertEqual(405, status)
                self.assertIn(allowed, headers["Allow"])
                self.assertEqual(["message"], list(body))


# ---------------------------------------------------------------- runtimes and packages


class Runtimes(PistonCase):
    def runtimes(self):
        status, _, body = ask("GET", "/api/v2/runtimes")
        self.assertEqual(200, status)
        return {runtime["language"]: runtime for runtime in body}

    def test_each_has_a_name_a_version_and_aliases(self):
        for name, runtime in self.runtimes().items():
            with self.subTest(name):
                self.assertRegex(runtime["version"], r"^\d+\.\d+\.\d+(-[\w.]+)?$")
                self.assertIsInstance(runtime["aliases"], list)
                self.assertNotIn(name, runtime["aliases"])

    @ours
    def test_languages_have_the_names_of_piston(self):
        runtimes = self.runtimes()
        self.assertEqual({"python", "bash", "javascript", "c", "c++", "java", "lua", "typescript"}, set(runtimes))
        self.assertEqual(("gcc", "gcc", "node"), tuple(runtimes[name]["runtime"] for name in ("c", "c++", "javascript")))
        self.assertNotIn("runtime", runtimes["python"])
        for name, alias in (("c++", "cpp"), ("c++", "g++"), ("python", "py"), ("python", "python3"), ("javascript", "js"),
                            ("typescript", "ts"), ("bash", "sh")):
            self.assertIn(alias, runtimes[name]["aliases"])

    def test_both_prefixes_serve_the_same(self):
        for path in ("/runtimes", "/packages"):
            first, second = (ask("GET", prefix + path) for prefix in PREFIXES)
            self.assertEqual((200, 200), (first[0], second[0]))
            self.assertEqual(first[2], second[2])
        for prefix in PREFIXES:
            status, _, body = ask("POST", prefix + "/execute", HELLO)
            self.assertEqual((200, "1\n"), (status, body["run"]["stdout"]))

    def test_a_selector_chooses_a_version(self):
        version = self.runtimes()["python"]["version"]
        major, minor, patch = version.split(".")
        chosen = ["*", "x", major, f"{major}.x", f"{major}.{minor}", f"{major}.{minor}.x", version, f"={version}", f">={major}",
                  f"^{major}.0.0", f"~{major}.{minor}", f">={major}.0.0 <{int(major) + 1}", f"1.0 - {major}.{minor}",
                  f"1.x || {version}", f"<={version}"]
        other = [str(int(major) + 1), f"<{major}", f">{version}", f"{major}.{minor}.{int(patch) + 1}", "nonsense",
                 f"~{major}.{int(minor) + 1}", f"1.0 - {int(major) - 1}"]
        for selector in chosen:
            with self.subTest(selector):
                body = self.execute("print(2)", version=selector)
                self.assertEqual(("python", version, "2\n"), (body["language"], body["version"], body["run"]["stdout"]))
        for selector in other:
            with self.subTest(selector):
                self.assertEqual(f"python-{selector} runtime is unknown", self.refusal(request("1", version=selector)))

    def test_an_alias_is_answered_by_the_name(self):
        for runtime in self.runtimes().values():
            if runtime["language"] in ("python", "bash", "javascript"):
                for alias in runtime["aliases"]:
                    with self.subTest(alias):
                        body = self.execute("1" if runtime["language"] != "bash" else ":", language=alias)
                        self.assertEqual((runtime["language"], runtime["version"]), (body["language"], body["version"]))

    def test_packages_are_what_is_installed(self):
        status, _, packages = ask("GET", "/api/v2/packages")
        self.assertEqual(200, status)
        for package in packages:
            self.assertEqual({"language", "language_version", "installed"}, set(package))
        if not PEER:
            self.assertEqual({(name, runtime["version"], True) for name, runtime in self.runtimes().items()},
                             {tuple(package.values()) for package in packages})

    @ours
    def test_an_installed_package_can_be_installed(self):
        version = self.runtimes()["python"]["version"]
        for selector in (version, "*", "3.x"):
            status, _, body = ask("POST", "/api/v2/packages", {"language": "python", "version": selector})
            self.assertEqual((200, {"language": "python", "version": version}), (status, body))

    def test_a_package_that_does_not_exist_is_404(self):
        self.assertEqual("Requested package brainrot-1.2.3 does not exist",
                         self.refusal({"language": "brainrot", "version": "1.2.3"}, 404, "/api/v2/packages"))

    @ours
    def test_no_package_can_be_removed(self):
        self.assertIn("cannot be removed", self.refusal({"language": "python", "version": "*"}, 400, "/api/v2/packages", "DELETE"))


# ---------------------------------------------------------------- programs

STAGE = {"stdout", "stderr", "output", "code", "signal", "message", "status", "cpu_time", "wall_time", "memory"}

ENDS = [  # language, program, limits, and fields of the stage
    ("python", "pass", {}, {"code": 0, "signal": None, "status": None, "message": None}),
    ("python", "exit(3)", {}, {"code": 3, "signal": None, "status": "RE", "message": "Exited with error status 3"}),
    ("python", "1/0", {}, {"code": 1, "signal": None, "status": "RE"}),
    ("python", "while True: pass", {"run_timeout": 5000, "run_cpu_time": 300},
     {"code": None, "signal": "SIGKILL", "status": "TO", "message": "Time limit exceeded"}),
    ("python", "import time; time.sleep(50)", {"run_timeout": 300},
     {"code": None, "signal": "SIGKILL", "status": "TO", "message": "Time limit exceeded (wall clock)"}),
]

OUR_ENDS = [
    ("python", "import os; os.kill(os.getpid(), 11)", {},
     {"code": None, "signal": "SIGSEGV", "status": "SG", "message": "Caught fatal signal 11"}),
    ("c", "int main(void) { *(volatile int *)0 = 1; }", {},
     {"code": None, "signal": "SIGSEGV", "status": "SG", "message": "Caught fatal signal 11"}),
    ("python", "import os; os.abort()", {}, {"code": None, "signal": "SIGABRT", "status": "SG"}),
    ("bash", "kill -TERM $$", {}, {"code": None, "signal": "SIGTERM", "status": "SG", "message": "Caught fatal signal 15"}),
    ("python", "bytearray(1 << 28)[::4096] = b'x' * (1 << 16)", {"run_memory_limit": 64 << 20},
     {"code": None, "signal": "SIGKILL", "status": "SG", "message": "Memory limit exceeded"}),
    ("python", "while True: print('x' * 10000)", {},
     {"code": None, "signal": "SIGKILL", "status": "OL", "message": "stdout length exceeded"}),
    ("python", "import sys\nwhile True: print('x' * 10000, file=sys.stderr)", {},
     {"code": None, "signal": "SIGKILL", "status": "EL", "message": "stderr length exceeded"}),
]


class Ends(PistonCase):
    def check(self, rows):
        for language, program, limits, expected in rows:
            with self.subTest(program=program):
                run = self.run_stage(program, language=language, **limits)
                self.assertEqual(expected, {name: run[name] for name in expected}, run)

    def test_a_stage_tells_how_it_ended(self):
        self.check(ENDS)

    @ours
    def test_a_stage_tells_signals_memory_and_output(self):
        self.check(OUR_ENDS)

    def test_an_answer_has_these_fields(self):
        body = self.execute("print(1)")
        self.assertEqual({"language", "version", "run"}, set(body))
        self.assertLessEqual(STAGE, set(body["run"]))
        self.assertEqual(("1\n", "", "1\n"), tuple(body["run"][name] for name in ("stdout", "stderr", "output")))

    def test_times_are_milliseconds_and_memory_is_bytes(self):
        run = self.run_stage("import time\nx = bytearray(30 << 20)\ntime.sleep(0.3)")
        self.assertGreaterEqual(run["wall_time"], 300)
        self.assertLess(run["wall_time"], patience(20_000))
        self.assertLess(run["cpu_time"], run["wall_time"])
        self.assertGreater(run["memory"], 30 << 20)
        self.assertLess(run["memory"], 200 << 20)

    def test_no_timeout_lifts_the_default(self):
        start = time.monotonic()
        run = self.run_stage("import time; time.sleep(100)", run_timeout=0, run_cpu_time=0, run_memory_limit=0)
        self.assertEqual(("TO", "SIGKILL"), (run["status"], run["signal"]))
        self.assertGreater(time.monotonic() - start, 2.9)
        self.assertLess(time.monotonic() - start, patience(30))

    def test_a_memory_limit_of_minus_one_asks_for_none(self):
        self.assertEqual("1\n", self.output("print(1)", run_memory_limit=-1, compile_memory_limit=-1))


class Compiling(PistonCase):
    def test_a_compiled_program_has_two_stages(self):
        body = self.execute('#include <stdio.h>\nint main(void) { puts("hi"); return 4; }', language="c")
        self.assertEqual({"language", "version", "run", "compile"}, set(body))
        self.assertEqual((0, None, None), tuple(body["compile"][name] for name in ("code", "signal", "status")))
        self.assertEqual(("hi\n", 4, "RE"), tuple(body["run"][name] for name in ("stdout", "code", "status")))

    def test_after_a_failed_compile_run_is_a_copy(self):
        body = self.execute("int main(void) { return x; }", language="c")
        self.assertEqual(body["compile"], body["run"])
        self.assertEqual((1, "RE"), tuple(body["run"][name] for name in ("code", "status")))
        self.assertIn("undeclared", body["run"]["stderr"])
        self.assertEqual(body["run"]["stderr"], body["run"]["output"])

    def test_the_second_answer_is_as_the_first(self):
        program = '#include <stdio.h>\n#warning "careful"\nint main(void) { puts("again"); }'
        first, second = (self.execute(program, language="c") for _ in range(2))
        for body in (first, second):
            self.assertEqual(("again\n", 0), (body["run"]["stdout"], body["run"]["code"]))
            self.assertIn("careful", body["compile"]["stderr"])

    @ours
    def test_a_compiler_has_limits(self):
        body = self.execute("int main(void) { return 0; }", language="cpp", compile_timeout=1)
        self.assertEqual(("TO", "SIGKILL", None), tuple(body["compile"][name] for name in ("status", "signal", "code")))
        self.assertEqual(body["compile"], body["run"])
        self.assertEqual("c++", body["language"])

    def test_a_program_without_main_has_a_code(self):
        body = self.execute("int f(void);", language="c")
        self.assertEqual((1, "RE"), (body["run"]["code"], body["run"]["status"]))


PROGRAMS = [  # language, program: it prints hi
    ("python", "print('hi')"),
    ("bash", "echo hi"),
    ("javascript", "console.log('hi')"),
    ("c", '#include <stdio.h>\nint main(void) { puts("hi"); }'),
    ("c++", '#include <iostream>\nint main() { std::cout << "hi\\n"; }'),
    ("java", 'public class Hello { public static void main(String[] args) { System.out.println("hi"); } }'),
    ("lua", "print('hi')"),
    ("typescript", "const text: string = 'hi'; console.log(text)"),
]


class Files(PistonCase):
    def test_a_file_without_a_name_is_a_program_in_each_language(self):
        have = {runtime["language"] for runtime in ask("GET", "/api/v2/runtimes")[2]}
        for language, program in PROGRAMS:
            if language in have:
                with self.subTest(language):
                    self.assertEqual("hi\n", self.output(program, language=language, **LONG))

    @ours
    def test_any_name_will_do_in_each_language(self):
        for language, program in PROGRAMS:
            with self.subTest(language):
                self.assertEqual("hi\n", self.output(("program.txt", program), language=language, **LONG))

    def test_the_first_text_is_the_program(self):
        files = [{"name": "data", "content": "AP8=", "encoding": "base64"}, {"name": "notes.txt", "content": "print('notes')"},
                 {"name": "main.py", "content": "print('main')"}]
        self.assertEqual("notes\n", self.output(*files))

    def test_files_without_names_are_numbered(self):
        self.assertEqual("['file0.code', 'file1.code', 'x.txt']\n",
                         self.output("import os; print(sorted(n for n in os.listdir() if not n.startswith('_')))", "", ("x.txt", "")))

    def test_contents_are_decoded(self):
        program = "import sys\nfor name in sys.argv[1:]: print(open(name, 'rb').read())"
        files = [{"name": "a", "content": base64.b64encode(bytes(range(256))).decode(), "encoding": "base64"},
                 {"name": "b", "content": "00FFfe", "encoding": "hex"},
                 {"name": "c", "content": "h\xe4 \U0001f423", "encoding": "utf8"},
                 {"name": "d", "content": base64.encodebytes(b"lines" * 30).decode(), "encoding": "base64"},
                 {"name": "e", "content": base64.urlsafe_b64encode(b"\xff\xfe\xfd\xfc").decode().rstrip("="), "encoding": "base64"}]
        lines = self.output(program, *files, args=list("abcde")).splitlines()
        self.assertEqual([repr(value) for value in (bytes(range(256)), b"\0\xff\xfe", "h\xe4 \U0001f423".encode(), b"lines" * 30,
                                                    b"\xff\xfe\xfd\xfc")], lines)

    def test_a_name_may_have_folders(self):
        self.assertEqual("7\n", self.output("from pkg.deep import mod; print(mod.x)", ("pkg/deep/mod.py", "x = 7"),
                                            ("./pkg/../pkg/__init__.py", "")))

    @ours
    def test_several_sources_are_one_program(self):
        self.assertEqual("42\n", self.output(
            ("main.c", '#include <stdio.h>\n#include "f.h"\nint main(void) { printf("%d\\n", f()); }'),
            ("f.c", "int f(void) { return 42; }"), ("f.h", "int f(void);"), language="c"))


class Input(PistonCase):
    def test_a_standard_input_ends_with_a_newline(self):
        program = "import sys; print(repr(sys.stdin.buffer.read()))"
        for given, read in (({}, b"\n"), ({"stdin": ""}, b"\n"), ({"stdin": None}, b"\n"), ({"stdin": "a"}, b"a\n"),
                            ({"stdin": "a\n"}, b"a\n"), ({"stdin": "a\nb"}, b"a\nb\n"), ({"stdin": "\xe4"}, b"\xc3\xa4\n")):
            with self.subTest(given):
                self.assertEqual(repr(read) + "\n", self.output(program, **given))

    def test_arguments_reach_the_program(self):
        args = ["1", "", "two words", "-x", "$HOME", "\xe4\u20ac"]
        self.assertEqual(f"{args}\n", self.output("import sys; print(sys.argv[1:])", args=args))
        self.assertEqual("[]\n", self.output("import sys; print(sys.argv[1:])", args=None))

    def test_the_environment_is_that_of_piston(self):
        program = "import os; print(os.environ['HOME'], os.environ['PISTON_LANGUAGE'])"
        self.assertEqual("/tmp python\n", self.output(program))
        self.assertEqual("c++\n", self.output('#include <cstdlib>\n#include <cstdio>\nint main() { puts(getenv("PISTON_LANGUAGE")); }',
                                              language="c++"))

    def test_a_large_input_comes_whole(self):
        text = "x" * (3 << 20)
        self.assertEqual(f"{len(text) + 1}\n", self.output("import sys; print(len(sys.stdin.read()))", stdin=text))


class Output(PistonCase):
    def test_both_streams_are_apart_and_together_in_order(self):
        program = ("import os, time\nfor i in range(6):\n    os.write(1 + i % 2, f'{i}\\n'.encode())\n    time.sleep(0.05)")
        run = self.run_stage(program)
        self.assertEqual(("0\n2\n4\n", "1\n3\n5\n", "0\n1\n2\n3\n4\n5\n"), (run["stdout"], run["stderr"], run["output"]))

    @ours
    def test_characters_are_whole_in_each_stream(self):
        program = ("import os, time\nfor byte in '\u20ac\U0001f423'.encode():\n    for fd in (1, 2):\n"
                   "        os.write(fd, bytes([byte]))\n    time.sleep(0.02)")
        run = self.run_stage(program)
        self.assertEqual(("\u20ac\U0001f423", "\u20ac\U0001f423"), (run["stdout"], run["stderr"]))
        self.assertEqual(sorted("\u20ac\U0001f423" * 2), sorted(run["output"]))

    def test_bytes_that_are_no_text_are_replaced(self):
        run = self.run_stage("import os; os.write(1, b'a\\xff\\xfeb\\0c\\xe2\\x82')")
        self.assertEqual("a\ufffd\ufffdb\0c\ufffd", run["stdout"])

    @ours
    def test_the_first_bytes_are_kept_up_to_the_limit(self):
        run = self.run_stage("import sys\nsys.stdout.write('0123456789' * 200_000)")
        self.assertEqual(("OL", 1 << 20), (run["status"], len(run["stdout"])))
        self.assertEqual(("0123456789" * 200_000)[:1 << 20], run["stdout"])
        self.assertEqual(run["stdout"], run["output"])

    @ours
    def test_a_limit_cuts_no_character(self):
        run = self.run_stage("import sys\nsys.stdout.write('\u20ac' * 400_000)")
        self.assertEqual(("OL", "\u20ac" * ((1 << 20) // 3)), (run["status"], run["stdout"]))

    def test_a_thousand_bytes_are_no_overrun(self):
        self.assertEqual("x" * 1000, self.output("print('x' * 1000, end='')"))

    @ours
    def test_a_killed_run_keeps_what_it_wrote(self):
        run = self.run_stage("import time; print('so far', flush=True); time.sleep(50)", run_timeout=500)
        self.assertEqual(("so far\n", "TO"), (run["stdout"], run["status"]))


class Leaving(PistonCase):
    @ours
    def test_a_client_that_leaves_takes_its_run_along(self):
        body = json.dumps(request("import time; time.sleep(50)", run_timeout=60_000)).encode()
        with socket.create_connection(urlsplit(url()).netloc.split(":"), timeout=patience(60)) as sock:
            sock.sendall(b"POST /api/v2/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda: self.running("python") == 1, what="a run")
        wait_until(lambda: self.running("python") == 0, guard=20, what="the end of the run")

    def running(self, language):
        with SERVER.connect() as client:
            return next(one.running for one in client.status().languages if one.name == language)

    @ours
    def test_runs_share_no_memory_file(self):
        program = "import os\nprint(os.listdir('/dev/shm'))\nopen('/dev/shm/x', 'w').close()"
        self.assertEqual(["[]\n", "[]\n"], [self.output(program) for _ in range(2)])
