"""/livez and /readyz: what a load balancer is told while a server starts, fails, drains and ends."""

import http.client
import os
import signal
import time
import unittest
from urllib.parse import urlsplit

from lib.scale import patience
from lib.server import HELD, HOLD, wait_until
from lib.servers import WithServers

PYTHON = "language python { warm = 1 running = 4 }\n"
# Its version command prints nothing, so its zygotes end one after the other.
BAD = "runtime bad { kind = exec main_file = main.sh version = { /bin/true } run = { /bin/sh, '{entry}' } }\n"


class Health(WithServers):
    def start(self, **options):
        return super().start(**{"config": PYTHON, "http": True, **options})

    def connection(self, server):
        connection = http.client.HTTPConnection(urlsplit(server.http).netloc, timeout=patience(30))
        self.addCleanup(connection.close)
        return connection

    def ask(self, server, path="/readyz", method="GET", connection=None):
        connection = connection or self.connection(server)
        connection.request(method, path)
        answer = connection.getresponse()
        self.assertEqual("text/plain; charset=utf-8", answer.headers["Content-Type"])
        self.assertEqual("no-store", answer.headers["Cache-Control"])
        return answer.status, answer.read().decode()

    def becomes(self, server, expected):
        """Waits until /readyz answers so. Each worker's answer is at most a second old."""
        wait_until(lambda: {self.ask(server) for _ in range(10)} == {expected}, what=repr(expected))


class Languages(Health):
    def test_a_server_that_is_ready(self):
        server = self.start(config=PYTHON + "language bash { required = no }\n")
        self.assertEqual((200, "ok\n"), self.ask(server))
        self.assertEqual((200, "ok\n"), self.ask(server, "/livez"))
        self.assertEqual((200, ""), self.ask(server, method="HEAD"))
        self.assertEqual((200, ""), self.ask(server, "/livez", method="HEAD"))
        verbose = (200, "[+]pool ok\n[+]start ok\n[+]serving ok\n[+]languages ok\n[+]language python ok\n"
                        "[+]optional language bash ok\nreadyz check passed\n")
        for query in "?verbose", "?verbose=", "?verbose=1", "?x=1&verbose", "?&&verbose&y":
            self.assertEqual(verbose, self.ask(server, "/readyz" + query), query)
        self.assertEqual((200, "ok\n"), self.ask(server, "/readyz?verbosely"))

    def test_only_required_languages_count(self):
        """A language that fails or is absent takes the server out only if it is required; a reload changes that"""
        optional = PYTHON + BAD + "language bad { required = no }\nlanguage nowhere { required = no }\ngateway_workers = 1\n"
        server = self.start(config=optional, http='listen = { "127.0.0.1:0" } contracts = { health }')
        with server.connect() as native:
            wait_until(lambda: "ends before" in native.status().languages[1].fault, what="the failure")
        time.sleep(1.1)
        self.assertEqual((200, "ok\n"), self.ask(server))
        self.assertEqual((200, "[+]pool ok\n[+]start ok\n[+]serving ok\n[+]languages ok\n[+]language python ok\n"
                               "[-]optional language bad failed: zygote after zygote ends before it can serve\n"
                               "[-]optional language nowhere failed: nowhere is not installed on the server\n"
                               "readyz check passed\n"), self.ask(server, "/readyz?verbose"))
        text = server.config_path.read_text()
        server.config_path.write_text(text.replace(" required = no", ""))
        server.process.send_signal(signal.SIGHUP)
        self.becomes(server, (503, "[-]language bad failed: zygote after zygote ends before it can serve\n"
                                   "[-]language nowhere failed: nowhere is not installed on the server\nreadyz check failed\n"))
        server.config_path.write_text(text)
        server.process.send_signal(signal.SIGHUP)
        self.becomes(server, (200, "ok\n"))


class Ends(Health):
    def test_not_ready_from_the_notice_on(self):
        server = self.start(config=PYTHON + "drain_notice = 3s\n")
        server.process.send_signal(signal.SIGTERM)
        self.becomes(server, (503, "[-]serving failed: the server is about to end\nreadyz check failed\n"))
        self.assertEqual((200, "ok\n"), self.ask(server, "/livez"))
        with server.connect() as native:
            self.assertEqual(b"1\n", native.execute("print(1)").stdout)
            status = native.status()
        self.assertEqual((True, False, False), (status.leaving, status.draining, status.ready))
        server.ended()

    def test_not_ready_while_the_gateway_drains(self):
        """Without a notice, too: a connection that is still open gets no false answer"""
        server = self.start(config=PYTHON + "gateway_workers = 1\n")
        kept, other = self.connection(server), self.connection(server)
        self.assertEqual((200, "ok\n"), self.ask(server, connection=kept))
        other.request("POST", "/v1/run", HELD_RUN, {"Content-Type": "application/json"})
        server.wait_held()
        time.sleep(1.1)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "a drain will follow" in server.log(), what="the drain")
        self.assertEqual((503, "[-]serving failed: the server is about to end\nreadyz check failed\n"), self.ask(server, connection=kept))
        server.let_go()
        self.assertEqual(200, other.getresponse().status)
        server.ended()

    def test_not_ready_without_a_pool(self):
        server = self.start()
        workers = {process.pid for process in server.worker_processes()}
        time.sleep(1.1)
        os.kill(server.pool_process().pid, signal.SIGKILL)
        seen = set()
        def is_back():
            seen.add(self.ask(server))
            return (200, "ok\n") in seen and len(seen) > 1
        wait_until(is_back, what="an answer of either kind")
        self.becomes(server, (200, "ok\n"))
        self.assertTrue(all(text.endswith("readyz check failed\n") for status, text in seen if status == 503), seen)
        self.assertEqual({200, 503}, {status for status, _ in seen})
        self.assertEqual(workers, {process.pid for process in server.worker_processes()})


HELD_RUN = '{"language": "python", "code": "%s", "limits": {"wall_us": %d}}' % (HOLD.replace("\n", "\\n"), HELD["wall_us"])

if __name__ == "__main__":
    unittest.main()
