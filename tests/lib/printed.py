"""The output of `hatcheryd --print-config`, with its commented-out section of Python in effect."""

import re
import subprocess


def printed_config(hatcheryd):
    text = subprocess.run([str(hatcheryd), "--print-config"], capture_output=True, text=True, check=True).stdout
    return re.sub(r"^#language.*?^#}$", lambda section: re.sub("^#", "", section[0], flags=re.M), text, flags=re.M | re.S)
