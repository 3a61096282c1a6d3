"""CPython's own tests as programs in a sandbox: each module of Debian's libpython3.11-testsuite is one request.

The program does the work of `python3 -m test MODULE`, inside the warm interpreter. modules.toml lists the modules,
their limits, the cases that are left out, and why. HATCHERY_SLOW_TESTS=1 (`./dev test --slow`, and `--all`) adds the
modules that are not in `gate`, and checks that each case left out really fails.
"""

import os
import re
import tomllib
import unittest
from pathlib import Path

from lib.case import Case, ServerModule, describe
from lib.printed import printed_config
from lib.server import HATCHERYD, IS_SANITIZED

SUITE = Path("/usr/lib/python3.11/test")
SLOW = bool(os.environ.get("HATCHERY_SLOW_TESTS"))
IN_FLIGHT = 4
GUARD = 600  # seconds for one module, in the time of a busy machine
HANG = 20    # seconds for a case that is left out: a case that hangs counts as failed

PROGRAM = "from test.libregrtest import main\n\nif __name__ == '__main__':\n    main()\n"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
LIMITS = {"memory": "memory_bytes", "disk": "disk_bytes", "output": "output_bytes", "pids": "pids",
          "open_files": "open_files"}


def size(value):
    return value if isinstance(value, int) else int(value[:-1]) * UNITS[value[-1]]


class Module:
    def __init__(self, name, limits=(), skip=()):
        self.name = name
        self.limits = {LIMITS[key]: size(value) for key, value in dict(limits).items()}
        if IS_SANITIZED:  # the sanitizers keep freed memory, and a shadow of all memory
            self.limits["memory_bytes"] = size("1G")
        self.skip = {reason: cases.split() for reason, cases in dict(skip).items()}

    def request(self, arguments=None):
        """Returns the arguments for Client.send_execute."""
        if arguments is None:
            # -w: a module that fails is run once more, and names the failing cases then. Some cases
            # fail now and then, because they guess how long an action takes.
            arguments = ["-w", *(word for cases in self.skip.values() for case in cases for word in ("-i", pattern(case)))]
        return {"code": PROGRAM, "args": [*arguments, self.name], "limits": self.limits, "merge_stderr": True,
                "on_output_limit": 1}


def pattern(case):
    """Returns a pattern for test.libregrtest, which compares it with a case's whole name and with each part of the
    name."""
    return f"*.{case}"


class Listing:
    """The content of modules.toml."""

    def __init__(self):
        content = tomllib.loads((Path(__file__).parent / "modules.toml").read_text())
        special = {name: Module(name, {key: value for key, value in row.items() if key in LIMITS}, row.get("skip", {}))
                   for name, row in content["special"].items()}
        plain = {name: Module(name) for name in content["plain"].split()}
        self.modules = {**plain, **special}
        self.twice = set(plain) & set(special)
        self.reasons = content["reasons"]
        self.slow = content["slow"].split()
        self.long = content["long"].split()
        self.gate = content["gate"].split()
        self.sanitized = content["sanitized"].split()
        self.impossible = {reason: names.split() for reason, names in content["impossible"].items()}

    def chosen(self):
        """Returns the modules of this run in the order of sending: long ones first, so that none runs alone at the
        end."""
        if IS_SANITIZED:
            return [self.modules[name] for name in self.sanitized]
        if not SLOW:
            return [self.modules[name] for name in self.gate]
        first = [*self.slow, *self.long]
        rest = [name for name in self.modules if name not in first]
        return [self.modules[name] for name in [*first, *rest]]


LISTING = Listing()
CHOSEN = LISTING.chosen()


def patient_config():
    """The built-in configuration, except for time: a module has the limits of any request, but more time."""
    return re.sub(r"\b(wall|cpu) = \w+", rf"\1 = {GUARD}s", printed_config(HATCHERYD))


SERVER = ServerModule(__name__, config=patient_config())


class Queue:
    """Keeps a few requests under way on one connection, in the order of CHOSEN, no matter which answer is awaited."""

    def __init__(self):
        self.client = None
        self.sent = {}     # module name to request id
        self.results = {}  # request id to Result

    def result(self, module):
        if self.client is None:
            self.client = SERVER.connect(timeout=GUARD + 60)
        if module.name not in self.sent:
            self.send(module)
        after = CHOSEN[CHOSEN.index(module) + 1:]
        request = self.sent[module.name]
        while request not in self.results:
            ahead = [other for other in after if other.name not in self.sent]
            for other in ahead[:max(0, IN_FLIGHT - (len(self.sent) - len(self.results)))]:
                self.send(other)
            answer = self.client.receive()
            self.results[answer.id] = answer
        answer = self.results[request]
        if answer.WhichOneof("answer") != "result":
            raise AssertionError(f"{module.name} was not run: {answer}")
        return answer.result

    def send(self, module):
        self.sent[module.name] = self.client.send_execute(**module.request())

    def close(self):
        if self.client is not None:
            self.client.close()


QUEUE = Queue()


def setUpModule():
    SERVER.set_up()


def tearDownModule():
    QUEUE.close()
    SERVER.tear_down()


def passed(result):
    """Tells whether a module passed. Exit code 0 is not enough, because a module that skips itself or runs no test has
    it, too. A module that leaves a file behind has passed."""
    return result.status == result.EXITED and result.exit_code == 0 and any(
        ending in result.stdout for ending in (b"\n1 test OK.\n", b"\n1 test altered the execution environment:\n"))


def show(result):
    """The end of a module's output, as text."""
    return f"{describe(result).partition(' stdout=')[0]}\n{result.stdout.decode(errors='replace')[-8000:]}"


class Passes(Case):
    """One case per module."""

    SERVER = SERVER

    def __init__(self, module):
        super().__init__("runTest")
        self.module = module

    def id(self):
        return f"{__name__}.Passes.{self.module.name}"

    def shortDescription(self):
        return self.module.name

    def runTest(self):
        result = QUEUE.result(self.module)
        print(f"# {self.module.name}: wall {result.wall_us / 1e6:.1f} s, cpu {result.cpu_us / 1e6:.1f} s, "
              f"memory {result.memory_peak_bytes >> 20} MiB", flush=True)
        if not passed(result):
            self.fail(show(result))


class List(unittest.TestCase):
    def test_every_module_is_named_once(self):
        """Every module of the test suite is in the list, once"""
        there = {path.stem for path in SUITE.glob("test_*.py")} | {path.name for path in SUITE.glob("test_*/")}
        impossible = [name for names in LISTING.impossible.values() for name in names]
        listed = [*LISTING.modules, *impossible]
        self.assertEqual(set(), LISTING.twice)
        self.assertEqual(len(listed), len(set(listed)), sorted(name for name in set(listed) if listed.count(name) > 1))
        # A package may be listed module by module.
        missing = there - {name.split(".")[0] for name in listed}
        self.assertEqual((set(), set()), (missing, {name.split(".")[0] for name in listed} - there))

    def test_the_list_is_consistent(self):
        """Every module in slow, long, gate or sanitized can run, and each case left out has a reason"""
        for name in [*LISTING.slow, *LISTING.long, *LISTING.gate, *LISTING.sanitized]:
            self.assertIn(name, LISTING.modules)
        for module in LISTING.modules.values():
            self.assertLessEqual(set(module.skip), set(LISTING.reasons), module.name)
        self.assertGreater(len(LISTING.modules), 60)


    @unittest.skipIf(SLOW, "all modules run")
    def test_the_other_modules(self):
        self.skipTest(f"{len(LISTING.modules) - len(CHOSEN)} modules run with --all or --slow only")


class LeftOut(Case):
    """A case that is left out must not pass."""

    SERVER = SERVER

    @unittest.skipIf(IS_SANITIZED or not SLOW, "run it with HATCHERY_SLOW_TESTS=1")
    def test_each_case_left_out_fails(self):
        """Each case that is left out fails when it is run"""
        rows = [(module, case) for module in LISTING.modules.values() for cases in module.skip.values() for case in cases]
        for module, case in rows:
            with self.subTest(module=module.name, case=case):
                # Some cases read only a few random files; with -u cpu they read all files.
                request = module.request(["-u", "cpu", "-m", pattern(case)])
                result = self.execute(**{**request, "limits": {**module.limits, "wall_us": HANG * 1_000_000}})
                self.assertFalse(passed(result), show(result))
                self.assertNotIn(b"NO TESTS RAN", result.stdout, show(result))


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite(Passes(module) for module in CHOSEN)
    suite.addTests(loader.loadTestsFromTestCase(case) for case in (List, LeftOut))
    return suite


if __name__ == "__main__":
    unittest.main()
