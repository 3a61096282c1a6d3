"""bench/plot draws the contents of the benchmark's JSON, names what it can't draw, and labels what it draws."""

import importlib.machinery
import importlib.util
import json
import math
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLOT = ROOT / "bench" / "plot"
SAMPLE = Path(__file__).with_name("plot-sample.json")
GUARD = 120


def plot(*arguments):
    return subprocess.run([sys.executable, PLOT, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=GUARD, check=False)


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("plot", str(PLOT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("plot", loader))
    loader.exec_module(module)
    return module


def texts(svg):
    """All text of a figure, also text that is split into pieces."""
    return ["".join(t.itertext()).strip() for t in ET.parse(svg).iter() if t.tag.endswith("}text")]


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed; ./dev test installs it")
class Figures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sample = json.loads(SAMPLE.read_text())
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name, "figures")
        cls.done = plot(SAMPLE, "--out", cls.folder)

    def test_every_figure_is_drawn_twice(self):
        self.assertEqual(0, self.done.returncode, self.done.stderr)
        self.assertEqual("", self.done.stderr)
        names = {path.stem for path in self.folder.iterdir()}
        self.assertEqual({"latency-low-load", "latency-full-load", "sweep", "stages", "stages-by-row"},
                         names)
        for name in names:
            png = Path(self.folder, f"{name}.png").read_bytes()
            self.assertEqual(b"\x89PNG\r\n\x1a\n", png[:8])
            # More than an empty frame: empty ones take 6,000 to 9,000 bytes of this size.
            self.assertGreater(len(png), 12000, name)

    def test_axes_have_labels_with_units(self):
        for name, labels in (("latency-low-load", ("latency, ms", "share of runs that are no slower, %")),
                             ("latency-full-load", ("latency, ms", "share of runs that are no slower, %")),
                             ("sweep", ("throughput, runs/s", "latency, ms")),
                             ("stages", ("duration, ms",)), ("stages-by-row", ("duration, ms",))):
            found = texts(self.folder / f"{name}.svg")
            for label in labels:
                self.assertIn(label, found, name)

    def test_every_row_and_stage_is_named(self):
        titles = {row["load"]: [] for row in self.sample["rows"]}
        for row in self.sample["rows"]:
            if row["kind"] != "hatchery" or row["load"] == "paced" or row["parallel"] == 64:
                titles[row["load"]].append(row["title"])
        for name, load in (("latency-low-load", "paced"), ("latency-full-load", "closed")):
            found = texts(self.folder / f"{name}.svg")
            self.assertGreater(len(titles[load]), 1)
            for title in titles[load]:
                self.assertIn(title, found)
        for name, words in (("stages", ("p50", "p90", "p99")), ("stages-by-row", ("Hatchery", "Hatchery, 64 connections"))):
            found = texts(self.folder / f"{name}.svg")
            for word in ("queue", "dispatch", "run", "drain", "teardown", "refill", *words):
                self.assertIn(word, found)
        for entry in self.sample["sweep"]:
            self.assertIn(str(entry["connections"]), texts(self.folder / "sweep.svg"))


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed; ./dev test installs it")
class Missing(unittest.TestCase):
    def draw(self, found):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "bench.json")
            path.write_text(found if isinstance(found, str) else json.dumps(found))
            done = plot(path, "--out", Path(folder, "out"))
            return done, sorted(p.name for p in Path(folder, "out").glob("*"))

    def test_what_was_not_measured_is_said_and_left_out(self):
        sample = json.loads(SAMPLE.read_text())
        sample["sweep"] = sample["sweep"][:1]
        sample["stages"] = None
        for rounds in sample["raw"].values():
            for one in rounds:
                one["stages"] = None
        done, files = self.draw(sample)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(["latency-full-load.png", "latency-full-load.svg", "latency-low-load.png",
                          "latency-low-load.svg"], files)
        self.assertIn("sweep: not drawn: ", done.stderr)
        self.assertIn("stages: not drawn: ", done.stderr)
        self.assertIn("stages-by-row: not drawn: ", done.stderr)

    def test_a_title_is_text_and_no_command(self):
        sample = json.loads(SAMPLE.read_text())
        sample["rows"][0]["title"] = "it's `touch owned` \"x\"\nset output 'owned'"
        done, files = self.draw(sample)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertNotIn("owned", files)

    def test_what_is_no_such_file_is_an_error(self):
        for found in ("", "[1", {"schema": 1}, {"schema": 2, "rows": [], "raw": {}}):
            with self.subTest(found):
                done, files = self.draw(found)
                self.assertEqual(1, done.returncode)
                self.assertEqual([], files)
                self.assertIn("plot: ", done.stderr)


class Arithmetic(unittest.TestCase):
    def test_a_curve_says_which_share_was_no_slower(self):
        module = load()
        samples = [{"histogram_ns": [[1000000, 40], [2000000, 9]]}, {"histogram_ns": [[1000000, 50], [8000000, 1]]}]
        buckets = module.merged_histogram(samples)
        self.assertEqual([(1000000, 90), (2000000, 9), (8000000, 1)], buckets)
        curve = module.percentile_curve(buckets)
        for (nines, ms), expected in zip(curve, ((0, 1), (1, 2), (2, 8)), strict=True):
            self.assertTrue(math.isclose(nines, expected[0], abs_tol=1e-9), curve)
            self.assertEqual(expected[1], ms)

    def test_the_mean_of_a_stage_is_over_all_runs_of_all_rounds(self):
        def stage(name, count, total):
            return {"name": name, "count": count, "sum_us": total}
        means = load().stage_means([{"stages": [stage("run", 10, 1000), stage("collect", 0, 0)]},
                                    {"stages": [stage("run", 30, 7000), stage("collect", 0, 0)]}, {"stages": None}])
        self.assertEqual({"run": 200, "collect": None}, means)


if __name__ == "__main__":
    unittest.main()
