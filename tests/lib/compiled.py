"""Shared by tests of compiled languages: the plain command is the compiler, and then the program that it made."""

import subprocess
import tempfile
from pathlib import Path

from lib.scale import patience


def compile_and_run(*line, extensions):
    """Returns the `command` of a Language. {sources} in the line stands for all files with one of the extensions,
    {entry} for the main file."""
    def command(folder, entry, args):
        sources = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*")
                         if path.suffix[1:] in extensions)
        words = [word for part in line for word in (sources if part == "{sources}" else
                                                    [entry] if part == "{entry}" else [part])]
        done = subprocess.run(words, cwd=folder, capture_output=True, timeout=patience(120), check=False)
        if done.returncode != 0:
            raise AssertionError(f"{words} failed: {done.stderr.decode(errors='replace')}")
        return ["./main", *args]
    return command


def compiler_says(line, files):
    """Runs a compiler in a directory that has only these files. Returns (status, standard error)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_text(content)
        done = subprocess.run(line, cwd=folder, capture_output=True, timeout=patience(120), check=False)
        return done.returncode, done.stderr


NOT_COMPILED = {"ours": (b"", b"", ("COMPILE_ERROR", 1))}
