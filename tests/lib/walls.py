"""Attacks as rows of a table, each with the proof that it is one.

An attack is a program that returns something true if it gets through, and is refused by an OSError or by returning
nothing. It is run three ways. With all walls it has to be refused. Without the walls that its row names it has to get
through, or the refusal would prove nothing. If the row names more than the system call filter, it has to be refused
without that filter too, by the walls behind it.

Servers without walls are started when a row first asks for one, and shared by all rows that ask for the same.
"""

import platform
import re
import textwrap
from pathlib import Path
from typing import NamedTuple, Optional

from lib import shared
from lib.case import Case, describe

# Walls by the names of steps in zygote/sandbox/boot.c. Each set lacks all walls that the sets
# before it lack.
CALLS = ("system calls",)
CAPABILITIES = (*CALLS, "init no nested namespaces", "capabilities", "proof")  # root's rights, in the slot's user namespace only
HOST_ROOT = (*CAPABILITIES, "user namespace", "identity", "no new privileges")  # the zygote's capabilities, on the host
ZYGOTES_ROOT = (*HOST_ROOT, "empty namespace", "root")   # in the zygote's own root, with its /proc

LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000}
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")

PRELUDE = """
import ctypes, errno, mmap, os, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(name, *args):
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(NR.get(name, name)), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if got < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got
def done(*args):
    call(*args)
    return True
def reached(errors, *args):
    "The kernel looked at the arguments, and found them wrong."
    try: call(*args)
    except OSError as e:
        if errno.errorcode[e.errno] in errors.split(): return errno.errorcode[e.errno]
        raise
    return True
def in_child(act):
    "What act says in a process of its own, or the signal that ended that."
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try: got = act()
        except OSError as e: got = 'errno %d' % e.errno
        os.write(w, str(got or '').encode())
        os._exit(0)
    os.close(w)
    status = os.waitpid(pid, 0)[1]
    got = os.read(r, 4096).decode()
    os.close(r)
    if os.WIFSIGNALED(status): raise OSError(errno.EINTR, 'signal %d' % os.WTERMSIG(status))
    if got.startswith('errno '): raise OSError(int(got[6:]), 'in the child')
    return got
def waiting_child():
    pid = os.fork()
    if pid == 0:
        signal.pause()
        os._exit(0)
    return pid
"""

# Each attack has a process of its own, so that its changes to itself do not affect the next.
RUN = """
for number, attack in enumerate(attacks):
    pid = os.fork()
    if pid == 0:
        try: got = attack()
        except OSError as e: print(number, 'refused', errno.errorcode.get(e.errno, e.errno), e.strerror)
        else: print(number, 'through' if got else 'refused', repr(got)[:300])
        sys.stdout.flush()
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status): print(number, 'refused by signal', os.WTERMSIG(status), flush=True)
"""

NOT_HERE = re.compile(r"refused (ENOSYS|EAFNOSUPPORT|EPROTONOSUPPORT|ESOCKTNOSUPPORT|ENODEV|EOPNOTSUPP)\b")


class Attack(NamedTuple):
    """code: an expression, or a function's body of several lines. without: the walls to take down so that it gets
    through; None if it may not even be tried, and `why` gives the reason."""
    name: str
    code: str
    without: Optional[tuple] = CALLS
    why: str = ""


def call_numbers():
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text())}


def body(code):
    code = textwrap.dedent(code) if "\n" in code else "return " + code
    return textwrap.indent(code, "    ")


def program(codes):
    numbers = call_numbers()
    used = {name: numbers[name] for name in re.findall(r"['\"](\w+)['\"]", "\n".join(codes)) if name in numbers}
    functions = "".join(f"def attack{n}():\n{body(code)}\n" for n, code in enumerate(codes))
    return f"NR = {used}\n{PRELUDE}\n{functions}\nattacks = [{', '.join(f'attack{n}' for n in range(len(codes)))}]\n{RUN}"


def stands_behind(attack):
    """Does another wall stand behind the system call filter?"""
    return attack.without is not None and attack.without[:1] == CALLS and attack.without != CALLS


def request(text, walls):
    """Without the step "root" a program runs in the tmpfs that the root would cover. There the
    interpreter finds another file under the same name. So this puts the file where the interpreter
    looks."""
    if "root" not in walls:
        return {"code": text}
    return {"files": {"home/sandbox/in/main.py": "", "home/in/main.py": text}, "entry": "home/sandbox/in/main.py"}


class Servers:
    """The servers of one module, by the walls that they lack. Shared servers also serve other modules."""

    def __init__(self, name, is_shared=False, **options):
        self.name = name.rsplit(".", 1)[-1]
        self.is_shared = is_shared
        self.options = options
        self.running = {}

    def without(self, walls=()):
        walls = tuple(walls)
        if walls not in self.running:
            faults = [f"skip {wall}" for wall in walls] if walls else None
            make = shared.SERVERS.get if self.is_shared else shared.start
            self.running[walls] = make(f"{self.name}-{len(self.running)}", faults=faults, **self.options)
        return self.running[walls]

    def set_up(self):
        self.without()

    def tear_down(self):
        if not self.is_shared:
            shared.stop_all(self.running)

    def __getattr__(self, name):  # like ServerModule: attributes are those of the server with all walls
        return getattr(self.without(), name)


class AttackCase(Case):
    """A test for each row of ATTACKS."""

    ATTACKS = ()

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        for attack in cls.ATTACKS:
            name = "test_" + re.sub(r"\W+", "_", attack.name).strip("_")
            if name in cls.__dict__:
                raise ValueError(f"two attacks are called {attack.name}")

            def test(self, attack=attack):
                self.check(attack)
            last = "it is not tried without walls" if attack.without is None else f"works without {', '.join(attack.without)}"
            test.__doc__ = f"{attack.name}: refused; {last}"
            setattr(cls, name, test)

    def words(self):
        """The values of the @words@ in programs."""
        return {}

    def run_program(self, client, **arguments):
        """Runs a program; returns its result and its output."""
        result = client.execute(**arguments)
        return result, result.stdout

    def attempt(self, attacks, walls):
        """Runs the attacks; returns the output of each, by name."""
        codes = []
        for attack in attacks:
            code = attack.code
            for word, value in self.words().items():
                code = code.replace(f"@{word}@", str(value))
            codes.append(code)
        with self.SERVER.without(walls).connect() as client:
            result, output = self.run_program(client, limits=LIMITS, **request(program(codes), walls))
        self.assert_exited(result)
        rows = dict(line.split(" ", 1) for line in output.decode(errors="replace").splitlines())
        got = {attack.name: rows.get(str(number), "") for number, attack in enumerate(attacks)}
        for attack in attacks:
            self.assertRegex(got[attack.name], r"^(refused|through) ", f"{attack.name}: {describe(result)}")
        return got

    def refusals(self, walls):
        """Runs all rows of the class that have to be refused, in one run."""
        cache = type(self).__dict__.get("cache")
        if cache is None:
            cache = type(self).cache = {}
        if walls not in cache:
            rows = [attack for attack in self.ATTACKS if not walls or stands_behind(attack)]
            cache[walls] = self.attempt(rows, walls)
        return cache[walls]

    def assert_refused_without(self, attack, walls):
        out = self.refusals(walls)[attack.name]
        self.assertTrue(out.startswith("refused"), f"without {walls or 'nothing'}: {out}")

    def check(self, attack):
        if platform.machine() != "x86_64":
            self.skipTest("the numbers of the calls are those of x86-64")
        self.assert_refused_without(attack, ())
        if attack.without is None:
            self.assertTrue(attack.why, "a row without a control says why")
            return
        if stands_behind(attack):
            self.assert_refused_without(attack, CALLS)
        out = self.attempt([attack], attack.without)[attack.name]
        if NOT_HERE.match(out):
            self.skipTest(f"refused with all walls; this kernel has not got it, so there is no control: {out}")
        self.assertTrue(out.startswith("through"), f"without {attack.without}: {out}")
