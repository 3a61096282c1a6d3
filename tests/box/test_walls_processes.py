"""Reaching into other processes, and taking rights that a program does not have. Rows of lib/walls.py."""

import os
import subprocess
import unittest

from lib.case import Case
from lib.walls import CALLS, CAPABILITIES, HOST_ROOT, ZYGOTES_ROOT, Attack, AttackCase, Servers

SHARED = "walls"
SERVERS = Servers(__name__, is_shared=True)
setUpModule, tearDownModule = SERVERS.set_up, SERVERS.tear_down


class Tracing(AttackCase):
    """Only the system call filter keeps a program from tracing its own child. Init is also protected because it belongs
    to another user, in another user namespace."""
    SERVER = SERVERS
    ATTACKS = [
        Attack("ptrace by a child's own wish", "in_child(lambda: done('ptrace', 0, 0, 0, 0))"),
        Attack("ptrace attach to a child", """
            pid = waiting_child()
            try: return done('ptrace', 16, pid, 0, 0)
            finally: os.kill(pid, 9)"""),
        Attack("ptrace seize of a child", """
            pid = waiting_child()
            try: return done('ptrace', 0x4206, pid, 0, 0)
            finally: os.kill(pid, 9)"""),
        Attack("process_vm_readv of itself", """
            secret, got = ctypes.create_string_buffer(b'secret'), ctypes.create_string_buffer(6)
            local, remote = (struct.pack('QQ', ctypes.addressof(b), 6) for b in (got, secret))
            call('process_vm_readv', os.getpid(), local, 1, remote, 1, 0)
            return got.raw == b'secret'"""),
        Attack("process_vm_writev to itself", """
            secret, got = ctypes.create_string_buffer(b'secret'), ctypes.create_string_buffer(6)
            remote, local = (struct.pack('QQ', ctypes.addressof(b), 6) for b in (got, secret))
            call('process_vm_writev', os.getpid(), local, 1, remote, 1, 0)
            return got.raw == b'secret'"""),
        Attack("pidfd_getfd from itself", "done('pidfd_getfd', os.pidfd_open(os.getpid()), 1, 0)"),
        Attack("ptrace attach to init", "done('ptrace', 16, 1, 0, 0)", HOST_ROOT),
        Attack("ptrace seize of init", "done('ptrace', 0x4206, 1, 0, 0)", HOST_ROOT),
        Attack("process_vm_readv of init",
               "reached('EFAULT', 'process_vm_readv', 1, struct.pack('QQ', 4096, 8), 1, struct.pack('QQ', 4096, 8), 1, 0)", HOST_ROOT),
        Attack("pidfd_getfd from init", "done('pidfd_getfd', os.pidfd_open(1), 3, 0)", HOST_ROOT),
        Attack("kcmp with init", "done('kcmp', 1, 1, 1, 0, 0) or True", HOST_ROOT),
        Attack("init's robust list", "done('get_robust_list', 1, ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)) or True",
               HOST_ROOT),
        Attack("a signal for init", "os.kill(1, 0) or True", CAPABILITIES),
        Attack("a signal for init by pidfd", "signal.pidfd_send_signal(os.pidfd_open(1), 0) or True", CAPABILITIES),
        Attack("rlimits of init", "done('prlimit64', 1, 7, 0, ctypes.create_string_buffer(16)) or True", None,
               "needs CAP_SYS_RESOURCE, which nothing of the server keeps"),
        Attack("the priority of init", "os.setpriority(os.PRIO_PROCESS, 1, 19) or True", None,
               "needs CAP_SYS_NICE, which nothing of the server keeps"),
        Attack("the processors of init", "os.sched_setaffinity(1, os.sched_getaffinity(0)) or True", None, "needs CAP_SYS_NICE, likewise"),
    ]


class Rights(AttackCase):
    SERVER = SERVERS
    ATTACKS = [
        Attack("setuid to root", "os.setresuid(0, 0, 0) or os.getuid() == 0", ("capabilities", "proof")),
        Attack("setgid to root", "os.setresgid(0, 0, 0) or os.getgid() == 0", ("capabilities", "proof")),
        Attack("another group", "os.setgroups([0]) or True", ("capabilities", "proof")),
        Attack("capset", """
            header = struct.pack('Ii', 0x20080522, 0)
            data = struct.pack('6I', 1 << 21, 1 << 21, 0, 0, 0, 0)
            return done('capset', header, data)""", CAPABILITIES),
        Attack("an ambient capability", "done('prctl', 47, 2, 21, 0, 0) or True", None,
               "an ambient capability must be inheritable first, and the kernel refuses that"),
        Attack("owning a file of root", "os.chown('/etc/passwd', 1000, 1000) or True", ZYGOTES_ROOT),
        Attack("a child for the zygote", """
            pid = call('clone', 0x8000 | 17, 0, 0, 0, 0)
            if pid == 0: os._exit(0)
            return pid""", None, "nobody would reap it, and its slot would never be empty"),
        Attack("a set of 32,000 semaphores", "done('semget', 0, 32000, 0o1600) or True", ("ipc sizes",)),
        Attack("a thousand sets of semaphores", "[call('semget', 0, 1, 0o1600) for _ in range(1000)]", ("ipc sizes",)),
        Attack("a thousand message queues", "[call('msgget', 0, 0o1600) for _ in range(1000)]", ("ipc sizes",)),
        Attack("mknod of a device", """
            os.mknod('/tmp/full', 0o20666, os.makedev(1, 7))
            return os.open('/tmp/full', os.O_RDONLY) > 0""", None, "not even a zygote may"),
        Attack("mknod of the memory of the machine", "os.mknod('/tmp/mem', 0o20666, os.makedev(1, 1)) or True", None, "likewise"),
        Attack("mknod of a disk", "os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0)) or True", None, "likewise"),
        Attack("a device at hand", """
            return [n for n in ('mem', 'kmem', 'port', 'kmsg', 'kvm', 'fuse', 'ptmx', 'console', 'vda', 'sda', 'loop0',
                                'loop-control', 'net/tun', 'vsock', 'hwrng', 'rtc0', 'mapper', 'snapshot', 'uinput')
                    if os.path.exists('/dev/' + n)]""", None, "/dev is made of six nodes, and no step adds the host's"),
        Attack("a core dump", """
            import resource
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            pid = os.fork()
            if pid == 0: os.abort()
            return os.WCOREDUMP(os.waitpid(pid, 0)[1])""", (*CALLS, "rlimits")),
    ]

    def test_a_setuid_program_gains_nothing(self):
        """Every setuid program of /usr keeps the four ids and the capabilities of its caller"""
        look = "import os, subprocess, sys\n" \
            "found = [os.path.join(d, n) for d in ('/usr/bin', '/usr/sbin') for n in sorted(os.listdir(d))\n" \
            "         if os.stat(os.path.join(d, n), follow_symlinks=False).st_mode & 0o4000]\n" \
            "for path in found:\n" \
            "    pid = os.fork()\n" \
            "    if pid == 0:\n" \
            "        r, w = os.pipe(); os.dup2(r, 0); os.dup2(os.open('/dev/null', 1), 1); os.dup2(1, 2)\n" \
            "        signal = __import__('signal'); signal.alarm(20)\n" \
            "        os.execv(path, [path, 'x', 'y'])\n" \
            "    for _ in range(400):\n" \
            "        try: exe = os.readlink(f'/proc/{pid}/exe')\n" \
            "        except OSError: exe = ''\n" \
            "        status = dict(l.split(':', 1) for l in open(f'/proc/{pid}/status'))\n" \
            "        ids = (status['Uid'] + status['CapEff']).split()\n" \
            "        if status['State'].split()[0] == 'Z' or (exe and 'python' not in exe) or ids[1] != ids[0]: break\n" \
            "        __import__('time').sleep(0.005)\n" \
            "    print(path, *ids)\n" \
            "    os.kill(pid, 9); os.waitpid(pid, 0)\n"
        found = [name for folder in ("/usr/bin", "/usr/sbin") for name in os.listdir(folder)
                 if os.lstat(os.path.join(folder, name)).st_mode & 0o4000]
        if not found:
            self.skipTest("this host has no setuid program")
        rows = [line.split() for line in self.output(look).splitlines()]
        self.assertEqual(len(found), len(rows))
        for row in rows:
            self.assertEqual(["1000"] * 4 + ["0000000000000000"], row[1:], row)

    def test_a_setuid_program_works_on_the_host(self):
        """The control: when the user nobody of the host starts su, su becomes root"""
        out = subprocess.run(["/usr/bin/setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/python3", "-c",
                              "import subprocess, time\np = subprocess.Popen(['/usr/bin/su'], stdin=subprocess.PIPE, stdout=-3, stderr=-3)\n"
                              "for _ in range(100):\n"
                              "    time.sleep(0.02)\n"
                              "    uids = [l for l in open(f'/proc/{p.pid}/status') if l.startswith('Uid')][0].split()\n"
                              "    if uids[2] == '0': break\n"
                              "print(uids[2]); p.kill()"], capture_output=True, text=True, check=False)
        if not os.path.exists("/usr/bin/su"):
            self.skipTest("this host has no su")
        self.assertEqual("0\n", out.stdout, out.stderr)


class Memory(Case):
    SERVER = SERVERS

    def test_a_program_in_memory_may_be_executed_and_gains_nothing(self):
        code = """
import os
fd = os.memfd_create('x', 0)
os.write(fd, open('/usr/bin/id', 'rb').read())
os.fchmod(fd, 0o6755)
os.dup2(fd, 9)
os.execve(9, ['id', '-u'], {})
"""
        self.assertEqual("1000\n", self.output(code))

    def test_a_setuid_file_of_its_own_gains_nothing(self):
        code = """
import os, shutil, subprocess
shutil.copy('/usr/bin/id', 'id'); os.chmod('id', 0o6755)
print(subprocess.run(['./id', '-u'], capture_output=True, text=True).stdout.strip())
try: os.setxattr('id', 'security.capability', bytes.fromhex('0100000200002000000000000000000000000000')); print('set')
except OSError: print('refused')
"""
        self.assertEqual("1000\nrefused\n", self.output(code))


if __name__ == "__main__":
    unittest.main()
