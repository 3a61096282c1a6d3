"""Numbers of repetitions and times to wait on a much slower machine: an emulated one. tests/vm/guest.py sets the two
variables."""

import os

ALL = bool(os.environ.get("HATCHERY_TEST_ALL"))  # ./dev test --all: time does not matter
REPEAT = float(os.environ.get("HATCHERY_TEST_REPEAT", "1"))
PATIENCE = float(os.environ.get("HATCHERY_TEST_PATIENCE", "1"))


def repeat(count, least=1):
    """A number of repetitions, which may shrink to `least`."""
    return max(least, round(count * REPEAT))


def patience(seconds):
    """A hang guard, which may grow."""
    return seconds * PATIENCE
