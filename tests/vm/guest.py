"""Runs inside the virtual machine: the modules of tests, one after the other, as tests/run.py does on a host.

Every module of tests/box runs here, with two exceptions. A module with the constant NOT_IN_VM = "a sentence" never
runs here. A module with the constant SLOW_IN_VM runs here only with --all. The sentence gives the reason.
"""

import json
import re
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import run  # noqa: E402
from lib import modules  # noqa: E402
from lib.printed import printed_config  # noqa: E402
from lib.tap import Tally, run_tap, sentence  # noqa: E402

GUARD = 3000

# Factors for lib.scale's counts and times: here a run takes some ten times as long.
SCALE = {"HATCHERY_TEST_REPEAT": "0.05", "HATCHERY_TEST_PATIENCE": "20"}


def patient_config(build):
    """The built-in configuration, except that a run may take as long as its ceiling allows: an emulated machine is
    slow."""
    text = printed_config(build / "hatcheryd")
    for limit in ("wall", "cpu"):
        values = re.findall(rf"\b{limit} = (\w+)", text)
        assert len(values) == 2, f"a default and a ceiling of {limit} expected, found {values}"
        text = text.replace(f"{limit} = {values[0]}", f"{limit} = {values[1]}", 1)
    return text


def paths(scope):
    yield TESTS / "vm" / "stock_kernel.py"
    if scope != "quick":
        # The tests of the walls come first, because the time may not be enough for all modules.
        yield from sorted((TESTS / "box").glob("test_*.py"), key=lambda path: ("walls" not in path.name, path.name))


def run_module(path, scope, name, tally, env, end):
    title, said = modules.title(path), modules.constants(path)
    reason = said.get("NOT_IN_VM")
    if time.monotonic() >= end:
        reason = "not begun, because this machine is slow and the minutes for it have passed"
    if reason is None and "SLOW_IN_VM" in said and scope != "all" and not name:
        reason = f"only with --all, because {said['SLOW_IN_VM']}"
    if reason is not None:
        if name.lower() in title.lower():
            tally.count("skip", title, reason)
        return
    start = time.monotonic()
    command = [sys.executable, str(TESTS / "run.py"), "--module", str(path), *filter(None, [name])]
    run_tap(title, command, GUARD, tally, name, env)
    print(f"{title}: {time.monotonic() - start:.0f} s", flush=True)


def main():
    arguments = json.loads((TESTS.parent / "arguments.json").read_text())
    build = (TESTS.parent / arguments["build"]).resolve()
    name, scope = arguments["name"], arguments["scope"]
    end = time.monotonic() + arguments["minutes"] * 60
    env = {**run.environment(build), **SCALE, "HATCHERY_TEST_CONFIG": patient_config(build)}
    tally = Tally()
    if scope == "all":
        for path in sorted((build / "tests" / "unit").glob("test-*")):
            run_tap(f"unit/{sentence(path.name)}", [str(path)], GUARD, tally, name, env)
    for path in paths(scope):
        run_module(path, scope, name, tally, env, end)
    if tally.failures:
        print("failed:", *tally.failures, sep="\n  ")
    print(tally.summary(), flush=True)


if __name__ == "__main__":
    main()
