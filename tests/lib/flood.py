"""Floods of requests that cost a client nothing: many connections send the same bytes again and again, and throw all
answers away."""

import multiprocessing
import selectors
import signal
import socket

import lz4.frame

from lib.hatchery import HEADER, LZ4, PLAIN, pb
from lib.scale import patience


def frame(flag=PLAIN, request_id=1, **request):
    message = pb.ClientMessage(id=request_id, **request).SerializeToString()
    if flag == LZ4:
        message = lz4.frame.compress(message, store_size=True, block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    return HEADER.pack(flag, len(message)) + message


class EndlessFlood:
    """Runs in a process of its own until the `with` block is left. data None: it keeps a processor busy, and sends
    nothing to the server."""

    def __init__(self, address, data, connections, times=None):
        self.began = multiprocessing.Event()
        self.process = multiprocessing.Process(target=self.run, args=(address, data, connections, times), daemon=True)

    def __enter__(self):
        self.process.start()
        if not self.began.wait(patience(60)):
            raise AssertionError("the flood did not begin")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def run(self, address, data, connections, times):
        if data is None:
            self.began.set()
            while True:
                pass
        host, _, port = address.rpartition(":")
        kept = []
        with selectors.DefaultSelector() as selector:
            for _ in range(connections):
                sock = socket.create_connection((host, int(port)), patience(60), ("127.0.0.9", 0))
                sock.setblocking(False)
                kept.append(sock)
                selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, Connection(sock, data, times))
            self.began.set()
            while selector.get_map():
                for key, events in selector.select():
                    if not key.data.go_on(events):
                        selector.unregister(key.fileobj)
        signal.pause()


class Connection:
    def __init__(self, sock, data, times):
        self.sock, self.data, self.times, self.at = sock, memoryview(data), times, 0

    def go_on(self, events):
        """Reads and sends without waiting. Returns False if the connection is closed, or if it has sent everything and
        stays open."""
        try:
            if events & selectors.EVENT_READ and not self.sock.recv(1 << 20):
                return False
            if events & selectors.EVENT_WRITE:
                self.at += self.sock.send(self.data[self.at:])
        except BlockingIOError:
            pass
        except OSError:
            return False
        if self.at == len(self.data):
            self.at = 0
            if self.times is not None:
                self.times -= 1
        return self.times is None or self.times > 0
