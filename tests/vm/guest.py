"""Runs inside the virtual machine: the modules of tests, one after the other, as tests/run.py does on a host."""

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import run  # noqa: E402

GUARD = 3000


def modules(everything):
    yield TESTS / "vm" / "stock_kernel.py"
    if everything:
        yield from sorted((TESTS / "box").glob("test_*.py"))


def main():
    arguments = json.loads((TESTS.parent / "arguments.json").read_text())
    build = (TESTS.parent / arguments["build"]).resolve()
    name = arguments["name"]
    env = run.environment(build)
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
