"""Shares of a processor: a run with many busy processes gets no more of it than a run with one."""

import os
import time
import unittest

from lib.case import Case, ServerModule
from lib.scale import patience

SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MANY, TRIES = 16, 5
AHEAD_S, BUSY_S = patience(1), 2
WIDE = 4  # how many times the other's share may be had: 1 is fair, MANY is none at all

# All of them burn on one processor from one moment to another; the clock is the host's. Prints what the first process had,
# what the others had together, and whether it was there in time.
BURN = """
import os, sys, time
processor, start, end, n = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
os.sched_setaffinity(0, {processor})
for _ in range(n - 1):
    if os.fork() == 0: break
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

    def burn(self, *counts):
        """Runs of so many processes at a time, each row (first process, others); again if one came too late."""
        processor = max(os.sched_getaffinity(0))
        for _ in range(TRIES):
            start = time.monotonic() + AHEAD_S
            requests = [self.client.send_execute(BURN, args=[str(processor), str(start), str(start + BUSY_S), str(n)],
                                                 limits={"cpu_us": 60_000_000, "wall_us": 60_000_000})
                        for n in counts]
            rows = [self.client.result(request).stdout.decode().split() for request in requests]
            if all(row[2:] == ["True"] for row in rows):
                return [(float(row[0]), float(row[1])) for row in rows]
        self.skipTest(f"this machine is too busy to start runs within {AHEAD_S} s")
        return []

    def test_many_processes_get_no_more_than_one(self):
        if not any(os.path.exists(f"{folder}/{name}") for folder in SERVER.cgroup_directories() - SERVER.instance_cgroups
                   for name in ("cpu.shares", "cpu.weight")):
            self.skipTest("the cgroup controller cpu is not to be had here")
        many, one = self.burn(MANY, 1)
        print(f"# {MANY} processes had {sum(many):.2f} s, one had {one[0]:.2f} s", flush=True)
        self.assertLess(sum(many), WIDE * one[0])

    def test_inside_of_a_run_they_do(self):
        """The control: without a border between them, many processes get many times what one gets"""
        own, others = self.burn(MANY + 1)[0]
        print(f"# {MANY} processes had {others:.2f} s, one had {own:.2f} s", flush=True)
        self.assertGreater(others, WIDE * own)


if __name__ == "__main__":
    unittest.main()
