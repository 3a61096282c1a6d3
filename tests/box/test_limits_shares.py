"""Shares of a processor: a run with many busy processes, or many sessions, gets no more of the processor than a run
with one."""

import os
import subprocess
import sys
import time
import unittest

from lib.case import Case, ServerModule
from lib.scale import patience

SLOW_IN_VM = "shares of an emulated processor can't be measured"
SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MANY, TRIES = 16, 5
AHEAD_S, BUSY_S = patience(1), 2
WIDE = 4  # highest ratio of two shares: 1 is fair, MANY means that nothing limits the processes

# All processes burn on one processor between two moments of the host's clock. With a fifth
# argument, each of the others has a session of its own. Prints the first process's time, the
# others' time together, and whether it began in time.
BURN = """
import os, sys, time
processor, start, end, n = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
os.sched_setaffinity(0, {processor})
for _ in range(n - 1):
    if os.fork() == 0:
        if sys.argv[5:]: os.setsid()
        break
else:
    n = 0
in_time = time.monotonic() < start
time.sleep(max(0, start - time.monotonic()))
while time.monotonic() < end: pass
if n: os._exit(0)
own = time.process_time()
try:
    while True: os.wait()
except ChildProcessError: pass
others = os.times()
print(own, others.children_user + others.children_system, in_time)
"""


class Shares(Case):
    SERVER = SERVER

    def burn(self, *counts, start_all=None):
        """Runs with so many processes each, or sessions for (number, "sessions"), all at one time. Returns rows of
        (first process, others); tries again if one began too late."""
        processor = max(os.sched_getaffinity(0))
        for _ in range(TRIES):
            start = time.monotonic() + AHEAD_S
            words = [[str(processor), str(start), str(start + BUSY_S), *map(str, count if isinstance(count, tuple) else (count,))]
                     for count in counts]
            rows = [output.split() for output in (start_all or self.as_runs)(words)]
            if all(row[2:] == ["True"] for row in rows):
                return [(float(row[0]), float(row[1])) for row in rows]
        self.skipTest(f"this machine is too busy to start all of them within {AHEAD_S} s")
        return []

    def as_runs(self, words):
        requests = [self.client.send_execute(BURN, args=args, limits={"cpu_us": 60_000_000, "wall_us": 60_000_000}) for args in words]
        return [self.client.result(request).stdout.decode() for request in requests]

    @staticmethod
    def on_the_host(words):
        """Runs each of `words` in a session of its own, like programs of two terminals."""
        started = [subprocess.Popen([sys.executable, "-c", BURN, *args], stdout=subprocess.PIPE, text=True, start_new_session=True) for args in words]
        return [process.communicate(timeout=patience(60))[0] for process in started]

    def test_many_processes_or_sessions_get_no_more_than_one(self):
        if not any(os.path.exists(f"{folder}/{name}") for folder in SERVER.cgroup_directories() - SERVER.instance_cgroups
                   for name in ("cpu.shares", "cpu.weight")):
            self.skipTest("the cgroup controller cpu is not to be had here")
        many, sessions, one = self.burn(MANY, (MANY, "sessions"), 1)
        print(f"# {MANY} processes had {sum(many):.2f} s, {MANY} sessions {sum(sessions):.2f} s, one had {one[0]:.2f} s", flush=True)
        self.assertLess(sum(many), WIDE * one[0])
        self.assertLess(sum(sessions), WIDE * one[0])

    def test_inside_of_a_run_they_do(self):
        """The control: inside of one run, many processes get many times what one gets"""
        self.assert_gained(lambda: self.burn(MANY + 1)[0])

    def assert_gained(self, burn):
        """One of several tries has to succeed, because an emulated processor may charge time to a process that did not
        run."""
        for _ in range(TRIES):
            own, others = burn()
            print(f"# {MANY} others had {others:.2f} s, one had {own:.2f} s", flush=True)
            if others > WIDE * own:
                return
        self.fail(f"{MANY} got no more than {WIDE} times what one got")

    def test_on_a_host_without_groups_sessions_do(self):
        """The control: with the kernel's automatic groups alone, each session has a share"""
        if not self.has_automatic_groups():
            self.skipTest("this process has no automatic group: they are off, or it is in a group of the controller cpu")

        def burn():
            sessions, one = self.burn((MANY, "sessions"), 1, start_all=self.on_the_host)
            return one[0], sum(sessions)
        self.assert_gained(burn)

    @staticmethod
    def has_automatic_groups():
        """Automatic groups apply to processes in the root group of the controller cpu."""
        try:
            with open("/proc/sys/kernel/sched_autogroup_enabled", encoding="ascii") as enabled, open("/proc/self/cgroup", encoding="utf-8") as own:
                groups = [line.rstrip("\n").split(":", 2) for line in own]
                is_on = enabled.read().strip() == "1"
        except FileNotFoundError:
            return False
        of_cpu = [path for _, controllers, path in groups if "cpu" in controllers.split(",")] or [path for _, controllers, path in groups if not controllers]
        return is_on and of_cpu == ["/"]


if __name__ == "__main__":
    unittest.main()
