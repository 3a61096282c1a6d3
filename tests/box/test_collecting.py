"""Collecting the files of a hostile run: links, pipes, devices, bounds and names. The reader is init. It has a right
that the program lacks: it may read every file of the slot's users."""

import unittest

from lib.case import Case, ServerModule, describe
from lib.server import Server

SLOW_IN_VM = "tens of thousands of files are collected"

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LONG = {"wall_us": 60_000_000, "cpu_us": 60_000_000, "memory_bytes": 512 << 20}
ALL = ["**"]


class Collecting(Case):
    SERVER = SERVER

    def files(self, code, collect=ALL, complete=True, **arguments):
        """Runs the program. Maps the names of its returned files to their contents, without main.py."""
        result = self.execute(code, collect=collect, **arguments)
        self.assert_exited(result)
        self.assertEqual(complete, not result.files_incomplete, f"{result.files_note} {describe(result)}")
        self.assertEqual(complete, not result.files_note)
        self.assert_alive()
        self.result = result
        return {file.raw_name or file.name: file.content for file in result.files if file.name != "main.py"}

    def test_links_are_not_followed(self):
        code = """
import os
open('real', 'w').write('real')
os.mkdir('dir'); open('dir/inner', 'w').write('inner')
for name, target in {'passwd': '/etc/passwd', 'root': '/', 'init': '/proc/1/root', 'self': 'self', 'a': 'b', 'b': 'a', 'up': '..', 'here': '.',
                     'to-dir': 'dir', 'to-real': 'real', 'dir/passwd': '/etc/passwd', 'fd': '/proc/self/fd/0', 'usr': '/usr/bin/env'}.items():
    os.symlink(target, name)
"""
        for collect in (ALL, ["*", "*/*", "*/*/*", "**"], ["passwd", "root/etc/passwd", "to-dir/inner", "here/real", "init/etc/passwd", "real", "dir/inner"]):
            self.assertEqual({"real": b"real", "dir/inner": b"inner"}, self.files(code, collect))

    def test_a_work_directory_that_is_no_longer_there(self):
        code = """
import os
open('real', 'w').write('real')
for act in (lambda: os.rename('/home/sandbox', '/tmp/x'), lambda: os.rename('/home', '/tmp/x'), lambda: os.rmdir('/home/sandbox'),
            lambda: os.symlink('/etc', '/home/sandbox'), lambda: os.rename('/tmp', '/home/sandbox')):
    try: act(); print('done')
    except OSError: pass
os.chmod('.', 0)
"""
        self.assertEqual({"real": b"real"}, self.files(code))
        self.assertEqual(b"", self.result.stdout)

    def test_hard_links_reach_nothing_but_its_own(self):
        code = """
import os
made = []
open('real', 'w').write('real'); os.link('real', 'second')
for n, target in enumerate(('/etc/passwd', '/usr/bin/env', '/proc/self/status', '/dev/zero', '/proc/self/fd/0')):
    try: os.link(target, f'link{n}'); made.append(target)
    except OSError: pass
print(made)
"""
        files = self.files(code)
        self.assertEqual({"real": b"real", "second": b"real"}, {n: c for n, c in files.items() if not n.startswith("link")})
        # The program may link the passwd file of its own root. Then that file is returned, not the
        # host's.
        for content in (c for n, c in files.items() if n.startswith("link")):
            self.assertIn(b"sandbox:x:1000", content)

    def test_pipes_and_sockets_and_devices_are_passed_over(self):
        code = """
import os, socket
open('real', 'w').write('real')
os.mkfifo('pipe'); os.mkfifo('pipe2', 0o666)
s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen()
refused = 0
for mode, device in ((0o20666, os.makedev(1, 5)), (0o60666, os.makedev(254, 0)), (0o20000, 0)):
    try: os.mknod('device%o' % mode, mode, device)
    except OSError: refused += 1
print(refused)
"""
        self.assertEqual({"real": b"real"}, self.files(code))
        self.assertEqual(b"3\n", self.result.stdout)

    def test_marks_of_an_overlay_can_not_be_made(self):
        """A program can make no whiteout and no opaque directory, and no attribute that stands for one of them"""
        code = """
import os
os.mkdir('dir'); open('dir/f', 'w').write('f')
os.rename('dir', 'other'); os.mkdir('dir'); open('dir/g', 'w').write('g')
refused = 0
for name, value in (('trusted.overlay.opaque', b'y'), ('trusted.overlay.redirect', b'/etc'), ('trusted.overlay.metacopy', b''),
                    ('trusted.overlay.origin', b'x'), ('security.capability', b'x')):
    try: os.setxattr('other', name, value)
    except OSError: refused += 1
for name, value in (('user.overlay.opaque', b'y'), ('user.overlay.redirect', b'/etc'), ('user.overlay.metacopy', b'')):
    try: os.setxattr('other', name, value); os.setxattr('other/f', name, value)
    except OSError: pass
print(refused)
"""
        self.assertEqual({"other/f": b"f", "dir/g": b"g"}, self.files(code))
        self.assertEqual(b"5\n", self.result.stdout)

    def test_directories_that_change_until_the_end(self):
        """An orphan swaps a directory for a link as fast as it can; at the time of collecting the orphan is dead"""
        code = """
import os
os.makedirs('d/e'); open('d/passwd', 'w').write('mine'); os.symlink('/etc', 'l')
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        while True:
            for names in (('d', 'x'), ('l', 'd'), ('d', 'l'), ('x', 'd')):
                try: os.rename(*names)
                except OSError: pass
"""
        for _ in range(12):
            files = self.files(code, ["**", "d/*", "d/passwd"])
            self.assertLessEqual(set(files.values()), {b"mine"})

    def test_files_that_are_still_mapped_and_open(self):
        code = """
import mmap, os, time
f = open('mapped', 'w+b'); f.truncate(8192)
m = mmap.mmap(f.fileno(), 8192); m[:6] = b'mapped'
gone = open('gone', 'w'); gone.write('gone'); gone.flush(); os.unlink('gone')
if os.fork() == 0:
    os.setsid()
    while True: m[8000:8004] = os.urandom(4)
"""
        files = self.files(code)
        self.assertEqual({"mapped"}, set(files))
        self.assertEqual((8192, b"mapped"), (len(files["mapped"]), files["mapped"][:6]))

    def test_modes_that_forbid_reading(self):
        code = """
import os
os.makedirs('a/b'); open('a/b/f', 'w').write('f'); os.chmod('a/b/f', 0); os.chmod('a/b', 0); os.chmod('a', 0o111)
open('set', 'w').write('set'); os.chmod('set', 0o6755)
"""
        self.assertEqual({"a/b/f": b"f", "set": b"set"}, self.files(code))
        self.assertEqual({"a/b/f": 0, "set": 0o755, "main.py": 0o644}, {f.name: f.mode for f in self.result.files})

    def test_awkward_names(self):
        names = [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"new\nline", b" ", b"-rf", b"*", b"a" * 255, b"\xe2\x82\xac" * 85, b"back\\slash", b"\x01\x7f",
                 b"dir\xff/f", b"...", b"..x", b"%s%n"]
        code = f"import os\nos.mkdir(b'dir\\xff')\nfor n in {names!r}: open(n, 'w').write('x')"
        files = self.files(code)
        self.assertEqual({n if not self.is_text(n) else n.decode() for n in names}, set(files))
        for file in self.result.files:
            file.name.encode()  # fails if the name is not a valid Unicode string

    @staticmethod
    def is_text(name):
        try:
            name.decode()
        except UnicodeDecodeError:
            return False
        return True

    def test_the_number_is_bounded(self):
        """A program that makes 100,000 files uses up the disk's inodes, and collecting stops at max_files"""
        code = "n = 0\ntry:\n    for n in range(100000): open(f'f{n}', 'w').close()\nexcept OSError as e: print(n, e.errno)"
        files = self.files(code, {"globs": ["**"], "max_files": 100}, complete=False, limits=LONG)
        self.assertEqual(100, len(self.result.files), len(files))
        self.assertIn("max_files", self.result.files_note)
        n, error = map(int, self.result.stdout.split())
        self.assertEqual(28, error)
        self.assertLess(n, 20000)

    def test_bytes_are_bounded(self):
        code = "for n in range(6): open(f'f{n}', 'wb').write(bytes([n]) * 300000)\nopen('z', 'w').write('small')"
        files = self.files(code, {"globs": ["f*", "z"], "max_bytes": 1_000_000}, complete=False)
        self.assertEqual({"f0", "f1", "f2", "z"}, set(files))
        self.assertIn("max_bytes", self.result.files_note)

    def test_a_sparse_file_counts_as_what_it_would_be(self):
        files = self.files("f = open('huge', 'wb'); f.truncate(512 << 20)\ng = open('hole', 'wb'); g.truncate(2 << 20); g.seek(1 << 20); g.write(b'x')",
                           complete=False)
        self.assertEqual({"hole": bytes(1 << 20) + b"x" + bytes((1 << 20) - 1)}, files)

    def test_depth_is_bounded(self):
        """A tree of up to 20,000 directories, each inside the one before"""
        code = "import os\nopen('top', 'w').write('top')\nn = 0\ntry:\n    for n in range(20000): os.mkdir('d'); os.chdir('d'); open('f', 'w').close() if n < 3 else 0\nexcept OSError as e: pass\nprint(n)"
        files = self.files(code, complete=False, limits=LONG)
        self.assertLessEqual({"top", "d/f", "d/d/f", "d/d/d/f"}, set(files))
        self.assertIn("deeply", self.result.files_note)
        self.assertGreater(int(self.result.stdout), 10000)

    def test_long_paths(self):
        code = "import os\nfor n in range(40): os.mkdir('x' * 200); os.chdir('x' * 200); open('f', 'w').close()"
        files = self.files(code, complete=False)
        self.assertGreater(len(files), 5)
        self.assertLess(max(map(len, files)), 4096)

    def test_all_at_once_leaves_the_slot_in_use(self):
        code = "import os\nfor n in range(3000): os.makedirs(f'{n % 50}/{n}'); os.symlink('/etc', f'{n % 50}/{n}/l'); os.mkfifo(f'{n}.p')"
        for _ in range(10):
            self.assertEqual({}, self.files(code, limits=LONG))
        self.assertEqual(0, self.client.status().languages[0].discarded)


class Time(Case):
    """A collection that takes too long is ended, and the result says so."""

    def setUp(self):
        super().setUp()
        config = "collect_timeout = 10ms\nlanguage python { warm = 2 }\n"
        self.server = Server("test_collecting-time", config=config)
        self.addCleanup(self.server.stop)
        self.server.start()

    def test_time_is_bounded(self):
        code = "import os\nfor n in range(12000): open(f'{n}' + 'x' * 200, 'w').close()"
        with self.server.connect() as client:
            # Patterns that take long to match, and match nothing.
            result = client.execute(code, collect=["**/" + "*x" * 100 + f"y{n}" for n in range(60)], limits=LONG)
            self.assert_exited(result)
            self.assertTrue(result.files_incomplete)
            self.assertIn("too long", result.files_note)
            self.assert_alive(client)


class SocketOfInit(Case):
    """Init speaks with the pool over a socket, which no program can reach."""
    SERVER = SERVER

    def test_nothing_of_it_is_in_reach(self):
        out = self.output("import os, stat\nprint([n for n in os.listdir('/proc') if n.isdigit()], [n for n in range(1024) if os.path.exists(f'/proc/self/fd/{n}') and stat.S_ISSOCK(os.stat(f'/proc/self/fd/{n}').st_mode)])",
                          collect=ALL)
        self.assertEqual("['2'] []\n", out)


if __name__ == "__main__":
    unittest.main()
