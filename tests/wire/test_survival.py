"""A server survives the death of each of its processes, processes that hang, and steps that fail."""

import errno
import os
import resource
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lib import host
from lib.hatchery import Closed, Refused
from lib.server import HELD, HOLD, IS_SANITIZED, Server, wait_until
from lib.servers import WithServers


class Survival(WithServers):
    def test_a_dead_zygote_is_replaced(self):
        server = self.start()
        before = server.zygote_processes()
        self.assertTrue(before)
        with server.connect() as client:
            for process in before:
                os.kill(process.pid, signal.SIGKILL)

            def runs():
                try:
                    return client.execute("print(1)").stdout == b"1\n"
                except Refused as refused:
                    self.assertIn(refused.code, ("UNAVAILABLE", "INTERNAL"))
                    return False
            wait_until(runs, what="a run by a new zygote")
        self.assertFalse({process.pid for process in before} & {process.pid for process in server.zygote_processes()})

    def test_a_run_whose_zygote_dies_is_answered(self):
        server = self.start()
        with server.connect() as client:
            run = client.send_execute("import time; time.sleep(50)")
            wait_until(lambda: client.status().languages[0].running == 1, what="a running program")
            for process in server.zygote_processes():
                os.kill(process.pid, signal.SIGKILL)
            with self.assertRaises(Refused) as caught:
                client.result(run)
            self.assertIn(caught.exception.code, ("UNAVAILABLE", "INTERNAL"))

    def test_a_sandbox_that_dies_before_it_has_its_job_costs_no_answer(self):
        """If a sandbox is killed while its job is still being written, the job goes to another sandbox, once"""
        server = self.start(config="language python { warm = 1 running = 2 }\n")
        with server.connect() as client:
            blob = os.urandom(8 << 20)

            def send():
                request = client.send_execute("import os; print(os.path.getsize('blob'))", files={"blob": blob})
                wait_until(lambda: client.status().languages[0].running == 1, what="a sandbox that is being given its job")
                return request

            server.wait_idle(connections=1)
            first = self.stop_sandbox(server)
            request = send()
            os.kill(first.pid, signal.SIGKILL)
            result = client.result(request)
            self.assert_exited(result)
            self.assertEqual(f"{8 << 20}\n".encode(), result.stdout)
            self.assertEqual(1, client.status().languages[0].failures)

            # The pool tries only once more: after the second death the client gets an error.
            server.wait_idle(connections=1)
            first = self.stop_sandbox(server)
            request = send()
            wait_until(lambda: client.status().languages[0].warm == 1, what="another sandbox")
            second = self.stop_sandbox(server, other_than=first)
            os.kill(first.pid, signal.SIGKILL)
            wait_until(lambda: client.status().languages[0].failures == 2, what="the end of the first sandbox")
            os.kill(second.pid, signal.SIGKILL)
            self.assert_refused("INTERNAL", "two sandboxes in a row", client.result, request)
            self.assertEqual(3, client.status().languages[0].failures)

    def stop_sandbox(self, server, other_than=None):
        """Stops the one waiting sandbox, and returns its process."""
        known = {process.pid for process in [*server.daemons(), *filter(None, [other_than])]}
        found = [process for process in server.processes() if process.pid not in known and process.name == "python"]
        self.assertEqual(1, len(found), found)
        os.kill(found[0].pid, signal.SIGSTOP)
        return found[0]

    def test_a_dead_supervisor_leaves_no_process(self):
        server = self.start()
        with server.connect() as client:
            client.send_execute("import time; time.sleep(50)")
            wait_until(lambda: client.status().languages[0].running == 1, what="a running program")
            family, groups = server.processes(), self.groups(server)
            self.assertGreater(len(family), 3)
            server.process.kill()
            server.process.wait(60)
            wait_until(lambda: not [process for process in family if process.is_alive()], what="the end of all processes")
        # The next server removes the cgroups that a killed server left.
        server.release()
        self.start().stop()
        self.assert_gone(groups)

    def test_a_dead_pool_does_not_stop_the_service(self):
        server = self.start()
        pool = server.pool_process()
        os.kill(pool.pid, signal.SIGKILL)

        def runs():
            try:
                with server.connect() as client:
                    return client.execute("print(1)").stdout == b"1\n"
            except Exception:  # pylint: disable=broad-except
                return False
        wait_until(runs, what="a run by a new pool")
        self.assertFalse(pool.is_alive())

    def test_a_dead_init_costs_its_run_and_nothing_else(self):
        server = self.start(config="language python { warm = 2 running = 4 }\n")
        with server.connect() as client:
            client.execute("")
            server.wait_idle(connections=1)
            for process in server.processes():
                if process.name == "hatchery-init":
                    os.kill(process.pid, signal.SIGKILL)
            for _ in range(8):
                try:
                    client.execute("print(1)")
                except Refused as refused:
                    self.assertIn(refused.code, ("UNAVAILABLE", "INTERNAL"))
            wait_until(lambda: client.execute("print(1)").stdout == b"1\n", what="a run in a slot that was rebuilt")
            self.assertTrue(client.status().ready)

    def test_what_a_killed_zygote_leaves_is_reaped(self):
        server = self.start()
        inits = [process for process in server.processes() if process.name == "hatchery-init"]
        self.assertTrue(inits)
        for process in server.zygote_processes():
            os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not [one for one in inits if host.Process(one.pid).start == one.start], what="their end")
        with server.connect() as client:
            wait_until(lambda: client.status().ready, what="the next zygote")
        self.assertEqual([], [one for one in server.processes() if one.state == "Z"])

    def test_a_killed_server_is_cleaned_up_after_by_one_of_another_number(self):
        first, second = self.start(), self.start()
        groups = self.groups(first) | self.groups(second)
        self.assertTrue(groups)
        family = [*first.processes(), *second.processes()]
        for server in (first, second):
            server.process.kill()
            server.process.wait(60)
        wait_until(lambda: not [process for process in family if process.is_alive()], what="the end of all processes")
        for server in (first, second):
            server.release()
        self.start()
        self.assert_gone(groups)


    def test_a_pool_that_dies_at_each_start_ends_the_server(self):
        """A pool that dies at each start, before the server is ready, is not started again for ever"""
        server = Server("lifecycle.hopeless", config="language python { warm = 300 }\n")
        self.addCleanup(server.release)
        host.become_subreaper()
        with open(server.log_path, "wb") as log:
            server.process = subprocess.Popen(server.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        killed = set()

        def is_over():
            family = server.processes()
            if any(process.name == "hatchery-init" for process in family):
                for process in family:
                    if process.name == "hatchery-pool" and process.pid not in killed:
                        os.kill(process.pid, signal.SIGKILL)
                        killed.add(process.pid)
            return server.process.poll() is not None
        wait_until(is_over, what="the end of the server")
        self.assertEqual(1, server.process.returncode, server.log_tail())
        self.assertIn("giving up: the server never came up", server.log())


class Hangs(WithServers):
    def test_what_hangs_is_killed_and_replaced(self):
        """A stopped zygote, pool and init of a slot are killed; a whole server that was frozen is not

        The guards wait long, so all cases are tried at the same time."""
        one, other, third = self.start(), self.start(), self.start(config="language python { warm = 2 running = 2 }\n")
        frozen = self.start()
        frozen_pool = frozen.pool_process()
        self.freeze(frozen, frozen_pool)
        init = next(process for process in third.processes() if process.name == "hatchery-init")
        os.kill(init.pid, signal.SIGSTOP)
        self.use_all_slots(third)
        zygote, pool = one.zygote_processes()[0], other.pool_process()
        with one.connect() as client, other.connect() as lost:
            lost.ping()
            os.kill(zygote.pid, signal.SIGSTOP)
            os.kill(pool.pid, signal.SIGSTOP)
            with self.assertRaises(Refused) as caught:
                client.execute("print(1)")
            self.assertEqual("UNAVAILABLE", caught.exception.code)
            self.assertGreater(caught.exception.error.retry_after_ms, 0)
            wait_until(lambda: not zygote.is_alive(), what="the end of the zygote that hangs")
            wait_until(lambda: client.status().ready, what="the next zygote")
            self.assert_alive(client)
            self.assertIn("it does not answer", one.log())
            with self.assertRaises(Closed):
                lost.ping()
        wait_until(lambda: not pool.is_alive(), what="the end of the pool that hangs")
        self.assertIn("the pool has said nothing", other.log())
        wait_until(lambda: self.serves(other), what="a run by a new pool")

        wait_until(lambda: not init.is_alive(), what="the end of the init that hangs")
        third.wait_idle()
        with third.connect() as client:
            row = client.status().languages[0]
            self.assertEqual((2, 1), (row.warm, row.generation))
            # If init is found hanging while it takes a dead sandbox down, the next sandbox fails;
            # if init is found hanging with a run, its slot is discarded.
            self.assertGreaterEqual(row.failures + row.discarded, 1)
        self.assertIn("init does not answer", third.log())  # the zygote's guard ends before the pool's guard
        self.thaw(frozen, frozen_pool)

    def freeze(self, server, pool):
        os.kill(pool.pid, signal.SIGSTOP)
        wait_until(lambda: host.Process(pool.pid).state == "T", what="a stopped pool")
        # A sleeping supervisor has read everything that the pool sent.
        supervisor = host.Process(server.process.pid)
        wait_until(lambda: host.Process(supervisor.pid).state == "S", what="a supervisor that waits")
        server.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: host.Process(supervisor.pid).state == "T", what="a stopped supervisor")

    def thaw(self, server, pool):
        """Continues the supervisor first. It finds that the pool has been silent for a long time"""
        supervisor = host.Process(server.process.pid)

        def waits():  # how often the supervisor has slept
            return int(supervisor.status()["voluntary_ctxt_switches"])
        before = waits()
        server.process.send_signal(signal.SIGCONT)
        wait_until(lambda: waits() > before and host.Process(supervisor.pid).state == "S", what="a supervisor that has looked")
        os.kill(pool.pid, signal.SIGCONT)
        self.assertTrue(self.serves(server))
        self.assertEqual(pool.pid, server.pool_process().pid)

    def use_all_slots(self, server):
        with server.connect() as client:
            for _ in range(4):
                client.execute("print(1)")

    def serves(self, server):
        try:
            with server.connect() as client:
                return client.execute("print(1)").stdout == b"1\n"
        except (Refused, Closed):
            return False

    def test_a_dead_supervisor_takes_a_stopped_pool_with_it(self):
        server = self.start()
        pool, family = server.pool_process(), server.processes()
        os.kill(pool.pid, signal.SIGSTOP)
        server.process.kill()
        server.process.wait(60)
        wait_until(lambda: not [process for process in family if process.is_alive()], what="the end of all processes")
        server.release()
        self.start().stop()  # removes what is left


FREEZER = Path("/sys/fs/cgroup/freezer")


@unittest.skipIf(IS_SANITIZED, "half a minute of waiting that is the same in the other preset")
@unittest.skipUnless((FREEZER / "tasks").exists(), "only the freezer of cgroup version 1 keeps a killed process from dying")
class SlowDeath(WithServers):
    def test_a_slot_that_takes_long_to_die_keeps_nobody_waiting(self):
        """A killed sandbox takes half a minute to die: its slot waits for that, but the zygote and other runs do not"""
        server = self.start(config="language python { warm = 2 running = 4 }\n")
        zygote = server.zygote_processes()[0]
        folder = FREEZER / f"hatchery-test-{os.getpid()}"
        folder.mkdir()
        try:
            with server.connect() as slow, server.connect() as other:
                known = {process.pid for process in server.processes()}
                request = slow.send_execute("import os, time\nos.fork()\ntime.sleep(60)", limits={"wall_us": 1_000_000})
                # The main process was known already, because it was warm. Its child is new. Both are frozen, because a
                # killed process that is not frozen would die at once.
                child = wait_until(lambda: next((process for process in server.processes()
                                                 if process.name == "python" and process.pid not in known
                                                 and process.parent in known and process.parent != zygote.pid), None),
                                   what="the run's child")
                for pid in (child.pid, child.parent):
                    (folder / "tasks").write_text(str(pid))
                (folder / "freezer.state").write_text("FROZEN")
                longest, end = 0, time.monotonic() + 33
                while time.monotonic() < end:
                    before = time.monotonic()
                    self.assertEqual(b"2\n", other.execute("print(1 + 1)").stdout)
                    longest = max(longest, time.monotonic() - before)
                    time.sleep(0.3)
                print(f"# the longest that another run took meanwhile: {longest * 1000:.0f} ms", flush=True)
                with self.assertRaises(Refused):
                    slow.result(request)
                self.assertTrue(zygote.is_alive(), server.log())
                self.assertTrue(child.is_alive(), "it died, frozen: this proves nothing")
                (folder / "freezer.state").write_text("THAWED")
                wait_until(lambda: not child.is_alive(), what="the end of what was frozen")
                # The slot has waited for the child, and is empty now. The slot is used again, or was given up
                # meanwhile.
                server.wait_idle(connections=2)
                self.assertEqual([zygote.pid], [process.pid for process in server.zygote_processes()])
        finally:
            (folder / "freezer.state").write_text("THAWED")
            wait_until(lambda: not (folder / "tasks").read_text(), what="an empty freezer")
            folder.rmdir()


def python_row(client):
    return client.status().languages[0]


class Readiness(WithServers):
    CONFIG = "language python { warm = 2 running = 4 }\n"

    def use_up(self, client):
        """Uses the warm sandboxes. The next sandboxes fail. Returns the requests, some of which wait."""
        return [client.send_execute("print(1)") for _ in range(4)]

    def assert_recovers(self, server, client, requests):
        wait_until(lambda: client.status().ready, what="a server that is ready again")
        for request in requests:
            self.assertEqual(b"1\n", client.result(request).stdout)
        log = server.log()
        self.assertEqual(1, log.count("python: not ready"), log)
        self.assertEqual(1, log.count("there are warm sandboxes again"), log)

    def wait_not_ready(self, client):
        wait_until(lambda: not client.status().ready, what="a server that is not ready")
        status = client.status()
        self.assertFalse(status.languages[0].ready)
        self.assertEqual(0, status.languages[0].warm)
        self.assertGreaterEqual(status.languages[0].failures, 3)

    def test_a_step_that_fails_again_and_again_turns_readiness_off_until_it_works(self):
        server = self.start(config=self.CONFIG, faults=[])
        with server.connect() as client:
            self.assertTrue(client.status().languages[0].ready)
            server.set_faults(f"fail overlay root {errno.ENOSPC}")
            requests = self.use_up(client)
            self.wait_not_ready(client)
            self.assertIn("overlay root: No space left on device", server.log())
            server.set_faults()
            self.assert_recovers(server, client, requests)

    def test_a_zygote_without_descriptors_says_so_and_recovers(self):
        server = self.start(config=self.CONFIG)
        with server.connect() as client:
            zygote = server.zygote_processes()[0].pid
            before = resource.prlimit(zygote, resource.RLIMIT_NOFILE)
            resource.prlimit(zygote, resource.RLIMIT_NOFILE, (20, before[1]))
            requests = self.use_up(client)
            self.wait_not_ready(client)
            self.assertIn("Too many open files", server.log())
            resource.prlimit(zygote, resource.RLIMIT_NOFILE, before)
            self.assert_recovers(server, client, requests)

    def test_cgroups_that_somebody_removed_are_made_again(self):
        server = self.start(config="client_share = 100\nlanguage python { warm = 1 running = 4 }\n")
        with server.connect() as client:
            self.run_held(server, client)
            server.wait_idle(connections=1)
            server.note_cgroups()
            removed = 0
            for path in server.cgroup_directories():
                try:
                    os.rmdir(path)
                    removed += 1
                except OSError:
                    pass  # there are processes in the cgroup
            self.assertGreater(removed, 0)
            for _ in range(2):
                self.run_held(server, client)
            server.wait_idle(connections=1)
            self.assertTrue(client.status().ready)

    def run_held(self, server, client):
        """Runs as many programs at once as the configuration allows."""
        requests = [client.send_execute(HOLD + "print(1)", limits=HELD) for _ in range(4)]
        server.wait_held(4)
        server.let_go()
        for request in requests:
            self.assertEqual(b"1\n", client.result(request).stdout)


if __name__ == "__main__":
    unittest.main()
