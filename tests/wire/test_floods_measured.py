"""The cost of floods to others, in figures: how long another client's print(1) takes beside each flood, and by how much
a time limit is overrun. For comparison, it measures the same beside no flood, and beside a process that is as busy and
sends nothing. All cases take turns, round after round, because the speed of a machine changes with time. The test
asserts that all requests are served and that the pool lives. It prints the bound beside the figures."""

import os
import statistics
import time
import unittest

from lib.attack import figures
from lib.case import Case, ServerModule
from lib.flood import EndlessFlood, frame
from lib.hatchery import LZ4, execute_message, pb
from lib.scale import patience
from lib.server import wait_until

LONG = "it measures, which takes minutes"
ALONE = "it measures what others cost, and a neighbour on the same cores would be one of them"

SERVER = ServerModule(__name__, config="language python { }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

CONNECTIONS, CROWD = 24, 800
ROUNDS, SECONDS = int(os.environ.get("HATCHERY_TEST_ROUNDS", "3")), 4
WALL_US, BAR_MS = 300_000, 50
GUARD_MS = patience(20) * 1e3
READING = 64 << 10  # what the server reads in one go


def fill(one):
    return one * (READING // len(one))


PACKED = frame(LZ4, execute=execute_message(b"#" * ((16 << 20) - 4096), language="none such"))
# By name: the bytes, the number of connections, and how often each connection sends the bytes (None: without an end).
FLOODS = {
    "nothing": (b"", 0, None),
    "a busy process": (None, 0, None),
    "statuses": (fill(frame(get_status=pb.GetStatus())), CONNECTIONS, None),
    "pings": (fill(frame(ping=pb.Ping())), CONNECTIONS, None),
    "cancels": (fill(frame(cancel=pb.Cancel(request_id=77))), CONNECTIONS, None),
    "requests that are refused": (fill(frame(execute=execute_message("pass", language="none such"))), CONNECTIONS, None),
    "what unpacks to 16 MiB": (PACKED, CONNECTIONS, None),
    f"the same, once from each of {CROWD} connections": (PACKED, CROWD, 1),
}


class Measured(Case):
    SERVER = SERVER

    def measure(self, waits, overruns):
        """Sends one print(1) after the other for some seconds, beside runs that their limit has to end."""
        end, limited = time.monotonic() + SECONDS, None
        while time.monotonic() < end or limited is not None:
            if limited is None:
                limited = self.client.send_execute("import time\ntime.sleep(1000)", limits={"wall_us": WALL_US})
            began = time.monotonic()
            self.assertEqual(b"1\n", self.execute("print(1)").stdout)
            waits.append((time.monotonic() - began) * 1e3)
            if limited in self.client.kept:
                result = self.client.result(limited)
                self.assert_status(result, "TIME_LIMIT")
                overruns.append((result.wall_us - WALL_US) / 1e3)
                limited = None

    def test_print_and_limits_beside_each_flood(self):
        pool = SERVER.pool_process().pid
        waits, overruns = {name: [] for name in FLOODS}, {name: [] for name in FLOODS}
        for _ in range(ROUNDS):
            for name, flood in FLOODS.items():
                with EndlessFlood(SERVER.address, *flood):
                    self.measure(waits[name], overruns[name])
                # The flood's frames are still being unpacked.
                wait_until(lambda: self.client.status().connections == 1, 600, f"the end of {name}")
        for name in FLOODS:
            p99 = statistics.quantiles(waits[name], n=100, method="inclusive")[98]
            print(f"# beside {name}: print(1) p50 {statistics.median(waits[name]):.1f} ms, p99 {p99:.1f}, worst {max(waits[name]):.1f}, of "
                  f"{len(waits[name])}; ", end="")
            figures("limits overrun", overruns[name])
        self.assertEqual(pool, SERVER.pool_process().pid, "the pool has died")
        noise = max(overruns["nothing"] + overruns["a busy process"])
        for name, values in overruns.items():
            held = "held" if statistics.median(values) < noise + BAR_MS else "NOT HELD"
            print(f"# beside {name}: limits overrun by at most {BAR_MS} ms beyond {noise:.0f} ms of noise: {held}")
            self.assertLess(max(values), GUARD_MS, name)


if __name__ == "__main__":
    unittest.main()
