"""Third-party packages, from the operator's directory to a program of each runtime: found where the runtime looks for
them, read-only, without those of other runtimes; preloaded if the configuration names them; and profiles of one
runtime."""

import fcntl
import json
import os
import shutil
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

from lib import packages
from lib.case import Case, ServerModule, describe
from lib.server import HELD, IS_SANITIZED
from lib.servers import WithServers

INSIDE = "/hatchery/packages"


@dataclass
class Runtime:
    use: str  # a program that prints what the runtime's package says
    said: str  # what `use` prints
    names: str  # a program that prints the names in /hatchery/packages, one on a line
    preload: str = ""  # the module's name in the configuration; None for a runtime that preloads nothing


RUNTIMES = {
    "python": Runtime(
        "import greeter, one_file\nprint(greeter.greet('you'))\nprint(greeter.data(), end='')\n"
        "print(greeter.__file__, one_file.WHERE)\n"
        "import importlib.metadata\nprint(importlib.metadata.version('greeter'))",
        f"hello you 1\nsome data\n{INSIDE}/greeter/__init__.py {INSIDE}/one_file.py\n1.2\n",
        f"import os\nprint(*os.listdir('{INSIDE}'), sep='\\n')", "greeter"),
    "perl": Runtime(
        "use My::Greeter 1.2;\nprint My::Greeter::greet('you'), \"\\n$INC{'My/Greeter.pm'}\\n\";",
        f"hello you 1\n{INSIDE}/lib/perl5/My/Greeter.pm\n",
        f"opendir my $d, '{INSIDE}' or die; print map {{ \"$_\\n\" }} grep {{ !/^\\.\\.?$/ }} readdir $d;", "My::Greeter"),
    "ruby": Runtime(
        "require 'greeter'\nputs Greeter.greet('you'), Gem.loaded_specs['greeter'].version\n"
        "puts $LOADED_FEATURES.grep(/greeter\\.rb/)",
        f"hello you 1\n1.2\n{INSIDE}/gems/greeter-1.2/lib/greeter.rb\n", f"puts Dir.children('{INSIDE}')", "greeter"),
    "php": Runtime(
        "<?php require 'vendor/autoload.php';\necho Acme\\Greeter::greet('you'), \"\\n\","
        " (new ReflectionClass('Acme\\Greeter'))->getFileName(), \"\\n\";",
        f"hello you 1\n{INSIDE}/vendor/acme/src/Acme/Greeter.php\n",
        f"<?php foreach (array_diff(scandir('{INSIDE}'), ['.', '..']) as $name) echo $name, \"\\n\";", "'Acme\\\\Greeter'"),
    "lua": Runtime(
        "print(require('greeter').greet('you'))\nprint(package.searchpath('greeter', package.path))",
        f"hello you 1\n{INSIDE}/share/lua/5.4/greeter/init.lua\n",
        f"for name in io.popen('ls -A {INSIDE}'):lines() do print(name) end", "greeter"),
    "luajit": Runtime(
        "print(require('greeter').greet('you'))\nprint(package.searchpath('greeter', package.path))",
        f"hello you 1\n{INSIDE}/share/lua/5.1/greeter.lua\n",
        f"for name in io.popen('ls -A {INSIDE}'):lines() do print(name) end", "greeter"),
    "tcl": Runtime(
        "puts [package require greeter]\nputs [greeter::greet you]\nputs [lindex [package ifneeded greeter 1.2] 1]",
        f"1.2\nhello you 1\n{INSIDE}/greeter1.2/greeter.tcl\n",
        f"puts [join [glob -tails -directory {INSIDE} *] \\n]", "greeter"),
    "r": Runtime(
        "library(greeter)\ncat(greet('you'), '\\n', sep = '')\ncat(find.package('greeter'), '\\n', sep = '')",
        f"hello you 1\n{INSIDE}/greeter\n",
        f"writeLines(list.files('{INSIDE}'))", "greeter"),
    "prolog": Runtime(
        ":- use_module(library(greeter)).\n:- greet(you, T), writeln(T), module_property(greeter, file(F)), writeln(F).\n",
        f"hello you 1\n{INSIDE}/greeter/prolog/greeter.pl\n",
        f":- directory_files('{INSIDE}', L), forall((member(N, L), \\+ memberchk(N, ['.', '..'])), writeln(N)).\n", "greeter"),
    "javascript": Runtime(
        "console.log(require('greeter').greet('you'))\nconsole.log(require.resolve('greeter'))",
        f"hello you 1\n{INSIDE}/node_modules/greeter/lib/index.js\n",
        f"console.log(require('fs').readdirSync('{INSIDE}').join('\\n'))"),
    "java": Runtime(
        "import acme.Greeter;\npublic class Main { public static void main(String[] a) {\n"
        "System.out.println(Greeter.greet(\"you\"));\n"
        "System.out.println(Greeter.class.getProtectionDomain().getCodeSource().getLocation());\n} }\n",
        f"hello you 1\nfile:{INSIDE}/greeter-1.2.jar\n",
        "public class Main { public static void main(String[] a) { for (String n : new java.io.File(\""
        + INSIDE + "\").list()) System.out.println(n); } }"),
}

FOLDER = Path(tempfile.mkdtemp(prefix="hatchery-test-packages-"))


def configuration():
    """Each runtime with its defaults; and, for each runtime that can preload, a second language that preloads its
    package and a missing one."""
    text = f"packages = \"{FOLDER}/base\"\nlanguage awk {{ warm = 1 }}\n"
    for name, runtime in RUNTIMES.items():
        text += f"language {name} {{ warm = 1 }}\n"
        if runtime.preload:
            text += (f"language {name}-more {{\n  runtime = {name}\n  warm = 1\n"
                     f"  preload += {{ {runtime.preload}, no_such_module }}\n}}\n")
    return text + (f"language javascript-global {{\n  runtime = javascript\n  packages = \"{FOLDER}/global\"\n  warm = 1\n}}\n"
                   "language python-large {\n  runtime = python\n  warm_min = 2\n  preload = { greeter, fractions }\n"
                   "  limits { memory = 512M wall = 20s cpu = 20s }\n}\n")


SERVER = ServerModule(__name__, config=configuration())


def setUpModule():
    os.chmod(FOLDER, 0o755)
    for name in RUNTIMES:
        packages.install(FOLDER / "base" / name, name, FOLDER / "made" / name)
    # npm install --global --prefix
    shutil.copytree(FOLDER / "base/javascript/node_modules", FOLDER / "global/lib/node_modules")
    # Programs could write into this directory, if only its mode counted.
    (FOLDER / "base/python/open").mkdir(mode=0o777)
    os.chmod(FOLDER / "base/python/open", 0o777)
    (FOLDER / "base/python/open/file").write_text("as it was\n")
    os.chmod(FOLDER / "base/python/open/file", 0o666)
    SERVER.set_up()


def tearDownModule():
    try:
        SERVER.tear_down()
    finally:
        shutil.rmtree(FOLDER)


def files_of(folder):
    """All entries of the folder, with the attributes that a write would change."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        st = path.lstat()
        found[path] = (st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_nlink, path.read_bytes() if path.is_file() else b"")
    return found


class EachRuntime(Case):
    SERVER = SERVER

    def each(self):
        for name, runtime in RUNTIMES.items():
            with self.subTest(name):
                yield name, runtime

    def test_its_package_is_found_and_the_same_for_all_runs(self):
        for name, runtime in self.each():
            for _ in range(2):
                self.assertEqual(runtime.said, self.output(runtime.use, language=name))

    def test_a_process_that_starts_afresh_for_its_variables_finds_it_too(self):
        for name, runtime in self.each():
            if name not in ("php", "prolog"):  # these runtimes have no variable for the directory
                self.assertEqual(runtime.said, self.output(runtime.use, language=name, env={"LD_BIND_NOW": "1"},
                                                           limits={"open_files": 256, **HELD}))

    def test_it_sees_its_own_directory_and_no_other(self):
        for name, runtime in self.each():
            names = self.output(runtime.names, language=name).split()
            self.assertEqual(sorted(os.listdir(FOLDER / "base" / name)), sorted(names))

    def test_what_is_preloaded_is_the_same_for_all_runs(self):
        for name, runtime in self.each():
            for _ in range(2 if runtime.preload else 0):
                self.assertEqual(runtime.said, self.output(runtime.use, language=f"{name}-more"))

    def test_the_status_tells_what_preloading_took_and_what_is_missing(self):
        rows = {row.name: row for row in self.client.status().languages}
        for name, runtime in self.each():
            if not runtime.preload:
                continue
            loaded = {module.name: module for module in rows[f"{name}-more"].preloads}
            module = runtime.preload.strip("'").replace("\\\\", "\\")
            self.assertFalse(loaded[module].missing)
            self.assertGreater(loaded[module].first_us, 0)
            self.assertTrue(loaded["no_such_module"].missing)
            self.assertEqual([], [m.name for m in rows[name].preloads if m.missing], "of the standard ones")
            standard = {m.name for m in rows[name].preloads}
            self.assertEqual(standard | {module, "no_such_module"}, set(loaded))
        self.assertEqual(len([r for r in RUNTIMES.values() if r.preload]),
                         SERVER.log().count("preload: there is no module no_such_module"))

    def test_the_command_shows_it(self):
        done = SERVER.run("languages", "-v")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout.decode(), r"greeter +loaded ahead in .*; its import costs ")
        self.assertRegex(done.stdout.decode(), r"no_such_module +is not there")

    def test_a_runtime_without_a_directory_has_none(self):
        result = self.execute("BEGIN { exit system(\"test -e /hatchery/packages\") != 1 }", language="awk")
        self.assert_exited(result)

    def test_programs_of_the_host_are_not_seen_where_they_are(self):
        self.assertEqual("False False\n", self.output(
            f"import os\nprint(os.path.exists('{FOLDER}'), '{FOLDER}' in open('/proc/self/mountinfo').read())"))


class Python(Case):
    SERVER = SERVER

    def test_packages_are_behind_the_standard_library_and_before_those_of_the_host(self):
        path = self.output("import sys\nprint(*sys.path[1:], sep='\\n')").split()
        at = path.index(INSIDE)
        self.assertEqual([], [entry for entry in path[:at] if entry.endswith("-packages")])
        self.assertEqual([], [entry for entry in path[at + 1:] if not entry.endswith("-packages")])
        self.assertEqual("[1]\n", self.output("import json\nprint(json.dumps([1]))"))

    def test_a_module_of_the_program_comes_first(self):
        for language in ("python", "python-more"):
            self.assertEqual("mine\n", self.output("import greeter\nprint(greeter.WHO)", language=language,
                                                   files={"greeter.py": "WHO = 'mine'\n"}))

    def test_profiles_are_warm_side_by_side_with_limits_and_modules_of_their_own(self):
        code = "import sys\nprint([name for name in ('greeter', 'fractions', 'enum', 'dataclasses') if name in sys.modules])"
        self.assertEqual("['enum', 'dataclasses']\n", self.output(code))
        self.assertEqual("['greeter', 'enum', 'dataclasses']\n", self.output(code, language="python-more"))
        self.assertIn("'greeter', 'fractions'", self.output(code, language="python-large"))
        self.assertNotIn("dataclasses", self.output(code, language="python-large"))
        rows = {row.name: row for row in self.client.status().languages}
        for name in ("python", "python-more", "python-large"):
            self.assertGreater(rows[name].warm + rows[name].preparing, 0)
        large = "x = b'x' * (280 << 20)\nprint(len(x) >> 20)"
        self.assert_status(self.execute(large), "MEMORY_LIMIT")
        self.assertEqual("280\n", self.output(large, language="python-large"))


class Numbers(WithServers):
    """Preloading modules that have random numbers or start threads. The modules here behave like numpy."""

    FILES = {
        "numpy/__init__.py": "from . import random\n",
        "numpy/random.py": "import random\n_rand = random.Random()\ndef seed(x=None): _rand.seed(x)\n"
                           "def rand(): return _rand.random()\n",
        "looks.py": "import ctypes, os\nlibc = ctypes.CDLL(None)\nlibc.getenv.restype = ctypes.c_char_p\n"
                    "def look(): return libc.getenv(b'OPENBLAS_NUM_THREADS'), os.environ.get('OPENBLAS_NUM_THREADS')\n"
                    "AT_START = look()\n",
        "once.py": "import sys\nif hasattr(sys, 'once'): raise ImportError('not twice')\nsys.once = True\n",
        "uses.py": "import fractions\nWHERE = fractions.__file__\n",
        "uses_it.py": "from uses import WHERE\n",
        "tries.py": "try:\n    import not_there\n    FOUND = True\nexcept ImportError:\n    FOUND = False\n",
        "busy.py": "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
    }

    def start_with(self, preload):
        packages.write(FOLDER / "numbers", self.FILES)
        return self.start(config=f"language python {{ packages = \"{FOLDER}/numbers\" warm = 2 preload = {{ {preload} }} }}\n")

    def test_each_run_has_random_numbers_of_its_own(self):
        server = self.start_with("numpy")
        code = "import numpy\nprint(numpy.__file__, numpy.random.rand())"
        with server.connect() as client:
            numbers = [client.execute(code).stdout for _ in range(8)]
            forked = client.execute("import numpy, os\nnumpy.random.seed(1)\nif os.fork(): os.wait()\n"
                                    "print(numpy.random.rand(), flush=True)").stdout.split()
        self.assertTrue(all(number.startswith(f"{INSIDE}/numpy/".encode()) for number in numbers), numbers)
        self.assertEqual(8, len(set(numbers)), numbers)
        self.assertEqual(1, len(set(forked)), "a program's own forks go on as they would with the plain command")

    def test_libraries_are_told_to_start_no_threads_and_programs_see_nothing_of_it(self):
        server = self.start_with("looks")
        with server.connect() as client:
            result = client.execute("import looks, os\nprint(looks.AT_START, looks.look(),"
                                    " [name for name in os.environ if 'THREADS' in name])")
        self.assertEqual(b"(b'1', None) (None, None) []\n", result.stdout, describe(result))
        self.assertNotIn("threads", server.log())

    def test_a_thread_of_a_preloaded_module_is_told(self):
        server = self.start_with("busy")
        with server.connect() as client:
            result = client.execute("import os, busy\nprint(len(os.listdir('/proc/self/task')))")
        self.assertEqual(b"1\n", result.stdout, describe(result))
        self.assertIn("preloaded modules started threads (1)", server.log())

    def test_a_file_of_a_preloaded_name_makes_anew_only_what_imports_it(self):
        server = self.start_with("once, uses_it, tries, colorsys")
        code = "import once, uses_it, tries\nprint(uses_it.WHERE, tries.FOUND)"
        for files, expected in (({}, "/usr/lib/python3.11/fractions.py False"),
                                ({"colorsys.py": ""}, "/usr/lib/python3.11/fractions.py False"),
                                ({"fractions.py": ""}, "/home/sandbox/fractions.py False"),
                                ({"uses.py": "WHERE = 'mine'"}, "mine False"),
                                ({"not_there.py": "", "colorsys.py": "", "fractions/__init__.py": ""},
                                 "/home/sandbox/fractions/__init__.py True")):
            with server.connect() as client:
                result = client.execute(code, files=files)
            self.assertEqual(f"{expected}\n".encode(), result.stdout, f"{files} {describe(result)}")

    def test_numpy(self):
        if not Path("/usr/lib/python3/dist-packages/numpy").is_dir():
            self.skipTest("python3-numpy is not installed")
        if IS_SANITIZED:
            self.skipTest("what numpy keeps for life is taken for leaks")
        server = self.start(config="language python { warm = 2 preload += { numpy } }\n")
        with server.connect() as client:
            [row] = client.status().languages
            [module] = [module for module in row.preloads if module.name == "numpy"]
            code = "import numpy as np\na = np.ones((300, 300))\nprint((a @ a)[0, 0], np.random.rand(), np.random.default_rng().random())"
            results = [client.execute(code).stdout.split() for _ in range(6)]
        self.assertFalse(module.missing)
        for position, different in ((0, 1), (1, 6), (2, 6)):
            self.assertEqual(different, len({result[position] for result in results}), results)


class JavaScript(Case):
    SERVER = SERVER

    MODULE = ("import { greet } from '@acme/modern';\nimport part from '@acme/modern/part';\nimport greeter from 'greeter';\n"
              "console.log(greet('you'), part);\nconsole.log(greeter.greet('me'), (await import('words')).default.HELLO);\n")

    def said(self, tree):
        return f"hello you file://{INSIDE}/{tree}/@acme/modern/part.js\nhello me 1 hello\n"

    def test_import_finds_packages_as_require_does(self):
        for language, tree in (("javascript", "node_modules"), ("javascript-global", "lib/node_modules")):
            self.assertEqual(self.said(tree), self.output(language=language, entry="a/main.mjs", files={"a/main.mjs": self.MODULE}))
            self.assertEqual(self.said(tree), self.output(self.MODULE, language=language, files={"package.json": '{"type": "module"}'}))
            self.assertEqual("hello x 1\n", self.output(
                "import('greeter').then((m) => console.log(m.default.greet('x')))", language=language))
            self.assertEqual(f"{INSIDE}/{tree}/words/index.js\n", self.output("console.log(require.resolve('words'))", language=language))

    def test_a_node_that_was_not_started_ahead_finds_them_too(self):
        self.assertEqual("hello x 1\n", self.output("console.log(require('greeter').greet('x'))", language="javascript",
                                                    env={"NODE_OPTIONS": "--no-warnings"}))

    def test_packages_of_the_program_come_first(self):
        self.assertEqual("mine\n", self.output("console.log(require('words'))", language="javascript",
                                               files={"node_modules/words/index.js": "module.exports = 'mine'\n"}))

    def test_no_variable_tells_of_it(self):
        self.assertEqual("undefined\n", self.output("console.log(process.env.NODE_PATH)", language="javascript"))


class WithoutPackages(WithServers):
    def test_a_server_without_packages_shows_none(self):
        server = self.start(config=f"packages = \"{FOLDER}/nowhere\"\nlanguage python {{ warm = 1 }}\n"
                                   "language javascript { warm = 1 }\nlanguage perl { warm = 1 }\n")
        with server.connect() as client:
            python = client.execute("import os, sys\nprint(os.path.lexists('/hatchery'), [p for p in sys.path if 'hatchery' in p])")
            node = client.execute("const fs = require('fs'); console.log(fs.readdirSync('/hatchery').join(),"
                                  " fs.readdirSync('/').includes('node_modules'))", language="javascript")
            perl = client.execute("print join(' ', grep { /hatchery/ } @INC), -e '/hatchery' ? 1 : 0, exists $ENV{PERL5LIB} ? 1 : 0",
                                  language="perl")
        self.assertEqual((b"False []\n", b"lang false\n", b"00"), (python.stdout, node.stdout, perl.stdout), describe(node))
        self.assertNotIn("warning", server.log())

    def test_packages_that_programs_can_not_read_are_told(self):
        base = FOLDER / "closed"
        packages.write(base / "python", {"shut.py": "x = 1\n"})
        os.chmod(base / "python/shut.py", 0o600)
        server = self.start(config=f"packages = \"{base}\"\nlanguage python {{ warm = 1 preload = {{ shut }} }}\n")
        with server.connect() as client:
            result = client.execute("open('/hatchery/packages/shut.py')")
        self.assert_exited(result, 1)
        self.assertIn(b"PermissionError", result.stderr)
        self.assertIn(f"packages: programs can't read {base}/python/shut.py", server.log())


# A language that starts Python for each request. It shows all three directories of the host: packages, lang, prepared.
TOOL = """runtime tool {
    kind = exec
    main_file = main.py
    version = { python3, --version }
    run = { python3, "{entry}" }
    prepare = { sh, -c, "mkdir {prepared}/open && echo made > {prepared}/open/file && chmod -R 777 {prepared}" }
    links = { "/linked=/hatchery/packages/open", "/linked=/hatchery/packages", "/dangling=/hatchery/packages/nothing" }
}
"""


class Walls(WithServers):
    """Directories of the host can't be changed, whatever their mode, and show nothing of other sandboxes."""

    ATTACK = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, path, f, *args, **kw):
    try:
        f(*args, **kw)
        print('DONE', what, path)
    except OSError as e:
        print(errno.errorcode[e.errno], what, path)
def syscall(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)
open('own', 'w').close()
for top in sys.argv[1:]:
    for folder, folders, files in list(os.walk(top)):
        new = os.path.join(folder, 'new')
        attempt('mkdir', folder, os.mkdir, new)
        attempt('open', folder, os.open, new, os.O_WRONLY | os.O_CREAT)
        attempt('tmpfile', folder, os.open, folder, os.O_WRONLY | os.O_TMPFILE)
        attempt('mkfifo', folder, os.mkfifo, new)
        attempt('symlink', folder, os.symlink, '/etc/passwd', new)
        attempt('link in', folder, os.link, 'own', new)
        attempt('rename in', folder, os.rename, 'own', new)
        attempt('rename', folder, os.rename, folder, folder + '-new')
        attempt('rmdir', folder, os.rmdir, folder)
        attempt('chmod', folder, os.chmod, folder, 0o777)
        attempt('utime', folder, os.utime, folder)
        attempt('mount', folder, syscall, 'mount', b'tmpfs', folder.encode(), b'tmpfs', 0, None)
        attempt('remount', folder, syscall, 'mount', None, folder.encode(), None, 32 | 4096, None)
        attempt('umount', folder, syscall, 'umount2', folder.encode(), 2)
        for name in files:
            path = os.path.join(folder, name)
            attempt('write', path, os.open, path, os.O_WRONLY)
            attempt('append', path, os.open, path, os.O_RDWR | os.O_APPEND)
            attempt('truncate', path, os.truncate, path, 0)
            attempt('unlink', path, os.unlink, path)
            attempt('rename', path, os.rename, path, path + '-new')
            attempt('rename out', path, os.rename, path, 'mine')
            attempt('link', path, os.link, path, path + '-new')
            attempt('link out', path, os.link, path, 'mine')
            attempt('chmod', path, os.chmod, path, 0o777)
            attempt('fchmod', path, os.fchmod, os.open(path, os.O_RDONLY), 0o777)
            attempt('chown', path, os.chown, path, 1000, 1000)
            attempt('utime', path, os.utime, path)
            attempt('setxattr', path, os.setxattr, path, 'user.x', b'x')
            attempt('shared map', path, lambda: __import__('mmap').mmap(os.open(path, os.O_RDONLY), 1, prot=2))
"""

    LOCK = """
import fcntl, os, signal, sys
fd, other = (os.open(sys.argv[1], os.O_RDONLY) for _ in range(2))
fcntl.flock(fd, fcntl.LOCK_EX)
try: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB); print('no lock')
except BlockingIOError: print('locked', flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""
    LOOK = """
import fcntl, os, sys
try: fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB); print('free')
except BlockingIOError: print('held')
"""

    def start_tool(self):
        server = self.prepare()
        folder = server.dir / "lang"
        folder.mkdir()
        (folder / "tool.conf").write_text(TOOL)
        shutil.copytree(FOLDER / "base/python", server.dir / "packages/tool")
        for path in [server.dir / "packages/tool", *(server.dir / "packages/tool").rglob("*")]:
            os.chmod(path, 0o777)
        server.config_path.write_text(f"language_files = {{ {folder} }}\npackages = {server.dir}/packages\n"
                                      f"cache = {server.dir}/cache\nlanguage tool {{ warm = 2 }}\n")
        return server.start()

    def test_nothing_below_can_be_changed(self):
        server = self.start_tool()
        folder = server.dir / "packages/tool"
        before = files_of(folder)
        with server.connect() as client:
            result = client.execute(self.ATTACK, language="tool", args=["/hatchery"], limits={"wall_us": 60_000_000})
            self.assert_exited(result)
            lines = result.stdout.decode().splitlines()
            again = client.execute("print(open('/hatchery/packages/open/file').read() + open('/hatchery/prepared/open/file').read())",
                                   language="tool")
        self.assertEqual([], [line for line in lines if line.startswith("DONE")])
        for path in ("/hatchery", "/hatchery/packages/open", "/hatchery/lang", "/hatchery/prepared/open"):
            self.assertTrue(any(line.endswith(f" mkdir {path}") for line in lines), path)
            if path != "/hatchery" and path != "/hatchery/lang":
                self.assertIn(f"EROFS write {path}/file", lines)
                self.assertIn(f"EROFS mkdir {path}", lines)
        self.assertEqual({"EROFS", "EPERM", "EACCES", "EXDEV", "EBUSY", "ENOSYS", "EINVAL", "ENOTSUP"},
                         {line.split()[0] for line in lines} | {"EPERM", "EACCES", "EXDEV", "EBUSY", "ENOSYS", "EINVAL", "ENOTSUP"})
        self.assertEqual(b"as it was\nmade\n\n", again.stdout, describe(again))
        self.assertEqual(before, files_of(folder))

    def test_a_lock_of_one_is_not_seen_by_others(self):
        server = self.start_tool()
        for path in ("/hatchery/packages/open/file", "/hatchery/prepared/open/file", "/hatchery/lang/node.js"):
            with server.connect() as holder, server.connect() as client:
                request = holder.send_execute(self.LOCK, language="tool", args=[path], limits=HELD)
                server.wait_held()
                seen = {client.execute(self.LOOK, language="tool", args=[path]).stdout for _ in range(3)}
                server.let_go()
                self.assertEqual(b"locked\n", holder.result(request).stdout)
            self.assertEqual({b"free\n"}, seen)

    def test_a_lock_of_the_host_is_not_seen(self):
        server = self.start_tool()
        with open(server.dir / "packages/tool/open/file", "rb") as file, server.connect() as client:
            fcntl.flock(file, fcntl.LOCK_EX)
            result = client.execute(self.LOOK, language="tool", args=["/hatchery/packages/open/file"])
        self.assertEqual(b"free\n", result.stdout, describe(result))

    def test_links_are_made_where_their_target_is(self):
        server = self.start_tool()
        with server.connect() as client:
            result = client.execute("import os\nprint(os.readlink('/linked'), os.path.lexists('/dangling'), os.listdir('/linked'))",
                                    language="tool")
        self.assertEqual(b"/hatchery/packages/open False ['file']\n", result.stdout, describe(result))

    def test_a_link_in_the_place_of_something_else_is_an_error(self):
        server = self.prepare()
        folder = server.dir / "lang"
        folder.mkdir()
        (folder / "tool.conf").write_text(TOOL.replace("/dangling=/hatchery/packages/nothing", "/etc=/usr"))
        server.config_path.write_text(f"language_files = {{ {folder} }}\ncache = {server.dir}/cache\nlanguage tool {{ warm = 1 }}\n"
                                      "language python { warm = 1 }\n")
        server.start()
        self.assertIn("the link /etc: File exists", server.log())
        with server.connect() as client:
            self.assertEqual(b"42\n", client.execute("print(42)").stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
