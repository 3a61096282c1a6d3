"""Numbers of repetitions and times to wait, scaled for a much slower machine: an emulated one. tests/vm/guest.py sets
HATCHERY_TEST_REPEAT and HATCHERY_TEST_PATIENCE."""

import os

ALL = bool(os.environ.get("HATCHERY_TEST_ALL"))  # ./dev test --all: time does not matter
REPEAT = float(os.environ.get("HATCHERY_TEST_REPEAT", "1"))
PATIENCE = float(os.environ.get("HATCHERY_TEST_PATIENCE", "1"))


def repeat(count, least=1):
    """A number of repetitions, which may shrink to `least`."""
    return max(least, round(count * REPEAT))


def patience(seconds):
    """The seconds of a hang guard, which may be multiplied."""
    return seconds * PATIENCE
