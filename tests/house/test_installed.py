"""What `cmake --install` makes: a tree that serves all that the build does, wherever it is moved."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.scale import patience
from lib.server import BUILD
from lib.servers import WithServers

FILES = ("bin/hatchery", "sbin/hatcheryd", "libexec/hatchery/hatchery-init", "share/hatchery/hatchery.proto",
         "share/man/man1/hatchery.1", "share/man/man8/hatcheryd.8", "share/man/man5/hatcheryd.conf.5",
         "share/hatchery/lang/c.conf", "share/hatchery/lang/node.js", "include/hatchery/client/hatchery.h")
PROGRAMS = {"bash": "echo here", "python": "print('here')", "javascript": "console.log('here')"}


def languages(program):
    """What it says of each, without the places of files."""
    done = subprocess.run([program, "--check-host"], capture_output=True, text=True, timeout=patience(120), check=False)
    return re.findall(r"^(\w+) +language (\S+)", done.stdout, re.M)


@unittest.skipUnless(shutil.which("cmake") and (BUILD / "cmake_install.cmake").exists(), "a tree is installed by cmake")
class Installed(WithServers):
    def test_it_may_be_moved_and_lacks_nothing(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        made = Path(folder.name, "made")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", made], stdout=subprocess.DEVNULL, check=True,
                       timeout=patience(120))
        tree = made.rename(Path(folder.name, "moved"))
        self.assertEqual([], [name for name in FILES if not (tree / name).is_file()])
        there = languages(tree / "sbin/hatcheryd")
        self.assertEqual(languages(BUILD / "hatcheryd"), there)

        wanted = [name for name in PROGRAMS if ("ok", name) in there]
        self.assertIn("bash", wanted)
        server = self.prepare(config="".join(f"language {name} {{ warm = 1 }}\n" for name in wanted))
        server.command[0] = str(tree / "sbin/hatcheryd")
        server.start()
        with server.connect() as client:
            self.assertTrue(client.status().ready)
            for name in wanted:
                self.assertEqual(b"here\n", client.execute(PROGRAMS[name], language=name).stdout, name)


if __name__ == "__main__":
    unittest.main()
