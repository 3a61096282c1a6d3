"""Packages of npm, other people's programs, in the build tree. A test that needs one skips if it can't be fetched."""

import shutil
import subprocess

from lib.scale import patience
from lib.server import BUILD


class Packages:
    """One folder with packages of exact versions, such as "piston-client@1.0.2". The first package names the folder."""

    def __init__(self, *names):
        self.names = names
        self.folder = BUILD / "test-npm" / names[0].lstrip("@").replace("/", "-")
        self.mark = self.folder / "installed"  # written when npm has finished

    def install(self):
        """Installs the packages, unless an earlier run did. Returns the reason if that fails."""
        if not shutil.which("node") or not shutil.which("npm"):
            return "node or npm is not installed"
        whole = "\n".join(self.names)
        if self.mark.exists() and self.mark.read_text() == whole:
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(self.folder), "--no-audit", "--no-fund", "--ignore-scripts", *self.names]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=patience(120), check=False)
        except subprocess.TimeoutExpired:
            return f"npm did not install {self.names[0]} in time"
        if done.returncode != 0:
            return f"npm can't install {self.names[0]}: {done.stderr.strip()[-200:]}"
        self.mark.write_text(whole)
        return None

    def run(self, *command, guard=60):
        """Runs a command in the folder; its first word may be a program of the packages."""
        program = self.folder / "node_modules" / ".bin" / command[0]
        words = [str(program) if program.exists() else command[0], *command[1:]]
        return subprocess.run(words, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=patience(guard), check=False)
