"""Debian's promtool and prometheus, and Prometheus' text format.

./dev test unpacks the package into the build tree; it is not installed, because the package would start a server."""

import re
import shutil
from pathlib import Path

from lib.server import BUILD

UNPACKED = BUILD.parent / "prometheus" / "usr" / "bin"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def find(program):
    """The program's path, or None."""
    if (UNPACKED / program).exists():
        return str(UNPACKED / program)
    return shutil.which(program)


def need(test, program):
    path = find(program)
    if path is None:
        test.skipTest(f"Debian's prometheus, with {program}, is neither unpacked nor installed")
    return path


class Metrics:
    """A text of metrics. types has the type of each family, helps the help. samples has (name, labels) as keys, with
    the labels as a frozenset of pairs."""

    def __init__(self, text):
        self.types, self.helps, self.samples, self.family_of = {}, {}, {}, {}
        family = None
        if not text.endswith("\n"):
            raise AssertionError("the last line has no end")
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if word == "#":
                kind, family, said = rest.split(" ", 2)
                table = {"HELP": self.helps, "TYPE": self.types}[kind]
                if family in table:
                    raise AssertionError(f"the family {family} comes twice")
                table[family] = said
            else:
                self.add(line, family)

    def add(self, line, family):
        found = SAMPLE.fullmatch(line)
        if not found:
            raise AssertionError(f"not a sample: {line!r}")
        name, labels, value = found.groups()
        pairs = LABEL.findall(labels or "")
        if ",".join(f'{key}="{word}"' for key, word in pairs) != (labels or ""):
            raise AssertionError(f"not labels: {line!r}")
        if name not in [family + suffix for suffix in SUFFIXES[self.types[family]]]:
            raise AssertionError(f"{name} stands in the family {family}")
        key = name, frozenset(pairs)
        if key in self.samples:
            raise AssertionError(f"a sample comes twice: {line!r}")
        self.samples[key] = float(value)
        self.family_of[name] = family

    def get(self, name, **labels):
        return self.samples[name, frozenset(labels.items())]
