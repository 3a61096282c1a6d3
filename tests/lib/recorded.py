"""The answers of a language's plain command to programs, kept in the repository as digests
(tests/lang/recorded/). So a test need not run the command again to see that Hatchery does the same.

An answer is kept under a key: the digest of everything that decides the answer. The versions of the
language's packages and of their dependencies are a part of it. For another version or another
program there is no answer, and the command is run. The command is also run if Hatchery's answer
differs from the kept one: a test fails only if Hatchery differs from the command's present answer.

- `./dev test --all` always runs the command, and fails if a kept answer is not the command's;
- `./dev test --record [NAME]` runs each command twice, and keeps the answers that were the same
  both times. This drops answers that hold times, addresses or random numbers.
"""

import functools
import hashlib
import inspect
import json
import os
import platform
import re
import subprocess
from pathlib import Path

from lib.scale import ALL

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "tests" / "lang" / "recorded"
RECORDING = bool(os.environ.get("HATCHERY_TEST_RECORD"))

# The keys in a language's file that name packages; and a package's name, also in the field Depends of a package.
PACKAGES = re.compile(r'^ *(?:package|command|build) = (.*)$', re.M)
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def digest(*parts):
    """Returns the digest of texts, bytes, and tables of these. Different values have different digests."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=bytes.hex).encode()).hexdigest()[:24]


def versions(language):
    """Returns the versions of the language's packages and of their dependencies: a line `name version` for each.
    The machine's architecture follows."""
    folder = ROOT / "lang"
    packages = sorted({name for path in [*folder.glob(f"*/{language}.conf"), *folder.glob(f"*/{language}.plugin")]
                       for line in PACKAGES.findall(path.read_text()) for name in NAME.findall(line)})
    depends = query("${Depends}, ${Pre-Depends}", packages)
    # Required versions (in brackets) and architectures are not part of a name.
    packages += NAME.findall(re.sub(r"\([^)]*\)|:any|:native", "", depends))
    return query("${Package} ${Version}\n", sorted(set(packages))) + platform.machine()


def query(what, packages):
    """Asks dpkg about these packages. Names that are not of an installed package are left out."""
    return subprocess.run(["dpkg-query", "-W", "-f", what, *packages], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False).stdout if packages else ""


def words_of(command):
    """Returns the words of the plain command. If a function makes them: its source and the variables that it uses."""
    if callable(command):
        return [inspect.getsource(command), inspect.getclosurevars(command).nonlocals]
    return command


class Recorded:
    """The answers to one table of programs: each name has a key and an answer."""

    def __init__(self, language, name=None, folder=FOLDER, find_versions=versions):
        self.language = language
        self.path = folder / f"{name or language}.json"
        self.find_versions = functools.cache(find_versions)
        self.answers = self.read()
        self.recorded = {}

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def key(self, asked):
        return digest(self.find_versions(self.language), asked)

    def get(self, name, asked):
        """The digest of the answer, or None."""
        if name not in self.answers:
            return None
        key, answer = self.answers[name]
        return answer if key == self.key(asked) else None

    def put(self, name, asked, first, second):
        """Keeps the answer if the command gave it twice. An answer that holds a time or an address differs."""
        self.recorded[name] = [self.key(asked), digest(first)] if digest(first) == digest(second) else None

    def write(self, names):
        """Writes the new answers and the earlier ones. Drops those whose name is not in the table (`names`)."""
        if self.recorded:
            rows = {name: row for name, row in {**self.read(), **self.recorded}.items() if row and name in names}
            self.path.parent.mkdir(exist_ok=True)
            lines = (f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(rows[name])}" for name in sorted(rows))
            self.path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def compare(recorded, name, asked, ours, ask, assert_same, is_all=ALL, is_recording=RECORDING):
    """Checks that Hatchery's answer is that of the command. ask() runs the command and returns its answer.
    assert_same(theirs, ours) fails if the two differ."""
    if is_recording:
        theirs = ask()
        recorded.put(name, asked, theirs, ask())
        assert_same(theirs, ours)
        return
    answer = recorded.get(name, asked)
    if answer == digest(ours) and not is_all:
        return
    theirs = ask()
    assert_same(theirs, ours)
    if is_all and answer not in (None, digest(theirs)):
        raise AssertionError(f"{recorded.path.name} keeps another answer to {name!r} than the command gives now: {theirs}; "
                             "check that this one is right, and record it: ./dev test --record")
