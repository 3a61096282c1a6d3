"""The hatchery command while it runs, on pipes or on a terminal. The test reads its output as it
comes, and writes its input bit by bit."""

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

import hatchery_pb2 as pb

from lib.hatchery import HEADER, PLAIN
from lib.scale import patience
from lib.server import HATCHERY

GUARD = patience(60)
BLOCK = 1 << 16


class Live:
    """One command. `out` and `err` hold its output so far."""

    def __init__(self, address, *arguments, **options):
        environment = {**os.environ, "HATCHERY_ADDR": address, **options.pop("env", {})}
        streams = {name: options.pop(name, subprocess.PIPE) for name in ("stdin", "stdout", "stderr")}
        self.process = subprocess.Popen([str(HATCHERY), *arguments], env=environment, bufsize=0, **streams, **options)
        self.seen = {stream.fileno(): bytearray() for stream in (self.process.stdout, self.process.stderr) if stream}
        self.ended = set()
        self.at = 0  # the place in standard output up to which `expect` has matched

    @property
    def out(self):
        return bytes(self.seen[self.process.stdout.fileno()])

    @property
    def err(self):
        return bytes(self.seen[self.process.stderr.fileno()])

    def read_some(self):
        """Reads the next bytes on either stream. False: both have ended."""
        open_ones = [fd for fd in self.seen if fd not in self.ended]
        ready = open_ones and select.select(open_ones, [], [], GUARD)[0]
        if open_ones and not ready:
            raise AssertionError(f"nothing came for {GUARD:g} s; so far {self}")
        for fd in ready:
            part = os.read(fd, BLOCK)
            self.seen[fd] += part
            if not part:
                self.ended.add(fd)
        return bool(open_ones)

    def wait(self, condition):
        """Waits until the condition holds. Fails if the command is silent for long, or ends
        before."""
        while not condition(self):
            if not self.read_some():
                raise AssertionError(f"it ended too early: {self}")

    def expect(self, words):
        """Waits until standard output holds these bytes after the last match."""
        self.wait(lambda live: words in live.out[self.at:])
        self.at = self.out.index(words, self.at) + len(words)

    def say(self, data):
        self.process.stdin.write(data)

    def end_input(self):
        self.process.stdin.close()

    def end(self):
        """Reads to the command's end, and returns its exit code; a signal gives a negative code."""
        while self.read_some():
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
    """One command on a terminal of its own, in a session of its own. `out` holds its output so far.
    shell: a bash script that runs the command as "$0" "$@"."""

    def __init__(self, address, *arguments, rows=24, columns=80, stdout=None, term="xterm-test", shell=None):
        self.ours, self.terminal = os.openpty()
        self.resize(rows, columns)
        attributes = termios.tcgetattr(self.terminal)
        attributes[6][termios.VERASE] = b"\x18"  # a character that no default uses
        termios.tcsetattr(self.terminal, termios.TCSANOW, attributes)
        self.before = termios.tcgetattr(self.terminal)
        self.seen = bytearray()
        self.at = 0
        environment = {**os.environ, "HATCHERY_ADDR": address, "TERM": term}
        command = [*(["bash", "-c", shell] if shell else []), str(HATCHERY), *arguments]
        self.process = subprocess.Popen(command, env=environment, stdin=self.terminal, stdout=stdout or self.terminal,
                                        stderr=self.terminal, preexec_fn=self.take_terminal)

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
        """Reads the output that comes within this time."""
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
        """Waits until the output holds these bytes after the last match."""
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
    """A relay to the server whose connections the test can cut."""

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
        """Ends all connections, as if the server had died."""
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


class FakeServer:
    """Takes one connection; the test answers the messages that it receives."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.settimeout(GUARD)
        self.listener.bind(f"{self.folder.name}/sock")
        self.listener.listen()
        self.address = f"unix:{self.folder.name}/sock"
        self.connection = None

    def accept(self):
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(GUARD)

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            if not part:
                raise AssertionError("the command closed the connection")
            data += part
        return data

    def receive(self):
        """Receives the next ClientMessage."""
        _, length = HEADER.unpack(self.read(HEADER.size))
        return pb.ClientMessage.FromString(self.read(length))

    def answer(self, message):
        data = message.SerializeToString()
        self.connection.sendall(HEADER.pack(PLAIN, len(data)) + data)

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()
        self.folder.cleanup()
