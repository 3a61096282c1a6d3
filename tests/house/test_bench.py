"""The benchmark itself: it measures what it claims, and does not count a wrong answer as a run."""

import json
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import hatchery_pb2 as pb
from lib.benchmark import BENCH, GUARD, bench
from lib.hatchery import HEADER, PLAIN
from lib.server import IS_SANITIZED

LONG = "it measures, which takes minutes and wants a machine that does nothing else"

# The contract of bench/RESULTS.md, in its order.
BARS = ["throughput_vs_bare_fork", "p50_low_load_vs_bare_fork", "p99_over_p50_low_load", "throughput_vs_bubblewrap",
        "throughput_vs_crun", "throughput_256_warm_vs_16", "throughput_1024_connections_vs_16", "recycle_p50_half_load",
        "recycle_p99_half_load", "memory_per_warm_sandbox", "cpu_of_pool_and_supervisor", "output_vs_pipe_and_socket",
        "first_byte_p50", "http_p50_over_native", "http_throughput_vs_native", "http_snekbox_vs_native",
        "http_piston_vs_native", "http_sandboxfusion_vs_native", "http_new_connections_vs_kept", "http_first_byte_p50",
        "http_1024_connections_answered", "http_memory_per_idle_connection", "http_cpu_of_gateway",
        "http_p99_beside_upload"]
PEERS = {"throughput_vs_bubblewrap", "throughput_vs_crun"}
PERCENTILES = ("p50_us", "p90_us", "p99_us", "p999_us")
STALL_EVERY = 200
STALL = 0.1


class FakeServer:
    """Answers every Execute with the message or the messages that answer(request) returns. Runs no program."""

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
                answer = self.answer(request)
                for one in answer if isinstance(answer, list) else [answer]:
                    message = one.SerializeToString()
                    sock.sendall(HEADER.pack(PLAIN, len(message)) + message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def result(request, **fields):
    return pb.ServerMessage(id=request.id, result=pb.Result(**{"status": pb.Result.EXITED, "stdout": b"hi\n", **fields}))


def right(request):
    """Returns the right answer for one of the benchmark's own programs. The request shows which program it is."""
    run = request.execute
    if run.stdin:
        return result(request, stdout=run.stdin)
    if b"sleep(60)" in run.code:
        return result(request, status=pb.Result.TIME_LIMIT, stdout=b"so far\n")
    if b"SIGSEGV" in run.code:
        return result(request, status=pb.Result.SIGNALED, signal=11, stdout=b"so far\n")
    if b"sys.stdout.buffer" in run.code:
        return result(request, stdout=b"".join(bytes((i & 255, i >> 8)) * 512 for i in range(1024)))
    return result(request)


def every_tenth(answer, **fields):
    """Returns a function like answer, but every tenth result has these values in its fields."""
    def spoil(request):
        message = answer(request)
        if request.id % 10 == 0:
            for name, value in fields.items():
                setattr(message.result, name, value)
        return message
    return spoil


class Bench(unittest.TestCase):
    def measure(self, answer, rows="hatchery_low", *options):
        with FakeServer(answer) as server, tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            done = bench("--addr", server.address, "--rows", rows, "--json", str(path), *options)
            return done, json.loads(path.read_text()) if path.exists() else None

    def check_spread(self, spread):
        self.assertEqual({"median", "least", "most"}, set(spread))
        self.assertLessEqual(spread["least"], spread["median"])
        self.assertLessEqual(spread["median"], spread["most"])

    def check_bars(self, found, unmeasured):
        self.assertEqual(BARS, [bar["name"] for bar in found["bars"]])
        for bar in found["bars"]:
            with self.subTest(bar["name"]):
                self.assertEqual({"name", "title", "unit", "sense", "bar", "reach", "value", "least", "most", "holds",
                                  "reason"}, set(bar))
                self.assertIn(bar["sense"], ("at_least", "at_most"))
                if bar["name"] in unmeasured:
                    self.assertEqual([None] * 4, [bar[key] for key in ("value", "least", "most", "holds")])
                    self.assertTrue(bar["reason"])
                    continue
                self.assertIsNone(bar["reason"])
                if bar["name"] != "http_p50_over_native":  # a difference: on a busy machine it may be negative
                    self.assertGreater(bar["value"], 0)
                self.check_spread({"median": bar["value"], "least": bar["least"], "most": bar["most"]})
                above = bar["value"] >= bar["bar"] if bar["sense"] == "at_least" else bar["value"] <= bar["bar"]
                self.assertIs(above, bar["holds"])

    def check_sample(self, sample):
        self.assertEqual(sample["runs"], sum(count for _, count in sample["histogram_ns"]))
        self.assertEqual(sorted(sample["histogram_ns"]), sample["histogram_ns"])
        quantiles = [sample[key] for key in ("min_us", *PERCENTILES, "max_us")]
        self.assertEqual(sorted(quantiles), quantiles)
        self.assertEqual(0, sample["wrong"])
        for key in ("runs_with_warm_up", "seconds", "per_second", "mean_us", "client_cpu_us_per_run", "server_cpu",
                    "memory", "recycle", "idle", "offered_per_second"):
            self.assertIn(key, sample)

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
                # A tenth of 400 answers is wrong. One more stands for the warm-up, whose wrong
                # answers are reported but not counted one by one.
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

    def test_each_program_has_its_own_right_answer(self):
        rows = "hatchery_echo,hatchery_crash,hatchery_timeouts,hatchery_megabyte"
        done, found = self.measure(right, rows, "--window", "200")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for row in rows.split(","):
            self.assertGreater(found["raw"][row][0]["runs"], 0)
        self.assertEqual(0, found["compute_steps"])

        other = b"x" * (64 << 10)
        for row, fields, words in (("hatchery_echo", {"stdout": other}, "standard output"),
                                   ("hatchery_echo", {"stdout": other[:-1]}, "standard output"),
                                   ("hatchery_crash", {"status": pb.Result.EXITED}, "ended as EXITED"),
                                   ("hatchery_crash", {"signal": 6}, "signal 6"),
                                   ("hatchery_timeouts", {"status": pb.Result.CPU_LIMIT}, "ended as CPU_LIMIT"),
                                   ("hatchery_megabyte", {"stdout": bytes(1 << 20)}, "standard output"),
                                   ("hatchery_half", {"stdout": b"ho\n"}, "standard output")):
            with self.subTest(f"{row}: {words}"):
                done, found = self.measure(every_tenth(right, **fields), row, "--window", "200")
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)
                self.assertGreater(found["raw"][row][0]["wrong"], 0)

    def test_the_first_byte_is_as_old_as_it_says(self):
        def answer(*texts):
            return lambda request: [*(pb.ServerMessage(id=request.id, output=pb.Output(bytes=text(), offset=8 * i))
                                      for i, text in enumerate(texts)), result(request, stdout=b"")]

        def age(ns):
            return lambda: str(time.monotonic_ns() - ns).encode()

        done, found = self.measure(answer(age(5_000_000), age(90_000_000)), "hatchery_first_byte", "--runs", "20")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        sample = found["raw"]["hatchery_first_byte"][0]
        self.assertEqual(20, sample["runs"])
        self.assertGreaterEqual(sample["min_us"], 5_000)
        self.assertLess(sample["p50_us"], 90_000)
        for name, texts, words in (("not a time", [lambda: b"hi"], "is not a time"),
                                   ("a time to come", [age(-60_000_000_000)], "is not a time"),
                                   ("no output", [], "no output came")):
            with self.subTest(name):
                done, found = self.measure(answer(*texts), "hatchery_first_byte", "--runs", "20")
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                self.assertIn(words, done.stdout)
                self.assertEqual(21, found["raw"]["hatchery_first_byte"][0]["wrong"])

    def test_a_run_without_a_time_out_is_no_time_out(self):
        def finish(request):
            return result(request, stdout=b"so far\n" if b"sleep(60)" in request.execute.code else b"hi\n")

        done, found = self.measure(finish, "hatchery_timeouts", "--window", "200")
        self.assertEqual(1, done.returncode)
        sample = found["raw"]["hatchery_timeouts"][0]
        self.assertEqual(sample["runs_with_warm_up"] // 8, sample["wrong"])

    def test_an_open_loop_does_not_leave_out_those_who_had_to_wait(self):
        """When a server stalls, an open loop counts the delay of all requests that were due meanwhile"""
        turn = threading.Lock()
        served = 0

        def stall(request):
            nonlocal served
            with turn:
                served += 1
                if served % STALL_EVERY == 0:
                    time.sleep(STALL)
            return result(request)

        done, found = self.measure(stall, "hatchery_half", "--window", "1000")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        half = found["raw"]["hatchery_half"][0]
        full = found["raw"]["hatchery_64"][0]  # not asked for, but measured, because hatchery_half needs it
        self.assertAlmostEqual(full["per_second"] / 2, half["offered_per_second"], places=3)
        self.assertAlmostEqual(half["offered_per_second"] * half["seconds"], half["runs"], delta=2)
        late = sum(count for start, count in half["histogram_ns"] if start >= STALL / 2 * 1e9)
        # The number of requests that were due in the first half of a stall. Only half of them must
        # be late, because the window may begin or end in a stall.
        due = STALL / 2 * half["offered_per_second"] * (half["runs"] // STALL_EVERY)
        self.assertGreaterEqual(late, due / 2)

    def test_half_load_is_taken_of_the_same_round_whichever_way_it_goes(self):
        done, _ = self.measure(result, "hatchery_64,hatchery_half,hatchery_8", "--rounds", "2", "--window", "100")
        self.assertEqual(0, done.returncode, done.stderr)
        rows = re.findall(r"^round \d of 2 +(\w+)", done.stderr, re.MULTILINE)
        self.assertEqual(["hatchery_64", "hatchery_half", "hatchery_8", "hatchery_8", "hatchery_64", "hatchery_half"], rows)

    def test_what_is_not_measured_has_no_value_and_a_reason(self):
        done, found = self.measure(result, "hatchery_half,hatchery_warm_16", "--window", "100")
        self.assertEqual(0, done.returncode, done.stderr)
        self.check_bars(found, set(BARS))
        reasons = {bar["name"]: bar["reason"] for bar in found["bars"]}
        self.assertIn("does not report its status", reasons["recycle_p50_half_load"])
        self.assertIn("not among --rows", reasons["throughput_256_warm_vs_16"])
        self.assertIn("not the benchmark's own", reasons["cpu_of_pool_and_supervisor"])
        self.assertNotIn("hatchery_warm_16", found["raw"])

    @unittest.skipIf(IS_SANITIZED, "with 256 sanitized interpreters kept warm it takes longer than any guard; the tests "
                                   "above have its parts")
    def test_all_of_it_is_measured_and_told_as_the_results_page_says(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            done = subprocess.run([BENCH, "--rounds", "1", "--window", "150", "--runs", "20", "--sweep", "--http", "--json", path],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GUARD, check=False)
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)
            found = json.loads(path.read_text())
        self.assertEqual({"schema", "machine", "rounds", "compute_steps", "bars", "ratios", "rows", "sweep", "stages",
                          "raw"}, set(found))
        self.assertEqual((2, 1), (found["schema"], found["rounds"]))
        self.assertEqual({"cores", "cpu", "memory_mib", "kernel", "load_before"}, set(found["machine"]))
        self.assertGreaterEqual(found["machine"]["cores"], 1)
        self.assertGreater(found["compute_steps"], 0)
        self.check_bars(found, PEERS)
        self.check_rows(found)
        self.assertEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 1024], [point["connections"] for point in found["sweep"]])

        self.assertEqual(["queue", "dispatch", "run", "drain", "collect", "teardown", "refill", "compile"],
                         [stage["name"] for stage in found["stages"]])

        raw = {name: rounds[0] for name, rounds in found["raw"].items()}
        bars = {bar["name"]: bar["value"] for bar in found["bars"]}
        self.assertAlmostEqual(bars["throughput_vs_bare_fork"],
                               raw["hatchery_64"]["per_second"] / raw["fork_full"]["per_second"], places=5)
        self.assertAlmostEqual(bars["recycle_p99_half_load"], raw["hatchery_half"]["recycle"]["p99_us"] / 1000, places=5)
        more = raw["hatchery_warm_256"]["memory"]["bytes"] - raw["hatchery_warm_16"]["memory"]["bytes"]
        self.assertAlmostEqual(bars["memory_per_warm_sandbox"], more / 240 / 2**20, places=5)
        stream = raw["hatchery_flood"]["stream"]
        self.assertEqual((64, 0, 64 * 15_000_000), (stream["streams"], stream["lost"], stream["bytes"]))
        self.assertLess(0, stream["slowest"])
        self.assertLessEqual(stream["slowest"], stream["fastest"])
        cpu = raw["hatchery_64"]["server_cpu"]
        self.assertAlmostEqual(bars["cpu_of_pool_and_supervisor"],
                               (cpu["pool_seconds"] + cpu["supervisor_seconds"]) / cpu["seconds"], places=5)
        self.assertGreaterEqual(cpu["runs"], raw["hatchery_64"]["runs"])
        cpu = raw["http_64"]["server_cpu"]
        self.assertAlmostEqual(bars["http_cpu_of_gateway"], cpu["gateway_seconds"] / cpu["seconds"], places=5)
        self.assertAlmostEqual(bars["http_p50_over_native"],
                               (raw["http_low"]["p50_us"] - raw["hatchery_low"]["p50_us"]) / 1000, places=5)
        idle = raw["http_idle"]["idle"]
        self.assertEqual(10000, idle["connections"])
        self.assertAlmostEqual(bars["http_memory_per_idle_connection"],
                               (idle["gateway_after"] - idle["gateway_before"]) / 10000 / 1024, places=5)

    def check_rows(self, found):
        rows = {row["name"]: row for row in found["rows"]}
        self.assertEqual(set(found["raw"]), set(rows))
        self.assertEqual({"fork", "relay", "cold", "hatchery", "http"}, {row["kind"] for row in found["rows"]})
        self.assertEqual({"hello", "compute", "echo", "crash", "real", "timeouts", "megabyte", "clock", "flood"},
                         {row["program"] for row in found["rows"]})
        for row in found["rows"]:
            with self.subTest(row["name"]):
                self.assertEqual(row["load"] in ("paced", "first"), row["per_second"] is None)
                for key in ("per_second", *PERCENTILES):
                    if row[key] is not None:
                        self.check_spread(row[key])
                for sample in found["raw"][row["name"]]:
                    self.check_sample(sample)

    def test_nothing_is_left_behind(self):
        def left():
            return {*Path("/sys/fs/cgroup").rglob("hatchery-bench-*"), *Path("/tmp").glob("hatchery-bench-*")}

        before = left()
        done = bench("--rows", "fork_full,fork_megabyte,hatchery_warm_16", "--window", "100")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        end = time.monotonic() + GUARD  # cgroups of another benchmark disappear by then; leftovers of this one do not
        while left() - before and time.monotonic() < end:
            time.sleep(0.5)
        self.assertEqual(set(), left() - before)

    def test_a_command_line_that_makes_no_sense_is_refused(self):
        for options in (["--rounds", "0"], ["--rounds", "many"], ["--rows", "nonsense"], ["--rows", ""], ["surplus"],
                        ["--unknown"], ["--http=127.0.0.1:8060"], ["--window", "0"], ["--runs", "-1"]):
            with self.subTest(" ".join(options)):
                done = bench(*options)
                self.assertEqual(2, done.returncode)
                self.assertIn("hatchery-bench: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
