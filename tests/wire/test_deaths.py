"""Parts of the server die at random moments under load: no client gets a wrong answer or waits for ever, the service
comes back, and nothing is left over."""

import os
import random
import signal
import statistics
import threading
import time
import unittest

from lib import host
from lib.hatchery import Closed, Refused
from lib.scale import ALL
from lib.server import HELD, HOLD, IS_SANITIZED, Server, is_taken, wait_until

SECONDS = 60 if ALL and not IS_SANITIZED else 20
WARM, RUNNING = 4, 8
CLIENTS = 6
SILENCE = 60  # seconds; a hang guard for every answer
RECOVERY = 60  # seconds; a hang guard, too
PAUSE = (0.05, 0.7)  # seconds between a recovery and the next death

# Refusals that are allowed while parts of the server are being replaced.
REFUSALS = {"UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}


class Load(threading.Thread):
    """A client that sends requests without a pause. It checks answers, notes errors, and renews a lost connection."""

    def __init__(self, server, number, stop):
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.random = random.Random(number)
        self.answers = self.errors = self.closed = self.killed = 0
        self.wrong = []

    def run(self):
        while not self.stop.is_set():
            try:
                with self.server.connect(timeout=SILENCE) as client:
                    while not self.stop.is_set():
                        self.ask(client)
            except (Closed, ConnectionError, BrokenPipeError):
                self.closed += 1
                time.sleep(0.01)  # the pace at which it tries again
            except TimeoutError:
                self.wrong.append(f"no answer within {SILENCE} s")
                return
            except Exception as error:  # pylint: disable=broad-except
                self.wrong.append(repr(error))
                return

    def program(self):
        """A program and what it prints; one in eight runs for long, one in eight leaves a daemon."""
        n = self.random.randrange(1 << 30)
        kind = self.random.randrange(8)
        code = f"print({n} * 3)"
        if kind == 0:
            code = f"import time; time.sleep({self.random.random():.3f}); " + code
        elif kind == 1:
            code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(100)\n" + code
        return code, b"%d\n" % (n * 3)

    def ask(self, client):
        asked = [(*self.program(), None) for _ in range(self.random.choice((1, 1, 4)))]
        asked = [(client.send_execute(code), expected) for code, expected, _ in asked]
        for request, expected in asked:
            try:
                result = client.result(request)
            except Refused as refused:
                self.errors += 1
                if refused.code not in REFUSALS or not refused.message:
                    self.wrong.append(str(refused))
                time.sleep(min(refused.error.retry_after_ms, 100) / 1000)
                continue
            self.answers += 1
            if result.signal == signal.SIGKILL and expected.startswith(result.stdout):
                self.killed += 1  # its worker was killed, and the answer says so
            elif (result.stdout, result.exit_code, result.signal) != (expected, 0, 0):
                self.wrong.append(f"{result.stdout!r} instead of {expected!r}: {result}")


class Deaths(unittest.TestCase):
    def setUp(self):
        self.server = Server("deaths", config=f"language python {{ warm = {WARM} running = {RUNNING} }}\n").start()
        self.addCleanup(self.server.release)
        self.random = random.Random(int.from_bytes(os.urandom(4), "big"))

    # ------------------------------------------------------------ processes to kill

    def inits(self):
        return [process for process in self.server.processes() if process.name == "hatchery-init"]

    def workers(self):
        """Main processes of sandboxes and their children: everything below a zygote that is not root."""
        zygotes = {process.pid for process in self.server.zygote_processes()}
        return [process for process in self.server.processes()
                if process.parent in zygotes and process.name != "hatchery-init"]

    def victims(self, kind):
        try:
            if kind == "pool":
                return [self.server.pool_process()]
            if kind == "zygote":
                return self.server.zygote_processes()
            return self.inits() if kind == "init" else self.workers()
        except AssertionError:
            return []  # there is no pool at this moment

    def kill_one(self, kind):
        """Kills one process of this kind, and returns the time. None: there is no such process at this moment."""
        found = self.victims(kind)
        if not found:
            return None
        victim = self.random.choice(found)
        try:
            os.kill(victim.pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return time.monotonic()

    def recovered(self, since):
        """Seconds from a death to the end of the next run that began after it."""
        while True:
            self.assertLess(time.monotonic() - since, RECOVERY, "the service did not come back:\n" + self.server.log_tail())
            self.assertIsNone(self.server.process.poll(), "the supervisor ended:\n" + self.server.log_tail())
            try:
                with self.server.connect(timeout=RECOVERY) as client:
                    if client.execute("print(6 * 7)").stdout == b"42\n":
                        return time.monotonic() - since
            except (Closed, ConnectionError, Refused, TimeoutError):
                time.sleep(0.005)  # the pace at which it tries again

    # ------------------------------------------------------------ what must not grow

    def counts(self):
        self.server.wait_idle()
        seen = []

        def is_at_rest():  # waits until wait_idle's connection is closed, and dead processes are reaped
            seen.append(self.look())
            return seen[-2:-1] == seen[-1:]
        wait_until(is_at_rest, what="counts that stay as they are")
        return seen[-1]

    def look(self):
        pool = self.server.pool_process()
        zygotes = self.server.zygote_processes()
        return {"mounts": len(host.mounts()), "cgroups": len(self.server.cgroup_directories()),
                "zombies": len([process for process in self.server.processes() if process.state == "Z"]),
                "supervisor's descriptors": host.Process(self.server.process.pid).descriptors(),
                "pool's descriptors": pool.descriptors(), "zygotes": len(zygotes),
                "zygotes' descriptors": sum(process.descriptors() for process in zygotes),
                "processes": len(self.server.processes())}

    def fill(self):
        """Runs as many programs at once as allowed, until all slots are made, so that counts can be compared."""
        with self.server.connect(source="127.0.0.2") as one, self.server.connect(source="127.0.0.3") as other:
            # One client alone may not have all slots.
            ids = [(client, client.send_execute(HOLD, limits=HELD)) for client in (one, other) for _ in range(RUNNING // 2)]
            self.server.wait_held(RUNNING)
            wait_until(lambda: len(self.inits()) >= WARM + RUNNING, what="all slots")
            self.server.let_go()
            for client, request in ids:
                client.result(request)

    def settled(self, before):
        def same():
            self.fill()
            after = self.counts()
            return all(after[name] <= before[name] for name in before) and after
        try:
            wait_until(same, 60, "the counts from before")
        except AssertionError:
            self.assertEqual(before, self.counts())

    def test_every_part_dies_again_and_again(self):
        """Under load, any part is killed at any moment: no answer is wrong, service returns soon, nothing stays"""
        self.fill()
        before = self.counts()
        stop = threading.Event()
        load = [Load(self.server, number, stop) for number in range(CLIENTS)]
        for client in load:
            client.start()
        times = {"pool": [], "zygote": [], "init": [], "worker": []}
        end, round_of_kinds = time.monotonic() + SECONDS, []
        try:
            # In random order, but each kind once in each round.
            while time.monotonic() < end or not all(times.values()):
                self.assertLess(time.monotonic(), end + 4 * SECONDS, "no more deaths could be brought about")
                time.sleep(self.random.uniform(*PAUSE))  # any moment
                round_of_kinds = round_of_kinds or self.random.sample(list(times), len(times))
                kind = round_of_kinds.pop()
                self.server.note_cgroups()
                since = self.kill_one(kind)
                if since is not None:
                    times[kind].append(self.recovered(since))
        finally:
            stop.set()
            for client in load:
                client.join(2 * SILENCE)
        self.assertEqual([], [client for client in load if client.is_alive()], "a client was left without an answer")
        for kind, rows in times.items():
            if rows:
                print(f"{kind}: killed {len(rows)} times; back after {statistics.median(rows) * 1000:.0f} ms (median), "
                      f"{max(rows) * 1000:.0f} ms at most", flush=True)
        print(f"{sum(c.answers for c in load)} answers, {sum(c.errors for c in load)} errors, "
              f"{sum(c.closed for c in load)} closed connections", flush=True)
        self.assertEqual([], [what for client in load for what in client.wrong][:5])
        self.assertGreater(sum(client.answers for client in load), 100)
        self.assertLessEqual(sum(client.killed for client in load), len(times["worker"]),
                             "the death of another process was reported as the program's death")
        self.settled(before)
        self.supervisor_dies()

    def supervisor_dies(self):
        """Kills the supervisor under load. All other processes end with it. The next server removes what they leave."""
        stop = threading.Event()
        load = [Load(self.server, number, stop) for number in range(CLIENTS)]
        for client in load:
            client.start()
        wait_until(lambda: all(client.answers for client in load), what="answers to all")
        self.server.note_cgroups()
        family = self.server.processes()
        self.assertGreater(len(family), 3)
        stop.set()
        self.server.process.kill()
        self.server.process.wait(60)
        wait_until(lambda: not [process for process in family if process.is_alive()], what="the end of all processes")
        for client in load:
            client.join(2 * SILENCE)
            self.assertFalse(client.is_alive(), "a client was left without an answer")
        self.assertEqual([], [what for client in load for what in client.wrong][:5])
        self.server.release()
        self.server.socket_path.unlink(missing_ok=True)
        second = Server("deaths.second").start()
        self.addCleanup(second.release)
        with second.connect() as client:
            self.assertEqual(b"42\n", client.execute("print(6 * 7)").stdout)
        second.stop()
        left = [path for path in self.server.cgroup_directories() if not is_taken(path)]
        self.assertEqual([], left, "the next server did not remove the cgroups of a killed server")
        self.server.check_clean(family)


if __name__ == "__main__":
    unittest.main()
