"""The benchmark's questions over HTTP: it measures what it claims, and does not count a wrong answer as a run."""

import http.server
import json
import tempfile
import threading
import time
import unittest
from pathlib import Path

from lib.benchmark import bench

LONG = "it measures, which takes minutes and wants a machine that does nothing else"


class FakeGateway:
    """Speaks HTTP/1.1 and answers each POST with answer(path, body), a status and an object. Runs no program."""

    def __init__(self, answer):
        self.lock = threading.Lock()
        self.connections = 0
        self.requests = 0
        self.uploads = []  # of each large body: its bytes, and the seconds that it took
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                with fake.lock:
                    fake.connections += 1

            def do_POST(self):
                began, length = time.monotonic(), int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                with fake.lock:
                    fake.requests += 1
                    if length > 1 << 20:
                        fake.uploads.append((length, time.monotonic() - began))
                status, text = answer(self.path, json.loads(body))
                text = text.encode() if isinstance(text, str) else json.dumps(text).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 2048
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def events(*list_of):
    return 200, "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in list_of)


def right_http(path, body):
    """Returns the right answer of each contract to the benchmark's requests."""
    if path == "/eval":
        return 200, {"stdout": "hi\n", "returncode": 0, "files": []} if body["input"] == "print('hi')" else {}
    if path == "/api/v2/execute":
        assert body["files"][0]["content"] == "print('hi')"
        return 200, {"run": {"stdout": "hi\n", "stderr": "", "code": 0, "signal": None}}
    if path == "/run_code":
        return 200, {"status": "Success", "run_result": {"status": "Finished", "return_code": 0, "stdout": "hi\n",
                                                         "stderr": ""}}
    if path == "/v1/run":
        assert (body["language"], body["code"]) == ("python", "print('hi')")
        return 200, {"status": "EXITED", "exit_code": 0, "stdout": "hi\n", "stderr": ""}
    return 404, {}


class BenchHttp(unittest.TestCase):
    def measure(self, answer, rows, *options):
        with FakeGateway(answer) as server, tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            done = bench(f"--http={server.url}", "--rows", rows, "--json", str(path), *options)
            return done, json.loads(path.read_text()) if path.exists() else None, server

    def test_right_answers_of_each_contract_are_a_success(self):
        rows = "http_low,http_64,http_snekbox_64,http_piston_64,http_sandboxfusion_64,http_1024"
        done, found, _ = self.measure(right_http, rows, "--window", "200", "--runs", "20")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("Wrong answers: 0\n", done.stdout)
        self.assertEqual(set(rows.split(",")), set(found["raw"]))
        self.assertEqual(20, found["raw"]["http_low"][0]["runs"])
        self.assertEqual(1024, found["raw"]["http_1024"][0]["runs"])
        for row in rows.split(","):
            self.assertGreater(found["raw"][row][0]["runs"], 0)
        bars = {bar["name"]: bar for bar in found["bars"]}
        self.assertEqual(1, bars["http_1024_connections_answered"]["value"])
        self.assertIn("hatchery_64: not among --rows", bars["http_throughput_vs_native"]["reason"])
        self.assertIn("not the benchmark's own", bars["http_cpu_of_gateway"]["reason"])

    def test_every_kind_of_wrong_answer_is_counted_and_fails(self):
        def spoil(**fields):
            return lambda path, body: (200, {**right_http(path, body)[1], **fields})

        run = {"stdout": "hi\n", "stderr": "", "code": 0, "signal": None}
        result = {"status": "Finished", "return_code": 0, "stdout": "hi\n", "stderr": ""}
        for name, row, answer, words in (
                ("output", "http_low", spoil(stdout="ho\n"), "not what the program must give (status 200)"),
                ("standard error", "http_low", spoil(stderr="oh"), "not what"),
                ("an exit code", "http_low", spoil(exit_code=1), "not what"),
                ("a limit", "http_low", spoil(status="TIME_LIMIT"), "not what"),
                ("a refusal", "http_low", lambda *_: (429, {"error": {"message": "full"}}), "a refusal (status 429): {"),
                ("no JSON", "http_low", lambda *_: (200, "hi"), "not JSON"),
                ("snekbox", "http_snekbox_64", spoil(returncode=1), "not what"),
                ("Piston's code", "http_piston_64", spoil(run={**run, "code": 1}), "not what"),
                ("Piston's signal", "http_piston_64", spoil(run={**run, "signal": "SIGKILL"}), "not what"),
                ("SandboxFusion's status", "http_sandboxfusion_64", spoil(status="SandboxError"), "not what"),
                ("SandboxFusion's code", "http_sandboxfusion_64", spoil(run_result={**result, "return_code": 1}), "not"),
                ("a thousand at once", "http_1024", lambda *_: (503, {}), "a refusal (status 503)")):
            with self.subTest(name):
                done, found, _ = self.measure(answer, row, "--window", "100", "--runs", "10")
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)
                sample = found["raw"][row][0]
                self.assertEqual(0, sample["runs"])
                self.assertGreater(sample["wrong"], 9)

    def test_connections_are_kept_or_new_as_the_row_says(self):
        done, found, server = self.measure(right_http, "http_64", "--window", "300")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertGreater(found["raw"]["http_64"][0]["runs"], 64)
        self.assertEqual(64, server.connections)
        done, found, server = self.measure(right_http, "http_64_fresh", "--window", "300")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertGreater(found["raw"]["http_64_fresh"][0]["runs"], 64)
        self.assertEqual(server.requests, server.connections)

    def test_the_upload_is_slow_and_its_answer_counts(self):
        done, found, server = self.measure(right_http, "http_64_upload")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        (length, seconds), = server.uploads
        self.assertEqual((16 << 20) - (1 << 10), length)
        self.assertGreater(seconds, 6)
        self.assertGreater(found["raw"]["http_64_upload"][0]["seconds"], 8)

        def refuse(path, body):
            return (413, {}) if "stdin" in body else right_http(path, body)

        done, found, _ = self.measure(refuse, "http_64_upload")
        self.assertEqual(1, done.returncode)
        self.assertIn("the upload: a refusal (status 413)", done.stdout)
        self.assertEqual(1, found["raw"]["http_64_upload"][0]["wrong"])

    def test_the_first_byte_is_as_old_as_it_says(self):
        def stream(*texts, end=("result", {"status": "EXITED", "exit_code": 0})):
            def answer(path, body):
                assert path == "/v1/run?stream=sse" and "monotonic_ns" in body["code"]
                output = [("output", {"stream": "stdout", "text": text()}) for text in texts]
                return events(("stage", {"stage": "run"}), *output, *([end] if end else []))
            return answer

        def age(ns):
            return lambda: str(time.monotonic_ns() - ns)

        done, found, _ = self.measure(stream(age(5_000_000), age(90_000_000)), "http_first_byte", "--runs", "20")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        sample = found["raw"]["http_first_byte"][0]
        self.assertEqual(20, sample["runs"])
        self.assertGreaterEqual(sample["min_us"], 5_000)
        self.assertLess(sample["p50_us"], 90_000)
        for name, answer, words in (
                ("not a time", stream(lambda: "hi"), "is not a time"),
                ("a time to come", stream(age(-60_000_000_000)), "is not a time"),
                ("no output", stream(), "no output came"),
                ("cut", stream(age(5_000_000), end=None), "a stream without a result (status 200)"),
                ("an exit code", stream(age(5_000_000), end=("result", {"status": "EXITED", "exit_code": 1})),
                 "a stream ended with {"),
                ("a refusal", lambda *_: (503, {}), "a stream without a result (status 503)")):
            with self.subTest(name):
                done, _, _ = self.measure(answer, "http_first_byte", "--runs", "20")
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)

    def test_a_server_that_goes_away_is_an_error(self):
        def leave(path, body):
            raise SystemExit  # the connection closes without an answer

        for row in ("http_low", "http_64"):
            with self.subTest(row):
                done, _, _ = self.measure(leave, row, "--window", "100")
                self.assertEqual(1, done.returncode)
                self.assertIn(f"row {row}: ", done.stderr)
        done, found, _ = self.measure(leave, "http_1024")
        self.assertEqual(1, done.returncode)
        self.assertEqual(1024, found["raw"]["http_1024"][0]["wrong"])
        self.assertIn("no answer: ", done.stdout)

    def test_what_needs_a_server_of_its_own_is_left_out_of_another(self):
        done, found, _ = self.measure(right_http, "http_low,http_idle", "--runs", "10")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual({"http_low"}, set(found["raw"]))
        reasons = {bar["name"]: bar["reason"] for bar in found["bars"]}
        self.assertIn("needs a server of the benchmark's own", reasons["http_memory_per_idle_connection"])


if __name__ == "__main__":
    unittest.main()
