"""Open files, stack, core dumps, locks, priorities: a run may lower them and can't raise them, and can't change those
of others. And every limit by its name: on the wire, in the configuration, in the help."""

import os
import re
import resource
import subprocess
import unittest

from lib.attack import attack_code, attack_file
from lib.case import Case, ServerModule, describe
from lib.hatchery import execute_message
from lib.printed import printed_config
from lib.server import HATCHERY, HATCHERYD, IS_SANITIZED, Server, wait_until

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MIB = 1 << 20
CORE_PATTERN = "/proc/sys/kernel/core_pattern"

# The rlimits of every sandbox, whatever the server's own are: soft, hard.
RLIMITS = {
    resource.RLIMIT_CORE: (1, 1),
    resource.RLIMIT_STACK: (8 * MIB, 512 * MIB),
    resource.RLIMIT_NICE: (0, 0),
    resource.RLIMIT_RTPRIO: (0, 0),
    resource.RLIMIT_MEMLOCK: (64 << 10, 64 << 10),
    resource.RLIMIT_SIGPENDING: (1024, 1024),
    resource.RLIMIT_NOFILE: (256, 256),
}

TRY = """
import ctypes, os, resource, struct
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return ctypes.get_errno() if r < 0 else 0
def refused(what, worked):
    if worked: print(what)
"""


class Rlimits(Case):
    SERVER = SERVER

    def test_rlimits_are_as_configured(self):
        text = self.output(f"import resource\nprint({{n: resource.getrlimit(n) for n in {list(RLIMITS)}}})")
        self.assertEqual(RLIMITS, eval(text))  # pylint: disable=eval-used
        self.assertEqual("(777, 777)\n", self.output("import resource; print(resource.getrlimit(7))", limits={"open_files": 777}))

    def test_without_their_step_they_are_the_servers(self):
        """The control: without the step that sets them, rlimits are those of the server"""
        server = Server("test_limits_rlimits.control", faults=["skip rlimits"]).start()
        try:
            with server.connect() as client:
                text = client.execute("import resource\nprint(resource.getrlimit(resource.RLIMIT_SIGPENDING))").stdout.decode()
                self.assertEqual(f"{resource.getrlimit(resource.RLIMIT_SIGPENDING)}\n", text)
                self.assertNotEqual(f"{RLIMITS[resource.RLIMIT_SIGPENDING]}\n", text)
        finally:
            server.stop()

    def test_no_rlimit_can_be_raised(self):
        code = TRY + """
for n in range(16):
    soft, hard = resource.getrlimit(n)
    if hard == -1: continue
    for new in ((hard, hard + 1), (hard + 1, hard + 1), (-1, -1), (soft, -1)):
        try: resource.setrlimit(n, new)
        except (ValueError, OSError): pass
        blob = struct.pack('qq', *new)
        call(160, n, blob); call(302, 0, n, blob, 0); call(302, os.getpid(), n | 1 << 32, blob, 0); call(160, n | 1 << 32, blob)
    refused(('raised', n, resource.getrlimit(n)), resource.getrlimit(n)[1] != hard)
resource.setrlimit(resource.RLIMIT_NOFILE, (30, 40))
refused('lowering is refused', resource.getrlimit(resource.RLIMIT_NOFILE) != (30, 40))
"""
        self.assertEqual("", self.output(code))

    def test_descriptors_are_bounded_by_every_way_of_getting_one(self):
        code = """
import array, fcntl, os, socket
def count(get):
    n = 0
    try:
        while n < 1000: get(); n += 1
    except OSError as e: assert e.errno in (22, 24), e
    return n
def received():
    a, b = pair
    a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])
    _, ancillary, flags, _ = b.recvmsg(1, socket.CMSG_SPACE(4))
    if flags & socket.MSG_CTRUNC or not ancillary: raise OSError(24, 'cut')
pair = socket.socketpair()
for get in (lambda: os.open('/dev/null', os.O_RDONLY), lambda: os.dup(0), lambda: fcntl.fcntl(0, fcntl.F_DUPFD, 0),
            lambda: os.memfd_create('x'), lambda: os.eventfd(0), received):
    count(get)
    try: os.dup2(0, 256); print('beyond')
    except OSError: pass
    os.closerange(20, 256)
print('bounded')
"""
        self.assertEqual("bounded\n", self.output(code))

    def test_a_deep_recursion_in_c_ends_at_the_stack_limit(self):
        result = self.execute(attack_code("stack"), files=attack_file())
        self.assert_exited(result)
        self.assertIn(int(result.stdout), range(7 * MIB, 8 * MIB + 4096))

    def test_the_stack_limit_is_that_of_the_request(self):
        code = "import resource; print(resource.getrlimit(resource.RLIMIT_STACK))"
        self.assertEqual(f"({64 * MIB}, {512 * MIB})\n", self.output(code, limits={"stack_bytes": 64 * MIB}))
        for asked in MIB, 160 * MIB:
            result = self.execute(attack_code("stack"), files=attack_file(),
                                  limits={"stack_bytes": asked, "memory_bytes": 600 * MIB})
            self.assert_exited(result)
            self.assertIn(int(result.stdout), range(asked - MIB, asked + 4096))
        self.assert_refused("INVALID_ARGUMENT", ["at most 512 MiB here", "limits.stack_bytes"], self.execute, "", limits={"stack_bytes": 513 * MIB})

    def test_an_interpreter_that_was_forked_may_use_the_stack_of_the_request(self):
        """A C function that calls itself in the first thread, through the interpreter's own recursion."""
        code = """
import sys
sys.setrecursionlimit(10 ** 6)
depth = 0
class Deep:
    def __repr__(self):
        global depth
        depth += 1
        return repr([self]) if depth < 20_000 else 'x'
repr(Deep())
print(depth)
"""
        shallow = self.execute(code)
        if not IS_SANITIZED:  # a sanitizer's handler would report the crash, and exit
            self.assert_status(shallow, "SIGNALED")
        self.assertEqual(b"", shallow.stdout)
        result = self.execute(code, limits={"stack_bytes": 32 * MIB, "memory_bytes": 1024 * MIB, "wall_us": 60_000_000, "cpu_us": 60_000_000})
        self.assert_exited(result)
        self.assertEqual(b"20000\n", result.stdout, describe(result))

    def test_a_larger_stack_may_be_asked_for_and_counts_as_memory(self):
        code = "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (resource.getrlimit(resource.RLIMIT_STACK)[1],) * 2)\n"
        result = self.execute(code + attack_code("stack"), files=attack_file(), limits={"memory_bytes": 64 * MIB})
        self.assert_status(result, "MEMORY_LIMIT")
        slow = {"wall_us": 60_000_000, "cpu_us": 60_000_000}  # it touches half a GiB
        result = self.execute(code + attack_code("stack"), files=attack_file(), limits={**slow, "memory_bytes": 600 * MIB})
        self.assert_exited(result)
        self.assertIn(int(result.stdout), range(500 * MIB, 512 * MIB + 4096))

    def test_queued_signals_and_timers_are_bounded(self):
        code = TRY + """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
info = struct.pack('iiiiii', 40, 0, -1, 0, os.getpid(), os.getuid()).ljust(128, b'\\0')
n = 0
while n < 5000 and call(129, os.getpid(), 40, info) == 0: n += 1
event = ctypes.create_string_buffer(struct.pack('qii', 0, 40, 0).ljust(64, b'\\0'), 64)
timer = ctypes.c_int()
while n < 9000 and call(222, 1, event, ctypes.byref(timer)) == 0: n += 1
print(n)
"""
        self.assertIn(int(self.output(code)), range(1000, 1025))

    def test_locked_memory_and_message_queues_are_bounded(self):
        code = TRY + """
import mmap
kept = mmap.mmap(-1, 1 << 20)
at = ctypes.addressof(ctypes.c_char.from_buffer(kept))
print(call(149, at, 1 << 20), call(149, at, 32 << 10), call(151, 3))
rt = ctypes.CDLL('librt.so.1', use_errno=True)
print(max(n for n in range(300) if rt.mq_open(b'/q%d' % n, os.O_CREAT | os.O_RDWR, 0o600, None) >= 0 or n == 0) < 64)
"""
        # mlock of too much memory gives ENOMEM, mlock of little memory works; mlockall gives
        # ENOMEM.
        self.assertEqual("12 0 12\nTrue\n", self.output(code))


class CoreDumps(Case):
    SERVER = SERVER
    # The name distinguishes this crash from others on the machine.
    NAME = f"crash-{os.getpid()}"
    CRASH = f"import ctypes, os, resource\nctypes.CDLL(None).prctl(15, b'{NAME}')\n" \
            "try: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nexcept (ValueError, OSError): pass\nos.abort()"
    LIMITS = ("(0, 0)", "(0, 1)", "(1, 1)", "(-1, -1)", "(1 << 30, 1 << 30)")

    def crash(self, client):
        for limits in self.LIMITS:
            result = client.execute(self.CRASH.replace("(0, 0)", limits), collect=["*core*"])
            self.assert_status(result, "SIGNALED")
            self.assertEqual([], list(result.files), describe(result))

    def with_handler(self, action, expected):
        """Runs the action while the host's handler of core dumps is a script that records each."""
        folder = SERVER.dir
        handler, notes = folder / "handler", folder / "dumps"
        handler.write_text(f"#!/bin/sh\n[ \"$1\" = {self.NAME} ] && echo dump >>{notes}\ncat >/dev/null\n")
        handler.chmod(0o755)
        notes.write_text("")
        with open(CORE_PATTERN, encoding="ascii") as file:
            before = file.read()
        # Restores the handler at the end of its input: here, or when this process is killed.
        with subprocess.Popen(["/bin/sh", "-c", f'read -r line; printf %s "$1" >{CORE_PATTERN}', "sh", before.rstrip("\n")],
                              stdin=subprocess.PIPE, start_new_session=True):
            self.set_pattern(f"|{handler} %e")
            action()
            if expected:
                wait_until(notes.read_text, 30, "the note of a dump")
        with open(CORE_PATTERN, encoding="ascii") as file:
            self.assertEqual(before, file.read())
        return notes.read_text().split()

    @staticmethod
    def set_pattern(pattern):
        with open(CORE_PATTERN, "w", encoding="ascii") as file:
            file.write(pattern)

    def test_a_crash_leaves_no_core_file(self):
        self.crash(self.client)

    def test_a_crash_does_not_start_the_hosts_handler(self):
        self.client.ping()
        self.assertEqual([], self.with_handler(lambda: self.crash(self.client), False))

    def test_without_the_rlimits_a_crash_starts_it(self):
        """The control: without the rlimits, a crash starts the host's handler of core dumps"""
        server = Server("test_limits_rlimits.core", faults=["skip rlimits"]).start()
        try:
            with server.connect() as client:
                client.ping()
                dumps = self.with_handler(lambda: client.execute(self.CRASH), True)
            self.assertEqual(["dump"], dumps)
        finally:
            server.stop()


OWN_NICE = os.getpriority(os.PRIO_PROCESS, 0)  # the server's, and so the sandboxes'


class Priorities(Case):
    SERVER = SERVER

    def test_nobody_gets_ahead(self):
        code = TRY + """
for nice in (-1, -20): refused('nice', call(141, 0, 0, nice) == 0)
try: os.nice(-1); print('nice')
except OSError: pass
zero = struct.pack('i', 0); one = struct.pack('i', 1)
for policy in (1, 2, 6, 1 | 0x40000000): refused(('policy', policy), call(144, 0, policy, one) == 0)
refused('realtime by high bits', call(144, 0, 1 | 1 << 32, one) == 0)
refused('sched_setparam', call(142, 0, one) == 0)
attributes = lambda policy, nice=0, runtime=0: struct.pack('IIQiIQQQ', 48, policy, 0, nice, 1, runtime, runtime, runtime)
for policy, nice in ((1, 0), (2, 0), (6, 0), (0, -5)): refused(('sched_setattr', policy), call(314, 0, attributes(policy, nice, 10 ** 7 if policy == 6 else 0), 0) == 0)
refused('ioprio', call(251, 1, 0, 1 << 13) == 0)
print(os.sched_getscheduler(0), os.getpriority(0, 0))
"""
        self.assertEqual(f"0 {OWN_NICE}\n", self.output(code))

    def test_others_can_not_be_reached(self):
        """init and processes of other numbers can't be reniced, rescheduled, moved or limited"""
        code = TRY + """
blob = struct.pack('qq', 10, 10); zero = struct.pack('i', 0)
for pid in [1, *range(3, 300), 30000]:
    for what, number, args in (('prlimit', 302, (pid, 7, blob, 0)), ('reading prlimit', 302, (pid, 7, 0, ctypes.create_string_buffer(16))),
                               ('nice', 141, (0, pid, 19)), ('idle', 144, (pid, 5, zero)), ('affinity', 203, (pid, 8, struct.pack('Q', 1))),
                               ('kill', 62, (pid, 9)), ('stop', 62, (pid, 19))):
        # init of the slot takes no signal of its own children's, though kill says 0.
        refused((what, pid), call(number, *args) == 0 and not (pid == 1 and number == 62))
print(call(141, 1, 0, 5), call(141, 2, os.getuid(), 6), os.getpriority(0, 0) >= 5)
"""
        result = self.execute(code)
        self.assert_exited(result)
        self.assertNotIn(b"(", result.stdout, describe(result))
        self.assert_alive()
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))

    def test_priority_does_not_outlive_a_run(self):
        rounds = self.client.status().languages[0].warm + 4
        for _ in range(rounds):
            self.assert_exited(self.execute("import os; os.nice(19); os.sched_setaffinity(0, {0})"))
        expected = f"{OWN_NICE} {sorted(os.sched_getaffinity(0))}\n"
        for _ in range(rounds):
            self.assertEqual(expected, self.output("import os; print(os.getpriority(0, 0), sorted(os.sched_getaffinity(0)))"))

    def test_locks_of_files_do_not_outlive_a_run(self):
        code = "import fcntl, os\nf = open('/usr/bin/env', 'rb')\ntry: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print('locked')\n" \
               "except OSError: print('taken')"
        for _ in range(12):
            self.assertIn(self.output(code), ("locked\n", "taken\n"))
        wait_until(lambda: self.output(code) == "locked\n", 30, "a free lock")


class Named(Case):
    SERVER = SERVER

    def test_every_limit_is_on_the_wire_in_the_configuration_and_in_the_help(self):
        wire = [field.name for field in execute_message("", limits={}).limits.DESCRIPTOR.fields]
        self.assertGreaterEqual(len(wire), 7)
        options = [re.sub("_(us|bytes)$", "", name).replace("_", "-") for name in wire]
        config = printed_config(HATCHERYD)
        defaults, ceilings = (re.search(block + r"\s*\{(.*?)\}", config, re.S).group(1) for block in ("limits", "ceilings"))
        usage = subprocess.run([HATCHERY, "run", "--help"], capture_output=True, text=True, check=True).stdout
        for option in options:
            with self.subTest(option):
                default = re.search(rf"^\s*{option} = (\w+)", defaults, re.M).group(1)
                ceiling = re.search(rf"^\s*{option} = (\w+)", ceilings, re.M).group(1)
                line = re.search(rf"^\s*--{option} .*$", usage, re.M).group(0)
                for value in (default, ceiling):
                    self.assertIn(re.match(r"\d+", value).group(0), line)
        for block in (defaults, ceilings):
            self.assertEqual(sorted(options), sorted(re.findall(r"^\s*([\w-]+) =", block, re.M)))

    def test_every_limit_has_a_ceiling_that_holds(self):
        wire = [field.name for field in execute_message("", limits={}).limits.DESCRIPTOR.fields]
        for name in wire:
            with self.subTest(name):
                self.assert_refused("INVALID_ARGUMENT", name, self.execute, "pass", limits={name: 1 << 50})


if __name__ == "__main__":
    unittest.main()
