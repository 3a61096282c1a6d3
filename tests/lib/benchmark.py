"""The benchmark's program, run with short windows."""

import subprocess

from lib.server import BUILD

BENCH = BUILD / "hatchery-bench"
GUARD = 300


def bench(*options):
    return subprocess.run([BENCH, "--quick", "--rounds", "1", *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=GUARD, check=False)
