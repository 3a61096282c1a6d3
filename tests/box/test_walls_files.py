"""Attacks on files of the host, and ways out of the root. Then channels between two runs, or between a run and the
host: through files of /usr (locks, leases, times), through descriptors, and through settings of the scheduler."""

import fcntl
import os
import signal
import struct
import subprocess
import unittest
import uuid
from pathlib import Path

from lib.case import Case, describe
from lib.server import HELD, HOLD, wait_until
from lib.walls import CAPABILITIES, HOST_ROOT, ZYGOTES_ROOT, Attack, AttackCase, Servers

SHARED = "walls"
SERVERS = Servers(__name__, is_shared=True)
CANARY = "canary-" + uuid.uuid4().hex
# A file of /usr. It is made before the server starts: a sandbox's /usr is an overlay, which does not
# always show later changes of its layer.
SHARED = Path("/usr/local/share", CANARY)
LOCKED = [Path(f"{SHARED}-{kind}") for kind in ("flock", "posix", "ofd")]
PLACES = [Path(folder, CANARY) for folder in ("/root", "/home", "/tmp", "/var/tmp", "/etc", "/var/lib", "/srv", "/opt", "/run", "/dev/shm", "/mnt")
          if os.path.isdir(folder)]


def setUpModule():
    for path in (*PLACES, SHARED, *LOCKED):
        path.write_text("the host's")
        path.chmod(0o666)
    SERVERS.set_up()


def tearDownModule():
    for path in (*PLACES, SHARED, *LOCKED):
        path.unlink()
    SERVERS.tear_down()


class OfTheHost(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        *[Attack(f"a file in {path.parent}", f"""
            error = None
            for root in ('', '/mnt', '/proc/self/root', '/proc/self/cwd/../../..', '/proc/1/root', '/proc/@pid@/root', '/proc/@pid@/cwd/' + 40 * '../'):
                try: return root + ' ' + open(root + '{path.parent}/@canary@').read()
                except OSError as e: error = e
            raise error""", ZYGOTES_ROOT) for path in PLACES],
        Attack("the files that a process of the host has open", """
            for name in os.listdir('/proc/@pid@/fd'):
                if os.path.exists(f'/proc/@pid@/fd/{name}'): return True""", ZYGOTES_ROOT),
        Attack("a directory above its root", """
            root = os.stat('/')
            fd = os.open('/', os.O_RDONLY)
            for way in ('/' + 60 * '../', '/proc/self/root/../..', f'/proc/self/fd/{fd}/../..', '/proc/self/cwd/' + 60 * '../'):
                s = os.stat(way)
                if (s.st_dev, s.st_ino) != (root.st_dev, root.st_ino): return way
            for flags in (0, 8, 16):
                s = os.fstat(os.open(60 * '../', os.O_RDONLY, dir_fd=fd))
                if (s.st_dev, s.st_ino) != (root.st_dev, root.st_ino): return 'openat'""", None,
               "The kernel never leads `..` above a process's root, so no wall can be taken down for this row. "
               "The wall is that the sandbox's root is not the zygote's; the rows above have the control for that"),
        Attack("a directory that was open before chroot", """
            call('unshare', 0x20000)
            fd = os.open('/tmp', os.O_RDONLY)
            call('chroot', b'/home')
            os.fchdir(fd)
            return not os.path.samestat(os.stat('..'), os.stat('/'))""", CAPABILITIES),
        Attack("a directory descriptor from a child with another root, by a socket", """
            a, b = socket.socketpair(socket.AF_UNIX)
            pid = os.fork()
            if pid == 0:
                try: call('chroot', b'/tmp')
                except OSError: os._exit(0)
                socket.send_fds(a, [b'x'], [os.open('/', os.O_RDONLY)])
                os._exit(0)
            a.close()
            fds = socket.recv_fds(b, 1, 1)[1]
            os.waitpid(pid, 0)
            return [fd for fd in fds if not os.path.samestat(os.fstat(fd), os.stat('/'))]""", CAPABILITIES),
        Attack("writing a file of /usr", """
            with open('/usr/local/share/@canary@', 'a') as f: f.write('a run was here')
            return True""", None, "/usr is an overlay without a layer for writing, and is mounted read-only. "
               "Without walls it is not tried, because then a write could reach the host's files. "
               "A row of test_walls_calls shows that a program can't remount it"),
        *[Attack(f"{name} a file of /usr", f"{code} or True", None, "likewise") for name, code in {
            "setting the times of": "os.utime('/usr/local/share/@canary@')",
            "changing the mode of": "os.chmod('/usr/local/share/@canary@', 0o777)",
            "changing the owner of": "os.chown('/usr/local/share/@canary@', 1000, 1000)",
            "renaming": "os.rename('/usr/local/share/@canary@', '/usr/local/share/x')",
            "removing": "os.unlink('/usr/local/share/@canary@')",
            "truncating": "os.truncate('/usr/local/share/@canary@', 0)",
            "setting an attribute of": "os.setxattr('/usr/local/share/@canary@', 'user.x', b'x')",
            "linking": "os.link('/usr/local/share/@canary@', '/tmp/x')",
            "making a writable mapping of":
                "mmap.mmap(os.open('/usr/local/share/@canary@', os.O_RDWR), 4096)"}.items()],
        Attack("making a directory in /usr", "os.mkdir('/usr/local/share/x') or True", None, "likewise"),
        # With a root of the sandbox's own, /etc/passwd is on a read-only overlay. So the control of this
        # row needs the zygote's root.
        Attack("writing /etc/passwd", """
            with open('/etc/passwd', 'a') as f: f.write('x')
            return True""", ZYGOTES_ROOT),
    ]

    def words(self):
        return {"canary": CANARY, "pid": os.getpid()}

    def tearDown(self):
        super().tearDown()
        for path in (*PLACES, SHARED):
            self.assertEqual("the host's", path.read_text())


# Role "hold": takes a lock of each kind and reports that. Other roles: prints which kinds of lock
# another process holds.
LOCK = """
import fcntl, os, signal, struct, sys
fds = {kind: os.open('@file@-' + kind, os.O_RDONLY) for kind in ('flock', 'posix', 'ofd')}
def record(kind): return struct.pack('hhqqi4x', kind, 0, 0, 0, 0)
def busy():
    try: fcntl.flock(fds['flock'], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e: return e.errno in (11, 13)
def asked(fd, command):
    return struct.unpack('hhqqi4x', fcntl.fcntl(fd, command, record(fcntl.F_WRLCK)))[0] != fcntl.F_UNLCK
if '@role@' == 'hold':
    fcntl.flock(fds['flock'], fcntl.LOCK_EX)
    fcntl.fcntl(fds['posix'], fcntl.F_SETLK, record(fcntl.F_RDLCK))
    fcntl.fcntl(fds['ofd'], 37, record(fcntl.F_RDLCK))
    sys.stderr.write('held')
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSTOP)
else:
    seen = set()
    if busy(): seen.add('flock')
    if asked(fds['posix'], fcntl.F_GETLK): seen.add('posix')
    if asked(fds['ofd'], 36): seen.add('ofd')
    print(*sorted(seen))
"""
ALL = "flock ofd posix"


def lock_record(kind):
    return struct.pack("hhqqi4x", kind, 0, 0, 0, 0)


def lock_program(role):
    return LOCK.replace("@role@", role).replace("@file@", str(SHARED))


class Locks(Case):
    """Locks are on files, not on names: processes that share a file share its locks. The controls run without the
    overlay that gives a sandbox its own files in /usr."""
    SERVER = SERVERS
    SHARED_USR = ("private usr",)

    def seen_by_another_run(self, walls):
        server = SERVERS.without(walls)
        with server.connect() as client:
            held = client.send_execute(lock_program("hold"), limits=HELD)
            server.wait_held()
            seen = client.execute(lock_program("ask"))
            server.let_go()
            self.assertEqual(b"held", client.result(held).stderr)
        return seen.stdout.decode().strip()

    def seen_while_the_host_holds(self, walls):
        files = {kind: open(f"{SHARED}-{kind}", "r+b") for kind in ALL.split()}
        try:
            fcntl.flock(files["flock"], fcntl.LOCK_EX)
            fcntl.fcntl(files["posix"], fcntl.F_SETLK, lock_record(fcntl.F_WRLCK))
            fcntl.fcntl(files["ofd"], 37, lock_record(fcntl.F_WRLCK))
            with SERVERS.without(walls).connect() as client:
                return client.execute(lock_program("ask")).stdout.decode().strip()
        finally:
            for file in files.values():
                file.close()

    def seen_by_the_host(self, walls):
        seen, server = set(), SERVERS.without(walls)
        with server.connect() as client, open(f"{SHARED}-flock", "r+b") as flock, open(f"{SHARED}-posix", "r+b") as posix:
            held = client.send_execute(lock_program("hold"), limits=HELD)
            server.wait_held()
            for kind, file, lock in (("flock", flock, fcntl.flock), ("posix", posix, fcntl.lockf)):
                try:
                    lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    seen.add(kind)
            server.let_go()
            self.assertEqual(b"held", client.result(held).stderr)
        return " ".join(sorted(seen))

    def test_locks_of_another_run_are_not_seen(self):
        self.assertEqual("", self.seen_by_another_run(()))

    def test_locks_of_another_run_are_seen_where_usr_is_shared(self):
        self.assertEqual(ALL, self.seen_by_another_run(self.SHARED_USR))

    def test_locks_of_the_host_are_not_seen(self):
        self.assertEqual("", self.seen_while_the_host_holds(()))

    def test_locks_of_the_host_are_seen_where_usr_is_shared(self):
        self.assertEqual(ALL, self.seen_while_the_host_holds(self.SHARED_USR))

    def test_locks_of_a_run_are_not_seen_by_the_host(self):
        self.assertEqual("", self.seen_by_the_host(()))

    def test_locks_of_a_run_are_seen_by_the_host_where_usr_is_shared(self):
        self.assertEqual("flock posix", self.seen_by_the_host(self.SHARED_USR))

    def test_locks_work_inside_a_run(self):
        code = "import subprocess, sys\n" \
            f"hold = subprocess.Popen([sys.executable, '-c', {lock_program('hold')!r}], stderr=subprocess.PIPE)\n" \
            "assert hold.stderr.read(4) == b'held'\n" \
            f"print(subprocess.run([sys.executable, '-c', {lock_program('ask')!r}], capture_output=True, text=True).stdout)\n" \
            "hold.kill()"
        self.assertEqual(ALL, self.output(code).strip())


class Times(Case):
    SERVER = SERVERS

    def test_reading_a_file_of_usr_does_not_change_its_times(self):
        # The access time is older than the last change, so a mount with `relatime` writes a new
        # access time when the file is read.
        os.utime(SHARED, (1_000_000_000, 1_000_000_000))
        before = os.stat(SHARED)
        code = f"import os\nprint(open({str(SHARED)!r}).read(), os.stat({str(SHARED)!r}).st_atime_ns, os.listdir('/usr/local/share') and 1)"
        for _ in range(3):
            self.assertEqual("the host's 1000000000000000000 1\n", self.output(code))
        after = os.stat(SHARED)
        self.assertEqual((before.st_atime_ns, before.st_mtime_ns, before.st_ctime_ns), (after.st_atime_ns, after.st_mtime_ns, after.st_ctime_ns))

    def test_a_lease_of_the_host_is_not_broken_by_reading(self):
        """A run that reads a file does not break the host's lease (test_walls_calls: a run can't take a lease)"""
        broken = []
        previous = signal.signal(signal.SIGIO, lambda *_: broken.append(1))
        self.addCleanup(signal.signal, signal.SIGIO, previous)
        with open(SHARED, "rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            self.assertEqual("the host's\n", self.output(f"print(open({str(SHARED)!r}).read())"))
            self.assertEqual("refused\n", self.output(
                f"try: open({str(SHARED)!r}, 'r+'); print('opened')\nexcept OSError: print('refused')"))
            self.assertEqual([], broken)
            # The control: a process that may write does break the lease.
            fd = None
            try:
                fd = os.open(SHARED, os.O_WRONLY | os.O_NONBLOCK)
            except BlockingIOError:
                pass
            if fd is not None:
                os.close(fd)
            wait_until(lambda: broken, 10, "the broken lease")
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


class Descriptors(Case):
    SERVER = SERVERS

    PROBE = "import os\nfound = []\nfor n in range(4096):\n    try: os.fstat(n); found.append(n)\n    except OSError: pass\nprint(*found)"

    def test_none_is_leaked(self):
        self.assertEqual("0 1 2\n", self.output(self.PROBE))

    def test_the_probe_sees_a_leak(self):
        """The control: the probe finds descriptors that are left open"""
        r, w = os.pipe()
        self.addCleanup(os.close, r)
        self.addCleanup(os.close, w)
        out = subprocess.run(["/usr/bin/python3", "-c", self.PROBE], pass_fds=(r, w), capture_output=True, text=True, check=True)
        self.assertLessEqual({str(r), str(w)}, set(out.stdout.split()))

    def test_what_the_three_are(self):
        """The three descriptors are pipes, so they lead to no file"""
        out = self.output("import os, stat\nprint([(stat.S_ISFIFO(os.fstat(n).st_mode), os.readlink(f'/proc/self/fd/{n}').split(':')[0]) for n in range(3)])")
        self.assertEqual(str([(True, "pipe")] * 3) + "\n", out)


class Processors(Case):
    """A program can name only the processes of its own run. So the scheduler's calls tell it nothing of other runs."""
    SERVER = SERVERS

    def test_affinity_of_one_run_is_not_seen_by_another(self):
        if os.cpu_count() < 2:
            self.skipTest("with one processor there is no choice")
        look = "import os; print(os.sched_getaffinity(0) == set(%s))"
        own = sorted(os.sched_getaffinity(0))
        choose = "import os\nos.sched_setaffinity(0, {%d})\nprint(os.sched_getaffinity(0))\n" % own[0]
        first = self.client.send_execute(choose + HOLD, limits=HELD)
        SERVERS.wait_held()
        self.assertEqual("True\n", self.output(look % own))
        SERVERS.let_go()
        self.assertEqual(f"{{{own[0]}}}\n".encode(), self.client.result(first).stdout)
        # The setting ended with the run that made it.
        for _ in range(12):
            self.assertEqual(f"{own}\n", self.output("import os; print(sorted(os.sched_getaffinity(0)))"))

    def test_a_lower_priority_ends_with_its_run(self):
        code = "import os\nbefore = os.getpriority(os.PRIO_USER, 0), os.sched_getscheduler(0)\n" \
            "os.setpriority(os.PRIO_USER, 0, 19)\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nprint(*before)"
        for _ in range(16):
            result = self.execute(code)
            self.assertEqual(f"{os.getpriority(os.PRIO_PROCESS, 0)} 0\n", result.stdout.decode(), describe(result))


if __name__ == "__main__":
    unittest.main()
