"""Files that a language makes once (`prepare` in its file), such as precompiled headers or an archive of classes. All
servers of one test run share these files. The first server that has the language makes them. Later servers find them in
their cache, as after a restart. Servers share nothing else of their caches."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KEPT = os.environ.get("HATCHERY_TEST_PREPARED")  # set by tests/run.py; a module that runs by itself shares nothing
NAMES = ("cpp", "go", "go-test", "java")  # prepared files of other languages are not shared


def language_of(folder):
    return re.match(r"prepared-(.*)-", folder.name)[1]


def copy(folder, to):
    """Puts hard links to a prepared folder into the directory `to`. If the folder is there already, it stays."""
    if (to / folder.name).exists():
        return
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=to))
    try:
        subprocess.run(["cp", "-al", folder, draft], check=True)
        (draft / folder.name).rename(to / folder.name)
    except OSError:
        if not (to / folder.name).exists():
            raise
    finally:
        shutil.rmtree(draft)


def lend(cache, config):
    """Puts the shared files into the cache of a server that is about to start, for the languages that it has."""
    has_all = not re.search(r"^\s*language\s", config, re.M)
    for folder in Path(KEPT).glob("prepared-*") if KEPT else ():
        if has_all or re.search(rf'^\s*language\s+"?{language_of(folder)}\b', config, re.M):
            cache.mkdir(mode=0o755, exist_ok=True)
            copy(folder, cache)


def keep(cache):
    """Shares what a server has prepared by the time it is ready."""
    for folder in cache.glob("prepared-*") if KEPT else ():
        if language_of(folder) in NAMES:
            copy(folder, Path(KEPT))
