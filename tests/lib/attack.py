"""Shared by tests of limits: the C program that attacks from inside, figures in the output, the host's memory."""

import os
import statistics

from lib import host
from lib.server import BUILD, IS_SANITIZED

ATTACK = BUILD / "tests" / "attack" / "attack"

# An emulated processor is 10 to 50 times slower: attacks are smaller there.
EMULATED = "HATCHERY_TEST_CONFIG" in os.environ

# Times may exceed the bars of a quiet machine by this factor: under the sanitizers, in an emulated
# machine, or next to other work.
SLOWNESS = 50 if EMULATED else 10 if IS_SANITIZED else 4


def attack_file():
    """The attacking program as the files of a request."""
    return {"attack": (ATTACK.read_bytes(), 0o755)}


def attack_code(*words):
    """A program that executes ./attack WORDS, so that the attack is the main process of the run."""
    return f"import os\nos.execv('./attack', {['./attack', *map(str, words)]!r})"


def figures(what, values, unit="ms"):
    """Prints the measured values; a test's output is shown with its result."""
    if len(values) == 1:
        print(f"{what}: {values[0]:.1f} {unit}", flush=True)
        return
    print(f"{what}: median {statistics.median(values):.1f} {unit}, best {min(values):.1f}, worst {max(values):.1f}, "
          f"of {len(values)}", flush=True)


def memory_kib():
    """The host's memory by name, from /proc/meminfo."""
    rows = (line.split(":", 1) for line in host.read("/proc/meminfo").splitlines())
    return {name: int(value.split()[0]) for name, value in rows}
