"""Floods of requests that cost a client nothing. Beside each of them another client is served, limits end runs, and the
pool lives."""

import selectors
import socket
import threading
import time

from lib.case import Case, ServerModule
from lib.flood import frame
from lib.hatchery import HEADER, LZ4, execute_message, pb
from lib.scale import patience
from lib.server import wait_until

SERVER = ServerModule(__name__, config="language python { }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

CONNECTIONS = 24
PIECES = 10_000      # each of four kinds, on each connection
READING = 64 << 10   # what the server reads in one go
WALL_US = 300_000
# Guards. If a flood were answered in one go, the pool would check no run's limit meanwhile.
GUARD, OVERRUN_US = patience(20), patience(2) * 1e6


class Flood(threading.Thread):
    """Sends the same frames on many connections, and takes the answers."""

    def __init__(self, address, data, frames):
        super().__init__()
        self.connections = [Connection(address, memoryview(data), frames) for _ in range(CONNECTIONS)]

    def run(self):
        late = time.monotonic() + 10 * GUARD
        with selectors.DefaultSelector() as selector:
            for connection in self.connections:
                selector.register(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
            while selector.get_map() and time.monotonic() < late:
                for key, events in selector.select(0.1):
                    if events & selectors.EVENT_WRITE and key.data.write():
                        selector.modify(key.data.sock, selectors.EVENT_READ, key.data)
                    if events & selectors.EVENT_READ:
                        key.data.read()
                    if key.data.is_done():
                        selector.unregister(key.data.sock)
                        key.data.sock.close()


class Connection:
    def __init__(self, address, data, frames):
        host, _, port = address.rpartition(":")
        self.data, self.frames = data, frames
        self.sock = socket.create_connection((host, int(port)), GUARD, ("127.0.0.9", 0))
        self.sock.setblocking(False)
        self.answered = 0
        self.closed = False
        self.part = b""

    def is_done(self):
        return self.closed or self.answered == self.frames

    def write(self):
        """Returns True if all is sent."""
        try:
            self.data = self.data[self.sock.send(self.data):]
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        return not self.data

    def read(self):
        try:
            got = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        if not got:
            self.closed = True
            return
        self.part += got
        at = 0
        while at + HEADER.size <= len(self.part):
            length = HEADER.size + HEADER.unpack_from(self.part, at)[1]
            if at + length > len(self.part):
                break
            at += length
            self.answered += 1
        self.part = self.part[at:]


class Floods(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        self.pool = SERVER.pool_process().pid

    def tearDown(self):
        super().tearDown()
        SERVER.wait_idle()
        self.assertEqual(self.pool, SERVER.pool_process().pid, "the pool has died")

    def beside(self):
        """Sends two runs of another client during the flood. A time limit has to end one of them."""
        began = time.monotonic()
        limited = self.client.send_execute("import time\ntime.sleep(1000)", limits={"wall_us": WALL_US})
        self.assertEqual(b"1\n", self.execute("print(1)").stdout)
        result = self.client.result(limited)
        took = time.monotonic() - began
        self.assert_status(result, "TIME_LIMIT")
        print(f"# beside it: {took:.2f} s, the limit was overrun by {(result.wall_us - WALL_US) / 1e3:.0f} ms", flush=True)
        self.assertLess(took, GUARD)
        self.assertLess(result.wall_us - WALL_US, OVERRUN_US)

    def flood(self, data, frames):
        flood = Flood(SERVER.address, data, frames)
        flood.start()
        try:
            wait_until(lambda: any(c.answered for c in flood.connections), what="the flood's first answers")
            self.beside()
        finally:
            flood.join()
        self.assertTrue(all(c.is_done() for c in flood.connections), "requests were not answered")

    def fill_readings(self, one):
        frames = READING // len(one)
        self.flood(one * frames, frames)

    def test_statuses(self):
        """Two dozen clients that send GetStatus as fast as they can"""
        self.fill_readings(frame(get_status=pb.GetStatus()))

    def test_cancels(self):
        """Two dozen clients that cancel unknown requests as fast as they can"""
        self.fill_readings(frame(cancel=pb.Cancel(request_id=77)))

    def flood_of_pieces(self, request_id, before=b""):
        """A flood of all messages that have no answer. The last bytes are no frame, so that the server then closes."""
        pieces = (frame(request_id=0, credit=pb.Credit(request_id=request_id, bytes=1)),
                  frame(request_id=0, stdin_chunk=pb.StdinChunk(request_id=request_id, bytes=b"x")),
                  frame(request_id=0, stdin_chunk=pb.StdinChunk(request_id=request_id)),
                  frame(request_id=0, resize=pb.Resize(request_id=request_id, rows=1, columns=1)))
        data = frame(request_id=99, ping=pb.Ping()) + before + b"".join(pieces) * PIECES + b"\xff" * HEADER.size
        self.flood(data, None)

    def test_pieces_of_streams_that_are_not_there(self):
        """Two dozen clients that send Credit, StdinChunk and Resize about no request as fast as they can"""
        self.flood_of_pieces(77)

    def test_pieces_of_a_stream(self):
        """Two dozen clients that send input and credit byte by byte, although the program uses neither"""
        opened = execute_message("import time\ntime.sleep(1000)", stream=True, live_stdin=True)
        self.flood_of_pieces(1, frame(execute=opened))

    def test_signals(self):
        """Two dozen clients that send signals to a program as fast as they can"""
        opened = execute_message("import signal, time\nsignal.signal(28, lambda *a: None)\nwhile True:\n    time.sleep(1)")
        signals = b"".join(frame(request_id=i, signal=pb.Signal(request_id=1, number=28)) for i in range(2, PIECES))
        self.flood(frame(execute=opened) + signals + b"\xff" * HEADER.size, None)

    def test_what_is_packed_to_the_limit(self):
        """Two dozen clients whose small frames unpack to 16 MiB"""
        execute = execute_message(b"#" * ((16 << 20) - 4096), language="none such")
        self.flood(frame(LZ4, execute=execute) * 3, 3)

    def test_a_thousand_that_leave_at_once(self):
        host, _, port = SERVER.address.rpartition(":")
        sockets = [socket.create_connection((host, int(port)), GUARD, ("127.0.0.9", 0)) for _ in range(1000)]
        wait_until(lambda: self.client.status().connections == len(sockets) + 1, what="the connections")
        for sock in sockets:
            sock.sendall(frame(execute=execute_message("pass", language="none such")))
        for sock in sockets:
            sock.close()
        self.beside()
        wait_until(lambda: self.client.status().connections == 1, what="the end of all of them")
