"""Modules of Python tests: the constants by which each describes itself, and running modules inside one process,
reported as TAP.

A module may have these constants, which are read without importing it:
- ALONE = "a sentence": it measures, and a neighbour on the same cores would disturb it, so it never runs beside others;
- LONG = "a sentence": it takes minutes and never found a fault, or it needs a large package, so it runs only with --all;
- SHARED = "a word": modules of one word run one after the other in one process, and those that ask for the same server
  share one (lib/case.py, lib/walls.py).
"""

import ast
import signal
import sys
import time
import traceback
import unittest

from lib.tap import sentence


def title(path):
    return f"{path.parent.name}/{sentence(path.stem)}"


def constants(path):
    """Reads the module's string constants without importing the module."""
    return {node.targets[0].id: node.value.value for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)}


class TapResult(unittest.TestResult):
    """Each test as a line of TAP; `# TIME` gives the time of a test that took long."""

    LONG = 0.5  # seconds
    began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def report(self, ok, test, directive=""):
        # A failed setUpModule or tearDownModule arrives as an _ErrorHolder, whose id names the function.
        name = test.shortDescription() or test.id().split(".")[-1] if isinstance(test, unittest.TestCase) else str(test)
        seconds = time.monotonic() - self.began
        took = f" # TIME {seconds:.1f}" if seconds >= self.LONG and isinstance(test, unittest.TestCase) else ""
        print(f"{'ok' if ok else 'not ok'} - {name}{directive}{took}", flush=True)

    def explain(self, error):
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print(f"# {line}", flush=True)

    def addSuccess(self, test):
        self.report(True, test)

    def addError(self, test, err):
        super().addError(test, err)
        self.report(False, test)
        self.explain(err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(False, test)
        self.explain(err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(f"not ok - {test.shortDescription() or test.id().split('.')[-1]} {subtest._subDescription()}")
            self.explain(err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report(True, test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        self.report(True, test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.report(False, test)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def test_name(test):
    return sentence(test.shortDescription() or test.id().split(".")[-1])


def load(path, name_filter):
    """The module's tests whose line holds the filter."""
    sys.path.insert(0, str(path.parent))
    sys.modules.pop(path.stem, None)  # a module of the same name from another folder
    suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    sys.path.remove(str(path.parent))
    # Base classes that the module imports from tests/lib are not its own tests.
    tests = [test for test in flatten(suite) if not type(test).__module__.startswith("lib.")]
    return [test for test in tests if name_filter.lower() in f"{title(path)}: {test_name(test)}".lower()]


def run(paths, name_filter):
    """Runs these modules in this process, as TAP; the servers that they share end with the last."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = TapResult()
    for path in paths:
        print(f"# module: {title(path)}", flush=True)
        tests = load(path, name_filter)
        print(f"1..{len(tests)}", flush=True)
        unittest.TestSuite(tests).run(result)
        result._previousTestClass = None  # otherwise the next suite would take the module down once more
    return 0 if end_servers() and result.wasSuccessful() else 1


def end_servers():
    """False if a server did not end well; its leftovers are then a failed test of their own."""
    shared = sys.modules.get("lib.shared")
    try:
        if shared:
            shared.SERVERS.end()
    except AssertionError as failure:
        print("1..1\nnot ok - the shared servers leave nothing behind", flush=True)
        for line in str(failure).splitlines():
            print(f"# {line}", flush=True)
        return False
    return True
