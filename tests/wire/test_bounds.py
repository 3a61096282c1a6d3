"""The bounds that keep one client, or all of them together, from using up the server: on a server with small ones."""

import os
import socket
import time

from lib.case import Case, ServerModule
from lib.hatchery import Closed, Refused, execute_message, pb
from lib.server import HELD, HOLD, IS_SANITIZED, wait_until

CONFIG = """
max_connections = 8
max_in_flight = 4
max_queue = 3
client_share = 100
max_unsent_bytes = "4M"
write_timeout = "2s"
max_request_bytes = "1M"
max_answer_bytes = "2M"

language python {
        warm = 2
        running = 2
}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SLEEP = "import time; time.sleep(50)"
EXHAUSTED = "RESOURCE_EXHAUSTED"


class Bounds(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle()

    def test_requests_over_the_queue_are_refused_with_a_time(self):
        first, second, third = self.connect(), self.connect(), self.connect()
        # Two run, three wait.
        for _ in range(4):
            first.send_execute(SLEEP)
        second.send_execute(SLEEP)
        wait_until(lambda: self.client.status().queued == 3, what="a full queue")
        for _ in range(4):
            error = self.assert_refused(EXHAUSTED, "wait", third.execute, "1")
            self.assertGreater(error.retry_after_ms, 0)
        first.close()
        second.close()
        wait_until(lambda: self.client.status().queued == 0, what="an empty queue")
        self.assert_alive(third)

    def test_requests_over_those_in_flight_of_a_connection_are_refused(self):
        client = self.connect()
        ids = [client.send_execute(HOLD + "print(1)", limits=HELD) for _ in range(4)]
        extra = [client.send_execute("print(2)") for _ in range(3)]
        for request in extra:
            self.assert_refused(EXHAUSTED, "4", client.result, request)
        for _ in range(2):  # two run at one time
            SERVER.wait_held(2)
            SERVER.let_go()
        for request in ids:
            self.assertEqual(b"1\n", client.result(request).stdout)

    def test_connections_over_the_bound_are_told_so_and_closed(self):
        clients = [self.connect() for _ in range(7)]
        for client in clients:
            client.ping()
        self.client.ping()
        one_more = self.connect()
        answer = one_more.receive()
        self.assertEqual(0, answer.id)
        self.assert_error(answer.error, EXHAUSTED, "connections")
        with self.assertRaises(Closed):
            one_more.receive()
        clients[0].close()
        wait_until(lambda: self.client.status().connections == 7, what="a free place")
        self.assert_alive_on_new_connection()

    def test_a_configured_request_size_holds(self):
        client = self.connect()
        with self.assertRaises((Refused, ConnectionError, Closed)) as caught:
            client.execute("1", stdin=b"x" * (2 << 20))
        if isinstance(caught.exception, Refused):
            self.assertIn(str(1 << 20), caught.exception.message)
        self.assert_alive()

    def test_an_answer_that_is_too_large_is_refused(self):
        self.assert_refused(EXHAUSTED, "2 MiB at most here", self.execute, "print('x' * (3 << 20))",
                            limits={"output_bytes": 4 << 20})
        self.assert_alive()

    def test_a_client_that_never_reads_is_closed_and_costs_bounded_memory(self):
        pool = SERVER.pool_process()
        before = pool.rss_bytes()
        client = self.connect()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sock.settimeout(60)
        message = pb.ClientMessage(execute=execute_message("print('x' * (1 << 20))", limits={"output_bytes": 1536 << 10}))
        peak = 0
        closed = False
        end = time.monotonic() + 60
        # The client asks for 200 answers of 1 MiB, as fast as the server takes the requests, and
        # reads none.
        while not closed and time.monotonic() < end:
            client.last_id += 1
            message.id = client.last_id
            try:
                if client.last_id < 200:
                    client.send_frame(message.SerializeToString())
                time.sleep(0.01)  # the pace of the requests
                closed = self.is_closed(client)
            except OSError:
                closed = True
            peak = max(peak, pool.rss_bytes())
        self.assertTrue(closed, "the server kept a client that takes nothing")
        # The bound allows for max_unsent_bytes, one more answer, and current runs. Sanitizers keep freed memory a while.
        self.assertLess(peak - before, (300 if IS_SANITIZED else 40) << 20)
        self.assertTrue(pool.is_alive())
        self.assert_alive()

    def is_closed(self, client):
        """True if the kernel says that the peer has closed the connection. Reads nothing."""
        state = client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state != 1  # TCP_ESTABLISHED

    def test_a_slow_reader_is_not_closed(self):
        client = self.connect()
        data = os.urandom(1 << 20)
        ids = [client.send_execute("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())",
                                   stdin=data[:900_000]) for _ in range(4)]
        for request in ids:
            time.sleep(0.8)  # slow: all of it takes longer than write_timeout
            self.assertEqual(data[:900_000], client.result(request).stdout)
