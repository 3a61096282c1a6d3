"""Sockets of the host and of other runs, and the families of sockets that a sandbox must not have. Rows of lib/walls.py."""

import os
import socket
import threading
import unittest
import uuid

from lib import host
from lib.case import Case, describe
from lib.server import HELD
from lib.walls import CALLS, CAPABILITIES, ZYGOTES_ROOT, Attack, AttackCase, Servers

SHARED = "walls"
SERVERS = Servers(__name__, is_shared=True)
NETWORK = ("network namespace",)
NAME = "hatchery-canary-" + uuid.uuid4().hex
LISTENERS = {}


def setUpModule():
    SERVERS.set_up()
    for key, make in (("abstract", lambda: listener(socket.AF_UNIX, "\0" + NAME)),
                      ("path", lambda: listener(socket.AF_UNIX, "/tmp/" + NAME)),
                      ("datagram", lambda: listener(socket.AF_UNIX, "\0" + NAME + "d", socket.SOCK_DGRAM)),
                      ("tcp", lambda: listener(socket.AF_INET, ("127.0.0.1", 0)))):
        LISTENERS[key] = make()
    os.chmod("/tmp/" + NAME, 0o777)


def tearDownModule():
    for made in LISTENERS.values():
        made.close()
    os.unlink("/tmp/" + NAME)
    SERVERS.tear_down()


def listener(family, address, kind=socket.SOCK_STREAM):
    """Accepts every connection and closes it."""
    made = socket.socket(family, kind)
    made.bind(address)
    if kind != socket.SOCK_STREAM:
        return made
    made.listen(16)

    def accept():
        try:
            while True:
                made.accept()[0].close()
        except OSError:
            pass
    threading.Thread(target=accept, daemon=True).start()
    return made


# Tries socket and socketpair with every number of a family except that of AF_UNIX.
FAMILIES = """
found = []
for family in [f for f in range(@range@) if f != 1]:
    for kind in (1, 2, 3, 4, 5, 10):
        for protocol in (0, 1, 3, 16):
            for name, args in (('socket', (family, kind, protocol)), ('socketpair', (family, kind, protocol, buffer))):
                try: fd = call(name, *args)
                except OSError as e:
                    if e.errno in (@seen@): found.append((family, kind, name, e.errno))
                else:
                    found.append((family, kind, name))
                    if name == 'socket': os.close(fd)
return found
"""


def families(numbers, seen="None,"):
    return "buffer = ctypes.create_string_buffer(8)" + FAMILIES.replace("@range@", numbers).replace("@seen@", seen)


def family(name, number, kind, protocol, raw=False):
    """Returns the attack on one family of sockets. raw: the family needs a capability over the network namespace. In
    the control the slot has the host's network namespace, so the program first tries to make one of its own."""
    try:
        socket.socket(number, kind, protocol).close()
    except OSError:
        return Attack(name, f"call('socket', {number}, {kind}, {protocol}) >= 0", None, "this kernel has not got it")
    if not raw:
        return Attack(name, f"call('socket', {number}, {kind}, {protocol}) >= 0")
    return Attack(name, OWN_NETWORK + f"return call('socket', {number}, {kind}, {protocol}) >= 0", CAPABILITIES)


OWN_NETWORK = """
try: call('unshare', 0x40000000)
except OSError: pass
"""

ROUTES = (NETWORK,) if len(host.read("/proc/net/route").splitlines()) > 1 else (None, "this host has no network to be seen")


class Families(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        Attack("any family of sockets but AF_UNIX", families("0, 64")),
        family("the internet", 2, 1, 0), family("a datagram socket of the internet", 2, 2, 0),
        family("the internet, version 6", 10, 1, 0), family("the internet, many paths", 2, 1, 262),
        family("netlink for routes", 16, 3, 0), family("netlink for events of devices", 16, 3, 15),
        family("netlink for the audit", 16, 3, 9), family("vsock", 40, 1, 0), family("AF_ALG", 38, 5, 0),
        family("TIPC", 30, 1, 0), family("QIPCRTR", 42, 2, 0), family("bluetooth", 31, 3, 1),
        family("a raw socket", 2, 3, 1, raw=True), family("a packet socket", 17, 3, 0x300, raw=True),
        family("an express data path", 44, 3, 0, raw=True), family("AF_KEY", 15, 3, 2, raw=True),
        Attack("the internet with odd high bits", "call('socket', 2 | 1 << 32, 1, 0) >= 0"),
        Attack("AF_UNIX with odd high bits", "call('socket', 1 | 1 << 32, 1, 0) >= 0"),
        Attack("a pair of the internet", "reached('ENOTSUP', 'socketpair', 2, 1, 0, ctypes.create_string_buffer(8))"),
        Attack("an interface that is up", OWN_NETWORK + """
fd = call('socket', 2, 2, 0)
return done('ioctl', fd, 0x8914, b'lo'.ljust(16, bytes(1)) + struct.pack('h', 1).ljust(24, bytes(1)))""", CAPABILITIES),
        Attack("a filter on a socket", """
            code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.setsockopt(1, 26, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))
            return True"""),
        Attack("another process's credentials", """
            a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack('iII', os.getpid(), 0, 0))])
            return True""", ("capabilities", "proof")),
    ]


class OfTheHost(AttackCase):
    """A sandbox has AF_UNIX for its own use. Abstract names belong to the network namespace, so the host's are out of
    reach."""
    SERVER = SERVERS
    ATTACKS = [
        Attack("an abstract socket of the host", """
            s = socket.socket(socket.AF_UNIX)
            s.connect(chr(0) + '@name@')
            return True""", NETWORK),
        Attack("a datagram to an abstract socket of the host", """
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            return s.sendto(b'x', chr(0) + '@name@d')""", NETWORK),
        Attack("a TCP port of the host", """
            s = socket.socket()
            s.settimeout(5)
            s.connect(('127.0.0.1', @port@))
            return True""", (*CALLS, *NETWORK)),
        Attack("the server's own port", """
            s = socket.socket()
            s.settimeout(5)
            s.connect(('127.0.0.1', @server@))
            return True""", (*CALLS, *NETWORK)),
        Attack("a list of the host's unix sockets", "'@name@' in open('/proc/self/net/unix').read()", NETWORK),
        Attack("a list of the host's TCP sockets", "':%04X ' % @port@ in open('/proc/self/net/tcp').read()", NETWORK),
        Attack("the host's interfaces", "[i for i in open('/proc/self/net/dev').read().split() if i[-1] == ':' and i != 'lo:']",
               *ROUTES),
        Attack("the host's routes", "len(open('/proc/self/net/route').readlines()) > 1", *ROUTES),
        Attack("a socket in the host's file system", """
            s = socket.socket(socket.AF_UNIX)
            error = None
            for path in ('/tmp/@name@', '/mnt/tmp/@name@', '/proc/1/root/tmp/@name@', '/proc/@pid@/root/tmp/@name@'):
                try: s.connect(path)
                except OSError as e: error = e
                else: return path
            raise error""", ZYGOTES_ROOT),
        Attack("the server's socket in the host's file system", """
            s = socket.socket(socket.AF_UNIX)
            error = None
            for root in ('', '/mnt', '/proc/1/root', '/proc/@pid@/root'):
                try: s.connect(root + '@socket@')
                except OSError as e: error = e
                else: return root
            raise error""", None, "this socket is in the same place as that of the row above, and a connection "
               "would disturb the server under test"),
    ]

    def words(self):
        server = SERVERS.without()
        return {"name": NAME, "port": LISTENERS["tcp"].getsockname()[1], "server": server.address.rsplit(":", 1)[1],
                "socket": server.socket_path, "pid": os.getpid()}


LISTEN = """
import array, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(chr(0) + '@name@')
s.listen()
s.setblocking(False)
os.kill(os.getpid(), signal.SIGSTOP)  # who can come has come by then
try: peer = s.accept()[0]
except OSError: sys.exit('nobody came')
data, ancillary, _, _ = peer.recvmsg(10, socket.CMSG_SPACE(4))
fd = array.array('i', ancillary[0][2])[0]
print(os.pread(fd, 100, 0).decode())
"""

CONNECT = """
import array, errno, os, socket
fd = os.open('secret', os.O_RDWR | os.O_CREAT)
os.write(fd, b'from another run')
s = socket.socket(socket.AF_UNIX)
try: s.connect(chr(0) + '@name@')
except OSError as e: print('refused', errno.errorcode[e.errno])
else:
    s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
    print('sent')
"""


class BetweenRuns(Case):
    SERVER = SERVERS

    def exchange(self, walls):
        """Returns the results of two runs: the first takes a descriptor, which the second passes to it."""
        name = "meet" + uuid.uuid4().hex
        programs = [text.replace("@name@", name) for text in (LISTEN, CONNECT)]
        server = SERVERS.without(walls)
        with server.connect() as client:
            taken = client.send_execute(programs[0], limits=HELD)
            server.wait_held()  # the first run listens now
            passed = client.execute(programs[1])
            server.let_go()
            return client.result(taken), passed

    def test_a_descriptor_can_not_be_passed_to_another_run(self):
        taken, passed = self.exchange(())
        self.assertEqual((b"", b"refused ECONNREFUSED\n"), (taken.stdout, passed.stdout), describe(taken))

    def test_a_descriptor_could_be_passed_in_one_network_namespace(self):
        """The control: two runs in one network namespace can pass a descriptor"""
        taken, passed = self.exchange(NETWORK)
        self.assertEqual((b"from another run\n", b"sent\n"), (taken.stdout, passed.stdout), describe(taken))

    SEGMENT = """
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
os.open('/dev/shm/@key@', os.O_CREAT)
n = libc.shmget(@key@, 100, 0o666 @flags@)
print('found' if n >= 0 else 'alone')
if '@flags@':
    os.kill(os.getpid(), signal.SIGSTOP)
    libc.shmctl(n, 0, None)
"""

    def share(self, walls):
        key = str(uuid.uuid4().int & 0x7ffffff)
        text = self.SEGMENT.replace("@key@", key)
        maker, finder = text.replace("@flags@", "| 0o1000"), text.replace("@flags@", "")
        server = SERVERS.without(walls)
        with server.connect() as client:
            request = client.send_execute(maker, limits=HELD)
            server.wait_held()
            found = client.execute(finder)
            server.let_go()
            result = client.result(request)
        self.assertEqual(b"found\n", result.stdout, describe(result))
        return found.stdout.decode()

    def test_a_segment_of_another_run_is_not_there(self):
        # (RLIMIT_MSGQUEUE is 0, so a run can make no POSIX message queue: see box/limits rlimits.)
        self.assertEqual("alone\n", self.share(()))

    def test_segments_would_be_shared_in_one_ipc_namespace(self):
        """The control: two runs in one IPC namespace find each other's segments"""
        self.assertEqual("found\n", self.share(("ipc namespace",)))


if __name__ == "__main__":
    unittest.main()
