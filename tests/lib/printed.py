"""The output of `hatcheryd --print-config`, with its commented-out section of Python in effect."""

import re
import subprocess


def printed_config(hatcheryd):
    text = subprocess.run([str(hatcheryd), "--print-config"], capture_output=True, text=True, check=True).stdout
    section = re.compile(r"^#language.*?^#}$", re.M | re.S)
    return section.sub(lambda found: re.sub("^#", "", found[0], flags=re.M), text)
