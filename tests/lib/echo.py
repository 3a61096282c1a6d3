"""The program gateway-echo (tests/http/echo/echo.c): a gateway worker with a contract of its own, and without a pool."""

import json
import subprocess

from lib.raw_http import Raw
from lib.scale import patience
from lib.server import BUILD

PROGRAM = BUILD / "tests" / "http" / "echo" / "gateway-echo"


class Echo:
    def __init__(self, memory=256 << 20, max_request_bytes=16 << 20, origin="", host="", speed=1):
        """speed: the worker's clock is so many times too fast."""
        words = [str(memory), str(max_request_bytes), origin, host, str(speed)]
        self.process = subprocess.Popen([PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        host_, port = self.process.stdout.readline().decode().strip().rsplit(":", 1)
        self.address = host_, int(port)

    def connect(self, **options):
        return Raw(self.address, **options)

    def ask(self, path, method="GET", body=None, headers=""):
        """Sends one request on a new connection. Returns the value of the answer's JSON body."""
        with self.connect() as c:
            length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
            c.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n", body or b"")
            status, _, text = c.answer(method)
            assert status == 200, (status, text)
            return json.loads(text)

    def drain(self):
        """Tells the worker to drain and end. stop() returns the exit status."""
        self.process.stdin.close()

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            return self.process.wait(patience(20))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
