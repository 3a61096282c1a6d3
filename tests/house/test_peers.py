"""The peers of the benchmark: each peer gets the right requests, and its answers must have the text of Hatchery's.

Fakes replace the servers and the programs that Debian does not have. A fake checks requests by the documented contract,
and answers rightly or wrongly. None of these tests was run with the real servers and programs.
"""

import json
import os
import shutil
import stat
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lib.server import BUILD

LONG = "it starts the benchmark some fifty times, and only bench/ can change what it sees"

BENCH = BUILD / "hatchery-bench"
GUARD = 300
RUNS = 20
WARM_UP = 5
CODE = "print('hi')"
PYTHON = ["/usr/bin/python3", "-I", "-c", CODE]


def bench(folder, *options, rows):
    path = Path(folder, "bench.json")
    done = subprocess.run([BENCH, "--quick", "--rounds", "1", "--runs", str(RUNS), "--window", "1500", "--rows", rows,
                           "--json", path, *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GUARD, check=False,
                          env={**os.environ, "http_proxy": "http://127.0.0.1:1"})
    return done, json.loads(path.read_text()) if path.exists() else None


# ---------------------------------------------------------------- servers


class Contract(Exception):
    """The request breaks the contract."""


def need(condition, sentence):
    if not condition:
        raise Contract(sentence)


def snekbox(path, body):
    need(path == "/eval", path)
    need(set(body) == {"input"}, body)
    return body["input"], lambda out, code: {"stdout": out, "returncode": code, "files": []}


def piston(path, body):
    need(path == "/api/v2/execute", path)
    need(isinstance(body["language"], str) and isinstance(body["version"], str), body)
    need(body["language"] == "python" and len(body["files"]) == 1, body)
    need(set(body) <= {"language", "version", "files", "stdin", "args"}, body)
    return body["files"][0]["content"], lambda out, code: {
        "language": "python", "version": "3.12.0",
        "run": {"stdout": out, "stderr": "", "output": out, "code": code, "signal": None}}


def go_judge(path, body):
    need(path == "/run", path)
    need(set(body) == {"cmd"} and len(body["cmd"]) == 1, body)
    cmd = body["cmd"][0]
    need(cmd["args"][:-1] == PYTHON[:-1], cmd)
    need(cmd["files"][0] == {"content": ""} and [f["name"] for f in cmd["files"][1:]] == ["stdout", "stderr"], cmd)
    need(all(isinstance(f["max"], int) for f in cmd["files"][1:]), cmd)
    need(all(isinstance(e, str) and "=" in e for e in cmd["env"]), cmd)
    need(all(cmd[limit] > 0 for limit in ("cpuLimit", "clockLimit", "memoryLimit", "procLimit")), cmd)
    need(cmd["cpuLimit"] >= 10 ** 9 and cmd["memoryLimit"] >= 2 ** 24, "nanoseconds, bytes")
    return cmd["args"][-1], lambda out, code: [
        {"status": "Accepted" if code == 0 else "Nonzero Exit Status", "exitStatus": code, "time": 9000000,
         "memory": 8000000, "runTime": 10000000, "files": {"stdout": out, "stderr": ""}}]


SERVERS = {"snekbox": snekbox, "piston": piston, "go-judge": go_judge}


class FakeServer:
    """A server that keeps to a contract. wrong(number of the request, right answer) returns the answer to send."""

    def __init__(self, contract, wrong=lambda number, answer: answer):
        fake = self
        self.refused = []
        self.requests = 0
        self.lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                with fake.lock:
                    fake.requests += 1
                    number = fake.requests
                status, answer = fake.answer(self, contract)
                if status == 200:
                    answer = wrong(number, answer)
                    status, answer = answer if isinstance(answer, tuple) else (200, answer)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler, contract):
        try:
            need(handler.headers["Content-Type"] == "application/json", handler.headers)
            body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            code, shape = contract(handler.path, body)
            need(code == CODE, code)
        except (Contract, LookupError, TypeError, ValueError) as error:
            self.refused.append(repr(error))
            return 400, {"message": repr(error)}
        return 200, shape("hi\n", 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def changed(answer, *path, to):
    """Returns a copy of the answer with one field changed."""
    answer = json.loads(json.dumps(answer))
    at = answer
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return answer


WRONG = {
    "snekbox": {"another output": (("stdout",), "ho\n"), "an exit code": (("returncode",), 1),
                "no exit code": (("returncode",), None), "no text": (("stdout",), 5)},
    "piston": {"another output": (("run", "stdout"), "hi"), "an exit code": (("run", "code"), 1),
               "a signal": (("run", "signal"), "SIGKILL"), "standard error": (("run", "stderr"), "oh"),
               "no run": (("run",), None)},
    "go-judge": {"another output": ((0, "files", "stdout"), "hi\nhi\n"), "an exit code": ((0, "exitStatus"), 1),
                 "another status": ((0, "status"), "Time Limit Exceeded"),
                 "standard error": ((0, "files", "stderr"), "oh")},
}
WRONG_FOR_ALL = {"a refusal": (503, {"message": "busy"}), "not JSON": b"hi\n", "nothing": b"", "another shape": [[]]}


class Servers(unittest.TestCase):
    def measure(self, name, rows, wrong=lambda number, answer: answer):
        with FakeServer(SERVERS[name], wrong) as server, tempfile.TemporaryDirectory() as folder:
            done, found = bench(folder, "--peer", f"{name}={server.url}/", rows=rows)
            return done, found, server

    def test_each_is_asked_by_its_contract_and_its_right_answers_count(self):
        for name in SERVERS:
            with self.subTest(name):
                row = name.replace("-", "_")
                done, found, server = self.measure(name, f"{row}_low,{row}_full")
                self.assertEqual([], server.refused)
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                for row_name in (f"{row}_low", f"{row}_full"):
                    sample = found["raw"][row_name][0]
                    self.assertEqual(0, sample["wrong"])
                    self.assertGreater(sample["runs"], 0)
                    self.assertGreater(sample["p50_us"], 0)
                # Every counted run was a request: none is invented.
                self.assertEqual(server.requests - WARM_UP, sum(found["raw"][f"{row}_{load}"][0]["runs_with_warm_up"]
                                                          for load in ("low", "full")))

    def test_every_kind_of_wrong_answer_is_counted_and_fails(self):
        for name, kinds in WRONG.items():
            wrongs = {kind: lambda answer, change=change: changed(answer, *change[0], to=change[1])
                      for kind, change in kinds.items()}
            wrongs |= {kind: lambda answer, other=other: other for kind, other in WRONG_FOR_ALL.items()}
            for kind, wrong in wrongs.items():
                with self.subTest(f"{name}: {kind}"):
                    row = f"{name.replace('-', '_')}_low"
                    done, found, _ = self.measure(
                        name, row, lambda number, answer, wrong=wrong: wrong(answer) if number % 10 == 0 else answer)
                    self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                    sample = found["raw"][row][0]
                    self.assertEqual((RUNS // 10, RUNS - RUNS // 10), (sample["wrong"], sample["runs"]), sample)
                    self.assertIn(f"{name}: ", sample["first_wrong"])

    def test_a_server_that_is_not_there_is_an_error_that_names_it(self):
        with tempfile.TemporaryDirectory() as folder:
            done, _ = bench(folder, "--peer", "snekbox=http://127.0.0.1:1", rows="snekbox_low")
        self.assertEqual(1, done.returncode)
        self.assertIn("snekbox: ", done.stderr)
        self.assertIn("onnect", done.stderr)


# ---------------------------------------------------------------- programs

# Plays nsjail and isolate: records its arguments, and then runs the command after "--".
FAKE = """#!/usr/bin/python3 -I
import json, os, sys
log = {log!r}
with open(log, "a") as f:
    f.write(json.dumps(sys.argv[1:]) + "\\n")
args = sys.argv[1:]
if {says!r}:
    os.write({says_to}, {says!r}.encode())
if "--" in args:
    command = args[args.index("--") + 1:]
    os.execv(command[0], command)
"""


def fake_program(folder, name, says="", says_to=2):
    path, log = Path(folder, name), Path(folder, name + ".log")
    path.write_text(FAKE.format(log=str(log), says=says, says_to=says_to))
    path.chmod(0o755)
    return path, lambda: [json.loads(line) for line in log.read_text().splitlines()]


def pairs(argv, option):
    return [argv[i + 1] for i, word in enumerate(argv) if word == option]


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def measure(self, name, row, **fake):
        path, calls = fake_program(self.folder, name, **fake)
        done, found = bench(self.folder, "--peer", f"{name}={path}", rows=row)
        return done, found, calls()

    def right(self, name, row, **fake):
        done, found, calls = self.measure(name, row, **fake)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(0, found["raw"][row][0]["wrong"])
        self.assertGreater(found["raw"][row][0]["runs"], 0)
        return calls

    def test_nsjail_is_told_to_put_a_wall_around_the_same_program(self):
        for argv in self.right("nsjail", "nsjail_low"):
            at = argv.index("--")
            self.assertEqual(PYTHON, argv[at + 1:])
            options = argv[:at]
            self.assertEqual(["o"], pairs(options, "--mode"))
            # User nobody inside and outside. Without the second number, the user outside would be
            # root.
            self.assertEqual(["65534:65534"], pairs(options, "--user"))
            self.assertEqual(["65534:65534"], pairs(options, "--group"))
            self.assertEqual(["/tmp"], pairs(options, "--tmpfsmount"))
            self.assertIn("/usr", pairs(options, "--bindmount_ro"))
            self.assertLessEqual(set(pairs(options, "--bindmount_ro")),
                                 {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/dev/null",
                                  "/dev/urandom"})
            for word in options:
                self.assertNotRegex(word, "^--(bindmount|rw|keep_caps|keep_env|disable_.*)$")

    def test_isolate_goes_its_full_cycle_in_a_box_of_each_lane(self):
        for row in ("isolate_low", "isolate_full"):
            boxes = {}
            for argv in self.right("isolate", row):
                box, = [word for word in argv if word.startswith("--box-id=")]
                boxes.setdefault(box, []).append(argv)
            self.assertLessEqual(len(boxes), os.cpu_count())
            for calls in boxes.values():
                self.assertEqual(0, len(calls) % 3)
                for init, run, cleanup in zip(calls[::3], calls[1::3], calls[2::3]):
                    self.assertEqual(["--init"], init[1:])
                    self.assertEqual(["--cleanup"], cleanup[1:])
                    self.assertEqual(PYTHON, run[run.index("--run") + 2:])
            Path(self.folder, "isolate.log").unlink()

    def test_bubblewrap_is_told_its_usual_safe_form(self):
        for argv in self.right("bubblewrap", "bubblewrap_low"):
            at = argv.index("--")
            self.assertEqual(PYTHON, argv[at + 1:])
            for word in ("--unshare-all", "--die-with-parent", "--new-session", "--clearenv"):
                self.assertIn(word, argv[:at])
            self.assertEqual((["65534"], ["65534"], ["ALL"]),
                             (pairs(argv, "--uid"), pairs(argv, "--gid"), pairs(argv, "--cap-drop")))
            self.assertEqual((["/proc"], ["/dev"], ["/tmp"]),
                             (pairs(argv, "--proc"), pairs(argv, "--dev"), pairs(argv, "--tmpfs")))
            self.assertIn("/usr", pairs(argv, "--ro-bind"))
            self.assertNotIn("--bind", argv)

    def test_crun_is_given_a_bundle_with_the_usual_walls_which_is_gone_afterwards(self):
        path = Path(self.folder, "crun")
        kept = Path(self.folder, "config.json")
        path.write_text(f"""#!/usr/bin/python3 -I
import json, os, shutil, sys
args = sys.argv[1:]
assert args[0] == "--root" and args[2:4] == ["run", "--bundle"] and len(args) == 6, args
config = json.load(open(args[4] + "/config.json"))
if not os.path.exists({str(kept)!r}):
    shutil.copy(args[4] + "/config.json", {str(kept)!r})
    config["bundle"] = args[4]
    config["entries"] = sorted(os.listdir(args[4] + "/rootfs"))
    json.dump(config, open({str(kept)!r}, "w"))
os.execve(config["process"]["args"][0], config["process"]["args"], {{}})
""")
        path.chmod(0o755)
        done, found = bench(self.folder, "--peer", f"crun={path}", rows="crun_low")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(RUNS, found["raw"]["crun_low"][0]["runs"])
        config = json.loads(kept.read_text())
        self.assertFalse(Path(config["bundle"]).exists())
        self.assertEqual(PYTHON, config["process"]["args"])
        self.assertEqual({"uid": 65534, "gid": 65534}, config["process"]["user"])
        self.assertTrue(config["process"]["noNewPrivileges"])
        self.assertEqual({name: [] for name in ("bounding", "effective", "inheritable", "permitted", "ambient")},
                         config["process"]["capabilities"])
        self.assertTrue(config["root"]["readonly"])
        self.assertEqual({"pid", "network", "ipc", "uts", "mount", "cgroup"},
                         {n["type"] for n in config["linux"]["namespaces"]})
        self.assertIn("/proc/kcore", config["linux"]["maskedPaths"])
        self.assertIn("/proc/sys", config["linux"]["readonlyPaths"])
        self.assertGreater(config["linux"]["resources"]["memory"]["limit"], 0)
        for mount in config["mounts"]:
            if mount["type"] == "bind":
                self.assertIn("ro", mount["options"])
        self.assertLessEqual({"usr", "proc", "dev", "sys", "tmp"}, set(config["entries"]))

    def test_a_program_that_says_something_else_is_wrong(self):
        for kind, fake in (("another output", {"says": "ho\n", "says_to": 1}), ("standard error", {"says": "oh\n"})):
            with self.subTest(kind):
                done, found, _ = self.measure("nsjail", "nsjail_low", **fake)
                self.assertEqual(1, done.returncode, done.stdout + done.stderr)
                sample = found["raw"]["nsjail_low"][0]
                self.assertEqual((RUNS, 0), (sample["wrong"] - 1, sample["runs"]), sample)

    def test_a_program_that_fails_is_wrong_and_its_words_are_told(self):
        path = Path(self.folder, "nsjail")
        path.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 3\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        done, found = bench(self.folder, "--peer", f"nsjail={path}", rows="nsjail_low")
        self.assertEqual(1, done.returncode)
        self.assertIn("no such luck", found["raw"]["nsjail_low"][0]["first_wrong"])

    def test_the_packaged_ones_run_the_same_program_for_real(self):
        for name, program in (("bubblewrap", "bwrap"), ("crun", "crun")):
            with self.subTest(name):
                if not shutil.which(program):
                    self.skipTest(f"{name} is not installed; ./dev bench --peers installs it")
                done, found = bench(self.folder, "--peer", name, rows=f"{name}_low,{name}_full")
                self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                for row in (f"{name}_low", f"{name}_full"):
                    self.assertGreater(found["raw"][row][0]["runs"], 0)
        self.assertEqual([], list(Path("/run").glob("hatchery-bench-*")))


class CommandLine(unittest.TestCase):
    def test_what_makes_no_sense_is_refused(self):
        for option in ("podman", "nsjail", "snekbox", "nsjail=bin/nsjail", "snekbox=127.0.0.1:8060", "piston=",
                       "go-judge=ftp://127.0.0.1"):
            with self.subTest(option):
                done = subprocess.run([BENCH, "--peer", option], stdin=subprocess.DEVNULL, capture_output=True,
                                      text=True, timeout=GUARD, check=False)
                self.assertEqual(2, done.returncode)
                self.assertIn("--peer", done.stderr)

    def test_a_row_of_a_peer_that_was_not_named_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            done, _ = bench(folder, rows="snekbox_low")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("--peer", done.stderr)


if __name__ == "__main__":
    unittest.main()
