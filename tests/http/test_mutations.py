"""A client that sends mutated requests of each contract, on many connections at once. Whatever it sends, no worker dies,
each connection gets an answer or is closed, and others get good answers. HATCHERY_TEST_SEED repeats a failed run, and
HATCHERY_TEST_SECONDS makes it longer."""

import os
import random
import re
import socket
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.mutations import mutate, pieces, post, requests
from lib.raw_http import Raw
from lib.scale import ALL, patience

CONFIG = """
client_share = 100
language python {
        warm = 3
        running = 6
        limits { wall = 1s  cpu = 500ms  output = 1M }
        ceilings { wall = 1s  cpu = 500ms  output = 1M }
}
"""
SERVER = ServerModule(__name__, config=CONFIG, http=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SECONDS = float(os.environ.get("HATCHERY_TEST_SECONDS", "120" if ALL else "4"))
BATCH = 60  # connections between two checks of the server
AT_ONCE = 12
SILENCE = 0.3  # seconds without a byte, after which the client closes its sending side
ANSWER = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class Talk:
    """One connection: the mutated bytes, and what came back."""

    def __init__(self, address, chance):
        self.sent = mutate(chance, requests())
        self.parts = pieces(chance, self.sent)
        self.pause = chance.choice((0, 0, 0.001))
        self.got = b""
        self.problem = None
        self.closed = False  # by the server, before this client closed its sending side
        self.address = address

    def read(self, sock, seconds):
        """Reads for so long as bytes come. True: the server has closed the connection."""
        sock.settimeout(seconds)
        try:
            while got := sock.recv(1 << 16):
                self.got += got
        except TimeoutError:
            return False
        except ConnectionResetError:
            pass
        return True

    def run(self):
        with socket.create_connection(self.address, timeout=patience(20)) as sock:
            try:
                for part in self.parts:
                    sock.sendall(part)
                    time.sleep(self.pause)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server refused the request before its end
            self.closed = self.read(sock, SILENCE)
            try:
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            if not self.closed and not self.read(sock, patience(20)):
                self.problem = "the server did not close a connection whose client has ended"
        return self

    def statuses(self):
        return [int(status) for status in ANSWER.findall(self.got) if status != b"100"]

    def check(self):
        """The reason why this conversation is wrong; None: it is not."""
        if self.problem:
            return self.problem
        statuses = self.statuses()
        if self.got and not self.got.startswith(b"HTTP/1."):
            return "the server's bytes do not begin with an answer"
        if self.closed and not statuses:
            return "the server closed the connection without an answer"
        # What follows a request whose length was changed may be no request, and gets an answer, too.
        if len(statuses) > self.sent.count(b"HTTP/1.") + 1:
            return f"there are {len(statuses)} answers"
        if [status for status in statuses if status == 500 or not 101 <= status < 600]:
            return f"the answers have the statuses {statuses}"
        return None


class Mutations(unittest.TestCase):
    def setUp(self):
        url = urlsplit(SERVER.http)
        self.address = url.hostname, url.port
        self.daemons = {process.pid for process in SERVER.daemons()}

    def test_mutations(self):
        """mutated requests do no harm: no process dies, each connection is answered or closed, and others are served"""
        seed = os.environ.get("HATCHERY_TEST_SEED", str(random.randrange(1 << 32)))
        print(f"# HATCHERY_TEST_SEED={seed}", flush=True)
        end, number, statuses = time.monotonic() + SECONDS, 0, {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while time.monotonic() < end:
                talks = [Talk(self.address, random.Random(f"{seed}.{number + i}")) for i in range(BATCH)]
                number += BATCH
                for talk in pool.map(Talk.run, talks):
                    problem = talk.check()
                    self.assertIsNone(problem, f"sent {talk.parts}, got {talk.got}")
                    for status in talk.statuses():
                        statuses[status] = statuses.get(status, 0) + 1
                self.check_server()
        print(f"# {number} connections; answers: {dict(sorted(statuses.items()))}", flush=True)
        self.assertGreater(statuses.get(200, 0), 0)
        self.assertGreater(statuses.get(400, 0), 0)

    def check_server(self):
        self.assertEqual("", SERVER.sanitizer_reports())
        self.assertEqual(self.daemons, {process.pid for process in SERVER.daemons()}, SERVER.log_tail())
        self.assertNotIn("error gateway", SERVER.log())
        with Raw(self.address, timeout=60) as good:
            good.send(post("/v1/run", {"language": "python", "code": "print(6 * 7)"}))
            status, _, body = good.answer()
            self.assertEqual(200, status, body)
            self.assertIn(b'"stdout":"42\\n"', body)


if __name__ == "__main__":
    unittest.main()
