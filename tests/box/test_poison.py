"""Sandboxes forget: every kind of state that a program can change is changed, and looked for in every slot.

The tables in states/ run inside the sandbox. A state is clean if its probe says, after the poison, what it said in a
sandbox that nobody had poisoned. Each probe is shown to see its poison: in one run with it, it says something else.
"""

import concurrent.futures
import json
import os
import signal
import threading
import time
import unittest
from pathlib import Path

from lib import host
from lib.case import Case, ServerModule, describe
from lib.hatchery import Closed, Refused
from lib.server import IS_SANITIZED, wait_until

STATES = Path(__file__).with_name("states")
TABLES = ("files", "ipc", "process", "interpreter", "memory")
WARM, RUNNING = 2, 3
SLOTS = WARM + RUNNING
CONFIG = f"language python {{ warm = {WARM} running = {RUNNING} }}\n"
LIMITS = {"wall_us": 50_000_000, "cpu_us": 50_000_000, "memory_bytes": 256 << 20, "open_files": 200}
POISON_ROUNDS, PROBE_ROUNDS = 2, 3

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def program(table, what):
    """The common part, one table, and what to do with it."""
    parts = [(STATES / f"{name}.py").read_text() for name in ("common", table)]
    return "\n".join([*parts, f"main({what!r})\n"])


def difference(clean, found):
    """In short: some probes say much."""
    if isinstance(clean, list) and isinstance(found, list):
        clean, found = [x for x in clean if x not in found], [x for x in found if x not in clean]
    elif isinstance(clean, dict) and isinstance(found, dict):
        names = [name for name in {**clean, **found} if clean.get(name) != found.get(name)]
        clean, found = ({name: of.get(name) for name in names} for of in (clean, found))
    return f"{clean!r:.600} became {found!r:.600}"


class Tables(Case):
    SERVER = SERVER

    def said(self, result):
        self.assert_exited(result)
        return json.loads(result.stdout)

    def rounds(self, table, what, rounds):
        """Runs a program in every slot, several times, all slots at once; says what they said, and in which slots."""
        code = program(table, what)
        slots, said = {}, []
        deadline = time.monotonic() + 120
        while len(slots) < SLOTS or min(slots.values()) < rounds:
            self.assertLess(time.monotonic(), deadline, f"not every slot had its turn: {slots}")
            ids = [self.client.send_execute(code, args=[table], limits=LIMITS) for _ in range(2 * SLOTS)]
            for request in ids:
                one = self.said(self.client.result(request))
                slots[one["slot"]] = slots.get(one["slot"], 0) + 1
                said.append(one)
        self.assertEqual(SLOTS, len(slots), slots)
        return said

    def table(self, name):
        fresh = self.rounds(name, "probe", 1)
        clean = fresh[0]["found"]
        self.assertGreater(len(clean), 1)
        for one in fresh:
            self.compare(clean, one["found"], "an unpoisoned sandbox differs from another")
        self.control(name, clean)
        for one in self.rounds(name, "poison", POISON_ROUNDS):
            self.check_poisoned(name, one["poisoned"])
        for one in self.rounds(name, "probe", PROBE_ROUNDS):
            self.compare(clean, one["found"], f"left from another run in slot {one['slot']}")
        # And the other way round: each slot's next run, right behind a poisoned one.
        for _ in range(2 * SLOTS):
            poison = self.client.send_execute(program(name, "poison"), args=[name], limits=LIMITS)
            probe = self.client.send_execute(program(name, "probe"), args=[name], limits=LIMITS)
            self.said(self.client.result(poison))
            self.compare(clean, self.said(self.client.result(probe))["found"], "left from the run before")

    def compare(self, clean, found, message):
        self.assertEqual(sorted(clean), sorted(found))
        for state, value in clean.items():
            if value != found[state]:
                self.fail(f"{state}: {message}: {difference(value, found[state])}")

    def markers(self, table, word):
        """The states of a table that say of themselves `refused` or `unseen`."""
        source = (STATES / f"{table}.py").read_text().split("@state\nclass ")[1:]
        return {part.split(":", 1)[0] for part in source if f"    {word} = " in part}

    def check_poisoned(self, table, poisoned):
        refused = self.markers(table, "refused")
        for state, said in poisoned.items():
            if state in refused:
                self.assertNotEqual("done", said, f"{state} was not refused")
            else:
                self.assertEqual("done", said, f"{state} could not be poisoned")

    def control(self, table, clean):
        """Poison and probe in one run: what is not refused is found, or the probe would be blind."""
        one = self.said(self.execute(program(table, "both"), args=[table], limits=LIMITS))
        self.check_poisoned(table, one["poisoned"])
        blind = self.markers(table, "refused") | self.markers(table, "unseen")
        for state, value in clean.items():
            if state in blind:
                self.assertEqual(value, one["found"][state], f"{state} changed, though nothing should change it")
            else:
                self.assertNotEqual(value, one["found"][state], f"the probe of {state} does not see the poison")

    def test_files_and_all_that_belongs_to_them_are_gone(self):
        self.table("files")

    def test_interprocess_communication_is_gone(self):
        self.table("ipc")

    def test_what_processes_inherit_and_leave_running_is_gone(self):
        self.table("process")

    def test_the_interpreter_is_as_new(self):
        self.table("interpreter")

    def test_memory_holds_nothing_of_another(self):
        self.table("memory")

    def test_no_slot_had_to_be_discarded(self):
        SERVER.wait_idle(connections=1)
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))


if __name__ == "__main__":
    unittest.main()
