"""The script ./dev: it configures again when packages have come, gone or changed, and refuses unknown words. It runs
from a copy, with a cmake and a dpkg-query that only record their arguments."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.scale import patience

ROOT = Path(__file__).resolve().parents[2]

# With names, it reports each as installed; without, it lists the machine's packages.
DPKG_QUERY = """#!/bin/sh
case $2 in
-f*) shift 2; echo "$@" >>"$HERE/asked"; for package in "$@"; do echo "$package installed"; done ;;
*) cat "$HERE/packages" ;;
esac
"""
CMAKE = """#!/bin/sh
case $1 in
--build) echo "build $3" >>"$HERE/log"; exit ;;
--preset) tree=build/$2 ;;
-S) tree=$4 ;;
esac
mkdir -p "$tree"
touch "$tree/build.ninja"
echo "configure $tree $*" >>"$HERE/log"
"""

TOOLS = ("apt-get", "clang-format", "clang-tidy", "mandoc", "shellcheck")


@unittest.skipUnless((ROOT / "dev").is_file(), "the sources are not here")
class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)
        shutil.copy(ROOT / "dev", self.dir)
        self.write("lang/python/python.plugin", "package = libpython\nbuild = libpython-dev\ncommand = python\n")
        (self.dir / "bin").mkdir()
        for name, text in (("dpkg-query", DPKG_QUERY), ("cmake", CMAKE), *((tool, "#!/bin/sh\nexit 1\n") for tool in TOOLS)):
            (self.dir / "bin" / name).write_text(text)
            (self.dir / "bin" / name).chmod(0o755)
        self.install("gcc 12.2.0-14")

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def install(self, *packages):
        (self.dir / "packages").write_text("".join(f"{package}\n" for package in packages))

    def dev(self, *arguments):
        env = {**os.environ, "HERE": str(self.dir), "PATH": f"{self.dir}/bin:{os.environ['PATH']}", "CI": "true"}  # one compiler
        return subprocess.run([self.dir / "dev", *arguments], cwd=self.dir, env=env, capture_output=True, text=True,
                              timeout=patience(60), check=False)

    def configured(self, *arguments):
        """Runs the command, and returns the trees that it has configured."""
        (self.dir / "log").write_text("")
        self.dev(*arguments)
        lines = (self.dir / "log").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith("configure ")]

    def test_every_tree_is_configured_again_when_packages_have_changed(self):
        for tree, command in (("release", ["build"]), ("dev", ["build", "dev"]), ("fuzz", ["fuzz"]), ("lint-clang", ["lint"])):
            self.install("gcc 12.2.0-14")
            self.assertEqual([f"build/{tree}"], self.configured(*command))
            self.install("gcc 12.2.0-14", "liblua5.4-dev 5.4.4")
            self.assertEqual([f"build/{tree}"], self.configured(*command))
        for packages in (["gcc 12.2.0-15", "liblua5.4-dev 5.4.4"], ["gcc 12.2.0-15"]):
            self.install(*packages)
            self.assertEqual(["build/release"], self.configured("build"), packages)
            # Libraries that were found before are looked for again, because they may be gone.
            self.assertIn("-U *_LIBRARY", (self.dir / "log").read_text())
            self.assertEqual([], self.configured("build"))

    def test_the_packages_of_a_language_are_those_that_its_folder_names(self):
        self.write("lang/newt/newt.plugin", "# a comment\npackage = libnewt\nbuild = libnewt-dev newt-headers\ncommand = newt\npreload = eggs\n")
        self.write("lang/toad/toad.conf", "runtime toad {\n        main_file = a.t\n        package = \"toad toad-libs\"\n}\n")
        self.dev("setup")
        base = set((self.dir / "asked").read_text().split())
        self.assertLessEqual({"libpython", "libpython-dev", "python"}, base)
        self.dev("setup", "--languages")
        self.assertEqual({"libnewt", "libnewt-dev", "newt-headers", "newt", "toad", "toad-libs"},
                         set((self.dir / "asked").read_text().split()) - base)

    def test_what_it_does_not_know_is_refused_before_anything_is_done(self):
        for command, word in (("setup", "--language"), ("build", "relase"), ("demo", "--fast"), ("lint", "--al"),
                              ("setup-vm", "now")):
            done = self.dev(command, word)
            self.assertEqual(2, done.returncode, done)
            self.assertIn(f"dev: {command} takes ", done.stderr)
            self.assertIn(f"not '{word}'", done.stderr)
        self.assertEqual(2, self.dev("tset").returncode)
        self.assertFalse((self.dir / "log").exists())


if __name__ == "__main__":
    unittest.main()
