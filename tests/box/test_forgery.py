"""The report of a run is made outside of it, whatever the program does to its interpreter, its descriptors, its limits
and its neighbours. Each row ends in a known way, and tries to have another end reported. The report must show the known
end."""

import unittest
from typing import NamedTuple, Optional

from lib.case import Case, ServerModule, describe
from lib.hatchery import Status
from lib.server import IS_SANITIZED

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


class Forgery(NamedTuple):
    name: str
    code: str
    end: tuple                       # ("EXITED", code), ("SIGNALED", number) or (another status, None)
    stdout: Optional[bytes] = b""    # None: any
    limits: Optional[dict] = None


SHORT = {"wall_us": 700_000}
MEMORY = () if IS_SANITIZED else ("AS", "DATA")  # without memory, a sanitizer ends its process by itself

# Possible beginnings of a report, a boot report, an init packet and an answer, many times over.
GARBAGE = "b''.join(struct.pack('<IiIIQQQQ', kind, 0, 0, 0, 0, 0, 0, 0) for kind in range(32)) * 8"

WALK = """
import gc, sys, os, types
frame, found = sys._getframe(), []
while frame: found.append(frame.f_code.co_filename); frame = frame.f_back
for thing in gc.get_objects():
    try:
        if callable(getattr(thing, 'fileno', None)) and not isinstance(thing, type) and thing.fileno() not in (0, 1, 2): found.append(repr(thing))
    except (ValueError, OSError, AttributeError, RuntimeError): pass
for name, module in list(sys.modules.items()):
    if 'hatch' in name or 'hatch' in str(getattr(module, '__file__', '')): found.append(name)
print(found)
sys.exit(3)
"""

SCAN = """
import os, re, stat
open_now = [n for n in range(4096) if os.path.exists(f'/proc/self/fd/{n}')]
kinds = [stat.S_ISSOCK(os.fstat(n).st_mode) for n in open_now if n < 3]
# No file is mapped but those of /usr and copies in memory, and nothing is shared with others.
maps = [(line.split(None, 5) + [''])[:6] for line in open('/proc/self/maps')]
odd = [m for m in maps if m[5][:1] == '/' and not m[5].startswith(('/usr/', '/memfd:')) or m[1][3] == 's' and not m[5].startswith('/usr/')]
print(any(kinds), {m[5].strip() for m in odd} or 'nothing', flush=True)
os._exit(3)
"""

TO_ALL = f"""
import os, struct
garbage = {GARBAGE}
for n in range(1024):
    if n in (1, 2): continue
    try: os.write(n, garbage)
    except OSError: pass
for pid in os.listdir('/proc'):
    if not pid.isdigit() and pid not in ('self', 'thread-self'): continue
    try: fds = os.listdir(f'/proc/{{pid}}/fd')
    except OSError: continue
    for n in fds:
        if n in ('1', '2'): continue
        try: os.write(os.open(f'/proc/{{pid}}/fd/{{n}}', os.O_WRONLY | os.O_NONBLOCK), garbage)
        except OSError: pass
os._exit(7)
"""

REPLACED = """
import atexit, builtins, json, os, sys
real = os.write
os._exit = sys.exit = builtins.exit = builtins.quit = lambda *_: real(1, b'never')
json.dumps = lambda *_: '{"exit_code": 0}'
class Liar:
    def write(self, text): return real(1, b'lie\\n')
    def flush(self): pass
    def fileno(self): return 99
sys.stdout = sys.stderr = sys.__stdout__ = Liar()
print('truth')
sys.excepthook = lambda *_: None
atexit.register(lambda: real(1, b'end\\n'))
for name in list(sys.modules):
    if name not in ('sys', 'builtins', '__main__', 'atexit'): del sys.modules[name]
for name in ('print', 'open', 'len', 'Exception', 'exit'): del vars(builtins)[name]
raise SystemExit(9)
"""

LIMITED = """
import os, resource
for name in @names@:
    resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (0, 0))
try: open('x', 'w').write('x' * 10000)
except BaseException: pass
os.write(1, b'last')
os._exit(6)
"""

LATE = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for n in range(1, 65):
            try: signal.signal(n, signal.SIG_IGN)
            except (OSError, ValueError): pass
        while os.getppid() != 0 and os.path.exists('/proc/2'): pass
        while True: os.write(1, b'late')
    os._exit(0)
os.write(1, b'main')
os._exit(3)
"""

FORGERIES = [
    Forgery("walking the frames and the heap", WALK, ("EXITED", 3), b"['/home/sandbox/main.py']\n"),
    Forgery("looking for the channel among descriptors and maps", SCAN, ("EXITED", 3), b"False nothing\n"),
    Forgery("writing to all descriptors", TO_ALL, ("EXITED", 7)),
    Forgery("replacing the interpreter's ends and streams", REPLACED, ("EXITED", 9), b"lie\nlie\nend\n"),
    Forgery("closing all descriptors", "import os\nos.closerange(0, 4096)\nos._exit(5)", ("EXITED", 5)),
    Forgery("other things where the streams were", "import os\nos.dup2(os.open('a', os.O_RDWR | os.O_CREAT), 1)\nprint('into the file')\nos._exit(4)",
            ("EXITED", 4)),
    *[Forgery(f"a limit of 0 for {name}", LIMITED.replace("@names@", repr([name])), ("EXITED", 6), b"last")
      for name in ("FSIZE", "NPROC", "NOFILE", "STACK", "CORE", "MEMLOCK", "RSS", *MEMORY)],
    Forgery("all limits at 0 at once", LIMITED.replace("@names@", repr(["NPROC", "NOFILE", "STACK", "RSS", *MEMORY])), ("EXITED", 6), b"last"),
    Forgery("a CPU limit that the program sets itself", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass", ("SIGNALED", 9), b"",
            {"wall_us": 60_000_000}),
    Forgery("an own seccomp filter", """
import ctypes, os, struct
libc = ctypes.CDLL(None)
code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x80000000))  # kill at any call
program = struct.pack('HxxxxxxQ', 1, ctypes.addressof(code))
print(libc.prctl(22, 2, program), libc.syscall(317, 1, 0, program), libc.prctl(22, 1), flush=True)
os._exit(8)
""", ("EXITED", 8), b"-1 -1 -1\n"),
    Forgery("killing all others", "import os, signal\nfor n in (9, 19):\n    try: os.kill(-1, n)\n    except OSError: pass\nos._exit(4)", ("EXITED", 4)),
    Forgery("being killed by a child that kills all", "import os, time\nif os.fork() == 0: os.kill(-1, 9)\ntime.sleep(30)", ("SIGNALED", 9)),
    Forgery("being stopped by a child that stops all", "import os, time\nif os.fork() == 0:\n    os.kill(-1, 19); os._exit(0)\ntime.sleep(30)",
            ("TIME_LIMIT", None), b"", SHORT),
    Forgery("stopping itself", "import os\nos.kill(os.getpid(), 19)\nprint('went on')", ("TIME_LIMIT", None), b"", SHORT),
    Forgery("killing its parent, which has pid 0 here", "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nprint(os.getppid(), flush=True)\n"
            "os.kill(os.getppid(), 15)\ntry: os.kill(1, 9)\nexcept OSError as e: print(e.errno, flush=True)\nos._exit(2)", ("EXITED", 2), b"0\n1\n"),
    Forgery("ignoring everything", "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", ("TIME_LIMIT", None), b"", SHORT),
    Forgery("an orphan that goes on as the main process", "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os._exit(0)\n    os._exit(0)\nos._exit(11)",
            ("EXITED", 11)),
    Forgery("an orphan with a better end", "import os, time\nif os.fork() == 0:\n    time.sleep(0.05)\n    os.write(1, b'success')\n    os._exit(0)\nos._exit(11)",
            ("EXITED", 11), None),
    Forgery("another program as the main process", "import os\nos.execv('/bin/sh', ['python', '-c', 'exit 12'])", ("EXITED", 12)),
    Forgery("another program with a signal", "import os\nos.execv('/bin/sh', ['sh', '-c', 'kill -11 $$'])", ("SIGNALED", 11)),
    Forgery("another program from another thread", "import os, threading, time\nthreading.Thread(target=lambda: os.execv('/bin/sh', ['sh', '-c', 'exit 13'])).start()\ntime.sleep(30)",
            ("EXITED", 13)),
    Forgery("a main thread that ends before the others", "import ctypes, os, threading, time\nlibc = ctypes.CDLL(None)\n"
            "threading.Thread(target=lambda: (time.sleep(0.1), os._exit(14))).start()\nlibc.syscall(60, 44)", ("EXITED", 14)),
    Forgery("a child made by vfork that ends first", "import os, subprocess\n"
            "pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 0'], {})\nos.waitpid(pid, 0)\nos._exit(15)", ("EXITED", 15)),
    Forgery("an exit code with high bits", "import ctypes\nctypes.CDLL(None).syscall(231, 0x7fffff03)", ("EXITED", 3)),
    Forgery("a wait status for an exit code", "import os\nos._exit(0x0900 >> 8 | 0x80)", ("EXITED", 0x89)),
    Forgery("the signal of its wall clock", "import os\nos.kill(os.getpid(), 9)", ("SIGNALED", 9)),
    Forgery("the signal of a CPU limit", "import os\nos.kill(os.getpid(), 24)", ("SIGNALED", 24)),
    Forgery("the signal of a file limit", "import os, signal\nsignal.signal(25, signal.SIG_DFL)\nos.kill(os.getpid(), 25)", ("SIGNALED", 25)),
    Forgery("the signal of the system call filter", "import os\nos.kill(os.getpid(), 31)", ("SIGNALED", 31)),
    Forgery("a full disk and a good end", "import os\ntry:\n    with open('fill', 'wb', 0) as f:\n        while True: f.write(bytes(1 << 20))\nexcept OSError: pass\nos._exit(0)",
            ("EXITED", 0), b"", {"disk_bytes": 4 << 20}),
    Forgery("names and titles of the server", "import ctypes, os\nlibc = ctypes.CDLL(None)\nlibc.prctl(15, b'hatchery-init', 0, 0, 0)\nlibc.prctl(4, 0, 0, 0, 0)\nlibc.prctl(1, 0, 0, 0, 0)\nos.setpgid(0, 0) if os.getsid(0) != os.getpid() else 0\nos._exit(16)",
            ("EXITED", 16)),
    Forgery("flags of its pipes", "import fcntl, os\nfor fd in (0, 1, 2): fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)\n"
            "try: fcntl.fcntl(1, 1031, 4096)\nexcept OSError: pass\nleft = b'x' * 300000\nwhile left:\n    try: left = left[os.write(1, left):]\n    except BlockingIOError: pass\nos._exit(17)",
            ("EXITED", 17), b"x" * 300000),
    Forgery("taking back what it wrote", "import os\nfd = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)\nos.write(1, b'x' * 10)\n"
            "try: os.read(fd, 100)\nexcept BlockingIOError: pass\nos._exit(18)", ("EXITED", 18), None),
]


class Report(Case):
    SERVER = SERVER

    def check(self, forgery):
        result = self.execute(forgery.code, limits=forgery.limits)
        status, detail = forgery.end
        self.assertEqual(status, Status.Name(result.status), describe(result))
        if status == "EXITED":
            self.assertEqual((detail, 0), (result.exit_code, result.signal), describe(result))
        elif status == "SIGNALED":
            self.assertEqual(detail, result.signal, describe(result))
        if forgery.stdout is not None:
            self.assertEqual((len(forgery.stdout), forgery.stdout), (result.stdout_total, result.stdout), describe(result))
        self.assertFalse(result.oom_killed, describe(result))
        # The server still works, and discarded no slot because of the attack.
        self.assert_alive()
        self.assertEqual(0, self.client.status().languages[0].discarded)

    def test_what_an_orphan_writes_after_the_end_changes_nothing_else(self):
        for _ in range(5):
            result = self.execute(LATE, limits={"wall_us": 20_000_000})
            self.assert_exited(result, 3)
            self.assertEqual(b"main", result.stdout[:4])
            self.assertEqual(b"", result.stdout[4:].replace(b"late", b"").strip(b"late"), describe(result))
            self.assertLess(result.wall_us, 10_000_000)


def add_tests():
    for forgery in FORGERIES:
        def test(self, forgery=forgery):
            self.check(forgery)
        test.__doc__ = f"{forgery.name} changes nothing in the report"
        setattr(Report, "test_" + forgery.name.replace(" ", "_").replace(",", ""), test)


add_tests()

if __name__ == "__main__":
    unittest.main()
