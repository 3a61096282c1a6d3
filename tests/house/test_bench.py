"""The benchmark itself: that it measures what it says, and that it does not take a wrong answer for a run."""

import json
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

import hatchery_pb2 as pb
from lib.hatchery import HEADER, PLAIN
from lib.server import BUILD

BENCH = BUILD / "hatchery-bench"
GUARD = 300


def bench(*options):
    return subprocess.run([BENCH, "--quick", "--rounds", "1", *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=GUARD, check=False)


class FakeServer:
    """Answers every Execute with what answer(number of the request) makes, without running anything."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rb") as stream:
            while header := stream.read(HEADER.size):
                request = pb.ClientMessage.FromString(stream.read(HEADER.unpack(header)[1]))
                message = self.answer(request).SerializeToString()
                sock.sendall(HEADER.pack(PLAIN, len(message)) + message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def result(request, **fields):
    return pb.ServerMessage(id=request.id, result=pb.Result(**{"status": pb.Result.EXITED, "stdout": b"hi\n", **fields}))


class Bench(unittest.TestCase):
    def measure(self, answer, rows="hatchery_low"):
        with FakeServer(answer) as server, tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            done = bench("--addr", server.address, "--rows", rows, "--json", str(path))
            return done, json.loads(path.read_text()) if path.exists() else None

    def test_right_answers_are_a_success(self):
        done, found = self.measure(result, "hatchery_low,hatchery_1,hatchery_8")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("Wrong answers: 0\n", done.stdout)
        self.assertEqual({"hatchery_low", "hatchery_1", "hatchery_8"}, set(found["raw"]))
        low = found["raw"]["hatchery_low"][0]
        self.assertEqual(400, low["runs"])
        self.assertEqual(400, sum(count for _, count in low["histogram_ns"]))
        self.assertGreater(found["raw"]["hatchery_8"][0]["per_second"], 0)

    def test_every_kind_of_wrong_answer_is_counted_and_fails(self):
        def wrong(**fields):
            return lambda request: result(request, **(fields if request.id % 10 == 0 else {}))

        def refuse(request):
            error = pb.Error(code=pb.Error.RESOURCE_EXHAUSTED, message="too much")
            return pb.ServerMessage(id=request.id, error=error) if request.id % 10 == 0 else result(request)

        def renumber(request):
            answer = result(request)
            answer.id += 1000000 if request.id % 10 == 0 else 0
            return answer

        for name, answer, words in (("another output", wrong(stdout=b"ho\n"), "standard output"),
                                    ("output cut short", wrong(stdout=b"hi"), "standard output"),
                                    ("standard error", wrong(stderr=b"oh"), "of standard error"),
                                    ("an exit code", wrong(exit_code=1), "exit code 1"),
                                    ("a limit", wrong(status=pb.Result.TIME_LIMIT), "TIME_LIMIT"),
                                    ("a refusal", refuse, "RESOURCE_EXHAUSTED: too much"),
                                    ("another id", renumber, "is to request")):
            with self.subTest(name):
                done, found = self.measure(answer)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)
                self.assertNotIn("Wrong answers: 0\n", done.stdout)
                # A tenth of 400, and one more for the warm-up, which is said but not counted run by run.
                self.assertEqual(41, found["raw"]["hatchery_low"][0]["wrong"])
                self.assertEqual(360, found["raw"]["hatchery_low"][0]["runs"])

    def test_a_server_that_goes_away_is_an_error(self):
        def leave(request):
            if request.id == 100:
                raise SystemExit
            return result(request)

        done, _ = self.measure(leave)
        self.assertEqual(1, done.returncode)
        self.assertIn("closed the connection", done.stderr)

    def test_hatchery_and_the_bare_fork_are_measured_side_by_side(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            done = bench("--rows", "fork_low,hatchery_low,python_low,fork_full,hatchery_64", "--json", str(path))
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            found = json.loads(path.read_text())
        bars = {bar["name"]: bar for bar in found["bars"]}
        self.assertEqual({"throughput_vs_bare_fork", "low_load_p50_vs_bare_fork", "low_load_p99_vs_p50"}, set(bars))
        for bar in bars.values():
            above = bar["value"] >= bar["bar"] if bar["sense"] == "at_least" else bar["value"] <= bar["bar"]
            self.assertEqual(above, bar["holds"], bar)
        raw = {name: rounds[0] for name, rounds in found["raw"].items()}
        self.assertAlmostEqual(bars["throughput_vs_bare_fork"]["value"],
                               raw["hatchery_64"]["per_second"] / raw["fork_full"]["per_second"], places=5)
        self.assertEqual(1, found["rounds"])
        self.assertGreaterEqual(found["machine"]["cores"], 1)

    def test_a_command_line_that_makes_no_sense_is_refused(self):
        for options in (["--rounds", "0"], ["--rounds", "many"], ["--rows", "nonsense"], ["--rows", ""], ["surplus"],
                        ["--unknown"]):
            with self.subTest(" ".join(options)):
                done = bench(*options)
                self.assertEqual(2, done.returncode)
                self.assertIn("hatchery-bench: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
