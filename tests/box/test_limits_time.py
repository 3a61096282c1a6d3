"""Wall and CPU time: a run gets no more of either if it waits, stops, or shares its work out to processes. The overruns
are printed. The smallest of several overruns must stay within the limit of a quiet machine (20 ms of wall time,
30 ms of CPU time per core). The median may be ten times as large, because the machine may have other work."""

import os
import statistics
import unittest

from lib.attack import SLOWNESS, attack_code, attack_file, figures
from lib.case import Case, ServerModule
from lib.server import Server

SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

CORES = os.cpu_count() or 1
TIMES = 5
WALL_US, CPU_US = 100_000, 150_000
WALL_BAR_MS, CPU_BAR_MS = 20, 30 * CORES


class Wall(Case):
    SERVER = SERVER

    def overruns(self, what, code, pids=32, **arguments):
        over = []
        for _ in range(TIMES):
            result = self.execute(code, limits={"wall_us": WALL_US, "cpu_us": 60_000_000, "pids": pids}, **arguments)
            self.assert_status(result, "TIME_LIMIT")
            self.assertGreaterEqual(result.wall_us, WALL_US)
            over.append((result.wall_us - WALL_US) / 1000)
        figures(f"wall time over the limit, {what}", over)
        self.assertLess(min(over), WALL_BAR_MS * SLOWNESS)
        self.assertLess(statistics.median(over), 10 * WALL_BAR_MS * SLOWNESS)

    def test_a_sleeper_is_killed_at_the_limit(self):
        self.overruns("sleeping", "import time; time.sleep(60)")

    def test_a_stopped_program_is_killed_at_the_limit(self):
        self.overruns("stopped", "import os\nif os.fork() == 0: os.kill(os.getppid(), 19)\nos.kill(os.getpid(), 19)")

    def test_a_regular_expression_that_never_ends_is_killed_at_the_limit(self):
        self.overruns("in a regular expression", "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')")

    def test_a_program_that_does_not_finish_exiting_is_killed_at_the_limit(self):
        self.overruns("in atexit", "import atexit, time\natexit.register(lambda: time.sleep(60))")
        self.overruns("in a thread at the end", "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()")

    def test_a_program_that_blocks_all_signals_is_killed_at_the_limit(self):
        self.overruns("with all signals blocked",
                      "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(60)")

    def test_a_parent_that_waits_for_its_vfork_is_killed_at_the_limit(self):
        """A parent that waits for its vforked child, and that only SIGKILL can end, is killed at the limit"""
        self.overruns("in vfork", "import ctypes, time\nctypes.CDLL(None).syscall(58)\ntime.sleep(60)")

    def test_a_program_that_waits_in_the_kernel_is_killed_at_the_limit(self):
        self.overruns("opening a FIFO", "import os\nos.mkfifo('x'); open('x')")
        self.overruns("waiting for a lock", "import fcntl, os\na, b = (open('x', 'w') for _ in 'ab')\n"
                                            "fcntl.flock(a, 2); fcntl.flock(b, 2)")

    def test_a_program_that_forks_all_the_time_is_killed_at_the_limit(self):
        self.overruns("forking", attack_code("forks"), files=attack_file(), pids=256)


class Cpu(Case):
    SERVER = SERVER

    def overruns(self, what, code, **arguments):
        over = []
        for _ in range(TIMES):
            result = self.execute(code, limits={"cpu_us": CPU_US, "wall_us": 60_000_000}, **arguments)
            self.assert_status(result, "CPU_LIMIT")
            self.assertGreaterEqual(result.cpu_us, CPU_US)
            over.append((result.cpu_us - CPU_US) / 1000)
        figures(f"CPU time over the limit, {what}", over)
        self.assertLess(min(over), CPU_BAR_MS * SLOWNESS)
        self.assertLess(statistics.median(over), 10 * CPU_BAR_MS * SLOWNESS)

    def attack(self, what, *words):
        self.overruns(what, attack_code(*words), files=attack_file())

    def test_a_loop_is_killed_at_the_limit(self):
        self.overruns("one process", "while True: pass")

    def test_threads_in_c_count_together(self):
        self.attack("8 threads in C", "threads", 8)
        self.overruns("4 threads in Python's C", "import hashlib, threading\nfor _ in range(4): threading.Thread("
                      "target=hashlib.pbkdf2_hmac, args=('sha256', b'', b'', 10 ** 9)).start()")

    def test_daemons_count(self):
        """The CPU time of twice forked daemons in sessions of their own counts, while the main process sleeps"""
        self.attack("4 daemons", "daemons", 4)

    def test_a_relay_of_processes_counts(self):
        """A relay of processes, none of which reaches the limit itself, is killed at the limit"""
        self.attack("a relay of 10 ms each", "relay", 10)

    def test_time_in_the_kernel_counts(self):
        self.overruns("reading /dev/zero", "f = open('/dev/zero', 'rb', buffering=0); b = bytearray(8 << 20)\n"
                                           "while True: f.readinto(b)")
        self.overruns("getrandom", "import os\nwhile True: os.getrandom(32 << 20)")

    def test_a_program_that_dodges_the_tick_is_counted(self):
        """A program that sleeps whenever the timer ticks uses no more CPU time than its limit"""
        self.overruns("short sleeps", "import time\nwhile True:\n    end = time.perf_counter() + 0.0008\n"
                                      "    while time.perf_counter() < end: pass\n    time.sleep(0.0002)")

    def test_a_sum_below_the_limit_is_given(self):
        """The control: processes that together stay below the limit end by themselves"""
        code = "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        while time.process_time() < 0.1: pass\n" \
               "        os._exit(0)\nfor _ in range(4): os.wait()"
        result = self.execute(code, limits={"cpu_us": 1_500_000, "wall_us": 60_000_000})
        self.assert_exited(result)
        self.assertGreaterEqual(result.cpu_us, 400_000)

    def test_without_the_cgroup_nothing_is_counted(self):
        """The control: without the cgroup, daemons burn until the wall time is over"""
        server = Server("test_limits_time.control", faults=["skip cgroup"]).start()
        try:
            with server.connect() as client:
                result = client.execute(attack_code("daemons", 2), files=attack_file(),
                                        limits={"cpu_us": CPU_US, "wall_us": 1_500_000})
                self.assert_status(result, "TIME_LIMIT")
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
