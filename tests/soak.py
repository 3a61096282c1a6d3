#!/usr/bin/python3
"""The soak makes thousands of mixed runs on one server: good, hostile, killed, cancelled and abandoned runs. A table
compares the host's resources before and after the runs. A row is flat if it has grown by no more than it allows.

`./dev soak` runs it and prints the table; tests/wire/test_soak.py runs a small one.
"""

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

WARM, RUNNING = 4, 16
CONFIG = f"language python {{ warm = {WARM} running = {RUNNING} }}\n"
CLIENTS = 8
RUNS_PER_CONNECTION = 40
WARM_UP = 200  # runs before the first look, so that things that are made once exist
SETTLE = 60  # seconds after the last run; by then everything has to be as before
SILENCE = 120  # seconds; a hang guard for every answer

FORK_BOMB = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
MEMORY_HOG = "kept = []\nwhile True: kept.append(bytearray(b'x') * (8 << 20))"
DISK_FILLER = "n = 0\nwhile True:\n    open(str(n), 'wb').write(b'x' * (1 << 20)); n += 1"
MANY_FILES = "import os\nfor n in range(1000):\n    os.makedirs(f'd{n % 50}', exist_ok=True); open(f'd{n % 50}/{n}', 'w').close()"
OUTPUT_FLOOD = "while True: print('x' * 5000)"
DAEMONS = ("import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n"
           "        if os.fork() == 0: time.sleep(1000)\n        os._exit(0)\nprint('left')")
THREADS = "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\nprint(1)"
SLEEP = "import time; time.sleep(1000)"

# Time limits for runs that must reach another limit first, on a slow machine, too.
PATIENT = {"wall_us": 50_000_000, "cpu_us": 50_000_000}


class Kind:
    """One kind of run: a program, its frequency, and a check of its result."""

    def __init__(self, name, weight, code, right, **arguments):
        self.name, self.weight, self.code, self.right, self.arguments = name, weight, code, right, arguments


def kinds(Status):
    def status(*names):
        return lambda result: Status.Name(result.status) in names

    def prints(text):
        return lambda result: (result.stdout, result.exit_code, result.signal) == (text, 0, 0)
    return [
        Kind("good", 50, "print(sum(range(1000)))", prints(b"499500\n")),
        Kind("good, with input and files", 10, "open('out', 'w').write(input()); print(open('in').read())",
             lambda r: r.stdout == b"there\n" and [f.content for f in r.files] == [b"here"],
             stdin=b"here\n", files={"in": "there"}, collect=["out"]),
        Kind("failing", 5, "1/0", lambda r: r.exit_code == 1),
        Kind("crashing", 3, "import os; os.abort()", lambda r: r.signal == 6),
        Kind("fork bomb", 3, FORK_BOMB, status("TIME_LIMIT", "SIGNALED", "EXITED"), limits={"wall_us": 150_000}),
        Kind("memory hog", 4, MEMORY_HOG, status("MEMORY_LIMIT"), limits={"memory_bytes": 64 << 20, **PATIENT}),
        Kind("disk filler", 4, DISK_FILLER, status("DISK_LIMIT"), limits={"disk_bytes": 8 << 20, **PATIENT}),
        Kind("many files", 2, MANY_FILES, status("EXITED"), limits=PATIENT),
        Kind("output flood", 4, OUTPUT_FLOOD, status("OUTPUT_LIMIT"), limits={"output_bytes": 100_000, **PATIENT}),
        Kind("daemons", 5, DAEMONS, prints(b"left\n")),
        Kind("threads", 2, THREADS, prints(b"1\n"), limits=PATIENT),
        Kind("killed", 2, SLEEP, status("TIME_LIMIT"), limits={"wall_us": 50_000}),
        Kind("cancelled", 3, SLEEP, status("CANCELLED")),
        Kind("abandoned", 3, SLEEP, None),
    ]


class Client(threading.Thread):
    """Makes runs until the clients' common counter of runs has reached 0."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak = soak
        self.random = random.Random(number)
        self.problems = []

    def run(self):
        try:
            while not self.problems and self.connection():
                pass
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(repr(error))

    def connection(self):
        with self.soak.server.connect(timeout=SILENCE) as client:
            for _ in range(RUNS_PER_CONNECTION):
                if not self.soak.take():
                    return False
                kind = self.random.choices(self.soak.kinds, [kind.weight for kind in self.soak.kinds])[0]
                self.soak.count(kind)
                if not self.one(client, kind):
                    return True
        return True

    def one(self, client, kind):
        """Makes one run. Returns False if the connection must not be used again."""
        request = client.send_execute(kind.code, **kind.arguments)
        if kind.name in ("cancelled", "abandoned"):
            time.sleep(self.random.choice((0, 0.005, 0.03)))
        if kind.name == "abandoned":
            return False
        if kind.name == "cancelled":
            client.cancel(request)
        answer = client.wait(request)
        if answer.WhichOneof("answer") == "error":
            if kind.name != "cancelled" or "cancelled" not in answer.error.message:
                self.problems.append(f"{kind.name}: {answer.error.message}")
        elif not kind.right(answer.result):
            self.problems.append(f"{kind.name}: {str(answer.result)[:600]}")
        return True


class Row:
    """One line of the table. allowed: how much it may grow, or None if it is shown and not judged."""

    def __init__(self, name, value, allowed, unit=""):
        self.name, self.value, self.allowed, self.unit = name, value, allowed, unit


def memory_of(processes, host):
    """The resident memory (RSS) and the proportional memory (PSS) of all processes together, in KiB."""
    rss = pss = 0
    for process in processes:
        rss += process.rss_bytes() >> 10
        for line in host.read(f"/proc/{process.pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1])
    return rss, pss


class Soak:
    def __init__(self, server, runs, Status, host, run_dir_entries):
        self.server, self.runs = server, runs
        self.host, self.run_dir_entries = host, run_dir_entries
        self.kinds = kinds(Status)
        self.lock = threading.Lock()
        self.left = 0
        self.counted = Counter()
        self.seconds = 0.0

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def count(self, kind):
        with self.lock:
            self.counted[kind.name] += 1

    def load(self, runs):
        self.left = runs
        clients = [Client(self, number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        problems = [problem for client in clients for problem in client.problems]
        if problems:
            raise AssertionError(f"{len(problems)} runs went wrong, such as: {problems[:3]}")

    def inits(self):
        return [process for process in self.server.processes() if process.name == "hatchery-init"]

    def fill(self):
        """Makes as many runs at once as possible, so that every slot is made. On a slow machine they last longer."""
        for tenths in (3, 10, 30, 50):
            with self.server.connect(timeout=SILENCE) as client:
                ids = [client.send_execute(f"import time; time.sleep({tenths / 10})") for _ in range(2 * RUNNING)]
                for request in ids:
                    client.result(request)
            if len(self.inits()) >= WARM + RUNNING:
                return

    def look(self, sanitized):
        """The host's resources now, as rows."""
        self.server.wait_idle()
        processes = self.server.processes()
        parts = {"supervisor": [self.host.Process(self.server.process.pid)], "pool": [self.server.pool_process()],
                 "zygotes": self.server.zygote_processes(),
                 "inits": self.inits()}
        with self.server.connect() as client:
            languages = client.status().languages
        rows = [Row("mounts of the host", len(self.host.mounts()), 0), Row("cgroups", len(self.server.cgroup_directories()), 0),
                Row("processes", len(processes), 0),
                Row("zombies", sum(process.state == "Z" for process in processes), 0),
                Row("entries of /run/hatchery", len(self.run_dir_entries()), None),
                Row("runs and sandboxes that failed", sum(row.failures for row in languages), 0),
                Row("slots discarded", sum(row.discarded for row in languages), 0)]
        for name, members in parts.items():
            rss, pss = memory_of(members, self.host)
            # Allocators keep a little more after a long time than after a short one; a sanitizer
            # keeps freed memory for a while.
            allowed = max(2048, rss // 10) * (8 if sanitized else 1)
            rows += [Row(f"{name}: processes", len(members), 0),
                     Row(f"{name}: descriptors", sum(process.descriptors() for process in members), 0),
                     Row(f"{name}: resident memory", rss, allowed, "KiB"),
                     Row(f"{name}: proportional memory", pss, None, "KiB")]
        slab = next(int(line.split()[1]) for line in self.host.read("/proc/meminfo").splitlines() if line.startswith("Slab:"))
        groups = sum(int(line.split()[2]) for line in self.host.read("/proc/cgroups").splitlines()[1:])
        return rows + [Row("the host's slab", slab, None, "KiB"), Row("the host's cgroups, dying ones too", groups, None)]

    def grown(self, before, after):
        return [new.name for old, new in zip(before, after)
                if old.allowed is not None and new.value > old.value + old.allowed]

    def go(self, sanitized=False):
        """Warms up, looks, runs, looks again; returns the table, and the names of what has grown."""
        self.load(min(WARM_UP, self.runs))
        self.fill()
        before = self.look(sanitized)
        self.counted.clear()
        began = time.monotonic()
        self.load(self.runs)
        self.seconds = time.monotonic() - began
        end = time.monotonic() + SETTLE
        while True:
            self.fill()
            after = self.look(sanitized)
            grown = self.grown(before, after)
            if not grown or time.monotonic() > end:
                return self.table(before, after, grown), grown
            time.sleep(0.5)

    def table(self, before, after, grown):
        lines = [f"{'':<36}{'before':>12}{'after':>12}{'may grow by':>14}"]
        for old, new in zip(before, after):
            allowed = "not judged" if old.allowed is None else str(old.allowed)
            lines.append(f"{new.name:<36}{old.value:>12}{new.value:>12}{allowed:>14} {new.unit:<4}"
                         f"{'GREW' if new.name in grown else ''}".rstrip())
        lines.append("")
        lines.append(", ".join(f"{count} {name}" for name, count in self.counted.most_common()))
        lines.append(f"{self.runs} runs in {self.seconds:.1f} s, {self.runs / self.seconds:.0f} per second, "
                     f"{CLIENTS} clients: {'NOT FLAT: ' + ', '.join(grown) if grown else 'flat'}")
        return "\n".join(lines)


def run(name, runs, sanitized=False):
    """A soak on a server of its own; returns the result of Soak.go."""
    from lib import host
    from lib.hatchery import Status
    from lib.server import Server, run_dir_entries
    server = Server(name, config=CONFIG).start()
    try:
        said = Soak(server, runs, Status, host, run_dir_entries).go(sanitized)
        server.stop()
    finally:
        server.release()
    return said


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="./dev soak", description="Runs many mixed programs and looks for what has grown.")
    parser.add_argument("--runs", type=int, default=20000, help="how many (20,000 if not given)")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs: at least 1")
    if "HATCHERY_BUILD" not in os.environ:
        # Starts this program again, in the environment that tests have.
        sys.path.insert(0, str(Path(__file__).resolve().parent))
        import run as runner
        os.execve(sys.executable, [sys.executable, *sys.argv], runner.environment(Path(options.build).resolve()))
    table, grown = run("soak", options.runs)
    print(table)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
