#!/usr/bin/python3
"""Runs the tests: every unit executable of a build, then every tests/*/test_*.py, each in a process of its own.

Prints one line per test, named as a sentence; skips with their reasons; at the end `N passed, N failed, N skipped`. Exits
with 0 only if something ran and nothing failed. A process that does not end within its hang guard is killed with all its
children and counts as a failure.
"""

import argparse
import os
import re
import selectors
import signal
import subprocess
import sys
import time
import traceback
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
UNIT_GUARD = 600
MODULE_GUARD = 1500
SIDE_BY_SIDE = ("lang",)  # modules that wait for each other's cores and for nothing else

TAP = re.compile(r"^(not ok|ok)\b[ \d]*(?:- )?(.*?)(?:\s+# SKIP\s*(.*))?$")


class Tally:
    def __init__(self, held_back=False):
        self.passed = self.failed = self.skipped = 0
        self.failures = []
        self.lines = [] if held_back else None

    def say(self, line):
        if self.lines is None:
            print(line, flush=True)
        else:
            self.lines.append(line)

    def add(self, other):
        """What was counted, and said, beside this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        for line in other.lines:
            self.say(line)

    def count(self, outcome, name, reason=""):
        if outcome == "skip":
            self.skipped += 1
            self.say(f"  skip  {name}: {reason or 'no reason given'}")
        elif outcome == "ok":
            self.passed += 1
            self.say(f"  ok    {name}")
        else:
            self.failed += 1
            self.failures.append(name)
            self.say(f"  FAIL  {name}")


def sentence(name):
    return re.sub(r"^test[_-]", "", name).replace("_", " ").replace("-", " ")


# ---------------------------------------------------------------- a process that reports in TAP


def run_tap(title, command, guard, tally, name_filter, env):
    """Runs a command and counts its `ok` and `not ok` lines; passes everything else through.

    With a filter, lines that do not hold it are left out, but failures never are."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=env, start_new_session=True)
    failed_before = tally.failed
    seen = planned = 0
    wanted = name_filter.lower()
    if not wanted:
        tally.say(title)
    end = time.monotonic() + guard
    for line in read_lines(process, end):
        plan = re.match(r"^1\.\.(\d+)", line)
        match = TAP.match(line)
        if plan:
            planned += int(plan.group(1))
        elif match:
            seen += 1
            name = f"{title}: {sentence(match.group(2).strip())}"
            if wanted in name.lower() or match.group(1) == "not ok":
                outcome = "fail" if match.group(1) == "not ok" else "skip" if match.group(3) is not None else "ok"
                tally.count(outcome, name, match.group(3))
        elif line.strip() and not line.startswith(("TAP version", "# ok - ")) and (not wanted or not line.startswith("#")
                                                                      or tally.failed > failed_before):
            tally.say(f"        {line}")
    if time.monotonic() > end:
        kill_group(process)
        tally.count("fail", f"{title}: killed, because it did not end within {guard} s")
        return
    status = process.wait()
    if seen < planned:
        tally.count("fail", f"{title}: {planned - seen} of {planned} tests did not report (status {status})")
    elif status != 0 and tally.failed == failed_before:
        tally.count("fail", f"{title}: ended with status {status}")
    elif seen == 0 and not wanted:
        tally.count("fail", f"{title}: reported no test")


def read_lines(process, end):
    """Lines as they come, until end of file or the given time."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0, end - time.monotonic())):
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def kill_group(process):
    """SIGTERM first: a test module then stops its server, which removes what it made."""
    for number, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


# ---------------------------------------------------------------- a Python module, in its own process


class TapResult(unittest.TestResult):
    def report(self, ok, test, directive=""):
        # A failed setUpModule or tearDownModule arrives as an _ErrorHolder, whose id says which.
        name = test.shortDescription() or test.id().split(".")[-1] if isinstance(test, unittest.TestCase) else str(test)
        print(f"{'ok' if ok else 'not ok'} - {name}{directive}", flush=True)

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


def run_module(path, name_filter):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.path.insert(0, str(path.parent))
    suite = unittest.defaultTestLoader.loadTestsFromName(path.stem)
    # A base class of tests/lib that a module imports is no test of that module.
    tests = [test for test in flatten(suite) if not type(test).__module__.startswith("lib.")]
    title = module_title(path)
    tests = [test for test in tests if name_filter.lower() in f"{title}: {test_name(test)}".lower()]
    print(f"1..{len(tests)}", flush=True)
    result = TapResult()
    unittest.TestSuite(tests).run(result)
    return 0 if result.wasSuccessful() else 1


def module_title(path):
    return f"{path.parent.name}/{sentence(path.stem)}"


# ---------------------------------------------------------------- all of it


def generate_messages(build):
    """hatchery_pb2.py for this build, by the protoc of the system; newer than the .proto: kept."""
    folder = build / "python"
    folder.mkdir(exist_ok=True)
    source, target = ROOT / "proto" / "hatchery.proto", folder / "hatchery_pb2.py"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["protoc", f"-I{source.parent}", f"--python_out={folder}", source.name], check=True)
    return folder


def environment(build):
    """What the tests run in: nothing of the caller's Python, and sanitizers that speak up."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env.pop("HATCHERY_ADDR", None)
    env["HATCHERY_BUILD"] = str(build)
    env["PYTHONPATH"] = f"{TESTS}:{generate_messages(build)}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    env["HATCHERY_CORPORA"] = str(TESTS / "fuzz" / "corpus")
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    env["LSAN_OPTIONS"] = "print_suppressions=0"
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    # A program in a sandbox has to die by its signal as it would without the sanitizer in its process. A fault of the
    # server's own still ends it, and fails its test.
    env["ASAN_OPTIONS"] = ":".join((
        "handle_segv=0", "handle_sigbus=0", "handle_sigfpe=0", "handle_sigill=0", "handle_abort=0",
        # At the end of a thread it would unmap the alternate stack that the thread has, which is an interpreter's.
        "use_sigaltstack=0",
        # What asks for more than there can be is told so, and goes on as it does without the sanitizer.
        "allocator_may_return_null=1"))
    return env


def main():
    parser = argparse.ArgumentParser(description="Runs the tests of Hatchery.")
    parser.add_argument("--build", default="build/release", help="the build tree to test")
    parser.add_argument("--module", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("name", nargs="?", default="", help="run only tests whose line contains this")
    options = parser.parse_args()
    if options.module:
        return run_module(options.module.resolve(), options.name)

    # A shell, or nohup, lets what it starts in the background ignore these, and plain python3 would behave otherwise for it.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    build = Path(options.build).resolve()
    if not build.is_dir():
        parser.error(f"there is no build tree {build}: run ./dev build")
    env = environment(build)
    tally = Tally()

    for path in sorted((build / "tests" / "unit").glob("test-*")):
        if path.is_file() and os.access(path, os.X_OK):
            run_tap(f"unit/{sentence(path.name)}", [str(path)], UNIT_GUARD, tally, options.name, env)

    def run_one(path, into):
        command = [sys.executable, str(TESTS / "run.py"), "--module", str(path), *filter(None, [options.name])]
        run_tap(module_title(path), command, MODULE_GUARD, into, options.name, env)
        return into

    paths = sorted(path for path in TESTS.glob("*/test_*.py") if path.parent.name != "unit")
    for path in paths:
        if path.parent.name not in SIDE_BY_SIDE:
            run_one(path, tally)
    with ThreadPoolExecutor(os.cpu_count() or 1) as lanes:
        beside = [path for path in paths if path.parent.name in SIDE_BY_SIDE]
        for done in lanes.map(lambda path: run_one(path, Tally(held_back=True)), beside):
            tally.add(done)

    if tally.failures:
        print("failed:", *tally.failures, sep="\n  ")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)
    return 0 if tally.passed and not tally.failed else 1


if __name__ == "__main__":
    sys.exit(main())
