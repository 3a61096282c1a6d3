"""Terminals: a program's terminal is like any other terminal, it is the only one there, and nothing
of it is left for the next run."""

import hashlib
import os
import signal
import time
from pathlib import Path

from lib.case import Case, ServerModule
from lib.hatchery import STDOUT
from lib.server import wait_until
from lib.walls import Attack, AttackCase, Servers

# Two slots, which take turns: of three runs in a row the third is in the slot of the first.
CONFIG = "client_share = 100\nlanguage python { warm = 1 running = 1 }\nlanguage c { warm = 1 }\n"
SERVER = ServerModule(__name__, config=CONFIG)
SERVERS = Servers(__name__)
SIZE = (24, 200)
MIB = 1 << 20


def setUpModule():
    SERVER.set_up()
    SERVERS.set_up()


def tearDownModule():
    SERVERS.tear_down()
    SERVER.tear_down()


def terminals_of_the_host():
    return int(Path("/proc/sys/kernel/pty/nr").read_text())


class Terminal(Case):
    """The things that programs expect of a terminal."""
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        self.addCleanup(SERVER.wait_idle)

    def open(self, code, terminal=SIZE, **arguments):
        return self.client.open(code, terminal=terminal, **arguments)

    def said(self, code, **arguments):
        stream = self.open(code, **arguments)
        self.assert_exited(stream.result())
        return stream.out.decode()

    def test_all_three_are_one_terminal(self):
        got = self.said("import os, sys\n"
                        "print(*(os.ttyname(fd) for fd in range(3)), len({os.fstat(fd).st_rdev for fd in range(3)}))\n"
                        "print(all(f.isatty() for f in (sys.stdin, sys.stdout, sys.stderr)), os.environ['TERM'])\n")
        self.assertEqual("/dev/pts/0 /dev/pts/0 /dev/pts/0 1\r\nTrue xterm\r\n", got)

    def test_it_is_its_programs_own(self):
        got = self.said("import os\nst = os.stat('/dev/pts/0')\n"
                        "print(st.st_uid == os.getuid(), st.st_gid == os.getgid(), oct(st.st_mode))\n"
                        "fd = os.open('/dev/tty', os.O_RDWR)\n"
                        "print(os.tcgetpgrp(fd) == os.getpgrp() == os.getpid() == os.getsid(0))\n"
                        "os.write(fd, b'to the controlling terminal\\n')\n")
        self.assertEqual("True True 0o20600\r\nTrue\r\nto the controlling terminal\r\n", got)

    def test_lines_are_edited_and_echoed(self):
        stream = self.open("print(ascii(input('name? ')))")
        self.assertEqual(b"name? ", stream.read_until(b"? "))
        stream.write("wr\u00e4\x7f\x7felt\r")
        self.assert_exited(stream.result())
        self.assertIn("'welt'\r\n", stream.out.decode())
        self.assertTrue(stream.out.startswith("name? wr\u00e4".encode()), stream.out)

    def test_standard_error_comes_in_its_place(self):
        got = self.said("import os\nfor i in range(10): os.write(1 + i % 2, b'%d' % i)")
        self.assertEqual("0123456789", got)

    def test_the_end_of_input_is_typed(self):
        stream = self.open("import sys\nprint(ascii(sys.stdin.read()))")
        stream.write("one\rtwo", eof=True)
        self.assert_exited(stream.result())
        self.assertTrue(stream.out.endswith(b"'one\\ntwo'\r\n"), stream.out)

    def test_ctrl_c_is_an_interrupt(self):
        stream = self.open("import time\ntry: print('here'), time.sleep(1000)\nexcept KeyboardInterrupt: print('interrupted')")
        stream.read_until(b"here\r\n")
        stream.write("\x03")
        self.assert_exited(stream.result())
        self.assertIn(b"interrupted\r\n", stream.out)

    def test_ctrl_backslash_ends_it(self):
        stream = self.open("import signal\nprint('here')\nsignal.pause()")
        stream.read_until(b"here\r\n")
        stream.write("\x1c")
        result = stream.result()
        self.assert_status(result, "SIGNALED")
        self.assertEqual(signal.SIGQUIT, result.signal)

    def test_what_is_typed_interrupts_the_foreground_alone(self):
        """As in a shell, a child's process group gets the terminal, and its parent takes it back"""
        stream = self.open(
            "import os, signal\n"
            "signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    os.setpgid(0, 0)\n"
            "    os.tcsetpgrp(0, os.getpid())\n"
            "    print('here')\n"
            "    signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
            "    signal.pause()\n"
            "status = os.waitpid(pid, 0)[1]\n"
            "os.tcsetpgrp(0, os.getpgrp())\n"
            "print('child', os.WTERMSIG(status), input())\n")
        stream.read_until(b"here\r\n")
        time.sleep(0.2)  # the child waits for a signal
        stream.write("\x03")
        stream.write("mine\r")
        self.assert_exited(stream.result())
        self.assertIn(b"child 2 mine\r\n", stream.out)

    def test_its_size_is_what_was_asked_for_and_changes(self):
        # sigwait: a handler of Python is not called if the signal comes just before a read that waits.
        stream = self.open("import os, signal\n"
                           "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})\n"
                           "print('first', *os.get_terminal_size())\n"
                           "signal.sigwait({signal.SIGWINCH})\n"
                           "print('now', *os.get_terminal_size())\n"
                           "input()", terminal=(33, 99))
        self.assertEqual(b"first 99 33\r\n", stream.line())
        stream.resize(1, 65535)
        self.assertEqual(b"now 65535 1\r\n", stream.line())
        stream.write("\x04")
        self.assert_status(stream.result(), "EXITED")

    def test_raw_bytes_are_bytes(self):
        """In both directions, and more bytes than the kernel holds in either"""
        data = bytes(range(256)) * (MIB // 256)
        stream = self.open("import hashlib, os, termios, tty\n"
                           "tty.setraw(0)\n"
                           "os.write(1, b'raw')\n"
                           "got = b''\n"
                           f"while len(got) < {MIB}: got += os.read(0, 65536)\n"
                           "os.write(1, hashlib.sha256(got).digest())\n"
                           "while got: got = got[os.write(1, got):]\n", limits={"wall_us": 60_000_000, "output_bytes": 2 * MIB})
        self.assertEqual(b"raw", stream.read(3))
        self.assertTrue(stream.write(data))
        self.assert_exited(stream.result())
        self.assertEqual(hashlib.sha256(data).digest(), stream.read(32))
        self.assertEqual(data, stream.read(MIB))

    def test_what_was_printed_last_is_not_lost(self):
        for _ in range(5):
            self.assertEqual("x" * 3000, self.said("import os\nos.write(1, b'x' * 3000)\nos._exit(0)"))

    def test_output_waits_for_credit(self):
        stream = self.open(f"import os, tty\ntty.setraw(0)\nleft = {2 * MIB}\nwhile left: left -= os.write(1, b'x' * min(left, 65536))\n",
                           gives_back=False, limits={"wall_us": 60_000_000, "output_bytes": 2 * MIB})
        while not stream.is_over:
            stream.wait(lambda: stream.credit == 0)
            stream.give(MIB // 2)
        self.assert_exited(stream.result())
        self.assertEqual(2 * MIB, len(stream.out))

    def test_the_limit_of_output_holds(self):
        stream = self.open("while True: print('x' * 1000)", limits={"output_bytes": 100_000})
        result = stream.result()
        self.assert_status(result, "OUTPUT_LIMIT")
        self.assertLessEqual(len(stream.out), 100_000)

    def test_a_program_that_closes_it_may_open_it_again(self):
        stream = self.open("import os, time\nprint('before', flush=True)\nos.closerange(0, 3)\ntime.sleep(0.3)\n"
                           "os.write(os.open('/dev/tty', os.O_RDWR), b'after')\ntime.sleep(0.3)\nos._exit(0)")
        self.assert_exited(stream.result())
        self.assertEqual(b"before\r\nafter", stream.out)

    def test_a_child_that_keeps_it_does_not_keep_the_answer(self):
        stream = self.open("import os, signal\n"
                           "if os.fork() == 0:\n"
                           "    os.setsid()\n"
                           "    while True: os.write(1, b'x')\n"
                           "os.read(os.pipe()[0], 0)\nprint('end')\nos._exit(0)")
        self.assert_exited(stream.result())
        self.client.ping()  # any message about the stream would now raise Broken

    def test_a_compiler_has_none_and_its_program_has_one(self):
        stream = self.open('#include <stdio.h>\n#include <unistd.h>\n'
                           'int main(void) { puts(ttyname(0)); return isatty(0) && isatty(1) && isatty(2) ? 7 : 0; }\n', language="c")
        result = stream.result()
        self.assert_exited(result, 7)
        self.assertEqual(b"/dev/pts/0\r\n", stream.out)

    def test_two_have_nothing_to_do_with_each_other(self):
        SERVER.wait_idle()
        with SERVERS.without().connect() as client:
            wait = "import os\nprint(os.ttyname(0))\nprint(input())"
            one, other = (client.open(wait, terminal=SIZE) for _ in range(2))
            self.assertEqual([b"/dev/pts/0\r\n"] * 2, [s.line() for s in (one, other)])
            one.write("one\r")
            self.assert_exited(one.result())
            other.write("other\r")
            self.assert_exited(other.result())
        self.assertEqual([b"/dev/pts/0\r\none\r\none\r\n", b"/dev/pts/0\r\nother\r\nother\r\n"], [one.out, other.out])

    def test_its_end_is_told_however_it_comes(self):
        for end, status in ((lambda s: s.cancel(), "CANCELLED"), (lambda s: s.signal(9), "SIGNALED")):
            stream = self.open("print('here')\ninput()")
            stream.read_until(b"here\r\n")
            end(stream)
            self.assert_status(stream.result(), status)


LOOK = """
import os
stat = open('/proc/self/stat').read().rpartition(')')[2].split()
try: tty = os.open('/dev/tty', os.O_RDWR)
except OSError as e: tty = e.errno
slot = open('/proc/self/uid_map').read().split()[-2]
print(slot, os.listdir('/dev/pts'), stat[4], tty, [os.isatty(fd) for fd in range(3)], 'devpts' in open('/proc/self/mounts').read())
"""


class Left(Case):
    """Nothing is left of a former terminal: in the slot's next run, on the host, in the pool and in
    the zygote."""
    SERVER = SERVER

    def assert_nothing_left(self, code, status="EXITED", **arguments):
        SERVER.wait_idle(connections=1)
        before, slots = terminals_of_the_host(), set()
        for _ in range(3):
            stream = self.client.open(code, terminal=SIZE, **arguments)
            self.assert_status(stream.result(), status)
            # 6 is ENXIO: the kernel says that there is no such device.
            slot, rest = self.output(LOOK).split(" ", 1)
            self.assertEqual("[] 0 6 [False, False, False] False\n", rest)
            slots.add(slot)
        SERVER.wait_idle(connections=1)
        wait_until(lambda: terminals_of_the_host() <= before, what="the end of all terminals")
        for process in (SERVER.pool_process(), *SERVER.zygote_processes()):
            open_there = [os.readlink(fd) for fd in Path(f"/proc/{process.pid}/fd").iterdir()]
            self.assertEqual([], [name for name in open_there if "ptmx" in name or "pts" in name])

    def test_of_a_program_that_ended(self):
        self.assert_nothing_left("print('x')")

    def test_of_one_that_left_it_changed(self):
        self.assert_nothing_left("import os, termios, tty\ntty.setraw(0)\nos.fchmod(0, 0o666)\n"
                                 "termios.tcflow(0, termios.TCOOFF)\nos._exit(0)")

    def test_of_one_that_was_killed_with_children(self):
        self.assert_nothing_left("import os, signal\nfor _ in range(5):\n    if os.fork() == 0: os.setsid(); signal.pause()\n"
                                 "while True: pass", "TIME_LIMIT", limits={"wall_us": 500_000})

    def test_of_one_that_sent_it_away(self):
        """The terminal's descriptor lies in a message that the kernel's garbage collector finds later"""
        self.assert_nothing_left("import array, os, socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                                 "held = array.array('i', [a.fileno(), b.fileno(), 0])\n"
                                 "for s in (a, b): s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held)])\n"
                                 "os._exit(0)")


class Walls(AttackCase):
    """Attacks by a program on its own terminal."""
    SERVER = SERVERS
    ATTACKS = [
        Attack("another terminal", "os.open('/dev/pts/ptmx', os.O_RDWR | os.O_NOCTTY)", ("one terminal",)),
        Attack("a hundred terminals", "[os.open('/dev/pts/ptmx', os.O_RDWR | os.O_NOCTTY) for _ in range(100)]", ("one terminal",)),
        Attack("terminals of others", "[n for n in os.listdir('/dev/pts') if n not in ('0', 'ptmx')]", None,
               "each mount of devpts is an instance of its own, and the host's is in no sandbox"),
        Attack("typing as its user does", "reached('EIO', 'ioctl', 0, 0x5412, b'\\n')"),  # TIOCSTI; Linux 6.2 answers EIO
        Attack("another line discipline", "done('ioctl', 0, 0x5423, struct.pack('i', 0))"),  # TIOCSETD, to the one it has
        Attack("calls of the console", "reached('ENOTTY', 'ioctl', 0, 0x541c, b'\\2')"),  # TIOCLINUX
        Attack("unlocking a terminal", "reached('ENOTTY', 'ioctl', 0, 0x40045431, struct.pack('i', 0))"),  # TIOCSPTLCK
        Attack("the peer of a terminal", "reached('EIO', 'ioctl', 0, 0x5441, 2)"),  # TIOCGPTPEER
        Attack("the messages of the console", "done('ioctl', 0, 0x541d, 0)", None, "the kernel asks for CAP_SYS_ADMIN, too"),
        Attack("the terminal for another session", """
            def take():
                os.setsid()
                return done('ioctl', 0, 0x540e, 1)
            return in_child(take)""", None, "the kernel asks for CAP_SYS_ADMIN, too"),
        Attack("a device node of a terminal", "os.mknod('/dev/pts/1', 0o20666, os.makedev(136, 1)) or True", None,
               "devpts makes no nodes but its own"),
    ]

    def run_program(self, client, **arguments):
        stream = client.open(terminal=SIZE, **arguments)
        result = stream.result()
        return result, b"\n".join(line for line in stream.data[STDOUT].splitlines() if line)  # the echo
