"""Documents, headers and the configuration state the same numbers, and every file that they name exists."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.server import HATCHERYD

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("proto", "pool", "zygote", "lang", "client", "gateway", "hatcheryd", "bench", "cmake", "docs")
NAMED = re.compile(r"(?<![\w./-])(?:tests|" + "|".join(SOURCES) + r")/[\w./*-]*\.(?:c|h|cc|cmake|conf|js|java|md|plugin|proto|py|sh|txt)\b(?!\.\w)")
NEIGHBOUR = re.compile(r"\b[Ss]ee (\w+\.h)\b")
CONSTANTS = ("INSTANCE_UIDS", "INSTANCE_FIRST_UIDS", "INSTANCE_LANGUAGE_UIDS", "INSTANCE_LANGUAGES", "INSTANCE_SIDE_UIDS", "CHANNEL_MAX_SLOTS")


def constants(header, names):
    """Returns the values of these constants. A compiler finds the values."""
    source = f'#include "{header}"\n#include <stdio.h>\nint main(void) {{ printf("{"%lld " * len(names)}", ' \
             + ", ".join(f"(long long){name}" for name in names) + "); }\n"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "constants")
        subprocess.run(["cc", "-D_GNU_SOURCE", f"-I{ROOT}", "-x", "c", "-", "-o", program], input=source, text=True, check=True, timeout=60)
        printed = subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout
    return dict(zip(names, map(int, printed.split())))


@unittest.skipUnless((ROOT / "hatcheryd").is_dir() and shutil.which("cc"), "the sources or a compiler are not here")
class HostUids(unittest.TestCase):
    def test_the_host_uids_of_a_server_are_those_that_operating_md_tells(self):
        row = next(line for line in (ROOT / "docs" / "operating.md").read_text().splitlines() if line.startswith("| host uids and gids |"))
        told = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\d", row)]
        code = constants("hatcheryd/instance.h", CONSTANTS)
        config = subprocess.run([str(HATCHERYD), "--print-config"], capture_output=True, text=True, check=True, timeout=60).stdout
        base = int(re.search(r"^uid_base = (\d+)", config, re.M).group(1))
        uids, first, language, languages, side, slots = (code[name] for name in CONSTANTS)
        self.assertEqual([uids, base, uids, first, language, languages, side, slots], told)

    def test_the_manual_names_every_key_of_the_configuration(self):
        config = subprocess.run([str(HATCHERYD), "--print-config"], capture_output=True, text=True, check=True, timeout=60).stdout
        keys = set(re.findall(r"^#?\s*(?:# )?([a-z_-]+) = ", config, re.M))
        manual = set(re.findall(r"[a-z_-]+", (ROOT / "hatcheryd" / "hatcheryd.conf.5").read_text()))
        self.assertLessEqual({"listen", "warm_min", "open-files"}, keys)
        self.assertEqual(set(), keys - manual)

    def test_every_limit_is_told_in_the_protocol_and_in_the_manual(self):
        rows = re.findall(r'\[LIMIT_\w+\] = \{ "(\w+)", "([\w-]+)",', (ROOT / "proto" / "base" / "limit.c").read_text())
        self.assertGreaterEqual(len(rows), 8)
        protocol = (ROOT / "docs" / "protocol.md").read_text()
        manual = (ROOT / "client" / "hatchery.1").read_text()
        for name, option in rows:
            self.assertIn(f"\n| `{name}` |", protocol)
            self.assertIn(f"\n.It Fl -{option} ", manual)


@unittest.skipUnless((ROOT / "hatcheryd").is_dir(), "the sources are not here")
class Names(unittest.TestCase):
    def test_a_file_that_a_comment_or_a_document_names_is_there(self):
        places = [path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".c", ".h", ".cc", ".cmake", ".conf", ".md", ".txt")]
        self.assertGreater(len(places), 300)
        missing = []
        for path in (*places, ROOT / "README.md", ROOT / "dev"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                named = () if line.startswith("#include") else NAMED.findall(line)
                missing += [f"{path.relative_to(ROOT)}:{number}: {name}" for name in named if "NAME" not in name and not any(ROOT.glob(name))]
                if path.suffix in (".c", ".cc") and number < 4:
                    missing += [f"{path.relative_to(ROOT)}:{number}: {name}" for name in NEIGHBOUR.findall(line) if not (path.parent / name).is_file()]
        self.assertEqual([], missing)


if __name__ == "__main__":
    unittest.main()
