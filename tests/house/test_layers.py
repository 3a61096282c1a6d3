"""The arrows between folders, on this tree and on trees that break them."""

import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "layers.sh"


def layers(root):
    return subprocess.run([SCRIPT, root], capture_output=True, text=True, timeout=60, check=False)


def layers_of(path, text):
    with tempfile.TemporaryDirectory() as root:
        file = Path(root, path)
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return layers(root)


class Layers(unittest.TestCase):
    def test_no_include_of_this_tree_goes_against_the_arrows(self):
        found = layers(SCRIPT.parents[1])
        self.assertEqual((0, ""), (found.returncode, found.stdout))

    def test_an_include_along_the_arrows_passes(self):
        for path, text in (("pool/a.c", '#include "proto/b.h"\n'), ("zygote/a.c", '#include "lang/b.h"\n'),
                           ("proto/a.c", '#include "hatchery.pb.h"\n#include <stdio.h>\n')):
            with self.subTest(path):
                self.assertEqual(0, layers_of(path, text).returncode)

    def test_an_include_against_the_arrows_is_found(self):
        for path, target in (("proto/a.c", "pool/b.h"), ("pool/a.c", "zygote/b.h"), ("zygote/a.h", "pool/b.h"),
                             ("lang/a.c", "zygote/b.h"), ("client/a.c", "pool/b.h"), ("bench/a.c", "pool/b.h"),
                             ("pool/a.c", "client/b.h"), ("proto/deep/a.h", "lang/b.h")):
            with self.subTest(f"{path} includes {target}"):
                found = layers_of(path, f'  #  include "{target}"\n')
                self.assertEqual(1, found.returncode)
                self.assertIn(path + ":1", found.stdout)

    def test_an_include_that_climbs_is_found(self):
        self.assertEqual(1, layers_of("pool/a.c", '#include "../proto/b.h"\n').returncode)

    def test_a_tree_without_includes_is_no_success(self):
        self.assertEqual(2, layers_of("pool/a.c", "int x;\n").returncode)
