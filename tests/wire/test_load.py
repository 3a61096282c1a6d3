"""Many at once: requests, connections, and clients that behave badly. No answer may be lost, no request within the
bounds refused, and memory stays bounded. Figures are printed as comments."""

import os
import resource
import socket
import struct
import threading
import time

from lib.case import Case, ServerModule
from lib.hatchery import HEADER, execute_message, pb
from lib.scale import ALL
from lib.server import IS_SANITIZED, wait_until

IN_FLIGHT = 1024 if ALL else 256
CONFIG = f"""
max_connections = 10240
max_in_flight = {IN_FLIGHT}
max_unsent_bytes = "4M"
max_answer_bytes = "1M"
max_memory = "64M"
frame_timeout = "3s"
write_timeout = "60s"
language python {{ }}
"""

# Most tests use this server. For exact measurements of the pool's memory a fresh server is better: a pool that was busy
# before reuses memory that it kept.
SERVER = ServerModule(__name__, config=CONFIG)

KIB, MIB = 1 << 10, 1 << 20
IDLE = 10_000
# What an idle connection may cost the pool. Under the sanitizers each allocation is several times larger.
IDLE_BYTES = (8 if IS_SANITIZED else 2) * KIB
# Freed memory is kept for a while: the allocator keeps a little, and the sanitizers' quarantine keeps much.
SLACK = (400 if IS_SANITIZED else 24) * MIB


def setUpModule():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    SERVER.soft_files = soft
    SERVER.set_up()


tearDownModule = SERVER.tear_down


class Load(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle()
        self.pool = SERVER.pool_process()

    def use_fresh_server(self):
        self.SERVER = ServerModule(f"{__name__}-fresh", config=CONFIG)
        self.SERVER.set_up()
        self.addCleanup(self.SERVER.tear_down)
        self.assert_alive()
        self.SERVER.wait_idle(connections=1)
        self.pool = self.SERVER.pool_process()

    def many(self, number, source="127.0.0.2"):
        """Silent connections, as bare sockets; closed at the end of the test."""
        host, _, port = self.SERVER.address.rpartition(":")
        sockets = []
        self.addCleanup(lambda: [sock.close() for sock in sockets])
        for _ in range(number):
            sockets.append(socket.create_connection((host, int(port)), 120, (source, 0)))
        return sockets

    def wait_connections(self, number):
        """Waits until the server has this many connections, besides the connection of self.client."""
        wait_until(lambda: self.client.status().connections == number + 1, what=f"{number} connections")

    def grown(self, before):
        return self.pool.rss_bytes() - before


class Concurrent(Load):
    def check(self, clients, number):
        """Sends `number` requests, spread over the connections. Each request gets its own answer."""
        began = time.monotonic()
        sent = [(clients[i % len(clients)], clients[i % len(clients)].send_execute(f"print({i} * 7)"), i)
                for i in range(number)]
        for client, request, i in sent:
            result = client.result(request)
            self.assert_exited(result)
            self.assertEqual(f"{i * 7}\n".encode(), result.stdout)
        took = time.monotonic() - began
        print(f"# {number} requests at once on {len(clients)} connections: {took:.2f} s, "
              f"{number / took:.0f} a second", flush=True)

    def test_on_one_connection(self):
        for number in (IN_FLIGHT // 8, IN_FLIGHT):
            self.check([self.client], number)

    def test_on_a_connection_each(self):
        clients = [self.connect() for _ in range(IN_FLIGHT)]
        for number in (IN_FLIGHT // 8, IN_FLIGHT):
            self.check(clients[:number], number)

    def test_by_many_clients_at_the_same_time(self):
        """Sixteen threads, many requests each, names and priorities mixed: every one is answered"""
        problems = []

        def work(number):
            try:
                with SERVER.connect(source=f"127.0.0.{2 + number % 4}") as client:
                    ids = [client.send_execute(f"print({number}, {i})", client=f"name {i % 5}", priority=i % 8)
                           for i in range(IN_FLIGHT // 16)]
                    for i, request in enumerate(ids):
                        if client.result(request).stdout != f"{number} {i}\n".encode():
                            problems.append((number, i))
            except Exception as error:  # pylint: disable=broad-except
                problems.append((number, repr(error)))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], problems)


class Idle(Load):
    def test_ten_thousand_idle_connections_are_held(self):
        """10,000 connections that say nothing are held, cost little, and others are served as ever"""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files < IDLE + 500:
            self.skipTest(f"this process may open {files} descriptors only")
        self.use_fresh_server()
        before = self.pool.rss_bytes()
        sockets = self.many(IDLE)
        self.wait_connections(IDLE)
        cost = self.grown(before) / IDLE
        began = time.monotonic()
        for i in range(20):
            self.assertEqual(f"{i}\n".encode(), self.execute(f"print({i})").stdout)
        took = (time.monotonic() - began) / 20
        print(f"# {IDLE} idle connections: {cost:.0f} bytes of the pool each; a run beside them {took * 1e3:.1f} ms",
              flush=True)
        self.assertLess(cost, IDLE_BYTES)
        # The connections are alive: the last and the first can send requests.
        for sock in (sockets[-1], sockets[0]):
            message = pb.ClientMessage(id=1, ping=pb.Ping()).SerializeToString()
            sock.sendall(HEADER.pack(0, len(message)) + message)
            self.assertTrue(sock.recv(100))
        for sock in sockets:
            sock.close()
        self.wait_connections(0)

    def test_too_few_descriptors_are_said(self):
        """The log says that the limit of descriptors lowers max_connections, and sandboxes keep their descriptors"""
        config = "max_connections = 1000000\nlanguage python { warm = 2 running = 2 }\n"
        other = ServerModule(f"{__name__}-few", config=config)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
        other.set_up()
        self.addCleanup(other.tear_down)
        self.assertIn("max_connections is 1000000, but the limit of descriptors is", other.log())
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Hostile(Load):
    NUMBER = 400

    def test_slow_beginners_cost_little_and_are_closed(self):
        """Hundreds of frames that announce 16 MiB and come slowly use bounded memory, and are closed in time"""
        self.use_fresh_server()
        before = self.pool.rss_bytes()
        sockets = self.many(self.NUMBER)
        self.wait_connections(self.NUMBER)
        for sock in sockets:
            sock.sendall(HEADER.pack(0, 16 * MIB)[:5] + b"\x08")
        for _ in range(3):
            for sock in sockets:
                sock.send(b"\x01")
            time.sleep(0.1)  # the bytes come slowly
        peak = self.grown(before)
        self.assert_alive()
        wait_until(lambda: self.client.status().connections == 1, what="the end of unfinished frames")
        print(f"# {self.NUMBER} unfinished frames: {peak / self.NUMBER:.0f} bytes of the pool each", flush=True)
        self.assertLess(peak, self.NUMBER * 4 * IDLE_BYTES + SLACK)

    def test_large_unfinished_frames_of_many_meet_one_bound(self):
        """Hundreds of clients that each send 1 MiB of a frame and stop get no more than max_memory together"""
        before = self.pool.rss_bytes()
        sockets = self.many(self.NUMBER)
        self.wait_connections(self.NUMBER)
        part = HEADER.pack(0, 16 * MIB) + b"\0" * MIB
        peak = refused = 0
        for sock in sockets:
            sock.settimeout(5)
            try:
                sock.sendall(part)
            except OSError:
                refused += 1
            peak = max(peak, self.grown(before))
        wait_until(lambda: self.client.status().connections < self.NUMBER, what="the first refusals")
        print(f"# {self.NUMBER} MiB of unfinished frames: the pool grew by {peak / MIB:.0f} MiB", flush=True)
        self.assertLess(peak, 64 * MIB + SLACK + 32 * MIB)
        for sock in sockets:
            sock.close()
        self.wait_connections(0)
        self.assert_alive()

    def test_half_open_connections_cost_little(self):
        """Hundreds of clients that reset their connections while the server holds their answers"""
        before = self.pool.rss_bytes()
        message = pb.ClientMessage(id=1, execute=execute_message("print('x' * 1000)")).SerializeToString()
        for _ in range(3):
            for sock in self.many(100):
                sock.sendall(HEADER.pack(0, len(message)) + message)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
        self.wait_connections(0)
        SERVER.wait_idle(connections=1)
        self.assertLess(self.grown(before), SLACK)
        self.assert_alive()

    def test_clients_that_never_read_meet_one_bound(self):
        """Clients that ask for much and read nothing: those with most unsent bytes are closed, others are served"""
        before = self.pool.rss_bytes()
        clients = [self.connect(source="127.0.0.3") for _ in range(40 if ALL else 24)]
        peak = 0
        message = execute_message("print('x' * 900_000)")
        for client in clients:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            for _ in range(10):  # the kernel buffers some 4 MB of the answers
                client.send(execute=message)

        def answered():
            nonlocal peak
            peak = max(peak, self.grown(before))
            status = self.client.status()
            # On a busy machine the status may come before the pool has read anything.
            return "max_memory is reached" in SERVER.log() and status.queued == 0 and status.languages[0].running == 0
        wait_until(answered, 120, "the bound, and the end of all runs")
        left = self.client.status().connections - 1
        print(f"# {10 * len(clients)} answers of 0.9 MB that nobody reads: the pool grew by {peak / MIB:.0f} MiB, "
              f"{len(clients) - left} of {len(clients)} clients were closed", flush=True)
        # The bound, twice the memory of a run in hand, and the memory that the allocator keeps.
        self.assertLess(peak, 64 * MIB + 40 * MIB + SLACK)
        self.assertLess(left, len(clients))
        self.assert_alive()
        for client in clients:
            client.close()
        self.wait_connections(0)

    def test_memory_that_is_used_up_refuses_new_requests_and_comes_back(self):
        """Waiting requests fill max_memory: new ones are refused with a time, and accepted when the others are gone"""
        client = self.connect(source="127.0.0.4")
        blob = os.urandom(700 * KIB)
        refused = None
        for i in range(200):
            request = client.send_execute("import time; time.sleep(50)", stdin=blob)
            if i % 10 == 9:
                client.ping()
                errors = [answer.error for answer in client.kept.values() if answer.WhichOneof("answer") == "error"]
                if errors:
                    refused = errors[0]
                    break
        self.assertIsNotNone(refused, "140 MB of requests were taken")
        self.assert_error(refused, "RESOURCE_EXHAUSTED", "memory")
        self.assertGreater(refused.retry_after_ms, 0)
        self.assertGreater(request, 50)
        client.close()
        wait_until(lambda: self.client.status().queued == 0, what="an empty queue")
        self.assert_alive()
