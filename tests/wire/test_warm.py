"""The number of warm sandboxes: by demand between bounds, within a budget of memory, and none if none is wanted."""

import os
import shutil
import signal
import tempfile
import threading
import time
import unittest
from pathlib import Path

from lib.server import BUILD, wait_until
from lib.servers import WithServers

WAIT = "import time; time.sleep(0.3)"
FOREVER = "warm_half_life = 60m\n"
AT_ONCE = "warm_half_life = 1ms\n"


def python(client, name="python"):
    [row] = [row for row in client.status().languages if row.name == name]
    return row


def configure(server, config):
    (server.dir / "hatchery.conf").write_text(config)
    server.process.send_signal(signal.SIGHUP)


def bounds(least, most, running=16):
    return f"client_share = 100\nlanguage python {{ warm_min = {least} warm_max = {most} running = {running} }}\n"


class Scaling(WithServers):
    def burst(self, client, n, code=WAIT, **arguments):
        return [client.send_execute(code, **arguments) for _ in range(n)]

    def assert_answered(self, client, requests):
        results = [client.result(request) for request in requests]
        for result in results:
            self.assert_exited(result)
        self.assertEqual(len(results), len({result.sandbox for result in results}))
        return results

    def wait_warm(self, client, n, name="python"):
        """Waits until the target is n warm sandboxes, n sandboxes are warm, and none is being made."""
        def is_so():
            row = python(client, name)
            return (row.warm_target, row.warm, row.preparing) == (n, n, 0)
        wait_until(is_so, what=f"{n} warm sandboxes")


class Demand(Scaling):
    def test_demand_grows_the_warm_set_up_to_its_maximum(self):
        server = self.start(config=FOREVER + bounds(1, 6))
        with server.connect() as client:
            row = python(client)
            self.assertEqual((1, 6, 1), (row.warm_min, row.warm_max, row.warm_target))
            self.wait_warm(client, 1)
            # Three requests come at once, and one sandbox is warm. The target grows, so the next three find warm ones.
            self.assert_answered(client, self.burst(client, 3))
            self.assertIn(python(client).warm_target, (4, 5, 6))
            requests = self.burst(client, 14)
            wait_until(lambda: python(client).warm_target == 6, what="the maximum")
            self.assert_answered(client, requests)
            self.wait_warm(client, 6)
            # The next requests do find warm sandboxes.
            requests = self.burst(client, 5)
            self.assertTrue(all(result.warm_us > 0 for result in self.assert_answered(client, requests)))
            self.assertEqual(6, python(client).warm_target)

    def test_idleness_shrinks_it_to_its_minimum_and_a_reload_moves_the_bounds(self):
        server = self.start(config=FOREVER + bounds(1, 6))
        with server.connect() as client:
            self.assert_answered(client, self.burst(client, 12))
            self.wait_warm(client, 6)
            configure(server, AT_ONCE + bounds(1, 6))
            self.wait_warm(client, 1)
            configure(server, FOREVER + bounds(4, 8))
            self.wait_warm(client, 4)
            self.assert_answered(client, self.burst(client, 12))
            self.wait_warm(client, 8)
            configure(server, FOREVER + bounds(0, 2))
            self.wait_warm(client, 2)
            configure(server, AT_ONCE + bounds(0, 2))
            self.wait_warm(client, 0)
            self.assert_answered(client, self.burst(client, 4))
            # An impossible configuration is refused as a whole.
            configure(server, AT_ONCE + bounds(5, 2))
            wait_until(lambda: "warm_min is 5, over warm_max" in server.log(), what="a refusal")
            self.assertIn("line 3: language python", server.log())
            row = python(client)
            self.assertEqual((0, 2), (row.warm_min, row.warm_max))
            self.assertEqual((0, 0), (row.failures, row.discarded))

    def test_a_fixed_number_stays(self):
        server = self.start(config=AT_ONCE + "language python { warm = 3 running = 8 }\n")
        with server.connect() as client:
            self.wait_warm(client, 3)
            self.assert_answered(client, self.burst(client, 10, "pass"))
            row = python(client)
            self.assertEqual((3, 3, 3), (row.warm_min, row.warm_max, row.warm_target))
            self.wait_warm(client, 3)


class Cold(Scaling):
    def test_a_language_without_warm_sandboxes_serves(self):
        server = self.start(config=AT_ONCE + bounds(0, 0, running=4))
        with server.connect() as client:
            # The server is ready when one sandbox could be made. That sandbox is then given up.
            self.assertTrue(client.status().ready)
            self.wait_warm(client, 0)
            for _ in range(3):
                forks = python(client).forks
                self.assert_answered(client, self.burst(client, 1, "pass"))
                self.assertEqual(forks + 1, python(client).forks)
            self.assert_answered(client, self.burst(client, 20, "pass"))
            self.wait_warm(client, 0)
            row = python(client)
            self.assertEqual((0, 0), (row.failures, row.discarded))

    def test_a_cold_language_warms_up_for_those_who_come_again(self):
        server = self.start(config=FOREVER + bounds(0, 8))
        with server.connect() as client:
            self.wait_warm(client, 0)
            self.assert_answered(client, self.burst(client, 1))
            wait_until(lambda: python(client).warm >= 1, what="a warm sandbox")

    def test_slots_that_nobody_needs_go_too(self):
        server = self.start(config=FOREVER + bounds(0, 0))

        def inits():
            return [process for process in server.processes() if process.name == "hatchery-init"]
        with server.connect() as client:
            self.assert_answered(client, self.burst(client, 8))
            self.wait_warm(client, 0)
            before = {process.pid for process in inits()}
            self.assertGreaterEqual(len(before), 8)
            self.assert_answered(client, self.burst(client, 8))
            self.assertEqual(before, before & {process.pid for process in inits()})
            configure(server, AT_ONCE + bounds(0, 0))
            wait_until(lambda: not inits(), what="the end of all slots")
            self.assert_answered(client, self.burst(client, 3))

    def test_generations_change_without_warm_sandboxes(self):
        server = self.start(config=AT_ONCE + bounds(0, 0))
        with server.connect() as client:
            first = python(client).generation
            configure(server, AT_ONCE + bounds(0, 0).replace("running", "preload = { json, fractions } running"))
            wait_until(lambda: python(client).generation > first, what="the next generation")
            self.assertEqual(b"True\n", client.execute("import sys; print('fractions' in sys.modules)").stdout)
            self.wait_warm(client, 0)
            wait_until(lambda: python(client).zygotes == 1, what="the end of the old zygote")

    def test_a_cold_language_that_failed_recovers_without_a_request(self):
        server = self.start(config=AT_ONCE + bounds(0, 0, running=2), faults=[])
        with server.connect() as client:
            self.wait_warm(client, 0)
            server.set_faults("fail fork 11")
            request = client.send_execute("print(1)")
            wait_until(lambda: not client.status().ready, what="a server that is not ready")
            self.assertTrue(client.cancel(request))
            server.set_faults()
            wait_until(lambda: client.status().ready, what="a server that is ready")
            self.wait_warm(client, 0)
            self.assert_alive(client)


class Memory(Scaling):
    def test_the_least_is_cut_to_the_memory_there_is_and_the_log_says_so(self):
        server = self.start(config="warm_memory = 4M\nlanguage python { warm = 60 }\n")
        with server.connect() as client:
            # Each sandbox counts as 2 MiB until the memory of one was measured.
            row = wait_until(lambda: (lambda row: row if row.sandbox_bytes else None)(python(client)), what="a weight")
            self.assertTrue(1 <= row.warm_target < 60, row)
            self.assertIn("at least 60 sandboxes are to be warm, and warm_memory has room for", server.log())
            requests = self.burst(client, 30, "pass")
            self.assert_answered(client, requests)
            configure(server, "warm_memory = 1G\nlanguage python { warm = 60 }\n")
            self.wait_warm(client, 60)

    def test_two_languages_share_one_budget_and_whoever_has_to_wait_goes_first(self):
        server = self.start_two("warm_half_life = 2s\nwarm_memory = 8M\n")
        with server.connect() as client:
            self.assert_answered(client, self.burst(client, 16))
            wait_until(lambda: python(client).warm_target >= 3, what="a larger set")
            self.assert_within(client, 8 << 20)
            # The demand for snakes is newer, and the demand for python soon ends.
            requests = self.burst(client, 16, language="snakes")
            wait_until(lambda: python(client, "snakes").warm_target >= 3, what="a larger set of the other one")
            self.assert_within(client, 8 << 20)
            self.assert_answered(client, requests)

            def has_more():
                self.assert_within(client, 8 << 20)
                self.assert_answered(client, self.burst(client, 16, "pass", language="snakes"))
                return python(client, "snakes").warm_target > python(client).warm_target
            wait_until(has_more, what="more for the one that is busy")
            self.assert_answered(client, self.burst(client, 2))
            for name in ("python", "snakes"):
                row = python(client, name)
                self.assertEqual((0, 0), (row.failures, row.discarded), name)

    def assert_within(self, client, budget):
        rows = client.status().languages
        wanted = sum(row.warm_target * row.sandbox_bytes for row in rows)
        # The pool shares by an earlier sandbox_bytes, until that differs from the new one by more than an eighth.
        self.assertLessEqual(wanted, budget * 5 // 4, rows)

    def start_two(self, config):
        """A server with two languages: python and, by the same plug-in under another name, snakes."""
        folder = Path(tempfile.mkdtemp(prefix="hatchery-test-"))
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        for name in ("hatcheryd", "hatchery-init", "hatchery-lang-python.so"):
            shutil.copy(BUILD / name, folder)
        plugin = (BUILD / "hatchery-lang-python.so").read_bytes()
        self.assertEqual(1, plugin.count(b"\0python\0"), "where a plug-in has its name")
        (folder / "hatchery-lang-snakes.so").write_bytes(plugin.replace(b"\0python\0", b"\0snakes\0"))
        language = "{ warm_min = 1 warm_max = 16 running = 16 }\n"
        server = self.prepare(config=f"{config}client_share = 100\nlanguage python {language}language snakes {language}")
        server.command[0] = str(folder / "hatcheryd")
        return server.start()


class Load(threading.Thread):
    """A client with several requests in flight, one after the other."""

    def __init__(self, server):
        super().__init__()
        self.server, self.stopping = server, threading.Event()
        self.sandboxes, self.problems = [], []

    def run(self):
        try:
            with self.server.connect() as client:
                while not self.stopping.is_set():
                    for request in [client.send_execute("print('one')") for _ in range(4)]:
                        result = client.result(request)
                        self.sandboxes.append(result.sandbox)
                        if result.stdout != b"one\n" or result.status != 1:
                            self.problems.append(result)
                if len(client.order) != len(set(client.order)) or client.kept:
                    self.problems.append("something was answered twice")
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(error)


class UnderLoad(Scaling):
    def test_nothing_is_lost_while_the_set_grows_and_shrinks(self):
        server = self.start(config=AT_ONCE + bounds(0, 0, running=8))
        load = [Load(server) for _ in range(3)]
        for one in load:
            one.start()
        try:
            with server.connect() as client:
                for least, most in ((12, 12), (0, 0), (0, 12), (3, 3), (0, 1), (12, 40), (0, 0), (5, 9)):
                    configure(server, AT_ONCE + bounds(least, most, running=8))
                    wait_until(lambda least=least, most=most: (python(client).warm_min, python(client).warm_max)
                               == (least, most), what="the new bounds")
                    runs = python(client).runs
                    wait_until(lambda runs=runs: python(client).runs > runs + 20, what="some runs")
                    self.assertTrue(least <= python(client).warm_target <= most)
                    time.sleep(0.1)  # for the set to follow; how far it gets does not matter
        finally:
            for one in load:
                one.stopping.set()
            for one in load:
                one.join()
        self.assertEqual([], [problem for one in load for problem in one.problems])
        sandboxes = [sandbox for one in load for sandbox in one.sandboxes]
        self.assertEqual(len(sandboxes), len(set(sandboxes)))
        with server.connect() as client:
            row = python(client)
            self.assertEqual((len(sandboxes), 0, 0), (row.runs, row.failures, row.discarded))


if __name__ == "__main__":
    unittest.main()
