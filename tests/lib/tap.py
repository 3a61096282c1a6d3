"""Tests as lines of TAP: reading them from a process, counting them, and printing them for a person.

A process is a unit test's executable or one that runs modules of Python tests (lib/modules.py). It has a hang guard: a
process that does not end within it is killed with all its children, and counts as a failure.
"""

import os
import re
import selectors
import signal
import subprocess
import time

LINE = re.compile(r"^(not ok|ok)\b[ \d]*(?:- )?(.*?)(?:\s+# SKIP\s*(.*?))?(?:\s+# TIME ([\d.]+))?$")
SKIP = re.compile(r"^not ok \d+ # SKIP (.*)$")  # cmocka's form, which gives no reason
MODULE = re.compile(r"^# module: (.*)$")  # a process that runs several modules says which one comes next


def sentence(name):
    return re.sub(r"^test[_-]", "", name).replace("_", " ").replace("-", " ")


class Tally:
    """Counts and lines. A tally that is held back keeps its lines for the tally that it is added to."""

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
        """Adds the counts and lines of another tally."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        for line in other.lines or ():
            self.say(line)

    def count(self, outcome, name, reason="", seconds=None):
        if outcome == "skip":
            self.skipped += 1
            self.say(f"  skip  {name}: {reason or 'no reason given'}")
        elif outcome == "ok":
            self.passed += 1
            self.say(f"  ok    {name}{f' ({seconds} s)' if seconds else ''}")
        else:
            self.failed += 1
            self.failures.append(name)
            self.say(f"  FAIL  {name}{f' ({seconds} s)' if seconds else ''}")

    def summary(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class Process:
    """One process that reports in TAP, while it runs.

    With a filter, lines that do not contain it are left out. Failures are always shown."""

    def __init__(self, title, tally, name_filter):
        self.title, self.tally, self.wanted = title, tally, name_filter.lower()
        self.failed_before = tally.failed
        self.seen = self.planned = 0
        if not self.wanted:
            tally.say(title)

    def take(self, line):
        plan, match, module = re.match(r"^1\.\.(\d+)", line), LINE.match(line), MODULE.match(line)
        skip = SKIP.match(line)
        if plan:
            self.planned += int(plan.group(1))
        elif module:
            if not self.wanted and module.group(1) != self.title:
                self.tally.say(module.group(1))
            self.title = module.group(1)
        elif skip:
            self.seen += 1
            self.tally.count("skip", f"{self.title}: {sentence(skip.group(1).strip())}", "its source says why")
        elif match:
            self.seen += 1
            name = f"{self.title}: {sentence(match.group(2).strip())}"
            if self.wanted in name.lower() or match.group(1) == "not ok":
                outcome = "fail" if match.group(1) == "not ok" else "skip" if match.group(3) is not None else "ok"
                self.tally.count(outcome, name, match.group(3), match.group(4))
        elif self.is_worth_showing(line):
            self.tally.say(f"        {line}")

    def is_worth_showing(self, line):
        if not line.strip() or line.startswith(("TAP version", "# ok - ")):
            return False
        return not self.wanted or not line.startswith("#") or self.tally.failed > self.failed_before

    def ended(self, status):
        tally = self.tally
        if self.seen < self.planned:
            tally.count("fail", f"{self.title}: {self.planned - self.seen} of {self.planned} tests did not report "
                                f"(status {status})")
        elif status != 0 and tally.failed == self.failed_before:
            tally.count("fail", f"{self.title}: ended with status {status}")
        elif self.seen == 0 and not self.wanted:
            tally.count("fail", f"{self.title}: reported no test")


def run_tap(title, command, guard, tally, name_filter, env):
    """Runs a command, counts its `ok` and `not ok` lines, and passes everything else through. Returns the processor
    time, in seconds, of the command and of all processes that the command waited for."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=env, start_new_session=True)
    seen = Process(title, tally, name_filter)
    end = time.monotonic() + guard
    for line in read_lines(process, end):
        seen.take(line)
    if time.monotonic() > end:
        kill_group(process)
        tally.count("fail", f"{seen.title}: killed, because it did not end within {guard} s")
        return 0
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seen.ended(process.returncode)
    return usage.ru_utime + usage.ru_stime


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
    """Sends SIGTERM first: a test module then stops its server, and the server removes what it made."""
    for number, patience in ((signal.SIGTERM, 30), (signal.SIGKILL, 30)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
