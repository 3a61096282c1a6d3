"""What a run could learn of others, or do to them, through what all share: the kernel, /usr, and the slot that it follows
others in. Each was shown to work once, by an attack on an earlier state of the sandbox."""

import os
import unittest

from lib import host
from lib.case import Case, ServerModule, describe

SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

# Calls a system call by number and prints its errno, or 0.
SYSCALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    ctypes.set_errno(0)
    return 0 if libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args]) >= 0 else ctypes.get_errno()
"""
ENOSYS, EPERM = 38, 1


class Channels(Case):
    SERVER = SERVER

    def test_files_of_usr_can_not_be_watched(self):
        # The control: the host itself can.
        self.assertGreaterEqual(self.host_inotify(), 0)
        self.assertEqual(f"{ENOSYS}\n", self.output(SYSCALL + "print(call(294, 0))"))
        self.assertEqual(f"{ENOSYS}\n", self.output(
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
        heavy = "import os\nfor i in range(60000):\n    try: os.stat('/tmp/%x' % i)\n    except OSError: pass"
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
        for _ in range(30):
            self.assertEqual("4000\n", self.output(code))
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))


if __name__ == "__main__":
    unittest.main()
