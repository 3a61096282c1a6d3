"""Numbers that a document, a header and the configuration all tell are one number."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.server import HATCHERYD

ROOT = Path(__file__).resolve().parents[2]
CONSTANTS = ("INSTANCE_UIDS", "INSTANCE_FIRST_UIDS", "INSTANCE_LANGUAGE_UIDS", "INSTANCE_LANGUAGES", "INSTANCE_SIDE_UIDS", "CHANNEL_MAX_SLOTS")


def constants(header, names):
    """What a compiler makes of them."""
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


if __name__ == "__main__":
    unittest.main()
