"""/proc, /sys, cgroups and the environment: what they show of the host and of others, and what a program can do through
them. Rows of lib/walls.py."""

import os
import re
import shutil
import subprocess
import unittest
import uuid

from lib import host
from lib.case import Case, describe
from lib.server import HELD, HOLD, wait_until
from lib.walls import HOST_ROOT, ZYGOTES_ROOT, Attack, AttackCase, Servers

SERVERS = Servers(__name__)  # servers that no other module uses, since this one sets their environment
CANARY = "canary" + uuid.uuid4().hex
PROCESS = None


def setUpModule():
    # Puts CANARY into the environment of the server, and of another process of the host.
    global PROCESS
    os.environ["HATCHERY_CANARY"] = CANARY
    SERVERS.set_up()
    PROCESS = subprocess.Popen(["/bin/sh", "-c", "read x", CANARY], stdin=subprocess.PIPE)


def tearDownModule():
    PROCESS.communicate()
    SERVERS.tear_down()
    del os.environ["HATCHERY_CANARY"]


HOST_MEMORY = re.search(r"MemTotal: +(\d+)", host.read("/proc/meminfo"))[1]


class Proc(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        # A sandbox's /proc is mounted with subset=pid, and shows only processes. The zygote's /proc
        # shows all.
        *[Attack(f"proc {name}", f"os.path.exists('/proc/{name}')", ZYGOTES_ROOT) for name in (
            "sys", "sys/kernel/core_pattern", "sysrq-trigger", "kallsyms", "keys", "key-users", "cmdline", "interrupts", "kmsg",
            "partitions", "diskstats", "iomem", "timer_list", "vmallocinfo", "slabinfo",
            "bus", "driver", "fs", "irq", "sysvipc", "cgroups", "devices", "version", "swaps", "locks",
            "pressure", "softirqs", "zoneinfo", "buddyinfo", "pagetypeinfo", "consoles", "kpagecount", "filesystems")
          if os.path.exists(f"/proc/{name}")],
        # These files are made for the slot (zygote/facts.h), and hold none of the host's figures.
        *[Attack(f"proc {name}", f"__import__('re').search({figure!r}, open('/proc/{name}').read())", ZYGOTES_ROOT) for name, figure in (
            ("meminfo", f"MemTotal: +{HOST_MEMORY} "), ("stat", r"ctxt [^0]"), ("loadavg", r"/\d\d"), ("cpuinfo", "flags|microcode|power management"))],
        Attack("writing what proc says of the machine", f"""
            for name in {host.FACTS or ('meminfo',)}:
                try: os.open('/proc/' + name, os.O_WRONLY)
                except OSError as e: last = e
                else: return name
                try: os.chmod('/proc/' + name, 0o666)
                except OSError as e: last = e
                else: return name
            raise last""", None, "even the root of a zygote reads the host's own /proc"),
        *[Attack(f"proc {name}", f"os.path.exists('/proc/{name}')", None, "this host has none either")
          for name in ("kcore", "modules", "config.gz", "sched_debug", "scsi", "acpi", "mtrr")
          if not os.path.exists(f"/proc/{name}")],
        Attack("writing a sysctl", """
            with open('/proc/sys/kernel/ns_last_pid', 'w') as f: f.write('2')
            return True""", ZYGOTES_ROOT),
        Attack("mounts beyond its own", f"""
            FACTS = {[f"/proc/{name}" for name in host.FACTS]}
            rows = [line.split() for line in open('/proc/self/mountinfo')]
            return [row for row in rows if row[4] not in ('/', '/usr', '/proc', '/home/sandbox', '/tmp', '/dev/shm', *FACTS) or row[4] == '/' and 'overlay' not in row]""",
               ZYGOTES_ROOT),
        Attack("processes of the host", """
            for name in os.listdir('/proc'):
                try:
                    if name.isdigit() and b'@canary_start@' b'@canary_end@' in open(f'/proc/{name}/cmdline', 'rb').read(): return name
                except OSError: pass""", ZYGOTES_ROOT),
        Attack("the environment of processes of the host", """
            for name in os.listdir('/proc'):
                try:
                    if name.isdigit() and b'@canary_start@' b'@canary_end@' in open(f'/proc/{name}/environ', 'rb').read(): return name
                except OSError: pass""", ZYGOTES_ROOT),
        Attack("a list of processes that are not its own",
               "[name for name in os.listdir('/proc') if name.isdigit() and int(name) not in (os.getpid(), os.getppid())]", HOST_ROOT),
        Attack("its cgroup's path on the host", "'hatchery' in open('/proc/self/cgroup').read()", ("cgroup namespace",)),
        Attack("physical addresses by pagemap", """
            buffer = ctypes.create_string_buffer(b'x' * 8192)
            with open('/proc/self/pagemap', 'rb') as f:
                f.seek(ctypes.addressof(buffer) // 4096 * 8)
                return struct.unpack('Q', f.read(8))[0] & ((1 << 55) - 1)""", HOST_ROOT),
        Attack("its kernel stack", "open('/proc/self/stack').read() or 'empty'", HOST_ROOT),
        Attack("a map of user ids", """
            with open('/proc/self/uid_map', 'w') as f: f.write('0 0 1')
            return True""", None, "a map is written once, by the zygote"),
        Attack("escaping the killer of processes without memory", """
            with open('/proc/self/oom_score_adj', 'w') as f: f.write('-1000')
            return True""", None, "needs CAP_SYS_RESOURCE, which nothing of the server keeps"),
    ]

    def words(self):
        # Cut in two, so that the program itself does not hold the word that it looks for.
        return {"canary_start": CANARY[:20], "canary_end": CANARY[20:]}


@unittest.skipUnless(host.FACTS, "this kernel can't put mounts together before they are attached (Linux 6.15)")
class Machine(Case):
    """A program's /proc shows the part of the machine that its run may use."""
    SERVER = SERVERS

    READ = "import os, re, sys\nread = lambda name: open('/proc/' + name).read()\n"

    def test_memory_is_the_limit_of_the_run(self):
        code = self.READ + "print(*re.findall(r'Mem\\w+: +(\\d+) kB', read('meminfo')))"
        for limits in {}, {"memory_bytes": 300 << 20}, {"memory_bytes": 64 << 20}, {}:
            expected = limits.get("memory_bytes", 256 << 20) // 1024
            self.assertEqual(f"{expected} {expected} {expected}\n", self.output(code, limits=limits))

    def test_processors_are_those_that_it_may_use(self):
        code = self.READ + """
print(sorted(os.sched_getaffinity(0)) == [int(n) for n in re.findall(r'processor\\t: (\\d+)', read('cpuinfo'))]
      == [int(n) for n in re.findall(r'^cpu(\\d+) 0 0 ', read('stat'), re.M)], os.sysconf('SC_NPROCESSORS_CONF') >= os.cpu_count())
"""
        self.assertEqual("True True\n", self.output(code))

    def test_time_and_load(self):
        code = self.READ + """
import time
boot = time.clock_gettime(time.CLOCK_BOOTTIME)
print(read('loadavg'), 0 <= boot - float(read('uptime').split()[0]) < 600,
      abs(int(re.search(r'btime (\\d+)', read('stat'))[1]) - (time.time() - boot)) < 5)
"""
        self.assertEqual("0.00 0.00 0.00 1/1 2\n True True\n", self.output(code))

    def test_tools_work(self):
        for command in (["free", "-k"], ["ps", "-e", "-o", "pid,comm"], ["uptime"], ["nproc"], ["cat", "/etc/os-release"]):
            if not shutil.which(command[0]):
                continue
            result = self.execute(f"import subprocess, sys\nsys.exit(subprocess.run({command}).returncode)")
            self.assert_exited(result)
            self.assertIn({"free": b"262144", "ps": b"ps\n"}.get(command[0], b""), result.stdout, describe(result))

    def test_they_are_the_slots_own(self):
        """Two runs at one time have different files, so that neither sees the other's locks."""
        code = HOLD + "s = os.stat('/proc/cpuinfo')\nprint(s.st_dev, s.st_ino)"
        requests = [self.client.send_execute(code, limits=HELD) for _ in range(2)]
        SERVERS.wait_held(2)
        SERVERS.let_go()
        self.assertEqual(2, len({self.client.result(request).stdout for request in requests}))


# Files of a process that are open to every process that may trace it.
DOORS = {"mem": "open('/proc/@pid@/mem', 'rb') and True", "fd": "os.listdir('/proc/@pid@/fd')",
         "root": "os.listdir('/proc/@pid@/root') or True", "root by stat": "os.stat('/proc/@pid@/root/') and True",
         "cwd": "os.listdir('/proc/@pid@/cwd') or True", "environ": "open('/proc/@pid@/environ', 'rb').read() or True",
         "maps": "open('/proc/@pid@/maps').read()", "exe": "os.readlink('/proc/@pid@/exe')",
         "namespaces": "os.readlink('/proc/@pid@/ns/mnt')", "status": "open('/proc/@pid@/status').read()",
         "fdinfo": "os.listdir('/proc/@pid@/fdinfo')", "map_files": "os.listdir('/proc/@pid@/map_files') or True",
         "oom_score_adj": "os.path.exists('/proc/@pid@/oom_score_adj')"}


class Doors(AttackCase):
    """The entries of init in /proc, through which a program could reach the rest of the host. (Processes of other runs
    have no entries here, because they are in other pid namespaces.) map_files is left out, because even the zygote has
    no right to it."""
    SERVER = SERVERS
    ATTACKS = [Attack(f"{name} of init", code.replace("@pid@", "1"), HOST_ROOT) for name, code in DOORS.items()
               if name != "map_files"]

    def test_doors_of_a_peer_have_no_name(self):
        """Two runs at one time: each of them is process 2 in its own sandbox"""
        first = self.client.send_execute("import os; print(os.getpid()); open('mine', 'w')\n" + HOLD, limits=HELD)
        SERVERS.wait_held()
        out = self.output("import os\nprint(os.getpid(), os.listdir('/proc/2/cwd'), [n for n in os.listdir('/proc') if n.isdigit()])")
        SERVERS.let_go()
        self.assertEqual("2 ['main.py'] ['2']\n", out)
        self.assertEqual(b"2\n", self.client.result(first).stdout)


class Sys(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        Attack("sys", "os.path.exists('/sys')", None, "no step mounts it; that mounting it is refused is a row of test_walls_calls"),
        Attack("cgroup files", "[p for p in ('/sys/fs/cgroup', '/dev/cgroup', '/proc/cgroups') if os.path.exists(p)]", ZYGOTES_ROOT),
        Attack("a cgroup found by mounting the file system", """
            os.mkdir('/tmp/c')
            for kind, options in ((b'cgroup2', 0), (b'cgroup', b'pids'), (b'cgroup', b'memory')):
                try: call('mount', b'x', b'/tmp/c', kind, 1, options)
                except OSError as e: error = e
                else: return os.listdir('/tmp/c')
            raise error""", HOST_ROOT),
    ]


class Environment(Case):
    SERVER = SERVERS

    SCAN = """
import os, re
found = []
start, end = os.environ.get('START', '@start@').encode(), b'@end@'
if any((start + end).decode() in value for value in os.environ.values()): found.append('environ')
for name in ('environ', 'cmdline'):
    if start + end in open(f'/proc/self/{name}', 'rb').read(): found.append(name)
with open('/proc/self/mem', 'rb', 0) as mem:
    for line in open('/proc/self/maps'):
        low, high = (int(n, 16) for n in line.split()[0].split('-'))
        if line.split()[1][0] != 'r' or line.split()[-1] in ('[vvar]', '[vsyscall]', '[vvar_vclock]'): continue
        if high - low > 256 << 20: continue
        try:
            mem.seek(low)
            data = mem.read(high - low)
        except (OSError, ValueError, OverflowError): continue
        at = data.find(start)
        while at >= 0:
            if data[at + len(start):at + len(start) + len(end)] == end: found.append(line.split()[-1]); break
            at = data.find(start, at + 1)
        del data
print(*found)
"""

    def scan(self):
        return self.SCAN.replace("@start@", CANARY[:20]).replace("@end@", CANARY[20:])

    def test_the_servers_environment_is_not_in_its_memory(self):
        """A variable of the server's environment is nowhere in the memory of a sandbox"""
        # The control: the same program finds the variable when it is started with it.
        control = subprocess.run(["/usr/bin/python3", "-c", self.scan()], capture_output=True, text=True, check=True)
        self.assertIn("environ", control.stdout.split())
        self.assertIn("[stack]", control.stdout.split())
        server = SERVERS.without()
        self.assertIn(CANARY, host.read(f"/proc/{server.process.pid}/environ"))
        self.assertEqual("\n", self.output(self.scan(), limits={"memory_bytes": 768 << 20, "wall_us": 60_000_000}))

    def test_its_environment_is_what_it_should_be(self):
        out = self.output("import os\nprint(sorted(os.environ))")
        self.assertEqual("['HOME', 'LANG', 'LOGNAME', 'PATH', 'USER']\n", out)


class Init(Case):
    """A program shares a pid namespace with only a few processes. Init is one of them."""
    SERVER = SERVERS

    def test_init_outlives_everything_that_a_program_sends_it(self):
        before = {p.pid for p in SERVERS.without().processes() if p.name == "hatchery-init"}
        code = """
import os, signal
for number in range(1, 65):
    for send in (lambda: os.kill(1, number), lambda: signal.pidfd_send_signal(os.pidfd_open(1), number)):
        try: send(); print('sent', number)
        except OSError: pass
print('alive')
"""
        for _ in range(len(before) + 2):
            result = self.execute(code)
            self.assertEqual(b"alive\n", result.stdout, describe(result))
        SERVERS.without().wait_idle(1)
        after = {p.pid for p in SERVERS.without().processes() if p.name == "hatchery-init"}
        self.assertLessEqual(before, after)
        wait_until(lambda: self.client.status().languages[0].warm > 0, what="a warm sandbox")
        self.assertEqual(0, self.client.status().languages[0].discarded)


if __name__ == "__main__":
    unittest.main()
