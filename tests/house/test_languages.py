"""The description of a language in its folder below lang is enough. Each language also has its tests and documents."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib import memory
from lib.scale import patience

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "package = libnewt\nbuild = libnewt-dev newt-headers\ncommand = newt\npreload = eggs Tail::Long\n"


@unittest.skipUnless((ROOT / "lang").is_dir() and shutil.which("cmake"), "the sources or cmake are not here")
class Languages(unittest.TestCase):
    def table(self, text):
        """Returns the table that cmake makes of newt.plugin (empty after an error), and cmake's messages."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "newt.plugin").write_text(text)
            (Path(folder) / "make.cmake").write_text(f"cmake_minimum_required(VERSION 3.25)\ninclude({ROOT}/cmake/plugins.cmake)\n"
                                                     f"hatchery_plugin_table({folder}/table.h {folder}/newt.plugin)\n")
            done = subprocess.run(["cmake", "-P", f"{folder}/make.cmake"], capture_output=True, text=True, timeout=patience(60), check=False)
            return (Path(folder) / "table.h").read_text() if done.returncode == 0 else "", " ".join(done.stderr.split())

    def test_a_plugin_file_becomes_a_row_of_the_table_and_a_part_of_the_built_in_text(self):
        made, said = self.table("# a comment\n" + PLUGIN)
        self.assertEqual("", said)
        self.assertIn('PLUGIN("newt", "libnewt", "libnewt-dev newt-headers", "eggs", "Tail::Long", NULL)', made)
        self.assertIn('PLUGIN_PRELOAD_LISTS "of newt { eggs, Tail::Long }; "', made)

    def test_a_plugin_file_with_a_mistake_ends_the_build(self):
        for text, word in ((PLUGIN + "pakage = x\n", "pakage = x"), ("build = a\ncommand = b\n", "there is no package"),
                           (PLUGIN.replace("libnewt", '"libnewt"', 1), "KEY = WORD")):
            made, said = self.table(text)
            self.assertEqual("", made, text)
            self.assertIn(word, said)

    def test_every_language_has_its_tests_and_its_place_in_the_documents(self):
        names = [path.stem for pattern in ("*/*.conf", "*/*.plugin") for path in (ROOT / "lang").glob(pattern)]
        self.assertGreater(len(names), 20)
        told = set(re.findall(r"[a-z-]+", (ROOT / "docs" / "languages.md").read_text()))
        for name in names:
            self.assertTrue((ROOT / "tests" / "lang" / f"test_{name.replace('-', '_')}.py").is_file(), name)
            self.assertIn(name, told)

    def test_limits_of_a_languages_own_are_those_that_are_told(self):
        own = {}
        for path in (ROOT / "lang").glob("*/*.conf"):
            if limits := re.search(r"^ +limits \{(.*?)\}", path.read_text(), re.M | re.S):
                own[path.stem] = set(re.findall(r"(\S+) = (\w+)", limits[1]))
        told = {}
        for names, memory_mib, pids in re.findall(r"((?:`[\w-]+`(?: and)? )+)(?:has )?(\d+) MiB and (\d+) processes",
                                                  (ROOT / "docs" / "protocol.md").read_text()):
            told |= {name: {("memory", f"{memory_mib}M"), ("pids", pids)} for name in re.findall(r"[\w-]+", names) if name != "and"}
        self.assertEqual(told, own)

    def test_the_memory_of_every_plugin_is_searched_for_what_is_not_its_own(self):
        self.assertEqual(set(), {path.stem for path in (ROOT / "lang").glob("*/*.plugin")} - memory.LANGUAGES)


if __name__ == "__main__":
    unittest.main()
