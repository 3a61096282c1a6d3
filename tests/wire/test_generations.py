"""Zygotes are replaced while they serve: no request is lost, nothing of the old one stays, and the layout changes."""

import os
import signal
import threading
import unittest

from lib import host
from lib.case import Case
from lib.server import HOLD, Server, wait_until

# Values that are the same in all sandboxes of one generation, and differ between generations: a hash, which depends on
# the seed of str's hash, and an address.
MARKS = "print(hash('hatchery'), id(object), flush=True)"


class WithServers(Case):
    def start(self, **options):
        server = Server(f"{type(self).__name__}.{self._testMethodName}", **options)
        self.addCleanup(server.stop)
        return server.start()

    def renew(self, server, config):
        (server.dir / "hatchery.conf").write_text(config)
        server.process.send_signal(signal.SIGHUP)


def python(client):
    return client.status().languages[0]


class Load(threading.Thread):
    """A client that sends one run after the other, and keeps the results."""

    def __init__(self, server, code=MARKS):
        super().__init__()
        self.server, self.code = server, code
        self.stopping = threading.Event()
        self.marks, self.problems, self.queue_us, self.runs = [], [], 0, 0

    def run(self):
        try:
            with self.server.connect() as client:
                while not self.stopping.is_set():
                    result = client.execute(self.code)
                    self.runs += 1
                    self.queue_us = max(self.queue_us, result.queue_us)
                    if result.status != 1 or result.exit_code != 0:
                        self.problems.append(result)
                    self.marks.append(tuple(result.stdout.split()))
        except Exception as error:  # pylint: disable=broad-except
            self.problems.append(error)

    def end(self):
        self.stopping.set()
        self.join()


class UnderLoad(WithServers):
    def test_generations_change_under_load_and_no_request_is_lost(self):
        server = self.start(config="language python { warm = 4 running = 8 generation_forks = 40 generation_time = 0 }\n")
        load = [Load(server) for _ in range(6)]
        for one in load:
            one.start()
        try:
            with server.connect() as client:
                first = python(client).generation
                wait_until(lambda: python(client).generation >= first + 5 or any(one.problems for one in load), 120,
                           "five changes of generation")
        finally:
            for one in load:
                one.end()
        self.assertEqual([], [problem for one in load for problem in one.problems])
        marks = {mark for one in load for mark in one.marks}
        with server.connect() as client:
            generations = python(client).generation - first + 1
        # Each generation, except perhaps the last, served requests. Each has its own hash seed and memory layout.
        self.assertIn(len(marks), (generations - 1, generations))
        self.assertEqual(len(marks), len({seed for seed, _ in marks}), marks)
        self.assertEqual(len(marks), len({place for _, place in marks}), marks)
        self.assert_one_zygote_is_left(server)

    def assert_one_zygote_is_left(self, server):
        server.wait_idle()
        with server.connect() as client:
            wait_until(lambda: python(client).zygotes == 1, what="the end of the old zygote")
        zygotes = wait_until(lambda: (lambda found: found if len(found) == 1 else None)(server.zygote_processes()),
                             what="the end of the old zygote's process")
        inits = [process for process in server.processes() if process.name == "hatchery-init"]
        self.assertEqual({zygotes[0].pid}, {process.parent for process in inits})
        server.note_cgroups()
        sides = {path.rsplit("/", 1)[-1].split("-")[0] for path in server.cgroup_directories()} - {"hatchery"}
        self.assertEqual(1, len(sides), f"cgroups of both sides are left: {sides}")
        dead = [process for process in server.processes() if process.state == "Z"]
        self.assertEqual([], dead)


    def test_generations_change_although_requests_always_wait(self):
        """Generations change although requests always wait, and a warm sandbox of the new one is always at hand"""
        server = self.start(config="language python { warm = 4 running = 1 generation_forks = 8 generation_time = 0 }\n")
        load = [Load(server, f"import time; time.sleep(0.1)\n{MARKS}") for _ in range(4)]
        for one in load:
            one.start()
        try:
            with server.connect() as client:
                first = python(client).generation
                wait_until(lambda: python(client).generation >= first + 4 or any(one.problems for one in load), 30,
                           "four changes of generation")
        finally:
            for one in load:
                one.end()
        self.assertEqual([], [problem for one in load for problem in one.problems])


class OneAfterTheOther(WithServers):
    def test_runs_of_the_old_generation_finish_and_count(self):
        server = self.start(config="client_share = 100\nlanguage python { warm = 2 running = 2 preload = { json } }\n")
        with server.connect() as client:
            first = python(client)
            old = self.marks(client)
            code = f"{MARKS}\n{HOLD}{MARKS}"
            runs = [client.send_execute(code, limits={"wall_us": 60000000}) for _ in range(2)]
            server.wait_held(2)
            self.renew(server, "client_share = 100\nlanguage python { warm = 2 running = 2 preload = { json, fractions } }\n")
            wait_until(lambda: python(client).generation > first.generation, what="the next generation")
            state = python(client)
            self.assertEqual((2, 2), (state.running, state.zygotes))
            third = client.send_execute(MARKS)
            wait_until(lambda: python(client).queued == 1, what="a third one that waits")
            server.let_go()
            results = [client.result(run) for run in (*runs, third)]
            # No more than two may run at one time. So the third one waited for one of the two, although a sandbox was
            # warm.
            self.assertGreater(results[2].queue_us, 0)
            self.assertGreaterEqual(client.order.index(third), 1)
            for result in results[:2]:
                self.assert_exited(result)
                self.assertEqual([old, old], [tuple(line.split()) for line in result.stdout.splitlines()])
            self.assertNotEqual(old, tuple(results[2].stdout.split()))
            wait_until(lambda: python(client).zygotes == 1, what="the end of the old zygote")

    def marks(self, client):
        return tuple(client.execute(MARKS).stdout.split())

    def test_a_changed_preload_takes_effect_without_a_restart(self):
        server = self.start(config="language python { preload = { json } }\n")
        load = Load(server, "import sys; print('fractions' in sys.modules)")
        load.start()
        self.addCleanup(load.end)
        with server.connect() as client:
            wait_until(lambda: load.runs > 5, what="some runs")
            self.assertEqual({(b"False",)}, set(load.marks))
            self.renew(server, "language python { preload = { json, fractions } }\n")
            wait_until(lambda: load.marks[-1] == (b"True",) or load.problems, what="the module that is preloaded now")
            self.assertTrue(client.status().ready)
        load.end()
        self.assertEqual([], load.problems)

    def test_time_alone_renews_too(self):
        server = self.start(config='language python { warm = 2 running = 2 generation_time = "500ms" }\n')
        with server.connect() as client:
            wait_until(lambda: python(client).generation >= 3, what="the third generation")
            self.assert_alive(client)

    def test_a_zygote_that_does_not_come_up_leaves_the_old_one_serving(self):
        server = self.start(config="language python { preload = { json } }\n")
        load = Load(server)
        load.start()
        self.addCleanup(load.end)
        with server.connect() as client:
            old = {process.pid for process in server.zygote_processes()}
            first = python(client).generation
            self.renew(server, "language python { preload = { json, fractions } }\n")
            for _ in range(2):
                new = wait_until(lambda: {one.pid for one in server.zygote_processes()} - old, what="the next zygote")
                for pid in new:
                    os.kill(pid, signal.SIGKILL)
                    wait_until(lambda pid=pid: not host.Process(pid).is_alive(), what="its end")
                self.assertEqual(first, python(client).generation)
                self.assertTrue(client.status().ready)
                runs = load.runs
                wait_until(lambda runs=runs: load.runs > runs or load.problems, what="a run by the old zygote")
            wait_until(lambda: python(client).generation > first + 1, what="a generation that comes up")
        load.end()
        self.assertEqual([], load.problems)
        self.assertEqual(2, server.log().count("was killed by signal 9"))


if __name__ == "__main__":
    unittest.main()
