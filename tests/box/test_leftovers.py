"""Work that the kernel puts off until after a run's death (above all for sockets and files in flight) is over before
the next run in the slot begins. If it does not end, the slot is given up."""

import ctypes
import errno
import os
import socket
import unittest

from lib.case import Case, ServerModule, describe
from lib.server import IS_SANITIZED, wait_until

# The server has two slots, which take turns: of three runs in a row, the third is in the slot of
# the first. Modules are preloaded, because an import in a run would give the kernel time for its
# work.
SERVER = ServerModule(__name__, config="client_share = 100\nlanguage python { warm = 1 running = 1\n"
                                       "preload += { socket, array, fcntl, struct } }\n", faults=[])
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

ROUNDS = 10 if IS_SANITIZED else 30
LIMITS = {"wall_us": 50_000_000}
CLONE_NEWNET = 0x40000000

COMMON = """
import array, fcntl, os, socket, struct
NAME = b'\\0leftover'
KEPT = [path for path in ('/proc', '/proc/meminfo') if os.path.exists(path)] # files that a slot keeps, and that a program can lock by name
def lock(kind, command, path):
    fd = os.open(path, os.O_RDONLY)
    return fd, struct.unpack('hhqqi4x', fcntl.fcntl(fd, command, struct.pack('hhqqi4x', kind, 0, 0, 0, 0)))[0]
def end(said):
    slot = open('/proc/self/uid_map').read().split()[-2]
    os.write(1, f'{slot} {said}'.encode())
    os._exit(0)
"""

# Leaves a named socket and locks in flight: in a message of a socket, which is in a message of
# another socket, and so on. The kernel needs a tick of the clock for each of these sockets. Each of
# the two outermost sockets is in a message of the other.
POISON = COMMON + """
pair = lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
def send(sock, *held):
    sock.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', held))])
def leave(depth, *held):
    kept = []
    for _ in range(depth):
        inner, outer = pair()
        send(outer, *held)
        kept.append(inner)
        held = [inner.fileno()]
    a, b = pair()
    send(a, a.fileno(), b.fileno(), *held)
    send(b, a.fileno(), b.fileno(), *held)
named = socket.socket(socket.AF_UNIX)
named.bind(NAME)
named.listen(9)
held = named.fileno(), *(lock(fcntl.F_RDLCK, fcntl.F_OFD_SETLK, path)[0] for path in KEPT)
try:
    leave(@depth@, *held)
    end('deep')
except OSError: # ETOOMANYREFS: before Linux 6.10 they may not be nested that deep
    leave(0, *held)
    end('flat')
"""

PROBE = COMMON + """
found = []
with socket.socket(socket.AF_UNIX) as sock:
    try:
        sock.connect(NAME)
        found.append('name')
    except ConnectionRefusedError:
        pass
if any(lock(fcntl.F_WRLCK, fcntl.F_OFD_GETLK, path)[1] != fcntl.F_UNLCK for path in KEPT):
    found.append('lock')
end(' '.join(found) or 'nothing')
"""


def bind(sock):
    try:
        sock.bind("\0leftover")
        return True
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False


class Leftovers(Case):
    SERVER = SERVER

    def said(self, request):
        """Waits for the run, and returns its slot and what it found there."""
        result = self.client.result(request)
        self.assert_exited(result)
        self.assertIn(b" ", result.stdout, describe(result))
        return result.stdout.decode().split(" ", 1)

    def probe(self):
        return self.said(self.client.send_execute(PROBE, limits=LIMITS))[1]

    def round(self, depth):
        """Starts a run that leaves something, and at once two runs that look for it. Returns whether the nesting went
        deep, and what was found in the slot of the first run."""
        codes = POISON.replace("@depth@", str(depth)), PROBE, PROBE
        requests = [self.client.send_execute(code, limits=LIMITS) for code in codes]
        (slot, how), *found = [self.said(request) for request in requests]
        self.assertIn(slot, [where for where, _ in found])
        return how == "deep", [what for where, what in found if where == slot]

    def counted(self):
        row = self.client.status().languages[0]
        return row.failures, row.discarded

    def hold_a_socket_in_each_slot(self):
        """Makes a socket in each slot. No socket ends with a run, because this test process holds it. Returns the
        number of slots."""
        libc = ctypes.CDLL(None, use_errno=True)
        own = os.open("/proc/self/ns/net", os.O_RDONLY)
        inits = [process for process in SERVER.processes() if process.name == "hatchery-init"]
        try:
            for init in inits:
                theirs = os.open(f"/proc/{init.pid}/ns/net", os.O_RDONLY)
                self.assertEqual(0, libc.setns(theirs, CLONE_NEWNET), os.strerror(ctypes.get_errno()))
                os.close(theirs)
                sock = socket.socket(socket.AF_UNIX)
                self.addCleanup(sock.close)
                wait_until(lambda: bind(sock), what="the end of what a run left there before")
                sock.listen(64)
        finally:
            self.assertEqual(0, libc.setns(own, CLONE_NEWNET), os.strerror(ctypes.get_errno()))
            os.close(own)
        return len(inits)

    def both_slots_warm(self):
        self.probe(), self.probe()
        SERVER.wait_idle(connections=1)

    def test_what_was_in_flight_is_not_there_for_the_next(self):
        """A run in a slot never sees the name of a socket or the lock of a file that the run before left in flight"""
        failures = self.counted()[0]
        for i in range(ROUNDS):
            self.assertEqual(["nothing"], self.round(40 if i % 2 else 0)[1])
        self.assertEqual(failures, self.counted()[0])

    def test_a_slot_with_a_socket_that_stays_is_made_anew(self):
        """A slot in which a socket stays is discarded, counted and replaced"""
        self.both_slots_warm()
        failures, discarded = self.counted()
        slots = self.hold_a_socket_in_each_slot()
        # The two warm sandboxes are the control: they see the socket.
        found = [self.probe() for _ in range(6)]
        self.assertEqual(["name"] + ["nothing"] * 4, found[:1] + found[2:])
        wait_until(lambda: self.counted() == (failures, discarded + slots), what="each slot discarded once")

    def test_without_the_step_for_it_it_is_there(self):
        """The control: without the wait, later runs see the sockets that stay in a slot, and what is in flight"""
        self.both_slots_warm()
        SERVER.set_faults("skip leftovers")
        self.addCleanup(SERVER.set_faults)
        for _ in range(60):
            deep, found = self.round(40)
            if not deep or "nothing" not in found:
                break
        if deep:  # otherwise the work may be over before the next run looks
            self.assertIn(found, (["name lock"], ["name"]))  # older kernels release the lock first
        self.hold_a_socket_in_each_slot()
        self.assertEqual(["name"] * 6, [self.probe() for _ in range(6)])


if __name__ == "__main__":
    unittest.main()
