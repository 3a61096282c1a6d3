"""The output of `hatcheryd --print-config`, with the section of Python, which is a comment there, in effect."""

import re
import subprocess


def printed_config(hatcheryd):
    text = subprocess.run([str(hatcheryd), "--print-config"], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^#(?=language|}|$| {8})", "", text, flags=re.M)
