"""The server as a whole: start, refusal to start, several side by side, drain, reload, what it survives."""

import errno
import fcntl
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import unittest

from lib import host
from lib.case import Case
from lib.hatchery import Closed, Code, Refused
from lib.server import HATCHERYD, RUN_DIR, Server, wait_until


def hatcheryd(*arguments):
    return subprocess.run([str(HATCHERYD), *arguments], capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)


class WithServers(Case):
    def start(self, **options):
        server = Server(f"{type(self).__name__}.{self._testMethodName}", **options)
        self.addCleanup(server.stop)
        return server.start()

    def groups(self, server):
        """This server's cgroups, told apart from those that a later server makes."""
        server.note_cgroups()
        return {(path, os.stat(path).st_ino) for path in server.cgroup_directories()}

    def assert_gone(self, groups):
        def is_there(path, inode):
            try:
                return os.stat(path).st_ino == inode and not self.has_a_server(path)
            except FileNotFoundError:
                return False
        self.assertEqual([], [path for path, inode in groups if is_there(path, inode)],
                         "the next server did not sweep what a killed one left")

    def has_a_server(self, path):
        """Is it the group of a server that lives? It may have taken a dead one's number, and its group."""
        number = re.fullmatch(r"hatchery-(\d+)", os.path.basename(path))
        if not number:
            return False
        with open(RUN_DIR / f"instance-{number[1]}.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


class Start(WithServers):
    def test_ready_means_that_the_sandboxes_are_warm(self):
        with self.start().connect() as client:
            status = client.status()
            self.assertTrue(status.ready)
            self.assertGreater(client.execute("").warm_us, 0)

    def test_signals_that_its_starter_ignores_are_not_ignored_in_a_sandbox(self):
        wanted = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)  # the first two: what a shell does for `hatcheryd &`
        before = [signal.signal(number, signal.SIG_IGN) for number in wanted]
        try:
            server = self.start()
        finally:
            for number, handler in zip(wanted, before):
                signal.signal(number, handler)
        code = ("import signal\nprint([s.name for s in signal.valid_signals() if hasattr(s, 'name')"
                " and signal.getsignal(s) == signal.SIG_IGN], signal.getsignal(signal.SIGINT).__name__)")
        with server.connect() as client:
            self.assertEqual("['SIGPIPE', 'SIGXFSZ'] default_int_handler\n", client.execute(code).stdout.decode())

    def test_two_servers_run_side_by_side(self):
        first, second = self.start(), self.start()
        with first.connect() as a, second.connect() as b:
            names = {client.execute("print(1)").sandbox for client in (a, b) for _ in range(20)}
        self.assertEqual(40, len(names))
        second.stop()
        with first.connect() as a:
            self.assertEqual(b"1\n", a.execute("print(1)").stdout)

    def test_a_unix_socket_is_listened_on(self):
        server = self.start()
        self.assertTrue(server.socket_path.is_socket())
        self.assertEqual(f"unix:{server.socket_path}", server.unix_address)

    def test_an_address_in_use_is_a_plain_error(self):
        server = self.start()
        second = hatcheryd("--listen", server.address)
        self.assertNotEqual(0, second.returncode)
        self.assertIn(server.address, second.stderr)
        self.assertIn("in use", second.stderr)

    def test_a_socket_of_a_dead_server_is_replaced_and_a_live_one_is_not(self):
        server = self.start()
        self.assertNotEqual(0, hatcheryd("--listen", server.unix_address).returncode)
        with type(server.connect())(server.unix_address) as client:
            client.ping()
        stale = server.dir / "stale"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(stale))
        other = self.start(options=("--listen", f"unix:{stale}"))
        self.assertEqual(f"unix:{stale}", other.addresses[2])


class Options(unittest.TestCase):
    def test_help_and_version_print_and_succeed(self):
        for option, word in (("--help", "--listen"), ("--version", "hatcheryd"), ("--print-config", "language")):
            with self.subTest(option):
                done = hatcheryd(option)
                self.assertEqual(0, done.returncode, done.stderr)
                self.assertIn(word, done.stdout)

    def test_a_wrong_option_is_refused_with_a_sentence(self):
        for arguments in (["--nonsense"], ["--listen", "nonsense"], ["--listen", "127.0.0.1:99999"],
                          ["--config", "/nonexistent/file"], ["stray"]):
            with self.subTest(arguments):
                done = hatcheryd(*arguments)
                self.assertNotEqual(0, done.returncode)
                self.assertTrue(done.stderr.strip())

    def test_a_wrong_configuration_is_refused_with_its_line(self):
        folder = Server("none").dir
        self.addCleanup(os.rmdir, folder)
        path = folder / "bad.conf"
        self.addCleanup(lambda: path.unlink(missing_ok=True))
        for text, word in (("\n\nnonsense = 1\n", "3"), ("max_queue = -1\n", "max_queue"),
                           ("max_queue = many\n", "max_queue"), ("language python {\n", ""),
                           ("language python { limits { memory = 900000M } }\n", "memory")):
            with self.subTest(text):
                path.write_text(text)
                done = hatcheryd("--config", str(path))
                self.assertNotEqual(0, done.returncode)
                self.assertIn("bad.conf", done.stderr)
                self.assertIn(word, done.stderr)

    def test_the_printed_configuration_is_one_that_is_taken(self):
        text = hatcheryd("--print-config").stdout
        server = Server("print-config", config=text)
        server.start()
        server.stop()

    def test_the_host_check_names_every_step(self):
        done = hatcheryd("--check-host")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for word in ("namespace", "overlay", "memory", "pids", "seccomp", "kernel"):
            self.assertIn(word, done.stdout.lower())

    def test_without_root_it_says_so(self):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(HATCHERYD), "--listen",
                               "127.0.0.1:0"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 126 or "Permission denied" in done.stderr and "setpriv" in done.stderr:
            self.skipTest("an unprivileged user can't reach the build tree")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("root", done.stderr)


class Drain(WithServers):
    def test_running_work_is_finished_and_new_work_is_refused(self):
        server = self.start()
        client, other = server.connect(), server.connect()
        other.ping()
        run = client.send_execute("import time; print('a', flush=True); time.sleep(3); print('b')")
        wait_until(lambda: other.status().languages[0].running == 1, what="a running program")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: other.status().draining, what="the drain")
        with self.assertRaises(Refused) as caught:
            other.execute("print(1)")
        self.assertEqual("UNAVAILABLE", caught.exception.code)
        self.assertTrue(caught.exception.message)
        self.assertEqual(b"a\nb\n", client.result(run).stdout)
        for one in (client, other):
            one.close()
        server.ended()

    def test_what_runs_longer_than_the_drain_is_killed_and_answered(self):
        server = self.start(config='drain = "1s"\nlanguage python { }\n')
        with server.connect() as client:
            run = client.send_execute("import time; time.sleep(50)")
            wait_until(lambda: client.status().languages[0].running == 1, what="a running program")
            server.process.send_signal(signal.SIGTERM)
            answer = client.wait(run)
            kind = answer.WhichOneof("answer")
            self.assertIn(kind, ("result", "error"))
            if kind == "error":
                self.assertEqual("UNAVAILABLE", Code.Name(answer.error.code))
        server.ended()

    def test_everything_accepted_is_answered(self):
        server = self.start()
        with server.connect() as client:
            ids = [client.send_execute("import time; time.sleep(0.2); print(1)") for _ in range(40)]
            client.ping()
            server.process.send_signal(signal.SIGTERM)
            for request in ids:
                try:
                    self.assertEqual(b"1\n", client.result(request).stdout)
                except Refused as refused:
                    self.assertEqual("UNAVAILABLE", refused.code)
        server.ended()

    def test_a_second_signal_does_no_harm(self):
        server = self.start()
        for _ in range(3):
            server.process.send_signal(signal.SIGTERM)
        server.ended()

    def test_interrupting_from_the_terminal_drains_too(self):
        server = self.start()
        server.process.send_signal(signal.SIGINT)
        server.ended()


class Reload(WithServers):
    def test_a_changed_default_holds_for_new_runs(self):
        server = self.start(config='language python { limits { output = "1000" } }\n')
        config = server.dir / "hatchery.conf"
        with server.connect() as client:
            self.assertEqual(1000, len(client.execute("print('x' * 5000)").stdout))
            config.write_text('language python { limits { output = "2000" } }\n')
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(client.execute("print('x' * 5000)").stdout) == 2000, what="the new limit")

    def test_a_wrong_configuration_changes_nothing(self):
        server = self.start(config="language python { }\n")
        with server.connect() as client:
            (server.dir / "hatchery.conf").write_text("nonsense = 1\n")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "nonsense" in server.log(), what="a line in the log")
            self.assertEqual(b"1\n", client.execute("print(1)").stdout)


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
        """A waiting sandbox that is killed while its job is still being written: the job goes to another one, once"""
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

            # Not for ever: after the second one the client is told.
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
        # What a killed server could not remove, the next one does.
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
        """A pool that dies when its zygote is there, before the server was ready, is not started again for ever"""
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
        self.assertIn("giving up: it never came up", server.log())


class Hangs(WithServers):
    def test_what_hangs_is_killed_and_replaced(self):
        """A stopped zygote, pool and init of a slot are killed; a whole server that was frozen is not

        The guards are generous, so all are tried at once."""
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
            # Found while it takes a dead sandbox down, it fails the next one; found with a run, its slot is discarded.
            self.assertGreaterEqual(row.failures + row.discarded, 1)
        self.assertIn("init does not answer", third.log())  # the zygote's guard, which is sooner than the pool's
        self.thaw(frozen, frozen_pool)

    def freeze(self, server, pool):
        os.kill(pool.pid, signal.SIGSTOP)
        time.sleep(0.2)  # the supervisor has heard all that the pool said
        server.process.send_signal(signal.SIGSTOP)

    def thaw(self, server, pool):
        """The supervisor goes on first, and finds a pool that has been silent since long ago"""
        server.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
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
        self.start().stop()  # sweeps


class Readiness(WithServers):
    CONFIG = "language python { warm = 2 running = 4 }\n"

    def use_up(self, client):
        """What is warm is used; what follows it fails. Returns requests that wait."""
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
        server = self.start(config="language python { warm = 1 running = 4 }\n")
        with server.connect() as client:
            for request in [client.send_execute("import time; time.sleep(1)") for _ in range(4)]:
                client.result(request)
            server.wait_idle(connections=1)
            server.note_cgroups()
            removed = 0
            for path in server.cgroup_directories():
                try:
                    os.rmdir(path)
                    removed += 1
                except OSError:
                    pass  # there are processes in it
            self.assertGreater(removed, 0)
            for request in [client.send_execute("import time; time.sleep(1); print(1)") for _ in range(8)]:
                self.assertEqual(b"1\n", client.result(request).stdout)
            server.wait_idle(connections=1)
            self.assertTrue(client.status().ready)


class Descriptors(WithServers):
    def test_running_out_of_descriptors_is_survived(self):
        """A server that can open few descriptors keeps answering those it has"""
        server = self.start(config='max_connections = 100000\nlanguage python { warm = 2 running = 2 }\n')
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(300):
            clients.append(server.connect())
        self.assertEqual(b"1\n", clients[0].execute("print(1)").stdout)
        self.assertEqual(b"1\n", clients[-1].execute("print(1)").stdout)

    def test_connections_that_come_and_go_leak_nothing(self):
        server = self.start()
        server.wait_idle()
        pool = server.pool_process()
        before = pool.descriptors()

        def come_and_go():
            for i in range(60):
                with server.connect() as client:
                    if i % 3 == 0:
                        client.execute("print(1)")
                    elif i % 3 == 1:
                        client.send_execute("print(1)")
        threads = [threading.Thread(target=come_and_go) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.wait_idle()
        wait_until(lambda: pool.descriptors() <= before, what="the number of descriptors from before")
        self.assertTrue(host.Process(pool.pid).is_alive())
