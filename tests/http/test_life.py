"""The gateway's processes: started with the server, restarted when they die, replaced by a reload, drained before the
pool. Whatever happens to these processes, clients of the native wire notice nothing."""

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest
from urllib.parse import urlsplit

from lib import host
from lib.hatchery import Client
from lib.scale import patience
from lib.server import FREE_PORT, HATCHERYD, HELD, HOLD, RUN_DIR, wait_until
from lib.servers import WithServers

PYTHON = "language python { warm = 2 running = 8 }\n"
DEFAULT = "127.0.0.1:8060"  # the address of HTTP if the configuration has no section http


class Life(WithServers):
    def start(self, **options):
        return super().start(**{"config": PYTHON, "http": True, **options})

    def connection(self, url, timeout=60):
        connection = http.client.HTTPConnection(urlsplit(url).hostname, urlsplit(url).port, timeout=patience(timeout))
        self.addCleanup(connection.close)
        return connection

    def ask(self, url, path="/v1/status", method="GET", body=None):
        """Sends one request on a connection of its own. Returns the answer, and its contents."""
        connection = self.connection(url)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer, json.loads(answer.read() or b"null")

    def answers(self, url):
        """Does HTTP work at this moment?"""
        try:
            return self.ask(url)[0].status == 200
        except (OSError, http.client.HTTPException):
            return False

    def post(self, url, code, **fields):
        """Asks for a run in a thread, and returns the thread. At its end it has `answer` and `body`, or `error`."""
        def work():
            try:
                thread.answer, thread.body = self.ask(url, "/v1/run", "POST", {"language": "python", "code": code, **fields})
            except (OSError, http.client.HTTPException) as error:
                thread.error = error
        thread = threading.Thread(target=work, daemon=True)
        thread.answer = thread.body = thread.error = None
        thread.start()
        return thread

    def join(self, thread):
        thread.join(patience(60))
        self.assertFalse(thread.is_alive(), "no answer came")

    def workers(self, server, n=3):
        """Waits until there are n workers, and returns them."""
        return wait_until(lambda: (lambda found: found if len(found) == n else None)(server.worker_processes()), what=f"{n} workers")


class Deaths(Life):
    def test_three_workers_answer(self):
        """Each of three workers has its own socket for the address: with two stopped, some connections get answers"""
        server = self.start()
        workers = self.workers(server)
        self.assertEqual(1, len(server.https))
        self.assertTrue(all(self.answers(server.http) for _ in range(30)))
        stopped = workers[:2]
        for process in stopped:
            os.kill(process.pid, signal.SIGSTOP)
        sockets = [socket.create_connection((urlsplit(server.http).hostname, urlsplit(server.http).port), 10) for _ in range(60)]
        for sock in sockets:
            self.addCleanup(sock.close)
            sock.sendall(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        sockets[0].settimeout(None)
        self.assertTrue(wait_until(lambda: self.answered(sockets), what="an answer"))
        time.sleep(0.5)
        self.assertLess(len(self.answered(sockets)), 60)
        for process in stopped:
            os.kill(process.pid, signal.SIGCONT)
        wait_until(lambda: len(self.answered(sockets)) == 60, what="all answers")

    @staticmethod
    def answered(sockets):
        found = []
        for sock in sockets:
            sock.setblocking(False)
            try:
                if sock.recv(1, socket.MSG_PEEK):
                    found.append(sock)
            except BlockingIOError:
                pass
        return found

    def test_a_worker_that_dies_is_started_again(self):
        """A worker that dies is started again, each time; a native run goes on meanwhile"""
        server = self.start()
        native = server.connect()
        self.addCleanup(native.close)
        held = native.send_execute(HOLD + "print('survived')", limits=HELD)
        server.wait_held()
        daemons = {process.pid for process in (server.pool_process(), *server.zygote_processes())}
        for _ in range(2):
            for worker in self.workers(server):
                os.kill(worker.pid, signal.SIGKILL)
            wait_until(lambda: not worker.is_alive(), what="its end")
            self.workers(server)
            wait_until(lambda: self.answers(server.http), what="an answer")
        self.assertIn("the gateway's worker 0 was killed by signal 9", server.log())
        server.let_go()
        self.assertEqual(b"survived\n", native.result(held).stdout)
        self.assertEqual(b"1\n", native.execute("print(1)").stdout)
        self.assertEqual(daemons, {process.pid for process in (server.pool_process(), *server.zygote_processes())})

    def test_a_worker_that_keeps_dying_is_started_with_pauses(self):
        server = self.start()
        deaths, end = 0, time.monotonic() + 3
        while time.monotonic() < end:
            for worker in server.worker_processes():
                try:
                    os.kill(worker.pid, signal.SIGKILL)
                    deaths += 1
                except ProcessLookupError:
                    pass
            time.sleep(0.01)
        self.assertLess(deaths, 30)  # the pause before each restart of a worker grows: none, 100 ms, 200 ms, ...
        with server.connect() as native:
            self.assertEqual(b"1\n", native.execute("print(1)").stdout)
        self.workers(server)
        wait_until(lambda: self.answers(server.http), what="an answer")

    def test_the_runs_of_a_worker_that_dies_are_cancelled(self):
        server = self.start()
        asked = self.post(server.http, HOLD, limits=HELD)
        server.wait_held()
        for worker in self.workers(server):
            os.kill(worker.pid, signal.SIGKILL)
        self.join(asked)
        self.assertIsNotNone(asked.error)
        with server.connect() as native:
            wait_until(lambda: sum(row.running for row in native.status().languages) == 0, what="the end of its run")
        server.held = []

    def test_a_closed_connection_takes_its_run_out_of_the_queue(self):
        server = self.start(config="language python { warm = 1 running = 1 }\n")
        native = server.connect()
        self.addCleanup(native.close)
        held = native.send_execute(HOLD, limits=HELD)
        server.wait_held()
        for path in "/v1/run", "/v1/run?stream=sse":
            with self.subTest(path):
                connection = self.connection(server.http)
                connection.request("POST", path, '{"language": "python", "code": ""}', {"Content-Type": "application/json"})
                wait_until(lambda: native.status().queued == 1, what="a run that waits")
                connection.close()
                wait_until(lambda: native.status().queued == 0, what="an empty queue")
        server.let_go()
        native.result(held)

    def test_a_worker_that_hangs_is_killed(self):
        server = self.start()
        worker = self.workers(server)[0]
        os.kill(worker.pid, signal.SIGSTOP)
        wait_until(lambda: not worker.is_alive(), what="its end")
        self.assertIn("has said nothing for 15 s, and is killed", server.log())
        self.workers(server)
        self.assertTrue(self.answers(server.http))

    def test_a_worker_that_hangs_dies_with_the_supervisor(self):
        """A worker and a pool that hang die with the supervisor, although they can't see its end"""
        server = self.start()
        hung = [self.workers(server)[0], server.pool_process()]
        for process in hung:
            os.kill(process.pid, signal.SIGSTOP)
        os.kill(server.process.pid, signal.SIGKILL)
        try:
            for process in hung:
                wait_until(lambda p=process: not p.is_alive(), 10, what="its end")
        finally:
            for process in hung:
                if process.is_alive():
                    os.kill(process.pid, signal.SIGKILL)
            server.release()

    def test_the_pool_dies_and_http_comes_back(self):
        server = self.start()
        asked = [self.post(server.http, HOLD, limits=HELD) for _ in range(3)]
        server.wait_held(3)
        workers = {process.pid for process in self.workers(server)}
        os.kill(server.pool_process().pid, signal.SIGKILL)
        for one in asked:
            self.join(one)
            self.assertIsNone(one.error)
            self.assertEqual(503, one.answer.status, one.body)
            self.assertGreaterEqual(int(one.answer.headers["Retry-After"]), 1)
            self.assertEqual("UNAVAILABLE", one.body["error"]["code"])
        server.held = []
        def works():
            try:
                answer, body = self.ask(server.http, "/v1/run", "POST", {"language": "python", "code": "print(42)"})
            except (OSError, http.client.HTTPException):
                return False
            return answer.status == 200 and body["stdout"] == "42\n"
        wait_until(works, what="a run by HTTP")
        self.assertEqual(workers, {process.pid for process in server.worker_processes()})


class Ends(Life):
    def test_notice_then_the_gateway_then_the_pool(self):
        """The order of the end: notice, gateway, pool. During the notice the server is not ready, but takes requests"""
        server = self.start(config=PYTHON + "drain_notice = 3s\n")
        native = server.connect()
        self.addCleanup(native.close)
        self.assertTrue(native.status().ready)
        self.assertTrue(self.ask(server.http)[1]["ready"])
        family = server.processes()
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not native.status().ready, what="the notice")
        self.assertEqual(b"1\n", native.execute("print(1)").stdout)
        wait_until(lambda: not self.ask(server.http)[1]["ready"], what="the notice by HTTP")
        asked = self.post(server.http, HOLD + "print('answered')", limits=HELD)
        server.wait_held()
        self.assertLess(time.monotonic() - begun, 3, "the notice was over before the test was")
        pool = server.pool_process()
        wait_until(lambda: not self.answers(server.http), what="the end of HTTP")
        self.assertGreaterEqual(time.monotonic() - begun, 2.9)
        self.assertEqual(b"2\n", native.execute("print(2)").stdout, "the pool was drained before the gateway")
        server.let_go()
        self.join(asked)
        self.assertEqual((200, "answered\n", "close"), (asked.answer.status, asked.body["stdout"], asked.answer.headers["Connection"]))
        wait_until(lambda: not pool.is_alive(), what="the pool's end")
        server.ended(family)

    def test_a_drain_that_takes_too_long_is_cut(self):
        """Workers have as much time as runs have: a drain that takes too long is ended"""
        server = self.start(config=PYTHON + "drain = 1s\n")
        asked = self.post(server.http, HOLD, limits=HELD)
        server.wait_held()
        begun = time.monotonic()
        server.stop()
        self.assertGreaterEqual(time.monotonic() - begun, 0.9)
        self.join(asked)
        server.held = []

    def test_an_idle_server_stops_at_once(self):
        server = self.start()
        begun = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - begun, patience(5))

    def test_what_a_killed_server_left_is_removed(self):
        server = self.start()
        trusted = self.directory_of(server)
        os.kill(server.process.pid, signal.SIGKILL)
        server.release()
        self.assertTrue((trusted / "pool.sock").exists())
        self.start(http=None)
        self.assertFalse((trusted / "pool.sock").exists() and not self.is_held(trusted))

    @staticmethod
    def is_held(trusted):
        """True if another server has this instance's number by now, and so holds the lock beside this directory."""
        import fcntl  # pylint: disable=import-outside-toplevel
        with open(f"{trusted}.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @staticmethod
    def directory_of(server):
        """The directory of the pool's trusted socket, which is the root of every worker."""
        number = (int(server.pool_process().status()["Uid"].split()[0]) - 1879048192) // 262144
        return RUN_DIR / f"instance-{number}"

    def test_the_trusted_socket_is_the_gateways_alone(self):
        server = self.start()
        place = self.directory_of(server)
        uid = int(server.worker_processes()[0].status()["Uid"].split()[0])
        folder, sock = os.lstat(place), os.lstat(place / "pool.sock")
        self.assertEqual((0, uid, 0o710), (folder.st_uid, folder.st_gid, stat.S_IMODE(folder.st_mode)))
        self.assertEqual((uid, uid, 0o600), (sock.st_uid, sock.st_gid, stat.S_IMODE(sock.st_mode)))
        self.assertEqual(["pool.sock"], os.listdir(place))
        server.stop()
        self.assertFalse(place.exists() and not self.is_held(place))


class Settings(Life):
    def write(self, server, config):
        server.config_path.write_text(config + f'\ncache = "{server.dir}/cache"\n')

    def reload(self, server):
        before = server.log().count("the configuration was read again")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log().count("the configuration was read again") > before, what="the reload")

    def host_is_known(self, server, name):
        connection = self.connection(server.http)
        connection.putrequest("GET", "/v1/status", skip_host=True)
        connection.putheader("Host", name)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200

    def test_a_reload_replaces_workers_if_they_are_concerned(self):
        text = PYTHON + "gateway_workers = 2\nhttp { listen = { '127.0.0.1:0' } hosts = { %s } }\n"
        server = self.start(config=text % "old.example", http=None)
        workers = {process.pid for process in self.workers(server, 2)}
        self.write(server, text % "old.example" + "max_queue = 100\n")
        self.reload(server)
        time.sleep(0.3)
        self.assertEqual(workers, {process.pid for process in server.worker_processes()})
        self.assertTrue(self.host_is_known(server, "old.example"))
        self.assertFalse(self.host_is_known(server, "new.example"))

        asked = self.post(server.http, HOLD + "print('answered')", limits=HELD)
        server.wait_held()
        self.write(server, text % "new.example")
        self.reload(server)
        wait_until(lambda: self.host_is_known(server, "new.example"), what="workers with the new settings")
        now = wait_until(lambda: (lambda found: found if len(found) == 3 else None)({p.pid for p in server.worker_processes()}),
                         what="two new workers, and one that has a run")
        self.assertEqual(1, len(now & workers))
        server.let_go()
        self.join(asked)
        self.assertEqual("answered\n", asked.body["stdout"])
        self.assertFalse(workers & {process.pid for process in self.workers(server, 2)})

    def test_a_worker_holds_no_more_than_its_memory(self):
        """gateway_memory bounds what a worker holds: a body for which there is no room is refused before it is read"""
        server = self.start(config=PYTHON + "gateway_workers = 1\ngateway_memory = 1M\nmax_request_bytes = 1M\n"
                            "http { listen = { '127.0.0.1:0' } }\n", http=None)
        address = urlsplit(server.http)
        head = "POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n"
        with (socket.create_connection((address.hostname, address.port), patience(30)) as one,
              socket.create_connection((address.hostname, address.port), patience(30)) as other):
            one.sendall(head.encode() + b"{" + b" " * 1_500_000)
            time.sleep(0.3)
            other.sendall(head.encode())
            answer = http.client.HTTPResponse(other)
            answer.begin()
            self.assertEqual((503, "1"), (answer.status, answer.headers["Retry-After"]))
        wait_until(lambda: self.answers(server.http), what="an answer")

    def test_another_address_needs_a_restart(self):
        server = self.start(config=PYTHON + "http { listen = { '127.0.0.1:0' } }\n", http=None)
        self.write(server, PYTHON + "http { listen = { '127.0.0.1:0', '[::1]:0' } contracts = piston }\n")
        self.reload(server)
        self.assertIn("the addresses of http, or gateway_workers, have changed, which takes effect at the next start", server.log())
        time.sleep(0.3)
        self.assertTrue(self.answers(server.http))

    def test_without_a_section_an_address_on_the_command_line_turns_it_off(self):
        for config in PYTHON, PYTHON + "http { listen = {} }\n":
            with self.subTest(config):
                server = self.start(config=config, http=None)
                self.assertEqual([], server.https)
                self.assertEqual([], server.worker_processes())
                self.assertFalse(Ends.directory_of(server).exists())

    def test_several_addresses_with_contracts_of_their_own(self):
        server = self.start(config=PYTHON + "gateway_workers = 1\nhttp { listen = { '127.0.0.1:0', '[::1]:0' } contracts = v1 }\n"
                            "http { listen = { '127.0.0.1:0' } contracts = piston }\n", http=None)
        self.assertEqual(3, len(set(server.https)))
        self.assertIn("http://[::1]:", server.https[1])
        self.assertTrue(self.answers(server.https[0]))
        self.assertTrue(self.answers(server.https[1]))
        self.assertEqual(404, self.ask(server.https[2])[0].status)
        self.assertEqual(200, self.ask(server.https[2], "/api/v2/runtimes")[0].status)

    def run_alone(self, config):
        """Runs a server without --listen until it is ready or has ended. Returns its line, its log and its status."""
        path = self.prepare(config="").dir / "alone.conf"
        path.write_text(config)
        with subprocess.Popen([str(HATCHERYD), "--config", str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=patience(60))
        return line.split(), log, process.returncode

    def test_a_default_address_that_is_taken_is_a_warning(self):
        config = 'listen = { "127.0.0.1:0" }\n' + PYTHON
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", 8060))
                taken.listen()
            except OSError:
                pass  # another program has the address, which is as good for this test
            words, log, status = self.run_alone(config)
        self.assertEqual(("ready", 2, 0), (words[0], len(words), status), log)
        self.assertIn(f"warn  supervisor: there is no HTTP on {DEFAULT}: the address is in use; to use another, name it in a section http", log)

    def test_a_configured_address_that_is_taken_is_an_error(self):
        """A configured address that is taken is an error, even if its owner shares the address among its own workers"""
        server = self.start()
        address = server.http.removeprefix("http://")
        words, log, status = self.run_alone(f'listen = {{ "127.0.0.1:0" }}\nhttp {{ listen = {{ "{address}" }} }}\n' + PYTHON)
        self.assertEqual(([], 1), (words, status))
        self.assertIn(f"http: listen on {address}: Address already in use", log)
        self.assertTrue(self.answers(server.http))

    def test_mistakes_name_the_line(self):
        words, log, status = self.run_alone(PYTHON + "http {\n  contracts = { v1, judge0 }\n}\n")
        self.assertEqual(([], 1), (words, status))
        self.assertIn('alone.conf: line 3: http: contracts holds "judge0"', log)


if __name__ == "__main__":
    unittest.main()
