"""A preloaded module of the operator has none of the zygote's rights while it is loaded."""

import json
import os
import shutil
import socket
import tempfile
import unittest
from pathlib import Path

from lib import packages
from lib.servers import WithServers


class Rights(WithServers):
    """The rights of a module while it is preloaded in the zygote: the module tries forbidden
    things, and keeps the results."""

    NOSY = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def mount():
    if libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) < 0: raise OSError(ctypes.get_errno(), 'mount')
def connect(family, address):
    with socket.socket(family) as s: s.connect(address)
def read(path): return open(path, 'rb').read(1)
ATTEMPTS = {
    'a connection on the loopback': lambda: connect(socket.AF_INET, ('127.0.0.1', @port@)),
    'an abstract socket': lambda: connect(socket.AF_UNIX, '\\0@name@'),
    'a file of root alone': lambda: read('/proc/@pid@/root@secret@'),
    'memory of a process of root': lambda: read('/proc/@pid@/environ'),
    'a signal to a process of root': lambda: os.kill(@pid@, 0),
    'a mount': mount,
    'a file of root alone among the packages': lambda: read('/hatchery/packages/secret'),
}
GOT = {}
for what, attempt in ATTEMPTS.items():
    try: attempt()
    except (OSError, ValueError) as e: GOT[what] = type(e).__name__
    else: GOT[what] = 'through'
STATUS = dict(line.split(':', 1) for line in open('/proc/self/status'))
"""

    def start_with_nosy(self, **options):
        folder = Path(tempfile.mkdtemp(prefix="hatchery-test-nosy-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as abstract:
            tcp.bind(("127.0.0.1", 0))
            tcp.listen()
            name = f"hatchery-test-{os.getpid()}-{tcp.getsockname()[1]}"
            abstract.bind(f"\0{name}")
            abstract.listen()
            secret = folder / "secret"
            secret.write_text("x")
            secret.chmod(0o600)
            text = self.NOSY
            for word, value in {"port": tcp.getsockname()[1], "name": name, "pid": os.getpid(), "secret": secret}.items():
                text = text.replace(f"@{word}@", str(value))
            packages.write(folder / "nosy", {"nosy.py": text, "secret": "x"})
            (folder / "nosy/secret").chmod(0o600)
            server = self.start(config=f"language python {{ packages = \"{folder}/nosy\" warm = 1 preload = {{ nosy }} }}\n", **options)
        with server.connect() as client:
            result = client.execute("import json, nosy\nprint(json.dumps([nosy.GOT, nosy.STATUS]))")
        self.assert_exited(result)
        return json.loads(result.stdout)

    def test_it_has_no_capability_no_network_and_no_file_of_roots(self):
        got, status = self.start_with_nosy()
        self.assertNotIn("through", got.values(), got)
        self.assertEqual((0, "2"), (int(status["CapEff"], 16), status["Seccomp"].strip()))
        self.assertNotIn("0", status["Uid"].split()[:2])
        self.assertNotIn("0", status["Gid"].split()[:2])
        self.assertEqual("", status["Groups"].strip())

    def test_with_the_zygotes_rights_the_same_module_gets_through(self):
        got, _ = self.start_with_nosy(faults=["skip rights", "skip network namespace", "skip system calls"])
        self.assertEqual({"through"}, set(got.values()), got)


if __name__ == "__main__":
    unittest.main()
