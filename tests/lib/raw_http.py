"""HTTP as bytes: requests that no library would send, and answers as they came."""

import re
import socket
import time

from lib.scale import patience


class Raw:
    """One connection."""

    def __init__(self, address, timeout=10):
        self.socket = socket.create_connection(address, timeout=patience(timeout))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *pieces, pause=0.0):
        for piece in pieces:
            self.socket.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
            if pause:
                time.sleep(pause)

    def _more(self):
        got = self.socket.recv(1 << 16)
        self.held += got
        return bool(got)

    def _until(self, mark):
        while mark not in self.held:
            if not self._more():
                raise EOFError(self.held)
        taken, self.held = self.held.split(mark, 1)
        return taken

    def _exactly(self, count):
        while len(self.held) < count:
            if not self._more():
                raise EOFError(self.held)
        taken, self.held = self.held[:count], self.held[count:]
        return taken

    def answer(self, method="GET"):
        """The status, the headers (names in small letters) and the body of the next answer. EOFError: there is none."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", lines[0])[1])
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value
        if method == "HEAD" or status in (100, 101, 204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            assert self._until(b"\r\n") == b""
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return status, headers, body

    def rest(self):
        """Returns all bytes that come until the server closes the connection."""
        while self._more():
            pass
        taken, self.held = self.held, b""
        return taken

    def is_closed(self, within=5):
        """True if the server closes the connection without another byte."""
        self.socket.settimeout(patience(within))
        try:
            return not self.held and self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True

    def is_open(self):
        """True if no byte comes for 50 ms, and the server does not close the connection."""
        self.socket.settimeout(0.05)
        try:
            self.held += self.socket.recv(1)
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(patience(10))
