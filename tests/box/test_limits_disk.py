"""Disk: bytes and names are bounded wherever they are hidden. A run's files are removed in bounded time, while others
are served, and are never seen again."""

import ctypes
import glob
import mmap
import os
import statistics
import time
import unittest

from lib.attack import EMULATED, SLOWNESS, figures
from lib.case import Case, ServerModule, describe
from lib.host import read
from lib.server import Server

INODES, DEPTH, WIDTH = (2048, 1_000, 1_000) if EMULATED else (32768, 20_000, 16_000)
SLOW_IN_VM = "tens of thousands of names are made"

SERVER = ServerModule(__name__, config=f"inodes = {INODES}\nlanguage python {{ }}\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MIB = 1 << 20
DISK = 16 * MIB
LIMITS = {"disk_bytes": DISK, "memory_bytes": 256 * MIB, "wall_us": 60_000_000, "cpu_us": 60_000_000}

# Each tries to get 40 MiB, and prints how many it got.
BYTES = {
    "all writable places": """
files = [open(d + '/x', 'wb', buffering=0) for d in ('/home/sandbox', '/tmp', '/dev/shm')]
for i in range(40): take(files[i % 3])""",
    "fallocate": "fd = os.open('x', os.O_CREAT | os.O_RDWR)\nfor i in range(40): count(lambda: os.posix_fallocate(fd, i << 20, 1 << 20))",
    "unlinked files": "kept = []\nfor i in range(40):\n    kept.append(open('x', 'wb', buffering=0)); os.unlink('x'); take(kept[-1])",
    "holes filled": "f = open('x', 'wb', buffering=0); f.truncate(1 << 40)\nfor i in range(40): f.seek(i << 30); take(f)",
    "a copy": "f = open('/tmp/m', 'w+b', buffering=0); take(f)\ng = open('x', 'wb', buffering=0)\n"
              "for i in range(39): count(lambda: copy(f, g))",
    "one name, written anew": "for i in range(40):\n    with open('y', 'wb', buffering=0) as f: take(f)\n    os.rename('y', 'y%d' % i)",
}
PRELUDE = """
import os
got = 0
def count(action):
    global got
    try: action(); got += 1
    except OSError as e:
        if e.errno != 28: raise
def full(f, data):
    if f.write(data) != len(data): raise OSError(28, 'short')
def take(f): count(lambda: full(f, b'x' * (1 << 20)))
def copy(f, g):
    if os.copy_file_range(f.fileno(), g.fileno(), 1 << 20, 0) != 1 << 20: raise OSError(28, 'short')
"""

# Each makes names until it can't, and prints how many.
NAMES = {
    "empty files": "os.close(os.open('f%d' % n, os.O_CREAT))",
    "directories": "os.mkdir('/tmp/d%d' % n)",
    "links": "os.symlink('x', 'l%d' % n)",
    "fifos": "os.mkfifo('p%d' % n)",
    "hard links": "os.link('main.py', 'h%d' % n)",
    "sockets": "s = socket.socket(socket.AF_UNIX); s.bind('s%d' % n)",
    "unlinked and open": "fds.append(os.open('u', os.O_CREAT | os.O_EXCL)); os.unlink('u')\n        if len(fds) > 900: os.link('main.py', 'v%d' % n)",
}

DEEP = f"""
import os
for n in range({DEPTH}):
    os.mkdir('d'); os.chdir('d')
print(n + 1)
"""
WIDE = f"""
import os
for n in range({WIDTH}): os.close(os.open(b'/tmp/%d' % n + b'\\xff' * 240, os.O_CREAT))
print(n + 1)
"""
CLEAN = "import os; print(os.listdir('.'), os.listdir('/tmp'), os.listdir('/dev/shm'), os.listdir('/var/tmp'))"


class Bytes(Case):
    SERVER = SERVER

    def test_bytes_count_wherever_they_are(self):
        for name, code in BYTES.items():
            for disk, least, most in ((DISK, 12, 16), (64 * MIB, 40, 40)):
                with self.subTest(name, disk=disk):
                    result = self.execute(f"{PRELUDE}{code}\nprint(got)", limits={**LIMITS, "disk_bytes": disk})
                    self.assert_exited(result)
                    self.assertIn(int(result.stdout), range(least, most + 1))
                    self.assertLessEqual(result.disk_bytes, disk)

    def test_a_hole_is_not_a_byte(self):
        result = self.execute("f = open('x', 'wb'); f.truncate(1 << 40)", limits=LIMITS)
        self.assert_exited(result)
        self.assertLess(result.disk_bytes, MIB)

    def test_a_mapping_gets_no_more_than_the_disk_has(self):
        code = "import mmap, os\nfd = os.open('x', os.O_CREAT | os.O_RDWR)\nos.ftruncate(fd, 64 << 20)\nm = mmap.mmap(fd, 64 << 20)\n" \
               "for i in range(64): m[i << 20:(i + 1) << 20] = b'x' * (1 << 20)\nprint('all')"
        result = self.execute(code, limits=LIMITS)
        self.assert_status(result, "SIGNALED")
        self.assertEqual(7, result.signal)
        self.assertEqual("all\n", self.output(code, limits={**LIMITS, "disk_bytes": 80 * MIB}))

    def test_what_is_removed_can_be_used_again(self):
        code = "import os\nfor _ in range(6):\n    with open('x', 'wb') as f: f.write(b'x' * (12 << 20))\n    os.unlink('x')\nprint('fits')"
        self.assertEqual("fits\n", self.output(code, limits=LIMITS))


class Reads(unittest.TestCase):
    """Reads from the disk of /usr, by a run whose pages are not in the cache."""

    BYTES_PER_S, BYTES = 8 * MIB, 12 * MIB
    READ = f"""
import sys, time
with open(sys.argv[1], 'rb', buffering=0) as f:
    for _ in range(2):
        start, left = time.monotonic(), {BYTES}
        f.seek(0)
        while left: left -= len(f.read(min(left, 1 << 20)))
        print(time.monotonic() - start)
"""

    def test_what_is_read_of_the_disk_takes_its_time(self):
        """A run reads the disk of /usr no faster than it may, and the page cache as fast as it can"""
        if not self.has_controller():
            self.skipTest("neither the cgroup controller blkio of version 1 nor io of version 2 is to be had here")
        if os.major(os.stat("/usr").st_dev) == 0:
            self.skipTest("the file system of /usr names no disk")
        server = Server("test_limits_disk.reads",
                        config=f"disk_read = {self.BYTES_PER_S}\nlanguage python {{ warm = 1 }}\n").start()
        try:
            with server.connect() as client:
                result = client.execute(self.READ, args=[self.find_unused()], limits=LIMITS)
        finally:
            server.stop()
        self.assertEqual(0, result.exit_code, describe(result))
        disk, cache = map(float, result.stdout.split())
        print(f"# {self.BYTES >> 20} MiB at {self.BYTES_PER_S >> 20} MiB/s: {disk:.2f} s from the disk, {cache:.3f} s from the cache",
              flush=True)
        self.assertGreater(disk, 0.7 * self.BYTES / self.BYTES_PER_S)
        self.assertLess(cache, disk)

    @staticmethod
    def has_controller():
        with open("/proc/self/cgroup", encoding="utf-8") as f:
            if any("blkio" in line.split(":")[1].split(",") for line in f):
                return True
        return "io" in read("/sys/fs/cgroup/cgroup.controllers").split()

    def find_unused(self):
        """A large file of /usr that no process has mapped, so that its pages can be dropped from the cache."""
        for pattern in ("gcc/*/*/lto1", "x86_64-linux-gnu/*.a", "jvm/*/jmods/*", "gcc/*/*/*", "*/*.so*", "*/*/*.a"):
            for path in sorted(glob.glob(f"/usr/lib/{pattern}")):
                if os.path.isfile(path) and os.path.getsize(path) > self.BYTES and self.forget(path):
                    return path
        self.skipTest("/usr has no large file that is not in use")
        return None

    def forget(self, path):
        """True if the kernel dropped the pages that a run will read."""
        with open(path, "rb", buffering=0) as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with mmap.mmap(f.fileno(), self.BYTES, flags=mmap.MAP_PRIVATE) as pages:
                there = (ctypes.c_ubyte * (self.BYTES // mmap.PAGESIZE))()
                first = ctypes.c_ubyte.from_buffer(pages)
                failed = ctypes.CDLL(None).mincore(ctypes.byref(first), ctypes.c_size_t(self.BYTES), there)
                del first  # otherwise the mapping could not be closed
                return not failed and not any(page & 1 for page in there)


class Names(Case):
    SERVER = SERVER

    def test_names_count_of_whatever_kind(self):
        ids = {name: self.client.send_execute(
            f"import os, socket\nfds = []\nn = 0\ntry:\n    while True:\n        {code}\n        n += 1\nexcept OSError as e: print(n, e.errno)",
            limits={**LIMITS, "open_files": 1024}) for name, code in NAMES.items()}
        for name, request in ids.items():
            with self.subTest(name):
                result = self.client.result(request)
                self.assert_exited(result)
                count, error = map(int, result.stdout.split())
                self.assertIn(error, (28, 24))  # no space, or too many open files
                self.assertIn(count, range(900 if error == 24 else INODES // 2 - 64, INODES))

    def test_awkward_names_are_names(self):
        code = r"""
import os
names = [b'a\nb', b'\xff\xfe', b'x' * 255, b'-rf', b' ', b'...', b'*', b'\x01\x7f', 'ä€😀'.encode(), b'"; rm -rf .']
for place in (b'.', b'/tmp', b'/dev/shm'):
    for name in names:
        os.mkdir(place + b'/' + name)
        with open(place + b'/' + name + b'/' + name, 'wb') as f: f.write(name)
    assert set(names) <= set(os.listdir(place))
for name in (b'x' * 256, b'/'.join([b'y' * 200] * 21)):
    try: open(name, 'w'); print('no limit')
    except OSError as e: assert e.errno == 36, e
"""
        self.assertEqual("", self.output(code))
        self.assert_clean()

    def test_links_and_renames_play_no_games(self):
        code = r"""
import ctypes, os, stat
libc = ctypes.CDLL(None, use_errno=True)
def refused(action, *args):
    try: action(*args); print('done:', args)
    except OSError: pass
os.makedirs('a/b/c')
refused(os.link, 'a', 'a/b/loop')                       # a directory has one name
refused(os.rename, 'a', 'a/b/c/d')                      # and is not below itself
refused(os.mknod, 'w', stat.S_IFCHR | 0o666, 0)         # a whiteout of the overlay
refused(os.mknod, 'w', stat.S_IFBLK | 0o666, os.makedev(7, 0))
refused(os.rename, '/home/sandbox', '/tmp/home')
refused(os.rename, '/tmp', '/home/sandbox/tmp')
refused(os.rename, '/etc/passwd', 'passwd')
refused(os.setxattr, '.', 'trusted.overlay.opaque', b'y')
refused(os.setxattr, '.', 'security.capability', b'y')
if libc.renameat2(-100, b'a/b', -100, b'a', 4) == 0: print('a whiteout was left')
os.symlink('s2', 's1'); os.symlink('s1', 's2'); refused(open, 's1')
here = os.open('a/b/c', os.O_RDONLY)
refused(os.rename, 'a/b/c', '/tmp/c')                   # another mount
os.rename('a/b/c', 'c'); os.rename('a/b', 'b')
os.mkdir('x', dir_fd=here); assert os.listdir('c') == ['x']
os.fchdir(here); os.rmdir('x'); os.rmdir('/home/sandbox/c'); refused(os.mkdir, 'gone')
"""
        self.assertEqual("", self.output(code))
        self.assert_clean()

    def assert_clean(self):
        row = self.client.status().languages[0]
        for _ in range(2 * (row.warm + row.preparing)):
            self.assertEqual("['main.py'] [] [] []\n", self.output(CLEAN))


class Teardown(Case):
    SERVER = SERVER

    def recycle(self):
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))
        return row

    def test_deep_and_wide_trees_are_taken_down_while_others_run(self):
        """Trees 20,000 deep and folders of 16,000 long names are taken down in bounded time, while others run"""
        quiet = [self.once("pass") for _ in range(20)]
        hostile = self.connect()
        for what, code, expected in ((f"trees {DEPTH} deep", DEEP, DEPTH), (f"{WIDTH} long names", WIDE, WIDTH)):
            ids = [hostile.send_execute(code, limits=LIMITS) for _ in range(6)]
            loud = []
            while len(loud) < 20 or any(request not in hostile.kept for request in ids) and len(loud) < 400:
                loud.append(self.once("pass"))
                self.take_ready(hostile)
            for request in ids:
                result = hostile.result(request)
                self.assert_exited(result)
                self.assertEqual(expected, int(result.stdout), describe(result))
            start = time.monotonic()
            SERVER.wait_idle(connections=2)
            figures(f"until all slots are warm again after {what}", [(time.monotonic() - start) * 1000])
            figures(f"runs of others meanwhile, {what} (quiet: {statistics.median(quiet):.1f} ms)", loud)
            row = self.recycle()
            figures(f"teardown and new sandbox after {what}, p50", [row.recycle_p50_us / 1000])
            figures(f"teardown and new sandbox after {what}, p99", [row.recycle_p99_us / 1000])
            self.assertLess(row.recycle_p99_us, 5_000_000 * SLOWNESS)
            self.assertLess(statistics.median(loud), 100 * SLOWNESS)
        row = self.client.status().languages[0]
        for _ in range(row.warm + 2):
            self.assertEqual("['main.py'] [] [] []\n", self.output(CLEAN))

    def once(self, code):
        start = time.monotonic()
        self.assert_exited(self.execute(code))
        return (time.monotonic() - start) * 1000

    @staticmethod
    def take_ready(client):
        """Takes the answers that have come, without waiting."""
        client.sock.setblocking(False)
        try:
            while client.sock.recv(1, 0x2):  # MSG_PEEK
                client.sock.setblocking(True)
                answer = client.receive()
                client.kept[answer.id] = answer
                client.sock.setblocking(False)
        except BlockingIOError:
            pass
        finally:
            client.sock.settimeout(120)


if __name__ == "__main__":
    unittest.main()
