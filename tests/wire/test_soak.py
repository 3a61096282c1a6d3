"""A small soak: see tests/soak.py."""

import os
import unittest

import soak
from lib.scale import ALL
from lib.server import IS_SANITIZED

RUNS = 1500 if ALL and not IS_SANITIZED else 500


class Small(unittest.TestCase):
    def test_a_thousand_mixed_runs_leave_everything_flat(self):
        """Mixed runs, good, hostile, killed, cancelled and abandoned, leave everything as it was"""
        if IS_SANITIZED:
            # Sanitizers keep freed memory in a quarantine, to find later uses. The small size keeps the quarantine from
            # looking like a leak.
            os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        table, grown = soak.run("soak", RUNS, IS_SANITIZED)
        for line in table.splitlines():
            print("  " + line, flush=True)
        self.assertEqual([], grown)


if __name__ == "__main__":
    unittest.main()
