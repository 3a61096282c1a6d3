"""layers.sh checks the arrows between folders: this tree obeys them, and trees that break them are found."""

import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "layers.sh"

ALONG = (("pool/sched/a.c", "pool/link/b.h"), ("zygote/a.c", "lang/b.h"), ("proto/wire/a.c", "hatchery.pb.h"),
         ("pool/native/a.c", "pool/core/core.h"), ("zygote/host/a.c", "zygote/b.h"), ("lang/new/a.cc", "lang/b.h"),
         ("gateway/contracts/a.c", "gateway/b.h"), ("gateway/a.c", "client/b.h"), ("hatcheryd/a.c", "gateway/gateway.h"),
         ("pool/a.c", "proto/confine/b.h"), ("gateway/a.c", "hatchery.pb.h"),
         ("bench/a.c", "bench/peers/b.h"), ("tests/core/a.c", "pool/core/b.h"), ("pool/config/a.c", "proto/wire/wire.h"))

AGAINST = (
    # between trust domains, and between servers, clients and tools
    ("proto/base", "pool/base/b.h"), ("pool/core", "zygote/b.h"), ("zygote", "pool/base/b.h"), ("lang", "zygote/base/b.h"),
    ("client", "pool/base/b.h"), ("bench", "pool/core/b.h"), ("pool", "client/b.h"), ("hatcheryd", "pool/core/b.h"),
    ("pool/core", "lang/b.h"), ("lang", "client/b.h"), ("pool", "nowhere/b.h"),
    # the gateway is a client
    ("gateway", "pool/base/b.h"), ("gateway", "hatcheryd/b.h"), ("gateway/contracts", "pool/config/b.h"), ("gateway", "gateway/contracts/b.h"),
    ("pool", "gateway/b.h"), ("client", "gateway/b.h"), ("hatcheryd", "gateway/b.h"), ("zygote", "proto/confine/b.h"),
    # proto
    ("proto/base", "proto/ipc/b.h"), ("proto/ipc", "proto/wire/b.h"), ("proto/wire", "proto/ipc/b.h"), ("proto/confine", "proto/ipc/b.h"),
    # pool: only downwards
    ("pool/base", "pool/config/b.h"), ("pool/config", "pool/cache/b.h"), ("pool/cache", "pool/link/b.h"),
    ("pool/link", "pool/sched/b.h"), ("pool/link", "pool/core/run.h"), ("pool/sched", "pool/core/b.h"),
    ("pool/core", "pool/native/b.h"), ("pool/core", "pool/b.h"), ("pool/native", "pool/core/run.h"),
    ("pool/native", "pool/sched/b.h"), ("pool/native", "pool/link/b.h"), ("pool/native", "pool/b.h"),
    # in the server only the native front includes the messages of the wire
    ("pool/core", "hatchery.pb.h"), ("pool/sched", "hatchery.pb.h"), ("zygote", "hatchery.pb.h"), ("lang", "hatchery.pb.h"),
    ("pool/core", "proto/wire/answer.h"), ("pool/core", "proto/wire/request.h"), ("pool/sched", "proto/wire/pbspan.h"),
    ("pool", "proto/wire/frame.h"), ("pool/config", "proto/wire/lz4.h"), ("hatcheryd", "proto/wire/request.h"),
    # zygote: each of its folders is a trust domain
    ("zygote/base", "zygote/b.h"), ("zygote/base", "zygote/sandbox/b.h"), ("zygote/sandbox", "zygote/b.h"),
    ("zygote/sandbox", "zygote/init/b.h"), ("zygote/init", "zygote/sandbox/b.h"), ("zygote/init", "zygote/b.h"),
    ("zygote", "zygote/host/b.h"), ("zygote", "zygote/init/other.h"), ("zygote/sandbox", "zygote/host/b.h"),
    # no language includes another language
    ("lang", "lang/python/b.h"), ("lang/python", "lang/lua/b.h"),
    # bench
    ("bench/base", "bench/load/b.h"), ("bench/load", "bench/baseline/b.h"), ("bench/baseline", "bench/peers/b.h"),
    ("bench/load", "bench/http/b.h"), ("bench/http", "bench/peers/b.h"),
    ("bench/peers", "bench/baseline/b.h"), ("bench/base", "bench/b.h"), ("bench/peers", "bench/b.h"),
)


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
        for path, target in ALONG:
            with self.subTest(f"{path} includes {target}"):
                found = layers_of(path, f'#include "{target}"\n#include <stdio.h>\n')
                self.assertEqual((0, ""), (found.returncode, found.stdout))

    def test_an_include_against_the_arrows_is_found(self):
        """An include against the arrows is found (all cases are in one tree, because each tree costs a process)"""
        with tempfile.TemporaryDirectory() as root:
            for number, (folder, target) in enumerate(AGAINST):
                file = Path(root, folder, f"x{number}.{('c', 'h', 'cc')[number % 3]}")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f'  #  include "{target}"\n')
            found = layers(root)
        self.assertEqual(1, found.returncode)
        for number, (folder, target) in enumerate(AGAINST):
            with self.subTest(f"{folder} includes {target}"):
                self.assertRegex(found.stdout, rf"(?m)^{folder}/x{number}\.\w+:1: .*\"{target}\"")
        self.assertEqual(len(AGAINST), len(found.stdout.splitlines()))

    def test_a_folder_without_a_row_is_found(self):
        found = layers_of("pool/judge/a.c", '#include "pool/core/core.h"\n')
        self.assertEqual(1, found.returncode)
        self.assertIn("no row", found.stdout)

    def test_an_include_that_climbs_is_found(self):
        self.assertEqual(1, layers_of("pool/a.c", '#include "../proto/b.h"\n').returncode)

    def test_a_tree_without_includes_is_no_success(self):
        self.assertEqual(2, layers_of("pool/a.c", "int x;\n").returncode)
