"""Channels between runs through the things that all share: the kernel, /usr, and the slot that runs use one after the
other. Each channel worked in an earlier version of the sandbox: an attack proved it."""

import contextlib
import fcntl
import os
import tempfile
import time
import unittest

from lib import host
from lib.case import Case, ServerModule, describe
from lib.scale import repeat
from lib.server import HATCHERYD, HELD, HOLD, HOME, Server

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

# Calls a system call by number and prints its errno, or 0.
SYSCALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    return 0 if libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args]) >= 0 else ctypes.get_errno()
"""
ENOSYS, EINVAL, EPERM = 38, 22, 1




@contextlib.contextmanager
def server_without(*steps):
    """Starts a server that leaves out these steps. It is the control of a wall."""
    server = Server("test_channels_control", faults=[f"skip {step}" for step in steps])
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Usr(Case):
    """/usr shows the contents of the host's files. A run shares nothing else of these files (locks, access times, the
    disk's size) with the host or with other runs."""
    SERVER = SERVER

    # Prints for each kind of lock whether a run sees that another process holds such a lock on the
    # file.
    LOOK = """
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
try: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB); print('flock free')
except BlockingIOError: print('flock held')
def holder(kind): return struct.unpack('hhqqi4x', fcntl.fcntl(fd, kind, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)))[0]
print('lock', 'free' if holder(fcntl.F_GETLK) == fcntl.F_UNLCK else 'held')
print('open lock', 'free' if holder(fcntl.F_OFD_GETLK) == fcntl.F_UNLCK else 'held')
"""
    FREE = "flock free\nlock free\nopen lock free\n"
    HELD = "flock held\nlock held\nopen lock held\n"

    @contextlib.contextmanager
    def file_of_usr(self):
        try:
            file = tempfile.NamedTemporaryFile(dir="/usr/share", prefix="hatchery-test-")
        except OSError as error:
            self.skipTest(f"/usr of this host can't be written: {error}")
        with file:
            file.write(b"some text")
            file.flush()
            os.chmod(file.name, 0o644)
            yield file

    def look(self, server, path):
        with server.connect() as client:
            result = client.execute(self.LOOK, args=[path])
        self.assert_exited(result)
        return result.stdout.decode()

    def test_a_lock_of_the_host_is_not_seen(self):
        with self.file_of_usr() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            fcntl.lockf(file, fcntl.LOCK_EX)
            self.assertEqual(self.FREE, self.look(SERVER, file.name))
            with server_without("private usr") as server:
                self.assertEqual(self.HELD, self.look(server, file.name))

    def test_a_lock_of_a_run_is_not_seen_by_others(self):
        self.assertEqual({self.FREE}, self.seen_beside_a_lock(SERVER))
        with server_without("private usr") as server:
            self.assertIn(self.HELD, self.seen_beside_a_lock(server))

    def seen_beside_a_lock(self, server):
        """Returns the set of LOOK's outputs in other runs, while one run holds its locks."""
        path = "/usr/bin/env"
        code = "import fcntl, os, sys\nfd = os.open(sys.argv[1], os.O_RDONLY)\n" \
               "fcntl.flock(fd, fcntl.LOCK_EX); other = os.open(sys.argv[1], os.O_RDONLY)\n" \
               "fcntl.lockf(other, fcntl.LOCK_SH)\n" + HOLD
        with server.connect() as client:
            request = client.send_execute(code, args=[path], limits=HELD)
            server.wait_held()
            seen = {self.look(server, path) for _ in range(3)}
            server.let_go()
            self.assert_exited(client.result(request))
        return seen

    def test_reading_leaves_no_time_of_access(self):
        with self.file_of_usr() as file:
            long_ago = time.time_ns() - 10 * 86400 * 10**9
            os.utime(file.name, ns=(long_ago, long_ago))
            self.assertEqual("some text\n", self.output("import sys\nprint(open(sys.argv[1]).read())", args=[file.name]))
            self.assertEqual(long_ago, os.stat(file.name).st_atime_ns)
            with open(file.name, "rb") as again:  # the control: reading on the host does change the time
                again.read()
            if os.stat(file.name).st_atime_ns == long_ago:
                self.skipTest("this host keeps no times of access")

    def test_neither_disk_nor_its_use_is_told(self):
        code = "import os\ns = os.statvfs('/usr')\nprint(s.f_blocks * s.f_frsize)\nprint(open('/proc/self/mountinfo').read())"
        usr = os.statvfs("/usr")
        total = usr.f_blocks * usr.f_frsize

        size, _, mounts = self.output(code).partition("\n")
        self.assertNotEqual(total, int(size))
        self.assertEqual({"/", "/usr", "/proc", "/home/sandbox", "/tmp", "/dev/shm", *(f"/proc/{name}" for name in host.FACTS)},
                         {line.split()[4] for line in mounts.splitlines() if line})
        self.assertEqual({"overlay", "proc", "tmpfs"}, {line.split(" - ")[1].split()[0] for line in mounts.splitlines() if line})
        with server_without("private usr") as server, server.connect() as client:
            self.assertEqual(total, int(client.execute(code).stdout.split(b"\n")[0]))

    def test_it_can_be_run_from(self):
        self.assertEqual("True\nok\n", self.output(
            "import mmap, subprocess\nf = open('/usr/bin/env', 'rb')\nm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n"
            "print(m[:4] == b'\\x7fELF', flush=True)\nsubprocess.run(['/usr/bin/env', 'echo', 'ok'], check=True)"))

    def test_it_can_not_be_written(self):
        code = "import os\nfor path in ('/usr/x', '/usr/bin/x', '/usr/bin/env'):\n" \
               "    try: os.open(path, os.O_WRONLY | os.O_CREAT); print('written')\n    except OSError as e: print(e.errno)"
        self.assertEqual({"30"}, set(self.output(code).split()))


class OwnFiles(Case):
    """A program can't find, lock or change the executable files that its sandbox runs: hatcheryd and the plug-in."""
    SERVER = SERVER

    def test_maps_tell_no_path_of_the_host(self):
        code = "for line in open('/proc/self/maps'):\n    if len(line.split(None, 5)) > 5: print(line.split(None, 5)[5].strip())"
        names = set(self.output(code).splitlines())
        own = {name for name in names if not name.startswith(("/usr/", "["))}
        self.assertEqual({"/memfd:hatcheryd (deleted)", "/memfd:hatchery-lang-python (deleted)"}, own)
        # The control: the supervisor runs from the file itself, so its maps show the path.
        self.assertIn(str(HOME), host.read(f"/proc/{SERVER.server.process.pid}/maps"))

    def test_no_memory_tells_one_either(self):
        # The program gets its words backwards, so that the search does not find the arguments. The
        # second word is the control: the search must find it.
        code = """
import sys
word, control = (w.encode()[::-1] for w in sys.argv[1:])
found = [0, 0]
with open('/proc/self/mem', 'rb', 0) as memory:
    for line in open('/proc/self/maps'):
        low, high = (int(x, 16) for x in line.split()[0].split('-'))
        if line.split()[1][0] != 'r' or '[v' in line or high - low > 1 << 28: continue
        for at in range(low, high, 1 << 18):
            memory.seek(at)
            try: data = memory.read(min((1 << 18) + 100, high - at))
            except OSError: break
            for i, w in enumerate((word, control)):
                at_word = data.find(w)
                while at_word >= 0:
                    # The word itself, a bytes object, comes 16 bytes after its own length.
                    found[i] += at_word >= 16 and int.from_bytes(data[at_word - 16:at_word - 8], 'little') != len(w)
                    at_word = data.find(w, at_word + 1)
            del data
print(found[0], found[1] > 0)
"""
        path, control = str(HOME), "/usr/lib/python3.11"
        self.assertEqual("0 True\n", self.output(code, args=[path[::-1], control[::-1]],
                                                 limits={"wall_us": 50_000_000, "cpu_us": 50_000_000,
                                                         "memory_bytes": 1 << 30}))

    def test_the_program_can_not_be_opened(self):
        # /proc/self/exe is the same file in all sandboxes of a zygote. If programs could open it,
        # each sandbox would see the locks of the others.
        code = "import os\ntry: os.open('/proc/self/exe', os.O_RDONLY); print('opened')\nexcept PermissionError: print('refused')\n" \
               "for p in os.listdir('/proc/self/map_files'):\n" \
               "    try: os.open('/proc/self/map_files/' + p, os.O_RDONLY); print('opened')\n    except PermissionError: pass"
        self.assertEqual("refused\n", self.output(code))

    def test_the_program_is_a_sealed_copy(self):
        for process in [SERVER.pool_process(), *SERVER.zygote_processes()]:
            self.assertEqual("/memfd:hatcheryd (deleted)", os.readlink(f"/proc/{process.pid}/exe"))
            with open(f"/proc/{process.pid}/exe", "rb") as program, open(HATCHERYD, "rb") as original:
                sealed = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
                self.assertEqual(sealed, sealed & fcntl.fcntl(program, fcntl.F_GET_SEALS))
                self.assertEqual(original.read(), program.read())


class SharedInode(Case):
    """The kernel's file locks treat all eventfds, epolls and timerfds of a machine as one file."""
    SERVER = SERVER

    LOOK = """
import ctypes, fcntl
fd = ctypes.CDLL(None).eventfd(0, 0)
for lock in (fcntl.flock, lambda fd, how: fcntl.lockf(fd, how, 1, 5)):
    for how in (fcntl.LOCK_EX, fcntl.LOCK_SH):
        try: lock(fd, how | fcntl.LOCK_NB); print('locked')
        except BlockingIOError: print('refused')
"""

    def test_a_run_can_not_lock_it(self):
        self.assertEqual(4 * "refused\n", self.output(self.LOOK))

    def test_it_is_a_server_that_holds_it(self):
        # The wall is that a server holds these locks: a run's own lock is then refused. /proc/locks
        # shows locks of this server or of another server.
        import ctypes
        fd = ctypes.CDLL(None).eventfd(0, 0)
        self.addCleanup(os.close, fd)
        inode = f":{os.fstat(fd).st_ino} "
        kinds = {line.split()[1] for line in host.read("/proc/locks").splitlines() if inode in line and " WRITE " in line}
        self.assertLessEqual({"FLOCK", "OFDLCK"}, kinds)


class KernelMemory(Case):
    """A program can't make the kernel use much memory that counts against no limit."""
    SERVER = SERVER

    def test_a_directory_that_can_be_written_is_not_merged(self):
        # A merged directory is one that overlayfs makes of several layers. The kernel keeps a list
        # of names for each open descriptor of such a directory, and reports 1 as its number of
        # links.
        code = "import os\nfor top, names, _ in os.walk('/', onerror=None):\n" \
               "    if top == '/': names[:] = [n for n in names if n not in ('proc', 'usr')]\n" \
               "    if os.access(top, os.W_OK): print(top, os.stat(top).st_nlink >= 2)\n" \
               "print('merged', os.stat('/').st_nlink == 1)"
        self.assertEqual({"/home/sandbox True", "/tmp True", "/dev/shm True", "merged True"},
                         set(self.output(code).splitlines()))

    def test_there_are_no_access_control_lists(self):
        code = """
import os, struct
acl = struct.pack('<I', 2) + struct.pack('<HHI', 1, 7, 0xffffffff) + struct.pack('<HHI', 2, 7, 1000) * 8000
acl += b''.join(struct.pack('<HHI', kind, 7, 0xffffffff) for kind in (4, 0x10, 0x20))
open('/tmp/file', 'w').close()
try: os.setxattr('/tmp/file', 'system.posix_acl_access', acl); print(len(os.getxattr('/tmp/file', 'system.posix_acl_access')))
except OSError as e: print(os.strerror(e.errno))
"""
        self.assertEqual("Operation not supported\n", self.output(code))
        with server_without("system calls") as server, server.connect() as client:
            self.assertEqual(b"64036\n", client.execute(code).stdout)


class Scheduling(Case):
    SERVER = SERVER

    def test_what_a_run_does_to_its_scheduling_ends_with_it(self):
        look = "import os\nprint(sorted(os.sched_getaffinity(0)), os.nice(0), os.sched_getscheduler(0), " \
               "open('/proc/self/timerslack_ns').read().strip(), open('/proc/self/autogroup').read().split('nice')[1].strip() " \
               "if os.path.exists('/proc/self/autogroup') else 0)"
        change = "\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); os.nice(10)\n" \
                 "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))"
        first = self.output(look)
        for _ in range(12):
            self.assertEqual(first, self.output(look + change))

    def test_nobody_elses_scheduling_is_seen_or_changed(self):
        code = "import os\nfor f in (os.sched_getaffinity, lambda p: os.sched_setaffinity(p, {0}), " \
               "lambda p: os.setpriority(os.PRIO_PROCESS, p, 19)):\n" \
               "    for pid in (1, 3, os.getpid() + 100):\n        try: print('seen', f(pid))\n" \
               "        except (PermissionError, ProcessLookupError): pass\n" \
               "try: print('seen', open('/proc/1/sched').read())\nexcept OSError: pass\n" \
               "for policy in (os.SCHED_FIFO, os.SCHED_RR):\n" \
               "    try: os.sched_setscheduler(0, policy, os.sched_param(1)); print('got')\n    except OSError: pass"
        found = self.output(code)
        # At most one line was printed: a program can read init's affinity, which is the same in all
        # runs.
        self.assertLessEqual(len(found.splitlines()), 1, found)
        self.assertNotIn("got", found)


# A second process, in a session of its own, writes to its autogroup file twice, and prints each
# result. The kernel allows one such write in 100 ms on the whole machine.
WRITE_AUTOGROUP = """
import os
if os.fork() == 0:
    os.setsid()
    for _ in range(2):
        try: os.write(os.open('/proc/self/autogroup', os.O_WRONLY), b'5'); print('written', flush=True)
        except OSError as e: print(e.strerror, flush=True)
    os._exit(0)
os.wait()
"""

# Checks that the inode numbers of some files and directories are the same before and after many
# look-ups.
INODES = """
import os
def told(path):
    folder, name = os.path.split(path)
    entry = next(e for e in os.scandir(folder) if e.name == name)
    s, l, f = os.stat(path), os.lstat(path), os.stat(os.open(path, os.O_RDONLY))
    assert (s.st_ino, s.st_dev) == (l.st_ino, l.st_dev) == (f.st_ino, f.st_dev), path
    return s.st_ino, s.st_dev, entry.inode()
paths = ['/usr/bin', '/usr/lib/os-release', '/etc', '/etc/passwd', '/usr']
first = [told(path) for path in paths]
for folder, _, files in os.walk('/usr/share'):
    for name in files: os.lstat(os.path.join(folder, name))
    if len(folder) > 40: break
assert first == [told(path) for path in paths], (first, [told(path) for path in paths])
for path, (inode, device, listed) in zip(paths, first):
    if os.path.isfile(path): assert inode == listed, path
root = os.stat('/')
assert all(e.inode() == e.stat().st_ino and e.stat().st_dev == root.st_dev for e in os.scandir('/etc') if e.is_file() and not e.is_symlink())
assert os.stat('/etc').st_ino == next(e.inode() for e in os.scandir('/') if e.name == 'etc') and os.stat('/etc').st_dev == root.st_dev
print('the same')
"""


class Kernel(Case):
    """A run makes the kernel log no line, sees inode numbers that do not change, and can't write files of /proc"""
    SERVER = SERVER

    def test_a_sandbox_writes_no_line_to_the_kernels_log(self):
        try:
            log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            self.skipTest(f"the kernel's log can't be read: {error.strerror}")
        self.addCleanup(os.close, log)
        runs, counts = 64, []
        # The smallest count of several tries decides, because an older server on this machine may
        # cause lines, too.
        while len(counts) < 5 and min(counts, default=runs) > 0:
            os.lseek(log, 0, os.SEEK_END)
            for request in [self.client.send_execute("print(1)") for _ in range(runs)]:
                self.assert_exited(self.client.result(request))
            counts.append(self.lines_on_overlays(log))
        self.assertLess(min(counts), runs, counts)

    @staticmethod
    def lines_on_overlays(log):
        n = 0
        while True:
            try:
                n += b"overlayfs" in os.read(log, 8192)
            except BlockingIOError:
                return n
            except BrokenPipeError:
                pass  # the kernel has overwritten some lines

    def test_inode_numbers_do_not_change_within_a_run(self):
        self.assertEqual("the same\n", self.output(INODES))

    def test_the_automatic_group_can_not_be_written(self):
        """A run can't write its autogroup file: the kernel allows one write at a time on the whole machine"""
        if not os.path.exists("/proc/self/autogroup"):
            self.skipTest("this kernel has no automatic groups")
        self.assertEqual("Read-only file system\n" * 2, self.output(WRITE_AUTOGROUP))

    def test_nothing_of_proc_can_be_written(self):
        code = "import os\nfor name in ('oom_score_adj', 'comm', 'timerslack_ns', 'coredump_filter', 'mem', 'clear_refs', 'task/2/comm'):\n" \
               "    try: os.open('/proc/self/' + name, os.O_WRONLY); print(name)\n    except OSError as e: assert e.errno == 30, e\n" \
               "open('/proc/self/fd/1', 'w').write('streams can\\n')"
        self.assertEqual("streams can\n", self.output(code))


class Channels(Case):
    SERVER = SERVER

    def test_files_of_usr_can_not_be_watched(self):
        # The control: the host can make an inotify instance.
        self.assertGreaterEqual(self.host_inotify(), 0)
        self.assertEqual(f"{ENOSYS}\n", self.output(SYSCALL + "print(call(294, 0))"))
        self.assertEqual(f"{EINVAL}\n", self.output(
            SYSCALL + "import os\nprint(call(72, os.open('/usr', os.O_RDONLY), 1026, 1))"))

    @staticmethod
    def host_inotify():
        import ctypes
        fd = ctypes.CDLL(None).inotify_init1(0)
        if fd >= 0:
            os.close(fd)
        return fd

    def test_the_page_cache_tells_nothing(self):
        code = "import os\nfd = os.open('/usr/bin/env', os.O_RDONLY)\n" \
               "try: print(os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT))\nexcept OSError as e: print('refused')"
        self.assertEqual("refused\n", self.output(code))

    def test_the_hosts_disk_is_not_made_to_flush(self):
        flushes = self.disk_flushes()
        if flushes is None:
            self.skipTest("no disk of this host counts flushes")
        self.assertEqual("", self.output("import os\nfd = os.open('/usr/bin/env', os.O_RDONLY)\n"
                                         "for _ in range(500): os.fsync(fd); os.fdatasync(fd)"))
        self.assertLess(self.disk_flushes() - flushes, 500)

    @staticmethod
    def disk_flushes():
        counts = [int(line.split()[18]) for line in host.read("/proc/diskstats").splitlines() if len(line.split()) >= 20]
        return sum(counts) if any(counts) else None

    def test_compiled_filters_can_not_be_loaded(self):
        code = SYSCALL + """
import socket, struct
program = struct.pack('HBBI', 6, 0, 0, 0)
buffer = ctypes.create_string_buffer(program, len(program))
prog = struct.pack('HxxxxxxQ', 1, ctypes.addressof(buffer))
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
try: s.setsockopt(socket.SOL_SOCKET, 26, prog); print('attached')
except OSError as e: print('refused')
print(call(317, 1, 0, ctypes.create_string_buffer(prog, len(prog))))
"""
        self.assertEqual(f"refused\n{EPERM}\n", self.output(code))

    def test_init_is_not_seen(self):
        self.assertEqual("False 2\n", self.output("import os\nprint(os.path.exists('/proc/1/status'), os.getpid())"))

    def test_the_memory_peak_is_the_runs_own(self):
        heavy = f"import os\nfor i in range({repeat(60000, 15000)}):\n    try: os.stat('/tmp/%x' % i)\n    except OSError: pass"
        slots = 24
        for _ in range(3):
            self.execute(heavy)
        peaks = [self.execute("pass").memory_peak_bytes for _ in range(slots)]
        usual = min(peaks)
        self.assertLess(max(peaks), 3 * usual + (4 << 20), peaks)

    def test_standard_streams_can_be_opened_by_name(self):
        result = self.execute("import os; os.system('echo one >/dev/stderr; echo two >/dev/stdout')")
        self.assertEqual((b"two\n", b"one\n"), (result.stdout, result.stderr), describe(result))

    def test_a_heavy_teardown_leaves_the_slot_in_use(self):
        code = "import os\nfor i in range(4000): open(f'/tmp/{i}', 'w').close()\nprint(len(os.listdir('/tmp')))"
        for _ in range(repeat(30, 6)):
            self.assertEqual("4000\n", self.output(code))
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))


if __name__ == "__main__":
    unittest.main()
