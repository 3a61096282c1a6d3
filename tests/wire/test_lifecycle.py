"""The server as a whole: start, refusal to start, several side by side, drain, reload, the end of descriptors."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from lib import host
from lib.hatchery import Client, Code, Refused
from lib.server import HATCHERYD, HELD, HOLD, Server, wait_until
from lib.servers import WithServers


PYTHON = "language python { }\n"


def hatcheryd(*arguments):
    return subprocess.run([str(HATCHERYD), *arguments], capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)


class Start(WithServers):
    def test_ready_means_that_the_sandboxes_are_warm(self):
        with self.start().connect() as client:
            status = client.status()
            self.assertTrue(status.ready)
            self.assertGreater(client.execute("").warm_us, 0)

    def test_signals_that_its_starter_ignores_are_not_ignored_in_a_sandbox(self):
        wanted = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)  # a shell ignores the first two for `hatcheryd &`
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


class Early(WithServers):
    """Requests that come while a language starts. Python's zygote imports a module whose import waits until a file
    exists. The zygotes of the language wreck end, because its program prints no version."""

    GATE = "import os, time\nwhile not os.path.exists('/hatchery/packages/open'): time.sleep(0.05)\n"
    WRECK = ("runtime wreck {\n kind = exec\n main_file = main.sh\n version = { sh, -c, 'exit 3' }\n"
             " run = { sh, '{entry}' }\n}\n")

    def prepare_gate(self, config):
        server = self.prepare(config="")
        packages, files = server.dir / "packages", server.dir / "lang"
        for folder in (packages, files):
            folder.mkdir()
        (packages / "gate.py").write_text(self.GATE)
        (files / "wreck.conf").write_text(self.WRECK)
        self.gate = packages / "open"
        self.python = f'language python {{ warm = 1 packages = "{packages}" preload = {{ gate }} }}\n'
        self.configure(server, f"language_files = {{ {files} }}\ncache = \"{server.dir}/cache\"\n{config}")
        return server

    def configure(self, server, more):
        with open(server.config_path, "a", encoding="utf-8") as config:
            config.write(more)

    def start_ahead(self, server):
        """Starts the server in a thread, and returns a connection to it. The server listens, but is not ready yet."""
        def attempt():
            try:
                return Client(f"unix:{server.socket_path}")
            except (ConnectionRefusedError, FileNotFoundError):
                return None
        starting = threading.Thread(target=server.start)
        starting.start()
        self.addCleanup(starting.join)
        self.addCleanup(self.gate.touch)
        client = wait_until(attempt, what="a connection")
        self.addCleanup(client.close)
        return client

    def queued(self, client, n):
        wait_until(lambda: client.status().queued == n, what=f"{n} requests that wait")

    def refusal(self, client, **request):
        with self.assertRaises(Refused) as caught:
            client.execute("", **request)
        return caught.exception

    def test_what_comes_while_a_language_starts_waits_for_it(self):
        server = self.prepare_gate("max_queue = 4\n")
        self.configure(server, self.python)
        client = self.start_ahead(server)
        # Python by its name, and by an alias that only its zygote knows; a request with an impossible limit; and an
        # unknown language.
        named = client.send_execute("print(1)")
        other = client.send_execute("print(2)", language="Python3")
        wrong = client.send_execute("", limits={"pids": 0})
        nobodys = client.send_execute("", language="cobol")
        self.queued(client, 4)
        self.assertEqual("RESOURCE_EXHAUSTED", self.refusal(client).code)
        self.assertTrue(client.cancel(other))
        self.assertEqual("CANCELLED", Code.Name(client.wait(other).error.code))
        self.assertEqual("DEADLINE_EXCEEDED", self.refusal(client, deadline_us=1000).code)
        other = client.send_execute("print(2)", language="Python3")
        self.queued(client, 4)
        self.gate.touch()
        self.assertEqual([b"1\n", b"2\n"], [client.result(request).stdout for request in (named, other)])
        self.assertEqual("INVALID_ARGUMENT", Code.Name(client.wait(wrong).error.code))
        self.assertEqual("NOT_FOUND", Code.Name(client.wait(nobodys).error.code))

    def test_what_comes_for_a_language_that_fails_is_refused(self):
        server = self.prepare_gate("language wreck { }\n")
        self.configure(server, self.python)
        self.assert_broken(self.start_ahead(server))

    def assert_broken(self, client):
        refused = self.refusal(client, language="wreck", deadline_us=100_000_000)
        self.assertEqual("UNAVAILABLE", refused.code)
        self.assertIn("can't be started on this server", refused.message)

    def test_what_waits_for_a_language_that_breaks_is_refused(self):
        server = self.prepare_gate("language wreck { warm = 1 }\n")
        path = server.dir / "lang" / "wreck.conf"
        path.write_text(self.WRECK.replace("exit 3", "echo 1"))
        server.start()
        with server.connect() as client:
            client.execute("", language="wreck")
            path.write_text(self.WRECK)
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "was read again" in server.log(), what="a new configuration")
            for zygote in server.zygote_processes():
                os.kill(zygote.pid, signal.SIGKILL)
            wait_until(lambda: not client.status().languages[0].ready, what="a language without a zygote")
            self.assert_broken(client)

    def test_what_comes_for_one_that_a_reload_brings_waits_for_it(self):
        server = self.prepare_gate("language bash { warm = 1 }\n").start()
        with server.connect() as client:
            self.configure(server, self.python)
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: len(client.status().languages) == 2, what="another language")
            waiting = client.send_execute("print(3)", language="py")
            self.queued(client, 1)
            self.assertEqual(b"1\n", client.execute("echo 1", language="bash").stdout)
            self.gate.touch()
            self.assertEqual(b"3\n", client.result(waiting).stdout)


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
        self.addCleanup(shutil.rmtree, folder)
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
        server = Server("print-config", config=text + PYTHON)  # only Python: other languages would test nothing more
        server.start()
        server.stop()

    def test_the_host_check_names_every_step(self):
        with tempfile.NamedTemporaryFile("w") as config:
            config.write(PYTHON)
            config.flush()
            done = hatcheryd("--check-host", "--config", config.name)
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
        run = client.send_execute("print('a', flush=True)\n" + HOLD + "print('b')", limits=HELD)
        server.wait_held()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: other.status().draining, what="the drain")
        with self.assertRaises(Refused) as caught:
            other.execute("print(1)")
        self.assertEqual("UNAVAILABLE", caught.exception.code)
        self.assertTrue(caught.exception.message)
        server.let_go()
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

    def test_ceilings_change_with_the_next_generation_and_no_run_is_lost(self):
        """When ceilings rise or fall, no zygote gets an order above its own ceilings, which would end the zygote"""
        text = 'language python {{ warm = 2 running = 2 limits {{ memory = "{}M" }} ceilings {{ memory = "{}M" }} }}\n'
        server = self.start(config=text.format(64, 256))

        def ceiling_is(megabytes):
            try:
                client.execute("", limits={"memory_bytes": megabytes << 20})
                client.execute("", limits={"memory_bytes": (megabytes << 20) + 1})
            except Refused as refused:
                self.assertEqual("INVALID_ARGUMENT", refused.code)
                return f"at most {megabytes} MiB here " in refused.message
            return False

        with server.connect() as client:
            self.assertTrue(ceiling_is(256))
            (server.dir / "hatchery.conf").write_text(text.format(300, 512))
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: ceiling_is(512), what="the higher ceiling")

            running = [client.send_execute("import time; time.sleep(50)", limits={"wall_us": 60000000}) for _ in range(2)]
            waiting = client.send_execute("", limits={"memory_bytes": 500 << 20})
            generation = client.status().languages[0].generation
            (server.dir / "hatchery.conf").write_text(text.format(40, 128))
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: client.status().languages[0].generation > generation, what="the next generation")
            for request in running:
                client.cancel(request)
            with self.assertRaises(Refused) as caught:
                client.result(waiting)
            self.assert_error(caught.exception.error, "UNAVAILABLE", "ceilings")
            self.assertTrue(ceiling_is(128))
        self.assertNotIn("the pool ordered", server.log())

    def test_a_wrong_configuration_changes_nothing(self):
        server = self.start(config="language python { }\n")
        with server.connect() as client:
            (server.dir / "hatchery.conf").write_text("nonsense = 1\n")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "nonsense" in server.log(), what="a line in the log")
            self.assertEqual(b"1\n", client.execute("print(1)").stdout)


class Descriptors(WithServers):
    def test_running_out_of_descriptors_is_survived(self):
        """A server with 300 connections answers the first and the last of them"""
        server = self.start(config='max_connections = 100000\nlanguage python { warm = 2 running = 2 }\n')
        clients = []
        self.addCleanup(lambda: [client.close() for client in clients])
        for _ in range(300):
            clients.append(server.connect())
        self.assertEqual(b"1\n", clients[0].execute("print(1)").stdout)
        self.assertEqual(b"1\n", clients[-1].execute("print(1)").stdout)

    def test_connections_that_come_and_go_leak_nothing(self):
        server = self.start(config="language python { warm = 4 }\n")  # each has descriptors, so the number is fixed
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
