"""What a language makes once (`prepare` in its file), made once for all servers of one run of the tests: precompiled headers,
an archive of classes. The first server that has such a language makes it; later ones find it in their cache, as after a
restart. A cache is otherwise a server's own: what another one compiled is nothing to a test."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

KEPT = os.environ.get("HATCHERY_TEST_PREPARED")  # of tests/run.py; a module that is run by itself shares nothing
NAMES = ("cpp", "go", "java")  # what tests make of others is theirs


def language_of(folder):
    return re.match(r"prepared-(.*)-", folder.name)[1]


def copy(folder, to):
    """The same files by other names. What is there already stays."""
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
    """Into the cache of a server that is about to start, for the languages that it has."""
    has_all = not re.search(r"^\s*language\s", config, re.M)
    for folder in Path(KEPT).glob("prepared-*") if KEPT else ():
        if has_all or re.search(rf'^\s*language\s+"?{language_of(folder)}\b', config, re.M):
            cache.mkdir(mode=0o755, exist_ok=True)
            copy(folder, cache)


def keep(cache):
    """What a server has made by the time it is ready."""
    for folder in cache.glob("prepared-*") if KEPT else ():
        if language_of(folder) in NAMES:
            copy(folder, Path(KEPT))
