"""Debian 12's own kernel with cgroup version 2 alone: hatcheryd's report about it, and that the walls hold there.

Limits are generous, because the processor is emulated. Tests assert which limit ended a run, never how soon.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import host
from lib.case import Case, ServerModule
from lib.server import HATCHERYD, Server, wait_until

SERVER = ServerModule(__name__)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

CGROUPS = Path("/sys/fs/cgroup")
GUARD = 300


def check_host(cgroup=None):
    """Runs `hatcheryd --check-host`, in this cgroup if one is given; shows its output."""
    def move():
        if cgroup:
            (cgroup / "cgroup.procs").write_text("0")
    done = subprocess.run([HATCHERYD, "--check-host"], capture_output=True, text=True, timeout=GUARD, check=False,
                          preexec_fn=move)
    for line in (done.stdout + done.stderr).splitlines():
        print("#", line, flush=True)
    return done


def groups_in(folder):
    return [child.name for child in folder.iterdir() if child.is_dir()]


class Host(unittest.TestCase):
    def test_this_is_the_stock_kernel(self):
        """This is Debian's kernel, and its cgroups are version 2 alone"""
        print("#", *os.uname(), flush=True)
        self.assertRegex(os.uname().release, r"^6\.1\.0-\d+-cloud-amd64$")
        types = [line.split(" - ")[1].split()[0] for line in host.mounts().values()]
        self.assertIn("cgroup2", types)
        self.assertNotIn("cgroup", types)
        self.assertEqual(["0::/"], Path("/proc/self/cgroup").read_text().split())

    def test_check_host(self):
        """check-host finds nothing missing, and leaves no cgroup"""
        before = groups_in(CGROUPS)
        done = check_host()
        self.assertEqual(0, done.returncode)
        self.assertNotIn("FAIL", done.stdout)
        for controller in ("memory", "pids", "cpu time"):
            self.assertRegex(done.stdout, rf"(?m)^ok +cgroup {controller} +v2$")
        self.assertRegex(done.stdout, r"(?m)^ok +disk reads +can be limited")
        self.assertEqual(before, groups_in(CGROUPS))

    def test_reads_of_the_disk(self):
        """The controller io limits the reads of each slot from the disk of /usr"""
        server = Server("disk_reads", config="disk_read = 8388608\nlanguage python { warm = 1 }\n").start()
        try:
            limits = {Path(folder).name: (Path(folder) / "io.max").read_text().split() for folder in server.cgroup_directories()}
        finally:
            server.stop()
        print("#", limits, flush=True)
        limited = [name for name, words in limits.items() if "rbps=8388608" in words]
        self.assertTrue(limited)
        self.assertFalse([name for name in limited if name.endswith("-init")])


class Group(unittest.TestCase):
    """hatcheryd in a cgroup below the root. There, only a cgroup without processes delegates its controllers."""

    def setUp(self):
        (CGROUPS / "cgroup.subtree_control").write_text("+cpu +memory +pids")
        self.slice = self.make(CGROUPS / "test.slice")
        # systemd gives a session no controller for shares of the processor.
        (self.slice / "cgroup.subtree_control").write_text("+memory +pids")
        self.unit = self.make(self.slice / "test.unit")

    def make(self, folder):
        folder.mkdir()
        self.addCleanup(folder.rmdir)
        return folder

    def serve(self):
        """Runs a server inside the unit, and one program on that server. Returns the groups that are in the unit and in
        the slice while the server lives."""
        server = Server("unit")
        server.command[:0] = ["/bin/sh", "-c", f'echo 0 > {self.unit}/cgroup.procs && exec "$@"', "sh"]
        server.start()
        try:
            with server.connect() as client:
                self.assertEqual(b"42\n", client.execute("print(6 * 7)").stdout)
            return groups_in(self.unit), groups_in(self.slice)
        finally:
            server.stop()

    def test_check_host_in_a_unit(self):
        """check-host in a cgroup of its own finds nothing missing, and leaves nothing in that cgroup"""
        done = check_host(self.unit)
        self.assertEqual(0, done.returncode)
        self.assertNotIn("FAIL", done.stdout)
        self.assertEqual([], groups_in(self.unit))

    def test_a_server_in_a_unit(self):
        """A server in a cgroup of its own, as in a systemd unit, makes its cgroups below that one, and removes them"""
        in_unit, in_slice = self.serve()
        self.assertNotEqual([], in_unit)
        self.assertEqual(["test.unit"], in_slice)
        self.assertEqual([], groups_in(self.unit))

    def test_a_server_in_a_session(self):
        """A server that shares its cgroup with other processes, as in a shell, makes its cgroups in the parent"""
        other = subprocess.Popen(["/bin/sh", "-c", f"echo 0 > {self.unit}/cgroup.procs && exec sleep 1000"])
        self.addCleanup(self.end, other)
        wait_until(lambda: host.Process(other.pid).cgroups()[""] == "/test.slice/test.unit")
        in_unit, in_slice = self.serve()
        self.assertEqual([], in_unit)
        self.assertEqual(2, len(in_slice), in_slice)
        self.assertEqual(["test.unit"], groups_in(self.slice))

    def end(self, process):
        process.kill()
        process.wait()


class Command(unittest.TestCase):
    """The command that a user types."""

    def hatchery(self, *arguments, stdin=b""):
        return SERVER.run("run", *arguments, stdin=stdin)

    def test_hello(self):
        """hatchery run prints what a program prints"""
        done = self.hatchery("-e", "print(6*7)")
        self.assertEqual((b"42\n", 0), (done.stdout, done.returncode), done.stderr)

    def test_exit_code(self):
        """hatchery run exits as the program did"""
        self.assertEqual(3, self.hatchery("-e", "raise SystemExit(3)").returncode)

    def test_files(self):
        """Files go in and come out"""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "in").write_text("stock")
            code = "import os; os.mkdir('d'); open('d/out.txt', 'w').write(open('in.txt').read().upper())"
            done = self.hatchery("-e", code, "--file", f"in.txt={folder}/in",
                                 "--collect", "d/*.txt", "--out", f"{folder}/out")
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertEqual("STOCK", (Path(folder) / "out" / "d" / "out.txt").read_text())

    def test_exit_status_of_limits(self):
        """hatchery run tells a time limit and a memory limit apart"""
        self.assertEqual(124, self.hatchery("--wall", "3s", "-e", "while True: pass").returncode)
        self.assertEqual(137, self.hatchery("--wall", "60s", "--memory", "64M", "-e", "bytearray(1 << 28)").returncode)


class Limits(Case):
    """Counts and limits of cgroup version 2."""

    SERVER = SERVER

    def test_memory(self):
        """A program that takes too much memory is killed for it, and the next one is not"""
        limits = {"memory_bytes": 64 << 20, "wall_us": 60_000_000}
        result = self.execute("bytearray(1 << 28)", limits=limits)
        self.assert_status(result, "MEMORY_LIMIT")
        self.assertTrue(result.oom_killed)
        self.assertGreater(result.memory_peak_bytes, 32 << 20)
        self.assert_exited(self.execute("print(1)", limits=limits))

    def test_peak_is_not_the_last_runs(self):
        """The memory peak is the run's own, although this kernel can't reset the counter"""
        large = self.execute("b = bytearray(40 << 20)", limits={"memory_bytes": 128 << 20})
        self.assert_exited(large)
        self.assertGreater(large.memory_peak_bytes, 40 << 20)
        for _ in range(12):  # more runs than there are slots
            small = self.execute("pass")
            self.assert_exited(small)
            self.assertLess(small.memory_peak_bytes, 24 << 20)
            self.assertGreater(small.memory_peak_bytes, 0)

    def test_processes(self):
        """A fork bomb stops at the process limit"""
        code = "import os, time\nn = 0\ntry:\n    while n < 100:\n" \
               "        if os.fork() == 0: time.sleep(60); os._exit(0)\n        n += 1\n" \
               "except BlockingIOError: print(n)"
        result = self.execute(code, limits={"pids": 8})
        self.assert_exited(result)
        self.assertEqual(b"7\n", result.stdout)

    def test_wall_time(self):
        """A program that takes too long is stopped"""
        result = self.execute("import time; time.sleep(600)", limits={"wall_us": 2_000_000})
        self.assert_status(result, "TIME_LIMIT")
        self.assertGreaterEqual(result.wall_us, 2_000_000)

    def test_cpu_time(self):
        """CPU time is counted for all processes together"""
        result = self.execute("import os\nfor _ in range(3): os.fork()\nwhile True: pass",
                              limits={"cpu_us": 2_000_000, "wall_us": 60_000_000})
        self.assert_status(result, "CPU_LIMIT")
        self.assertGreaterEqual(result.cpu_us, 2_000_000)

    def test_cpu_time_is_told(self):
        """User and system time are reported, and their sum is the CPU time"""
        result = self.execute("x = 0\nfor i in range(300000): x += i")
        self.assert_exited(result)
        self.assertGreater(result.cpu_us, 0)
        self.assertEqual(result.cpu_us, result.cpu_user_us + result.cpu_system_us)

    def test_disk(self):
        """A program that fills its disk gets the error ENOSPC"""
        result = self.execute("f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 20)); f.flush()",
                              limits={"disk_bytes": 8 << 20, "wall_us": 60_000_000})
        self.assert_status(result, "DISK_LIMIT")
        self.assertIn(b"No space left on device", result.stderr)

    def test_orphans(self):
        """Processes that a program leaves behind do not outlive it"""
        code = "import subprocess; print(subprocess.Popen(['/bin/sleep', '987']).pid > 0)"
        self.assertEqual("True\n", self.output(code))
        self.assertEqual([], [process for process in host.processes() if process.command() == "/bin/sleep 987"])


class Walls(Case):
    """These tests look at a sandbox from the inside, which shows that the steps of its set-up work on this kernel."""

    SERVER = SERVER

    def test_proc(self):
        """/proc shows the sandbox's own processes and nothing else"""
        names = self.output("import os; print(*sorted(os.listdir('/proc')))").split()
        self.assertEqual(["2", "self", "thread-self"], names)

    def test_root(self):
        """The root is the overlay, and the host's is out of reach"""
        mounts = [line.split()[4] + " " + line.split(" - ")[1].split()[0]
                  for line in self.output("print(open('/proc/self/mountinfo').read())").splitlines() if line]
        self.assertEqual(["/ overlay", "/dev/shm tmpfs", "/home/sandbox tmpfs", "/proc proc", "/tmp tmpfs", "/usr overlay"], sorted(mounts))
        self.assertFalse(os.path.exists("/home/sandbox/main.py"))
        self.assertEqual("False\n", self.output("import os; print(os.path.exists('/hatchery'))"))

    def test_writes_vanish(self):
        """No program sees the files that another program wrote"""
        code = "import os; print(os.listdir('/tmp')); open('/tmp/x', 'w').write('x')"
        for _ in range(10):
            self.assertEqual("[]\n", self.output(code))

    def test_read_only(self):
        """/usr can't be written"""
        self.assertEqual("30\n", self.output(
            "try: open('/usr/x', 'w')\nexcept OSError as e: print(e.errno)"))

    def test_network(self):
        """There is no network"""
        code = "import socket\ntry: socket.create_connection(('127.0.0.1', 9), 5)\nexcept OSError as e: print(e.errno)"
        # The filter answers EAFNOSUPPORT, or the empty network namespace answers ENETUNREACH.
        self.assertIn(self.output(code), ("97\n", "101\n"))

    def test_identity(self):
        """A sandbox has an unprivileged user, no capabilities and a filter"""
        text = self.output("print(open('/proc/self/status').read())")
        status = dict(line.split(":", 1) for line in text.splitlines() if line)
        self.assertEqual("2", status["Seccomp"].strip())
        for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(status[name], 16), name)

    def test_fresh_sandboxes(self):
        """Of runs one after the other, each has a sandbox of its own"""
        runs = [self.execute("import os; print(os.getpid())") for _ in range(30)]
        self.assertEqual({b"2\n"}, {run.stdout for run in runs})
        self.assertEqual(30, len({run.sandbox for run in runs}))


if __name__ == "__main__":
    unittest.main()
