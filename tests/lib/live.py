"""The hatchery command while it runs: what it prints is read as it comes, and what it reads is written bit by bit, by
pipes or by a terminal."""

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

from lib.scale import patience
from lib.server import HATCHERY

GUARD = patience(60)
BLOCK = 1 << 16


class Live:
    """One command. What is in `out` and `err` was read so far."""

    def __init__(self, address, *arguments, **options):
        environment = {**os.environ, "HATCHERY_ADDR": address, **options.pop("env", {})}
        streams = {name: options.pop(name, subprocess.PIPE) for name in ("stdin", "stdout", "stderr")}
        self.process = subprocess.Popen([str(HATCHERY), *arguments], env=environment, bufsize=0, **streams, **options)
        self.seen = {}
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                self.seen[stream.fileno()] = bytearray()

    @property
    def out(self):
        return bytes(self.seen[self.process.stdout.fileno()])

    @property
    def err(self):
        return bytes(self.seen[self.process.stderr.fileno()])

    def read_some(self, end):
        """What comes next, on either stream. False: both have ended."""
        open_ones = [fd for fd in self.seen if fd not in self.ended]
        ready = select.select(open_ones, [], [], max(0, end - time.monotonic()))[0]
        if open_ones and not ready:
            raise AssertionError(f"nothing came for {GUARD:g} s; so far {self}")
        for fd in ready:
            part = os.read(fd, BLOCK)
            self.seen[fd] += part
            if not part:
                self.ended.add(fd)
        return bool(open_ones)

    ended = frozenset()

    def wait(self, condition):
        """Until the condition holds. It fails if the command is silent for long, or ends before."""
        self.ended = set(self.ended)
        while not condition(self):
            if not self.read_some(time.monotonic() + GUARD):
                raise AssertionError(f"it ended too early: {self}")

    def expect(self, words):
        """Waits until standard output holds these bytes behind those that were expected before."""
        self.wait(lambda live: words in live.out[self.at:])
        self.at = self.out.index(words, self.at) + len(words)

    at = 0

    def say(self, data):
        self.process.stdin.write(data)

    def end_input(self):
        self.process.stdin.close()

    def end(self):
        """Reads to its end, and gives the exit code; that of a signal is negative."""
        self.ended = set(self.ended)
        while self.read_some(time.monotonic() + GUARD):
            pass
        return self.process.wait(GUARD)

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def __str__(self):
        return f"{[bytes(data)[-500:] for data in self.seen.values()]} of {self.process.args[1:]}"


class Session:
    """One command on a terminal of its own, in a session of its own, as a shell starts it. What it prints is in `out`."""

    def __init__(self, address, *arguments, rows=24, columns=80, stdout=None, term="xterm-test"):
        self.ours, self.terminal = os.openpty()
        self.resize(rows, columns)
        attributes = termios.tcgetattr(self.terminal)
        attributes[6][termios.VERASE] = b"\x18"  # something that no default has
        termios.tcsetattr(self.terminal, termios.TCSANOW, attributes)
        self.before = termios.tcgetattr(self.terminal)
        self.seen = bytearray()
        self.at = 0
        environment = {**os.environ, "HATCHERY_ADDR": address, "TERM": term}
        self.process = subprocess.Popen([str(HATCHERY), *arguments], env=environment, stdin=self.terminal,
                                        stdout=stdout or self.terminal, stderr=self.terminal,
                                        preexec_fn=self.take_terminal)

    @staticmethod
    def take_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    @property
    def out(self):
        return bytes(self.seen)

    def is_restored(self):
        return termios.tcgetattr(self.terminal) == self.before

    def resize(self, rows, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.ours, keys)

    def read_for(self, seconds):
        """What comes within this time."""
        if select.select([self.ours], [], [], seconds)[0]:
            self.seen += os.read(self.ours, BLOCK)
            return True
        return False

    def wait(self, condition):
        end = time.monotonic() + GUARD
        while not condition():
            self.read_for(0.05)
            if time.monotonic() > end:
                raise AssertionError(f"it did not come true; what was printed: {self.out[-1000:]}")

    def expect(self, words):
        """Waits until these bytes were printed behind those that were expected before."""
        self.wait(lambda: words in self.seen[self.at:])
        self.at = self.seen.index(words, self.at) + len(words)

    def end(self):
        self.wait(lambda: self.process.poll() is not None)
        while self.read_for(0):
            pass
        return self.process.returncode

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.terminal)


class Relay:
    """A way to the server that can be cut."""

    def __init__(self, server, folder):
        self.server = server
        self.path = f"{folder}/relay"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            server.connect(str(self.server))
            self.sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    @staticmethod
    def pump(source, target):
        try:
            while part := source.recv(BLOCK):
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        """All connections end, as if the server had died."""
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.cut()
        self.listener.close()
        for each in self.sockets:
            each.close()
