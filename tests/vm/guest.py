"""Runs inside the virtual machine: the modules of tests, one after the other, as tests/run.py does on a host."""

import json
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import run  # noqa: E402

GUARD = 3000


def patient_config(build):
    """The built-in configuration, but that a run may take as long as its ceiling allows: what is emulated is slow."""
    text = subprocess.run([build / "hatcheryd", "--print-config"], capture_output=True, text=True, check=True).stdout
    for limit in ("wall", "cpu"):
        values = re.findall(rf"\b{limit} = (\w+)", text)
        assert len(values) == 2, f"a default and a ceiling of {limit} expected, found {values}"
        text = text.replace(f"{limit} = {values[0]}", f"{limit} = {values[1]}", 1)
    return text


def modules(everything):
    yield TESTS / "vm" / "stock_kernel.py"
    if everything:
        yield from sorted((TESTS / "box").glob("test_*.py"))


def main():
    arguments = json.loads((TESTS.parent / "arguments.json").read_text())
    build = (TESTS.parent / arguments["build"]).resolve()
    name = arguments["name"]
    env = {**run.environment(build), "HATCHERY_TEST_CONFIG": patient_config(build)}
    tally = run.Tally()
    if arguments["all"]:
        for path in sorted((build / "tests" / "unit").glob("test-*")):
            run.run_tap(f"unit/{run.sentence(path.name)}", [str(path)], GUARD, tally, name, env)
    for path in modules(arguments["all"]):
        command = [sys.executable, str(TESTS / "run.py"), "--module", str(path), *filter(None, [name])]
        run.run_tap(run.module_title(path), command, GUARD, tally, name, env)
    if tally.failures:
        print("failed:", *tally.failures, sep="\n  ")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)


if __name__ == "__main__":
    main()
