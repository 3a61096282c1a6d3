"""Memory: everything that a run makes the kernel hold for it counts, wherever the run hides it, and nothing else
counts. Every attack wants many times its limit. With the wall off, a smaller attack gets all that it asks for."""

import os
import select
import unittest

from lib.attack import EMULATED, attack_code, attack_file, figures, memory_kib
from lib.case import describe, Case, ServerModule
from lib.server import Server, wait_until

SHARED = "plain"
SLOW_IN_VM = "names are looked up by the hundred thousand, and daemons are given a second to meet a limit"

SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MIB = 1 << 20
LIMIT = 32 * MIB
# A margin for kernel memory that other work on the machine may need meanwhile.
MARGIN_KIB = 96 << 10

PRELUDE = "import ctypes, os, mmap, socket, struct, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"

# Each takes `mib` MiB of one kind, and keeps it. (System V messages and semaphores are bounded by
# their number, so they can't take that much: box/walls processes.)
KINDS = {
    "anonymous": "kept = b'x' * (mib << 20)",
    "shared": "kept = mmap.mmap(-1, mib << 20)\nfor _ in range(mib): kept.write(b'x' * (1 << 20))",
    "memfd": "fd = os.memfd_create('x')\nfor _ in range(mib): os.write(fd, b'x' * (1 << 20))",
    "file": "with open('/tmp/x', 'wb') as f:\n    for _ in range(mib): f.write(b'x' * (1 << 20))",
    "posix shared memory": "with open('/dev/shm/x', 'wb') as f:\n    for _ in range(mib): f.write(b'x' * (1 << 20))",
    "mapped file": "fd = os.open('x', os.O_RDWR | os.O_CREAT)\nos.ftruncate(fd, mib << 20)\nkept = mmap.mmap(fd, mib << 20)\n"
                   "for _ in range(mib): kept.write(b'x' * (1 << 20))",
    "system v shared memory": "libc.shmat.restype = ctypes.c_void_p\nsize = mib << 20\n"
                              "at = libc.shmat(libc.shmget(0, size, 0o600), None, 0)\nctypes.memset(ctypes.c_void_p(at), 1, size)",
    "pipes": "kept = []\nfor _ in range(mib):\n    kept.append(os.pipe())\n    import fcntl; fcntl.fcntl(kept[-1][1], 1031, 1 << 20)\n"
             "    os.set_blocking(kept[-1][1], False); os.write(kept[-1][1], b'x' * (1 << 20))",
    "sockets": "kept = []\ntotal = 0\nwhile total < mib << 20:\n    a, b = socket.socketpair(); kept += [a, b]\n    a.setblocking(False)\n"
               "    try:\n        while True: total += a.send(b'x' * 65536)\n    except BlockingIOError: pass",
    "threads": "kept = []\nimport threading, time\nthreading.stack_size(1 << 20)\nfor _ in range(mib):\n"
               "    kept.append(threading.Thread(target=lambda: (b'x' * (1 << 20), time.sleep(1)), daemon=True)); kept[-1].start()\n"
               "kept = b'x' * (mib << 20)",
}
LIMITS = {"disk_bytes": 512 * MIB, "open_files": 1024, "pids": 512, "wall_us": 60_000_000, "cpu_us": 60_000_000}

AT_A_TIME = 2 if EMULATED else len(KINDS)


# Looks up many names that no other process of the machine looks up, and prints the number of its
# slot.
LOOK = """import os, sys
for i in range(int(sys.argv[2])):
    try: os.stat(f'/usr/{sys.argv[1]}-{i:0200}')
    except OSError: pass
print(open('/proc/self/uid_map').read())
"""


def names_of_the_host():
    """Counts the file names that the kernel remembers, also names of files that do not exist."""
    with open("/proc/sys/fs/dentry-state") as state:
        return int(state.read().split()[0])


def program(kind, mib, then="print('kept')"):
    return f"{PRELUDE}mib = {mib}\n{KINDS[kind]}\n{then}"


class Kinds(Case):
    SERVER = SERVER

    def test_every_kind_of_memory_counts(self):
        before, growth = memory_kib(), 0
        for first in range(0, len(KINDS), AT_A_TIME):
            kinds = list(KINDS)[first:first + AT_A_TIME]
            ids = {kind: self.client.send_execute(program(kind, 400), limits={**LIMITS, "memory_bytes": LIMIT}) for kind in kinds}
            growth = max(growth, self.growth_until_answered(ids.values(), before))
            for kind, request in ids.items():
                with self.subTest(kind):
                    result = self.client.result(request)
                    self.assert_status(result, "MEMORY_LIMIT")
                    self.assertTrue(result.oom_killed)
                    self.assertLessEqual(result.memory_peak_bytes, LIMIT)
        figures(f"kernel memory of the host at most grown by, {AT_A_TIME} attacks at a time", [growth / 1024], "MiB")
        self.assertLess(growth, AT_A_TIME * (LIMIT >> 10) + MARGIN_KIB)

    def growth_until_answered(self, requests, before):
        growth = 0
        while any(request not in self.client.kept for request in requests):
            if select.select([self.client.sock], [], [], 0.02)[0]:
                answer = self.client.receive()
                self.client.kept[answer.id] = answer
            now = memory_kib()
            growth = max(growth, now["SUnreclaim"] + now["PageTables"] - before["SUnreclaim"] - before["PageTables"])
        return growth

    def test_what_fits_is_given(self):
        """The control: a quarter of the limit of every kind is given"""
        limits = {**LIMITS, "memory_bytes": 96 * MIB}
        for kind in KINDS:
            with self.subTest(kind):
                result = self.execute(program(kind, 24), limits=limits)
                self.assert_exited(result)
                self.assertEqual(b"kept\n", result.stdout)
                self.assertGreaterEqual(result.memory_peak_bytes, 24 * MIB)

    def test_without_the_cgroup_nothing_counts(self):
        """The control: without the cgroup, a program keeps nearly twice its limit of every kind"""
        server = Server("test_limits_memory.control", faults=["skip cgroup"]).start()
        try:
            with server.connect() as client:
                for kind in KINDS:
                    with self.subTest(kind):
                        result = client.execute(program(kind, 56), limits={**LIMITS, "memory_bytes": LIMIT})
                        self.assert_exited(result)
                        self.assertEqual(b"kept\n", result.stdout)
        finally:
            server.stop()

    def test_page_tables_count(self):
        limits = {**LIMITS, "memory_bytes": LIMIT}
        result = self.execute(attack_code("page-tables", 60_000), files=attack_file(), limits=limits)
        self.assert_status(result, "MEMORY_LIMIT")
        self.assertTrue(result.oom_killed)
        # The control: the same number of pages next to each other needs few tables.
        self.assert_exited(self.execute(attack_code("page-tables", 4000), files=attack_file(), limits=limits))

    def test_names_that_were_looked_up_count_and_are_dropped_in_time(self):
        result = self.execute(attack_code("names", 600_000), files=attack_file(),
                              limits={"memory_bytes": 96 * MIB, "wall_us": 60_000_000, "cpu_us": 60_000_000})
        self.assert_exited(result)
        self.assertIn(result.memory_peak_bytes, range(64 * MIB, 96 * MIB + 1))

    def test_names_that_were_looked_up_are_not_charged_to_the_next_run(self):
        """Names that were looked up in /usr, which a slot keeps, are not charged to the next run"""
        for _ in range(3):
            self.assert_exited(self.execute(attack_code("names", 40_000), files=attack_file()))
        row = self.client.status().languages[0]
        for _ in range(2 * (row.warm + row.preparing) + 4):
            result = self.execute("print('hi')")
            self.assertLess(result.memory_peak_bytes, 12 * MIB, describe(result))

    def test_a_peak_does_not_tell_what_the_run_before_looked_up(self):
        """The peak of a run does not show how many names an earlier run in its slot looked up, even if they are few"""
        rows = [self.execute(LOOK, args=["none", "0"]) for _ in range(12)]
        clean, marked, differences = {row.stdout: row.memory_peak_bytes for row in rows}, set(), []
        for number in range(200):
            probe = self.execute(LOOK, args=["none", "0"])
            slot = probe.stdout
            if slot in marked:
                differences.append(probe.memory_peak_bytes - clean[slot])
                marked.discard(slot)
            if len(differences) >= 4:
                break
            slot = self.execute(LOOK, args=[f"{os.getpid()}-{number}", "1800"]).stdout
            if slot in clean:
                marked.add(slot)
        self.assertEqual(4, len(differences), (clean, marked))
        print("# peaks behind a run that looked up 1,800 names:", differences, flush=True)
        self.assertLess(sorted(differences)[1], 500 << 10, differences)

    def test_names_that_were_looked_up_do_not_outlive_the_run(self):
        """The kernel frees the names that a run looked up soon after its end, before the host lacks memory"""
        looks, before = 60_000, names_of_the_host()
        for number in range(2):
            self.assert_exited(self.execute(LOOK, args=[f"{os.getpid()}-outlives-{number}", str(looks)], limits=LIMITS))
        wait_until(lambda: names_of_the_host() < before + looks, what="the end of names that two runs looked up")

    def test_file_locks_cost_no_more_than_cpu_time_can_buy(self):
        """File locks, which no cgroup counts, cost the host no more than the CPU time of the run can buy"""
        before = memory_kib()["SUnreclaim"]
        request = self.client.send_execute(
            "import subprocess\nsubprocess.run(['./attack', 'locks', '8', '60000'])", files=attack_file(),
            limits={"cpu_us": 1_000_000, "wall_us": 60_000_000})
        most = 0
        while not select.select([self.client.sock], [], [], 0.02)[0]:
            most = max(most, memory_kib()["SUnreclaim"] - before)
        self.assert_status(self.client.result(request), "CPU_LIMIT")
        figures("kernel memory of file locks in one second of CPU time", [most / 1024], "MiB")
        self.assertLess(most, 160 << 10)
        wait_until(lambda: memory_kib()["SUnreclaim"] - before < max(most // 2, MARGIN_KIB), 30, "the end of the locks")


class NotMemory(Case):
    SERVER = SERVER

    def test_address_space_is_not_memory(self):
        code = PRELUDE + """
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
for protection, flags in ((0, 0x22), (3, 0x4022)):
    at = libc.mmap(None, 1 << 40, protection, flags, -1, 0)
    print(at not in (None, 2 ** 64 - 1))
import resource
print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_DATA)[0])
"""
        result = self.execute(code, limits={"memory_bytes": 16 * MIB})
        self.assert_exited(result)
        self.assertEqual(b"True\nTrue\n-1 -1\n", result.stdout)

    def test_reading_files_of_the_host_does_not_kill(self):
        """Five times the limit from files of /usr, read and mapped from a cold cache, does not kill"""
        limit = 64 * MIB
        paths = self.large_files(5 * limit)
        if paths is None:
            self.skipTest("the host's /usr/lib has too few large files")
        code = f"import mmap\nb = bytearray(1 << 20)\nfor path in {paths!r}:\n    with open(path, 'rb', buffering=0) as f:\n" \
               "        while f.readinto(b): pass\n        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\n" \
               "        for i in range(0, len(m), 4096): m[i]\nprint('read')"
        result = self.execute(code, limits={"memory_bytes": limit, "wall_us": 60_000_000, "cpu_us": 60_000_000})
        self.assert_exited(result)
        self.assertEqual(b"read\n", result.stdout)
        self.assertFalse(result.oom_killed)
        self.assertLessEqual(result.memory_peak_bytes, limit)
        # The cache was cold indeed: its pages were charged to the run.
        self.assertGreater(result.memory_peak_bytes, limit // 2)

    @staticmethod
    def large_files(size):
        """Files below /usr/lib of this many bytes together, dropped from the cache; None if there are not enough."""
        found = []
        for folder, _, names in os.walk("/usr/lib"):
            for path in (os.path.join(folder, name) for name in names):
                if os.path.islink(path) or not 1 * MIB <= os.path.getsize(path) <= 64 * MIB:
                    continue
                with open(path, "rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                found.append(path)
                size -= os.path.getsize(path)
                if size <= 0:
                    return found
        return None


class Told(Case):
    SERVER = SERVER

    def test_a_child_that_is_hit_is_told(self):
        code = "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', \"x = b'x' * (300 << 20)\"]).returncode)"
        result = self.execute(code, limits={"memory_bytes": 64 * MIB})
        self.assert_status(result, "MEMORY_LIMIT")
        self.assertTrue(result.oom_killed)
        self.assertEqual((0, b"-9\n"), (result.exit_code, result.stdout))

    def test_a_daemon_that_is_hit_is_told(self):
        code = "import os\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n" \
               "    if os.fork() == 0: x = b'x' * (300 << 20)\n    os._exit(0)\n" \
               "os.close(w); os.wait(); os.read(r, 1)"  # its end of file is the end of the daemon
        result = self.execute(code, limits={"memory_bytes": 64 * MIB})
        self.assert_status(result, "MEMORY_LIMIT")
        self.assertTrue(result.oom_killed)

    def test_a_program_that_makes_itself_the_last_to_be_killed_is_killed(self):
        code = "import os\ntry: open('/proc/self/oom_score_adj', 'w').write('-1000')\nexcept OSError as e: print(e.errno)\n" \
               "x = b'x' * (300 << 20)"
        result = self.execute(code, limits={"memory_bytes": 64 * MIB})
        self.assert_status(result, "MEMORY_LIMIT")

    def test_the_peak_is_the_runs_own(self):
        slots = self.client.status().languages[0]
        rounds = 2 * (slots.warm + slots.preparing) + 4
        big = self.execute("x = b'x' * (60 << 20)")
        self.assertGreaterEqual(big.memory_peak_bytes, 60 * MIB)
        ids = [self.client.send_execute("x = b'x' * (30 << 20)", limits={"wall_us": 60_000_000}) for _ in range(rounds)]
        for request in ids:
            self.assertGreaterEqual(self.client.result(request).memory_peak_bytes, 30 * MIB)
        peaks = [self.execute("pass").memory_peak_bytes for _ in range(rounds)]
        figures("peak of a small run after big ones", [peak / MIB for peak in peaks], "MiB")
        self.assertLess(max(peaks), 16 * MIB)


if __name__ == "__main__":
    unittest.main()
