"""Processes: bombs of every kind end with their run, leave no process, and let others run meanwhile. The tests
print the latency of these other runs during a bomb, and that of runs on a quiet server."""

import statistics
import time
import unittest

from lib.attack import SLOWNESS, attack_code, attack_file, figures
from lib.case import Case, ServerModule, describe
from lib.server import Server, wait_until

SLOW_IN_VM = "bombs of hundreds of processes"

SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

BOMBS = {
    "forks in Python": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "daemons in Python": "import os\nwhile True:\n    try:\n        if os.fork() == 0:\n            os.setsid(); os.fork()\n    except OSError: pass",
    "threads in Python": "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(99,)).start()\n"
                         "    except RuntimeError: pass",
    "forks in C": attack_code("forks"),
    "vforks in C": attack_code("vforks"),
    "sessions in C": attack_code("sessions"),
    "threads in C": attack_code("many-threads"),
    "execs in C": attack_code("execs"),
    "forks in the shell": "import os\nos.execv('/bin/sh', ['sh', '-c', 'b() { b | b & }; while :; do b; done 2>/dev/null'])",
    "execs in the shell": "import os\nos.execv('/bin/sh', ['sh', '-c', 'while :; do sh -c \"sh -c : &\" & done'])",
}
WALL_US = 300_000
# A bomb in a sandbox of 256 MiB may reach the memory limit first. Processes that burn CPU time
# reach the CPU limit, and a shell that can't fork exits.
ENDS = ("TIME_LIMIT", "CPU_LIMIT", "MEMORY_LIMIT", "EXITED")
KEEP_40 = "import os, time\nn = 0\ntry:\n    for _ in range(40):\n        if os.fork() == 0: time.sleep(30); os._exit(0)\n        n += 1\n" \
          "except OSError: pass\nprint(n)"


def names(result):
    return describe(result).split()[0]


class Bombs(Case):
    SERVER = SERVER

    def sandboxed(self):
        """Returns the processes that the bombs started in sandboxes."""
        return [process for process in SERVER.processes()
                if process.name in ("attack", "sh") or "attack" in process.command()]

    def explode(self, pids):
        ids = {name: self.client.send_execute(code, files=attack_file(), limits={"pids": pids, "wall_us": WALL_US})
               for name, code in BOMBS.items()}
        over = []
        for name, request in ids.items():
            result = self.client.result(request)
            with self.subTest(name):
                self.assertIn(names(result), ENDS if "shell" in name else ENDS[:3], describe(result))
                self.assertLessEqual(result.processes_peak, pids)
            over.append((result.wall_us - WALL_US) / 1000)
        figures(f"wall time over the limit, {len(BOMBS)} bombs of {pids} processes at a time", over)
        SERVER.wait_idle(connections=1)
        wait_until(lambda: not self.sandboxed(), 30, "the end of every process of a bomb")
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))

    def test_bombs_end_with_their_run_and_leave_nobody(self):
        self.explode(64)

    def test_bombs_of_the_largest_size_end_with_their_run(self):
        self.explode(512)

    def test_a_bomb_that_ends_its_main_process_ends_with_it(self):
        code = "import os, subprocess, time\nsubprocess.Popen(['./attack', 'sessions'])\n" \
               "while sum(n.isdigit() for n in os.listdir('/proc')) < 50: time.sleep(0.005)\n" \
               "print('end', flush=True); os._exit(3)"
        result = self.execute(code, files=attack_file(), limits={"pids": 256})
        self.assert_exited(result, 3)
        self.assertEqual(b"end\n", result.stdout)
        SERVER.wait_idle(connections=1)
        wait_until(lambda: not self.sandboxed(), 30, "the end of every process of a bomb")

    def test_the_limit_is_of_processes_and_threads_together(self):
        self.assertIn(int(self.output(KEEP_40, limits={"pids": 16})), range(10, 17))

    def test_without_the_cgroup_the_limit_is_none(self):
        """The control: without the cgroup, a program starts more processes than its limit"""
        server = Server("test_limits_processes.control", faults=["skip cgroup"]).start()
        try:
            with server.connect() as client:
                self.assertEqual(b"40\n", client.execute(KEEP_40, limits={"pids": 16}).stdout)
        finally:
            server.stop()


class Others(Case):
    SERVER = SERVER

    def at_work(self):
        return sum(int(process.status().get("Threads", 0)) for process in SERVER.processes() if process.name == "attack")

    def latencies(self, until, code="pass"):
        found = []
        while not found or until(found):
            start = time.monotonic()
            self.assert_exited(self.execute(code))
            found.append((time.monotonic() - start) * 1000)
        return found

    def test_others_run_during_a_bomb(self):
        quiet = self.latencies(lambda found: len(found) < 100)
        figures("latency of one client's runs, quiet", quiet)
        bomber = self.connect()
        for name in ("forks in C", "sessions in C", "execs in C"):
            end = time.monotonic() + 1.2
            request = bomber.send_execute(BOMBS[name], files=attack_file(),
                                          limits={"pids": 512, "wall_us": 1_200_000, "cpu_us": 60_000_000, "memory_bytes": 512 << 20})
            loud = self.latencies(lambda found, end=end: time.monotonic() < end)
            self.assertIn(names(bomber.result(request)), ENDS[:3])
            figures(f"latency of one client's runs during {name}, 512 processes", loud)
            self.assertLess(statistics.median(loud), 250 * SLOWNESS)

    def test_others_that_compute_run_during_a_bomb(self):
        work = "n = 0\nfor i in range(500_000): n += i"
        quiet = self.latencies(lambda found: len(found) < 10, work)
        figures("latency of one client's computing, quiet", quiet)
        bomber = self.connect()
        for words in (("threads", 400), ("daemons", 400)):
            request = bomber.send_execute(attack_code(*words), files=attack_file(),
                                          limits={"pids": 512, "wall_us": 60_000_000, "cpu_us": 60_000_000, "memory_bytes": 512 << 20})
            wait_until(lambda: self.at_work() >= words[1] // 2, what=f"{words[0]} that burn")
            loud = self.latencies(lambda found: len(found) < 5, work)
            bomber.cancel(request)
            self.assertEqual("CANCELLED", names(bomber.result(request)))
            figures(f"latency of one client's computing during 400 {words[0]} that burn", loud)
            self.assertLess(statistics.median(loud), 60 * SLOWNESS * max(statistics.median(quiet), 10))


if __name__ == "__main__":
    unittest.main()
