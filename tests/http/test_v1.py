"""Hatchery's own HTTP contract, /v1, as tables (docs/http.md). With HATCHERY_V1_URL=http://HOST:PORT the tables
test a running server."""

import base64
import http.client
import json
import os
import socket
import threading
import unittest
import uuid
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.scale import patience
from lib.server import wait_until

PEER = os.environ.get("HATCHERY_V1_URL")
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\n", http=True)
JSON = {"Content-Type": "application/json"}
SLEEP = "import time; time.sleep(60)"


def setUpModule():
    if not PEER:
        SERVER.set_up()


def tearDownModule():
    if not PEER:
        SERVER.tear_down()


def connect(source=None):
    return http.client.HTTPConnection(urlsplit(PEER or SERVER.http).netloc, timeout=patience(60),
                                      source_address=source and (source, 0))


def ask(method, path, body=None, headers=None, source=None):
    """The status, the headers and the JSON of an answer. source: the address from which to connect."""
    connection = connect(source)
    try:
        text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        connection.request(method, path, text, {**(JSON if body is not None else {}), **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def python(code="print('hi')", **fields):
    return {"language": "python", "code": code, **fields}


def post(body, headers=None, path="/v1/run"):
    return ask("POST", path, body, headers)


def running():
    """How many programs run now."""
    return sum(language["running"] for language in ask("GET", "/v1/status")[2]["languages"])


class Later(threading.Thread):
    """A request in a thread of its own, which waits for the answer."""

    def __init__(self, body, headers=None):
        super().__init__()
        self.body, self.headers, self.answer = body, headers, None
        self.start()

    def run(self):
        self.answer = post(self.body, self.headers)

    def wait(self):
        self.join(patience(60))
        return self.answer


class V1(unittest.TestCase):
    maxDiff = None

    def result(self, body, headers=None):
        status, _, answer = post(body, headers)
        self.assertEqual(200, status, answer)
        return answer

    def assert_error(self, answer, status, code, *words):
        got, headers, body = answer
        self.assertEqual((status, code), (got, body["error"]["code"]), body)
        self.assertEqual({"code", "message", "retry_after_ms"}, set(body["error"]))
        for word in words:
            self.assertIn(word, body["error"]["message"])
        return headers

    # ------------------------------------------------------------ runs

    RUNS = [
        ("code", python(), {"status": "EXITED", "exit_code": 0, "stdout": "hi\n", "stderr": "", "limit_hit": None}),
        ("code as base64", {"language": "python", "code_base64": base64.b64encode(b"print(7)").decode()}, {"stdout": "7\n"}),
        ("files", {"language": "python", "entry": "a.py", "files": {"a.py": "import b", "b.py": {"content": "print(1)"}}},
         {"stdout": "1\n"}),
        ("a file as base64", python("print(open('x', 'rb').read())", files={"x": {"content_base64": "/wA="}}),
         {"stdout": "b'\\xff\\x00'\n"}),
        ("modes of files", python("import os; print(oct(os.stat('x').st_mode)[-3:], oct(os.stat('y').st_mode)[-3:])",
                                  files={"x": {"content": "", "mode": "0750"}, "y": {"content": "", "mode": 0o600}}),
         {"stdout": "750 600\n"}),
        ("arguments", python("import sys; print(sys.argv[1:])", args=["a", "", "\u00e4"]), {"stdout": "['a', '', '\u00e4']\n"}),
        ("environment", python("import os; print(os.environ['A'])", env={"A": "b"}), {"stdout": "b\n"}),
        ("standard input", python("print(input())", stdin="x\n"), {"stdout": "x\n"}),
        ("standard input as base64", python("import sys; print(sys.stdin.buffer.read())", stdin_base64="AP8="),
         {"stdout": "b'\\x00\\xff'\n"}),
        ("output that is not UTF-8", python("import sys; sys.stdout.buffer.write(b'\\xff')"),
         {"stdout_base64": "/w==", "stdout_total": 1}),
        ("NUL in output", python("print('a\\0b', end='')"), {"stdout": "a\0b"}),
        ("characters", python("print('\u00e4\u20ac\U0001f423')"), {"stdout": "\u00e4\u20ac\U0001f423\n"}),
        ("an exit code", python("raise SystemExit(3)"), {"status": "EXITED", "exit_code": 3}),
        ("a signal", python("import os; os.kill(os.getpid(), 11)"), {"status": "SIGNALED", "signal": 11}),
        ("the wall limit", python(SLEEP, limits={"wall_us": 200000}), {"status": "TIME_LIMIT", "limit_hit": "wall_us"}),
        ("the deadline", python(SLEEP, deadline_us=500000), {"status": "TIME_LIMIT", "limit_hit": "deadline_us"}),
        ("the output limit", python("print('x' * 9999)", limits={"output_bytes": 10}),
         {"status": "OUTPUT_LIMIT", "limit_hit": "output_bytes", "stdout_truncated": True}),
        ("truncation", python("print('x' * 9999)", limits={"output_bytes": 10}, on_output_limit="TRUNCATE"),
         {"status": "EXITED", "stdout": "x" * 10, "stdout_total": 10000}),
        ("merged streams", python("import sys; sys.stderr.write('a')", merge_stderr=True), {"stdout": "a", "stderr": ""}),
        ("the last expression", python("6 * 7", echo_last_expression=True), {"stdout": "42\n"}),
        ("an interpreter's arguments", {"language": "python", "interpreter_args": ["-c", "print(5)"]}, {"stdout": "5\n"}),
        ("null is left out", python(stdin=None, limits=None, collect=None, files=None), {"stdout": "hi\n"}),
        ("collected files", python("open('o', 'wb').write(b'\\xff'); open('p', 'w').write('q')",
                                   collect={"globs": ["*"], "changed_only": True}),
         {"files": [{"name": "o", "content_base64": "/w==", "mode": 0o644}, {"name": "p", "content": "q", "mode": 0o644}]}),
        ("a run id", python(run_id="my-run_1"), {"run_id": "my-run_1"}),
    ]

    def test_programs_run(self):
        for name, body, expected in self.RUNS:
            with self.subTest(name):
                answer = self.result(body)
                if "files" in expected:
                    answer["files"].sort(key=lambda file: file["name"])
                self.assertEqual(expected, {key: answer.get(key) for key in expected}, answer)

    def test_text_and_base64_never_come_together(self):
        answer = self.result(python("import sys; sys.stdout.buffer.write(b'\\xff')"))
        self.assertNotIn("stdout", answer)
        self.assertNotIn("stderr_base64", answer)

    def test_a_compile_error_has_the_compilers_words(self):
        answer = self.result({"language": "c", "code": "int main(void) { return x; }"})
        self.assertEqual("COMPILE_ERROR", answer["status"])
        self.assertIn("undeclared", answer["compile"]["stderr"])

    def test_a_compiled_program_tells_of_its_compile_stage(self):
        answer = self.result({"language": "c", "code": "int main(void) { return 4; }"})
        self.assertEqual((4, "EXITED"), (answer["exit_code"], answer["compile"]["status"]))

    def test_a_trace_comes_back(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.assertEqual(trace, self.result(python(), {"traceparent": trace})["trace"])

    def test_a_large_request_and_a_large_answer(self):
        text = "x" * (2 << 20)
        answer = self.result(python("import sys; sys.stdout.write(sys.stdin.read())", stdin=text,
                                    limits={"output_bytes": 3 << 20}))
        self.assertEqual(text, answer["stdout"])

    # ------------------------------------------------------------ refusals

    BAD = [
        ("no JSON", b"{", 400, "INVALID_ARGUMENT", "JSON"),
        ("no body", b"", 400, "INVALID_ARGUMENT", "no byte"),
        ("a list", [], 400, "INVALID_ARGUMENT", "an object"),
        ("no language", {"code": ""}, 400, "INVALID_ARGUMENT", "language"),
        ("another language", {"language": "cobol", "code": ""}, 404, "NOT_FOUND", "cobol"),
        ("a misspelt field", python(stdn=""), 400, "INVALID_ARGUMENT", 'stdn: there is no such field; the nearest name is "stdin"'),
        ("a misspelt limit", python(limits={"wall": 1}), 400, "INVALID_ARGUMENT", "limits.wall: "),
        ("a limit above the ceiling", python(limits={"wall_us": 1 << 60}), 400, "INVALID_ARGUMENT", "wall_us"),
        ("a limit of nothing", python(limits={"pids": 0}), 400, "INVALID_ARGUMENT", "pids"),
        ("a number as text", python(priority="1"), 400, "INVALID_ARGUMENT", "priority"),
        ("a number too large", b'{"language":"python","priority":99999999999999999999}', 400, "INVALID_ARGUMENT", "integer"),
        ("keys twice", b'{"language":"python","language":"python"}', 400, "INVALID_ARGUMENT", "duplicate"),
        ("half a character", b'{"language":"python","code":"\\ud800"}', 400, "INVALID_ARGUMENT", "Unicode"),
        ("depth", b"[" * 65 + b"]" * 65, 400, "INVALID_ARGUMENT", "deeper"),
        ("many values", b"[" + b"0," * 70000 + b"0]", 400, "INVALID_ARGUMENT", "65536"),
        ("text and base64", python(code_base64=""), 400, "INVALID_ARGUMENT", "once"),
        ("a path outside", python(files={"../x": ""}), 400, "INVALID_ARGUMENT", "../x"),
        ("an empty name", python(env={"": ""}), 400, "INVALID_ARGUMENT", "env"),
        ("a terminal", python(terminal={"rows": 1, "columns": 1}), 400, "INVALID_ARGUMENT", "/v1/ws"),
        ("a run id of other characters", python(run_id="a b"), 400, "INVALID_ARGUMENT", "run_id"),
        ("a key with a stream", python(idempotency_key="k", stream=True), 400, "INVALID_ARGUMENT", "idempotency_key"),
    ]

    def test_bad_requests_are_refused_with_a_sentence(self):
        for name, body, status, code, words in self.BAD:
            with self.subTest(name):
                self.assert_error(post(body), status, code, words)

    def test_the_body_must_say_that_it_is_json(self):
        for kind in "text/plain", "application/x-www-form-urlencoded", "":
            with self.subTest(kind):
                self.assert_error(post(json.dumps(python()), {"Content-Type": kind}), 415, "INVALID_ARGUMENT", "application/json")

    def test_errors_of_http_have_the_same_shape(self):
        self.assert_error(ask("GET", "/v1/nothing"), 404, "NOT_FOUND")
        headers = self.assert_error(ask("GET", "/v1/run"), 405, "UNIMPLEMENTED")
        self.assertIn("POST", headers["Allow"])

    def test_a_run_id_in_flight_is_refused_a_second_time(self):
        name = uuid.uuid4().hex
        first = Later(python(SLEEP, run_id=name))
        try:
            wait_until(running, what="the run is in flight")
            self.assert_error(post(python(run_id=name)), 409, "ABORTED", name)
        finally:
            ask("POST", f"/v1/runs/{name}/cancel")
        self.assertEqual("CANCELLED", first.wait()[2]["status"])

    # ------------------------------------------------------------ cancelling

    def test_a_run_is_cancelled_by_its_id_on_any_worker(self):
        for _ in range(6):
            name = uuid.uuid4().hex
            first = Later(python(SLEEP, run_id=name))
            wait_until(lambda n=name: ask("POST", f"/v1/runs/{n}/cancel")[0] == 200, what="the run is found")
            status, _, answer = first.wait()
            self.assertIn((status, answer.get("status")), ((200, "CANCELLED"), (499, None)))

    @unittest.skipIf(PEER, "the addresses are those of this machine")
    def test_each_address_has_its_own_run_ids_and_keys(self):
        name, key = uuid.uuid4().hex, {"Idempotency-Key": uuid.uuid4().hex}
        first = Later(python(SLEEP, run_id=name))
        wait_until(running, what="the run is in flight")
        self.assert_error(ask("POST", f"/v1/runs/{name}/cancel", source="127.0.0.2"), 404, "NOT_FOUND")
        body = python("import uuid; print(uuid.uuid4())", run_id=name)
        outs = [ask("POST", "/v1/run", {**body, "run_id": f"{name}{i}"}, key)[2]["stdout"] for i in range(2)]
        outs += [ask("POST", "/v1/run", body, key, "127.0.0.2")[2]["stdout"] for _ in range(2)]
        self.assertEqual(200, ask("POST", f"/v1/runs/{name}/cancel")[0])
        self.assertEqual("CANCELLED", first.wait()[2]["status"])
        self.assertTrue(outs[0] == outs[1] != outs[2] == outs[3], outs)

    def test_cancelling_nothing_is_not_found(self):
        self.assert_error(ask("POST", "/v1/runs/nothing/cancel"), 404, "NOT_FOUND")
        self.assert_error(ask("POST", "/v1/runs/a.b/cancel"), 400, "INVALID_ARGUMENT", "run_id")

    def test_a_closed_connection_cancels_its_run(self):
        name = uuid.uuid4().hex
        body = json.dumps(python(SLEEP, run_id=name)).encode()
        address = urlsplit(PEER or SERVER.http)
        with socket.create_connection((address.hostname, address.port), patience(30)) as sock:
            sock.sendall(b"POST /v1/run HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                         % (address.netloc.encode(), len(body), body))
            wait_until(running, what="the run is in flight")
        wait_until(lambda: post(python(run_id=name))[0] == 200, what="the run is gone")

    # ------------------------------------------------------------ repeats

    def test_a_repeat_gets_the_same_answer(self):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        body = python("import uuid; print(uuid.uuid4())", run_id="once")
        first = self.result(body, key)
        for _ in range(6):
            self.assertEqual(first, self.result(body, key))

    def test_a_key_for_another_request_is_refused(self):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        self.result(python(), key)
        self.assert_error(post(python("print(2)"), key), 400, "INVALID_ARGUMENT")
        self.assert_error(post(python(idempotency_key="x"), key), 400, "INVALID_ARGUMENT", "different")
        self.assert_error(post(python(), {"Idempotency-Key": "x" * 129}), 400, "INVALID_ARGUMENT", "128")

    def test_repeats_at_once_run_once(self):
        key = {"Idempotency-Key": uuid.uuid4().hex}
        body = python("import time, uuid; time.sleep(0.3); print(uuid.uuid4())")
        answers = [Later(body, key) for _ in range(6)]
        self.assertEqual(1, len({later.wait()[2]["stdout"] for later in answers}))

    # ------------------------------------------------------------ status

    def test_languages_and_status(self):
        status, _, answer = ask("GET", "/v1/languages")
        self.assertEqual(200, status)
        self.assertLessEqual({"python"}, {language["name"] for language in answer["languages"]})
        status, headers, answer = ask("GET", "/v1/status")
        self.assertEqual((200, "no-store"), (status, headers["Cache-Control"]))
        self.assertFalse(answer["draining"])
        self.assertGreater(answer["max_request_bytes"], 0)

    def test_many_connections_at_once(self):
        answers = [Later(python(f"print({i})")) for i in range(48)]
        self.assertEqual([f"{i}\n" for i in range(48)], [later.wait()[2].get("stdout") for later in answers])

    def test_one_connection_carries_many_requests(self):
        connection = connect()
        for i in range(20):
            connection.request("POST", "/v1/run", json.dumps(python(f"print({i})")), JSON)
            self.assertEqual(f"{i}\n", json.loads(connection.getresponse().read())["stdout"])
        connection.close()

