"""Recorded answers of the plain commands (lib/recorded.py) save runs of these commands, and hide no difference."""

import json
import tempfile
import unittest
from pathlib import Path

from lib.recorded import Recorded, compare, versions, words_of

ASKED = [["newt", "-x"], "main.nt", "say 1", [None]]
ANSWER = (b"1\n", b"\xff", ("exit", 0))
OTHER = (b"2\n", b"\xff", ("exit", 0))


class RecordedAnswers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.version = "newt 1"
        self.runs = []

    def recorded(self):
        return Recorded("newt", folder=self.folder, find_versions=lambda language: f"{language}: {self.version}")

    def compare(self, ours, theirs, asked=(), **mode):
        """Returns how often the command ran. `theirs` are the command's answers, one after the other."""
        answers = iter(theirs)
        count = 0

        def ask():
            nonlocal count
            count += 1
            return next(answers)
        recorded = self.recorded()
        compare(recorded, "says one", [*ASKED, *asked], ours, ask, self.assertEqual, **{"is_all": False, "is_recording": False, **mode})
        recorded.write(["says one"])
        return count

    def record(self, *theirs):
        self.compare(theirs[0], theirs, is_recording=True)

    def test_a_recorded_answer_saves_the_run(self):
        self.assertEqual(1, self.compare(ANSWER, [ANSWER]))
        self.record(ANSWER, ANSWER)
        self.assertEqual(0, self.compare(ANSWER, []))

    def test_what_differs_from_it_is_compared_with_what_the_command_says_now(self):
        self.record(ANSWER, ANSWER)
        self.assertEqual(1, self.compare(OTHER, [OTHER]))
        with self.assertRaises(AssertionError):
            self.compare(OTHER, [ANSWER])

    def test_another_version_or_program_has_no_answer(self):
        self.record(ANSWER, ANSWER)
        self.assertEqual(1, self.compare(ANSWER, [ANSWER], asked=["more"]))
        self.version = "newt 2"
        self.assertEqual(1, self.compare(ANSWER, [ANSWER]))

    def test_what_is_not_the_same_twice_is_not_recorded(self):
        self.record(ANSWER, ANSWER)
        self.record(ANSWER, OTHER)
        self.assertEqual({}, json.loads((self.folder / "newt.json").read_text()))

    def test_with_all_the_command_runs_and_a_wrong_record_is_a_failure(self):
        self.assertEqual(1, self.compare(ANSWER, [ANSWER], is_all=True))
        self.record(ANSWER, ANSWER)
        self.assertEqual(1, self.compare(ANSWER, [ANSWER], is_all=True))
        with self.assertRaisesRegex(AssertionError, "record it"):
            self.compare(OTHER, [OTHER], is_all=True)

    def test_names_that_are_gone_are_dropped_and_others_stay(self):
        recorded = self.recorded()
        for name in "old", "kept":
            recorded.put(name, ASKED, ANSWER, ANSWER)
        recorded.write(["old", "kept"])
        recorded = self.recorded()
        recorded.put("new", ASKED, ANSWER, ANSWER)
        recorded.write(["kept", "new"])
        self.assertEqual(["kept", "new"], sorted(json.loads((self.folder / "newt.json").read_text())))

    def test_versions_are_those_of_a_languages_packages_and_of_what_they_depend_on(self):
        found = versions("python")
        for package in r"python3", r"libc6", r"libpython3\.\d+":
            self.assertRegex(found, rf"(?m)^{package} \S+$")

    def test_a_command_that_is_made_is_known_by_what_it_is_made_of(self):
        def made_of(word):
            return lambda folder: [word, folder]
        self.assertEqual(words_of(made_of("a")), words_of(made_of("a")))
        self.assertNotEqual(words_of(made_of("a")), words_of(made_of("b")))
