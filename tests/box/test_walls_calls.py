"""System calls that a sandbox must not have. Rows of lib/walls.py: each is refused, and works with its walls off."""

import os
import platform
import re
import signal
import subprocess
import sys
import unittest

from lib import host
from lib.case import Case, describe
from lib.server import HATCHERYD
from lib.walls import CALLS, CAPABILITIES, HOST_ROOT, Attack, AttackCase, Servers, call_numbers

SHARED = "walls"
SERVERS = Servers(__name__, is_shared=True)
setUpModule, tearDownModule = SERVERS.set_up, SERVERS.tear_down

NESTED = (*CALLS, "init no nested namespaces", "empty namespace", "root")  # a process in a chroot may not make one
TOO_DANGEROUS = "tried in earnest, it would change the host; wrong arguments show that they were never looked at"
FLAGS = {"NEWTIME": 0x80, "NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000,
         "NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000}


def needs(flag):
    return NESTED if flag == "NEWUSER" else CAPABILITIES


# A call that the kernel itself refuses to programs needs no wall of ours, and no control can show
# it to get through.
PARANOID = int(host.read("/proc/sys/kernel/perf_event_paranoid") or "0")
PERF = (None, f"this kernel refuses it to all (perf_event_paranoid is {PARANOID})") if PARANOID > 2 else ()
RELEASE = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
HANDLES = (None, "this kernel asks for a capability first (before Linux 6.11)") if RELEASE < (6, 11) else ()


class Namespaces(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        *[Attack(f"unshare of {name}", f"done('unshare', {flag:#x})", needs(name)) for name, flag in FLAGS.items()],
        # NEWTIME is left out: clone takes its bit (0x80) for a part of the exit signal.
        *[Attack(f"clone into {name}", f"""
            pid = call('clone', {flag:#x} | 17, 0, 0, 0, 0)
            if pid == 0: os._exit(0)
            return os.waitpid(pid, 0)[1] == 0""", needs(name)) for name, flag in FLAGS.items() if name != "NEWTIME"],
        *[Attack(f"clone3 into {name}", f"""
            args = struct.pack('11Q', {flag:#x}, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
            pid = call('clone3', args, len(args))
            if pid == 0: os._exit(0)
            return os.waitpid(pid, 0)[1] == 0""", needs(name)) for name, flag in FLAGS.items()],
        Attack("clone3 of a plain child", """
            args = struct.pack('11Q', 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
            pid = call('clone3', args, len(args))
            if pid == 0: os._exit(0)
            return os.waitpid(pid, 0)[1] == 0"""),
        Attack("clone into a user namespace with odd high bits", """
            pid = call('clone', 0x10000000 | 17 | 1 << 40, 0, 0, 0, 0)
            if pid == 0: os._exit(0)
            return os.waitpid(pid, 0)[1] == 0""", NESTED),
        *[Attack(f"setns into its own {name} namespace", f"done('setns', os.open('/proc/self/ns/{name}', 0), 0)", HOST_ROOT)
          for name in ("uts", "ipc", "net", "cgroup")],
        Attack("setns by a pidfd", "done('setns', os.pidfd_open(os.getpid()), 0x40000000)", HOST_ROOT),
        Attack("chroot", "done('chroot', b'/tmp')", CAPABILITIES),
        Attack("chroot and out again by a descriptor", """
            above = os.open('/', os.O_RDONLY)
            call('chroot', b'/tmp')
            os.fchdir(above)
            call('chroot', b'.')
            return os.path.exists('/usr/bin')""", CAPABILITIES),
        Attack("a host name", "done('sethostname', b'x', 1)", HOST_ROOT),
        Attack("a domain name", "done('setdomainname', b'x', 1)", HOST_ROOT),
    ]


class Mounts(AttackCase):
    """The old and the new interface. The mounts of a sandbox belong to the host's user namespace."""
    SERVER = SERVERS
    ATTACKS = [
        Attack("mount of a tmpfs", "done('mount', b'x', b'/tmp', b'tmpfs', 0, 0)", HOST_ROOT),
        Attack("mount of a tmpfs in a new mount namespace", """
            call('unshare', 0x20000)
            return done('mount', b'x', b'/tmp', b'tmpfs', 0, 0)""", CAPABILITIES),
        Attack("mount of a tmpfs in a new user namespace", """
            call('unshare', 0x10000000 | 0x20000)
            return done('mount', b'x', b'/tmp', b'tmpfs', 0, 0)""", NESTED),
        Attack("mount of sysfs", "done('mount', b'x', b'/tmp', b'sysfs', 1, 0)", HOST_ROOT),
        Attack("mount of a whole proc", "done('mount', b'x', b'/tmp', b'proc', 1, 0)", HOST_ROOT),
        # Not read-only: each of these two is one file system for the whole machine, so the flag
        # would affect the whole machine.
        Attack("mount of cgroups", "done('mount', b'x', b'/tmp', b'cgroup2', 0, 0)", HOST_ROOT),
        Attack("mount of devices", "done('mount', b'x', b'/tmp', b'devtmpfs', 0, 0)", HOST_ROOT),
        Attack("bind mount", "done('mount', b'/usr', b'/tmp', 0, 4096, 0)", HOST_ROOT),
        Attack("remount of usr for writing", """
            return done('mount', 0, b'/usr', 0, 4096 | 32, 0)""", HOST_ROOT),
        Attack("mount_setattr of usr for writing", """
            attr = struct.pack('4Q', 0, 1, 0, 0)
            return done('mount_setattr', -100, b'/usr', 0, attr, len(attr))""", HOST_ROOT),
        Attack("remount of the root for writing", "done('mount', 0, b'/', 0, 4096 | 32, 0)", HOST_ROOT),
        Attack("mount_setattr of the root for writing", """
            attr = struct.pack('4Q', 0, 1, 0, 0)
            return done('mount_setattr', -100, b'/', 0, attr, len(attr))""", HOST_ROOT),
        Attack("umount of usr", "done('umount2', b'/usr', 2)", HOST_ROOT),
        Attack("umount of proc", "done('umount2', b'/proc', 2)", HOST_ROOT),
        Attack("pivot_root", """
            call('mount', b'x', b'/mnt', b'tmpfs', 0, 0)
            os.mkdir('/mnt/old')
            return done('pivot_root', b'/mnt', b'/mnt/old')""", HOST_ROOT),
        Attack("fsopen", "done('fsopen', b'tmpfs', 0)", HOST_ROOT),
        Attack("fsopen, fsconfig and fsmount", """
            fs = call('fsopen', b'tmpfs', 0)
            call('fsconfig', fs, 6, 0, 0, 0)
            return done('fsmount', fs, 0, 0)""", HOST_ROOT),
        Attack("fspick of the root", "done('fspick', -100, b'/', 0)", HOST_ROOT),
        Attack("fsconfig", "reached('EBADF EINVAL', 'fsconfig', -1, 0, 0, 0, 0)"),
        Attack("open_tree of a copy", "done('open_tree', -100, b'/usr', 1)", HOST_ROOT),
        Attack("open_tree", "done('open_tree', -100, b'/usr', 0)"),
        Attack("open_tree_attr", "done(467, -100, b'/usr', 0, 0, 0)"),
        Attack("move_mount", """
            tree = call('open_tree', -100, b'/usr', 1)
            return done('move_mount', tree, b'', -100, b'/tmp', 4)""", HOST_ROOT),
        Attack("statmount", "reached('EFAULT EINVAL', 457, 0, 0, 0, 0)"),
        Attack("listmount", """
            request = struct.pack('IIQQQ', 24, 0, 0xffffffffffffffff, 0, 0)
            return call(458, request, ctypes.create_string_buffer(800), 100, 0) > 0"""),
    ]


class Kernel(AttackCase):
    """Calls that reach deep into the kernel, or leave something there after the run."""
    SERVER = SERVERS
    ATTACKS = [
        Attack("bpf map", """
            attr = struct.pack('5I', 2, 4, 4, 1, 0)
            return done('bpf', 0, attr, len(attr))""", HOST_ROOT),
        Attack("bpf program", """
            code = ctypes.create_string_buffer(struct.pack('<BBhi', 0xb7, 0, 0, 0) + struct.pack('<BBhi', 0x95, 0, 0, 0))
            name = ctypes.create_string_buffer(b'GPL')
            attr = struct.pack('IIQQIIQII', 1, 2, ctypes.addressof(code), ctypes.addressof(name), 0, 0, 0, 0, 0)
            return done('bpf', 5, attr, len(attr))""", HOST_ROOT),
        Attack("perf_event_open of itself", """
            attr = struct.pack('IIQQQQQ', 1, 64, 0, 0, 0, 0, 1 | 1 << 5 | 1 << 6).ljust(64, bytes(1))
            return done('perf_event_open', attr, 0, -1, -1, 0)""", *PERF),
        Attack("perf_event_open of a whole processor", """
            attr = struct.pack('IIQQQQQ', 1, 64, 0, 0, 0, 0, 1).ljust(64, bytes(1))
            return done('perf_event_open', attr, -1, 0, -1, 0)""", HOST_ROOT),
        Attack("io_uring", "done('io_uring_setup', 4, ctypes.create_string_buffer(120))"),
        Attack("io_uring_enter", "reached('EBADF EOPNOTSUPP', 'io_uring_enter', -1, 0, 0, 0, 0, 0)"),
        Attack("io_uring_register", "reached('EBADF EINVAL EOPNOTSUPP', 'io_uring_register', -1, 0, 0, 0)"),
        Attack("aio", "done('io_setup', 1, ctypes.create_string_buffer(8))"),
        Attack("userfaultfd", "done('userfaultfd', 1)"),
        Attack("add_key", "done('add_key', b'user', b'x', b'y', 1, -2)"),
        Attack("keyctl", "done('keyctl', 0, -3, 1)"),
        Attack("request_key", "reached('ENOKEY', 'request_key', b'user', b'nobody has this', 0, 0)"),
        Attack("keyctl over the session of others", "done('keyctl', 1, b'a name that others could join')"),
        Attack("name_to_handle_at", """
            handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128))
            return reached('ENOTSUP', 'name_to_handle_at', -100, b'/usr/bin', handle, ctypes.create_string_buffer(8), 0)"""),
        Attack("open_by_handle_at", "reached('EBADF EFAULT', 'open_by_handle_at', -1, 0, 0)", *HANDLES),
        Attack("open_by_handle_at of usr", """
            handle = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128))
            call('name_to_handle_at', -100, b'/usr/bin', handle, ctypes.create_string_buffer(8), 0)
            return done('open_by_handle_at', os.open('/usr', 0), handle, 0)""", None,
               "nothing of the server has CAP_DAC_READ_SEARCH on the host, so no wall can be taken off that gives it"),
        Attack("kcmp", "done('kcmp', os.getpid(), os.getpid(), 0, 0, 1) or True"),
        Attack("inotify", "done('inotify_init1', 0)"),
        Attack("fanotify", "done('fanotify_init', 0x200, 0)"),
        Attack("an own seccomp filter", """
            code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
            return done('seccomp', 1, 0, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))"""),
        Attack("a seccomp filter by prctl", """
            code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
            return done('prctl', 22, 2, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)), 0, 0)"""),
        Attack("the kernel's log", "reached('EINVAL', 'syslog', 2, 0, -1)", None,
               "needs CAP_SYSLOG, which nothing of the server keeps"),
        Attack("mapped page zero",
               "mmap_address = libc.mmap\n"
               "mmap_address.restype = ctypes.c_long\n"
               "return mmap_address(ctypes.c_void_p(0), 4096, 3, 0x32, -1, 0) == 0", None,
               "vm.mmap_min_addr is the host's, and needs CAP_SYS_RAWIO, which nothing of the server keeps"),
        Attack("modify_ldt", "done('modify_ldt', 0, ctypes.create_string_buffer(8), 8) or True"),
        Attack("memory policy of others", "done('move_pages', 0, 0, 0, 0, 0, 0) or True"),
        Attack("migrate_pages", "reached('EINVAL EFAULT ESRCH', 'migrate_pages', 0, 0, 0, 0)"),
        Attack("mbind", "done('mbind', 0, 0, 0, 0, 0, 0) or True"),
        Attack("set_mempolicy", "done('set_mempolicy', 0, 0, 0)"),
        Attack("cachestat of a file of usr", """
            fd = os.open('/usr/bin/env', os.O_RDONLY)
            return reached('EFAULT', 451, fd, 0, 0, 0)"""),
        Attack("process_madvise", "reached('EBADF', 'process_madvise', -1, 0, 0, 0, 0)"),
        Attack("process_mrelease", "reached('EBADF', 'process_mrelease', -1, 0)"),
        Attack("lsm attributes", "reached('EFAULT EINVAL EOPNOTSUPP', 459, 100, 0, 0, 0)"),
        Attack("adjtimex, reading", "done('adjtimex', ctypes.create_string_buffer(208)) or True"),
        Attack("personality without address randomization", "done('personality', 0x0040000)"),
        Attack("personality that makes all memory executable", "done('personality', 0x0400000)"),
        Attack("personality with odd high bits", "done('personality', 0x0040000 | 1 << 40)"),
        Attack("an own scheduler class by sched_setattr",
               "done('sched_setattr', 0, struct.pack('IIQiIQQQ', 48, 0, 0, 0, 0, 0, 0, 0), 0)"),
        Attack("ioprio_set", "done('ioprio_set', 1, 0, 3 << 13)"),
        Attack("prctl PR_SET_KEEPCAPS", "done('prctl', 8, 1, 0, 0, 0)"),
        Attack("prctl PR_SET_TSC", "done('prctl', 26, 1, 0, 0, 0)"),
        Attack("prctl PR_SET_SECUREBITS", "done('prctl', 28, 0, 0, 0, 0)", CAPABILITIES),
        Attack("prctl PR_SET_MM", "done('prctl', 35, 15, ctypes.create_string_buffer(8), 0, 0)"),
        Attack("prctl PR_SET_PTRACER", "reached('EINVAL', 'prctl', 0x59616d61, 0, 0, 0, 0)"),
        Attack("prctl PR_SET_SYSCALL_USER_DISPATCH", "done('prctl', 59, 0, 0, 0, 0)"),
        Attack("prctl with odd high bits", "done('prctl', 26 | 1 << 40, 1, 0, 0, 0)"),
        Attack("fcntl F_SETLEASE", "reached('EACCES EAGAIN EINVAL', 'fcntl', os.open('/usr/bin/env', 0), 1024, 0)"),
        Attack("fcntl F_NOTIFY with odd high bits", "done('fcntl', os.open('/usr', 0), 1026 | 1 << 40, 1)"),
        *[Attack(f"{name}", f"reached('{errors}', {call})", None, TOO_DANGEROUS) for name, errors, call in (
            ("module by init_module", "EFAULT EINVAL", "'init_module', 0, 0, 0"),
            ("module by finit_module", "EBADF EFAULT", "'finit_module', -1, 0, 0"),
            ("delete_module", "EFAULT ENOENT", "'delete_module', 0, 0"),
            ("kexec_load", "EINVAL", "'kexec_load', 0, 99, 0, -1"),
            ("kexec_file_load", "EINVAL EBADF", "'kexec_file_load', -1, -1, 0, 0, -1"),
            ("reboot", "EINVAL", "'reboot', 0, 0, 0, 0"),
            ("settimeofday", "EFAULT", "'settimeofday', 1, 0"),
            ("clock_settime", "EFAULT", "'clock_settime', 0, 1"),
            ("clock_adjtime", "EFAULT", "'clock_adjtime', 0, 1"),
            ("swapon", "EFAULT EINVAL", "'swapon', 0, -1"),
            ("swapoff", "EFAULT", "'swapoff', 0"),
            ("acct", "EFAULT", "'acct', 1"),
            ("quotactl", "ENODEV EFAULT", "'quotactl', 0x80000700, 0, 0, 0"),
            ("ioperm", "EINVAL", "'ioperm', -1, 1, 1"),
            ("iopl", "EINVAL", "'iopl', 4"),
            ("vhangup", "ENOTTY", "'vhangup'"),
        )],
        *[Attack(f"a real-time class by sched_setscheduler {policy}",
                 f"done('sched_setscheduler', 0, {policy}, struct.pack('i', 1)) or True", None,
                 "needs CAP_SYS_NICE, which nothing of the server keeps, or an RLIMIT_RTPRIO that it has not got itself")
          for policy in (1, 2, 6)],
        Attack("a better priority", "os.nice(-5)\nreturn os.nice(0) < 0", None, "needs CAP_SYS_NICE, likewise"),
        *[Attack(f"ioctl {name}", f"reached('ENOTTY', 'ioctl', 0, {number:#x}, b'x')") for name, number in (
            ("TIOCSTI", 0x5412), ("TIOCSTI with odd high bits", 0x5412 | 1 << 32),
            ("TIOCSTI with all high bits", 0x5412 | 0x7fffffff << 32), ("TIOCLINUX", 0x541c),
            ("TIOCLINUX with odd high bits", 0x541c | 1 << 40), ("TIOCSCTTY", 0x540e), ("TIOCCONS", 0x541d),
            ("TIOCSETD", 0x5423), ("KDSETLED", 0x4b32))],
    ]


MACHINE_CODE = """
    def run():
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex('@code@'))
        return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))() + 0
    got = in_child(lambda: 'got %d' % run())
    return got if @through@ else ''
"""


def machine_code(code, through="True"):
    return MACHINE_CODE.replace("@code@", code.replace(" ", "")).replace("@through@", through)


def has_int_0x80():
    """Some kernels and hypervisors lack this entry: a process that uses it dies of SIGSEGV, with and without a
    filter."""
    code = ("import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\npage.write(bytes.fromhex('53b814000000cd805bc3'))\n"
            "ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()")
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class ForeignCalls(AttackCase):
    """System calls by other entries: each would be a way around a filter that knows only x86-64's numbers."""
    SERVER = SERVERS
    NO_DOOR = "int 0x80 is refused with all walls; this machine has it for nobody, so there is no control"

    def check(self, attack):
        if attack.name.startswith("int 0x80") and not has_int_0x80():
            self.assert_refused_without(attack, ())
            self.skipTest(self.NO_DOOR)
        super().check(attack)

    ATTACKS = [
        # push rbx; mov eax, 20 (i386 getpid); int 0x80; pop rbx; ret
        Attack("int 0x80", machine_code("53 b8 14000000 cd80 5b c3")),
        # i386's mount is 21, which is x86-64's access
        Attack("int 0x80 with a number that means something else", machine_code("53 b8 15000000 31db 31c9 31d2 cd80 5b c3")),
        # mov eax, 0x40000000 + 39 (x32 getpid); syscall; ret
        Attack("x32 getpid", machine_code("b8 27000040 0f05 c3", "int(got[4:]) > 0"), None,
               "this kernel may be built without x32: ENOSYS there, with and without the filter"),
        Attack("x32 ptrace", machine_code("b8 09020040 0f05 c3", "int(got[4:]) != -38"), None, "likewise"),
    ]

    @unittest.skipUnless(platform.machine() == "x86_64", "machine code of x86-64")
    def test_foreign_calls_kill(self):
        """The filter kills the process instead of answering the call"""
        for code in (*(["53b814000000cd805bc3"] if has_int_0x80() else []), "b8270000400f05c3"):
            result = self.execute("import ctypes, mmap\npage = mmap.mmap(-1, 4096, prot=7)\n"
                                  f"page.write(bytes.fromhex('{code}'))\n"
                                  "ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()")
            self.assert_status(result, "SIGNALED")
            self.assertEqual(signal.SIGSYS, result.signal, describe(result))


class Table(Case):
    """The printed table equals the filter."""
    SERVER = SERVERS

    @unittest.skipUnless(platform.machine() == "x86_64", "numbers of x86-64")
    def test_every_number_that_the_table_does_not_name_is_refused(self):
        printed = subprocess.run([HATCHERYD, "--print-seccomp"], capture_output=True, text=True, check=True).stdout
        named = {m.group(1) for m in re.finditer(r"^(?:allow|nothing|errno \d+) (\w+)", printed, re.M)}
        refused = {m.group(2): int(m.group(1)) for m in re.finditer(r"^errno (\d+) (\w+)$", printed, re.M)}
        numbers = call_numbers()
        self.assertGreater(len(named & set(numbers)), 250)
        # The kernel lets uretprobe and uprobe pass every filter, and kills a process that it has
        # not sent there.
        expected = {number: 38 for number in range(1024) if number not in (335, 336)}
        for name in named & set(numbers):
            del expected[numbers[name]]
        expected.update({numbers[name]: error for name, error in refused.items() if name in numbers})
        self.assertGreater(len(expected), 700)
        got = self.output("import ctypes, json\nlibc = ctypes.CDLL(None, use_errno=True)\n"
                          f"for n in {sorted(expected)!r}:\n"
                          "    ctypes.set_errno(0)\n"
                          "    r = libc.syscall(ctypes.c_long(n), *[ctypes.c_long(-1)] * 6)\n"
                          "    print(n, ctypes.get_errno() if r < 0 else 0)")
        found = {int(line.split()[0]): int(line.split()[1]) for line in got.splitlines()}
        self.assertEqual(expected, found)


if __name__ == "__main__":
    unittest.main()
