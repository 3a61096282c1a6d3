"""Builds the parts that the virtual machine boots from: Debian's own kernel, an initramfs, and a disk with a small
Debian 12 system and the tree to be tested.

The kernel package is downloaded by apt and unpacked, not installed. The system on the disk consists of packages that
this machine has: the essential ones, and those that the tests need. So no other download and no second package manager
runs.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from cpio import Archive

META_PACKAGE = "linux-image-cloud-amd64"
MODULES = ("virtio_pci", "virtio_blk", "overlay")
PACKAGES = ("procps", "python3", "python3-lz4", "python3-protobuf", "util-linux")

# No program in the machine reads these.
UNUSED = re.compile(r"^/(boot|dev|proc|sys|var"
                    r"|usr/(include|share/(doc|info|lintian|locale|man|i18n)|lib/systemd"
                    r"|lib/x86_64-linux-gnu/(perl|gconv)))(/|$)"
                    r"|\.(a|h)$")
EMPTY_DIRECTORIES = ("dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr/local/share",
                     "var/tmp")
NUMBERS_OF_CALLS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"  # tests/lib/walls.py reads it
ETC_FILES = ("debian_version", "group", "ld.so.cache", "nsswitch.conf", "os-release", "passwd")


class ImageError(Exception):
    """A sentence for the person at the keyboard."""


def capture(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(command)[:200]}: {done.stderr.strip() or done.returncode}")
    return done.stdout


# ---------------------------------------------------------------- the kernel


class Kernel:
    """The newest stock kernel that apt knows, unpacked below the cache folder."""

    def __init__(self, cache):
        name = self._package_name()
        self.tree = cache / name
        if not self.tree.exists():
            self._fetch(cache, name)
        self.version = next((self.tree / "lib" / "modules").iterdir()).name
        self.modules = self.tree / "lib" / "modules" / self.version
        self.image = self.tree / "boot" / f"vmlinuz-{self.version}"

    @staticmethod
    def _package_name():
        match = re.search(r"Depends: (linux-image-\S+)", capture("apt-cache", "depends", META_PACKAGE))
        if not match:
            raise ImageError(f"apt knows no {META_PACKAGE}: run apt-get update, on Debian 12 for amd64")
        return match.group(1)

    def _fetch(self, cache, name):
        download = cache / "download"
        shutil.rmtree(download, ignore_errors=True)
        download.mkdir(parents=True)
        # apt runs as the caller: its own user may not be able to write here.
        done = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name], cwd=download,
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        packages = list(download.glob("*.deb"))
        if done.returncode != 0 or len(packages) != 1:
            raise ImageError(f"apt-get download {name} failed; apt-get update may help")
        unpacked = download / "tree"
        capture("dpkg-deb", "-x", str(packages[0]), str(unpacked))
        unpacked.rename(self.tree)
        shutil.rmtree(download)

    def modules_in_order(self):
        """The paths of MODULES and of all they depend on, dependencies first, built-in ones left out."""
        files = {path.stem.replace("-", "_"): path for path in self.modules.rglob("*.ko")}
        built_in = {Path(line).stem.replace("-", "_")
                    for line in (self.modules / "modules.builtin").read_text().splitlines()}
        order = []

        def visit(name):
            if name in built_in or files.get(name) in order:
                return
            if name not in files:
                raise ImageError(f"the kernel {self.version} has no module {name}")
            depends = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
            for other in filter(None, depends.group(1).decode().split(",") if depends else []):
                visit(other.replace("-", "_"))
            order.append(files[name])

        for module in MODULES:
            visit(module)
        return order


def build_initramfs(kernel, target):
    archive = Archive()
    for name in ("bin", "dev", "modules", "root"):
        archive.directory(name)
    archive.file("bin/busybox", Path("/bin/busybox").read_bytes(), 0o755)
    archive.file("init", (Path(__file__).parent / "initramfs.sh").read_bytes(), 0o755)
    modules = kernel.modules_in_order()
    for module in modules:
        archive.file(f"modules/{module.name}", module.read_bytes())
    archive.file("modules/order", "".join(f"{module.stem}\n" for module in modules).encode())
    target.write_bytes(archive.finish())


# ---------------------------------------------------------------- the disk


class Packages:
    """The packages that dpkg lists as installed."""

    def __init__(self):
        self.depends = {}
        self.essential = set()
        self.provided = {}
        fields = ("${binary:Package}", "${db:Status-Status}", "${Essential}", "${Pre-Depends}, ${Depends}",
                  "${Provides}")
        listing = capture("dpkg-query", "-W", "-f", r"\t".join(fields) + r"\n")
        for line in listing.splitlines():
            name, status, essential, depends, provides = line.split("\t")
            if status != "installed":
                continue
            plain = name.split(":")[0]
            self.depends[plain] = self._names(depends)
            if essential == "yes":
                self.essential.add(plain)
            for virtual in sum(self._names(provides), []):
                self.provided.setdefault(virtual, plain)

    @staticmethod
    def _names(field):
        """'a (>= 1), b:any | c' as [['a'], ['b', 'c']]."""
        groups = ([re.split(r"[\s:(]", word.strip())[0] for word in group.split("|")] for group in field.split(","))
        return [names for names in ([name for name in group if name] for group in groups) if names]

    def closure(self, names):
        found, todo = set(), [*names]
        while todo:
            name = todo.pop()
            name = name if name in self.depends else self.provided.get(name)
            if name is None or name in found:
                continue
            found.add(name)
            for group in self.depends[name]:
                known = [other for other in group if other in self.depends or other in self.provided]
                todo += known[:1]
        return found

    def files(self, names):
        """Every path that these packages installed."""
        return {line for line in capture("dpkg-query", "-L", *sorted(names)).splitlines() if line.startswith("/")}


class Disk:
    """The folder that the disk's file system is made from."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in EMPTY_DIRECTORIES:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("tmp", "var/tmp"):
            (folder / name).chmod(0o1777)

    def add(self, path, name=None):
        """Copies one file, link or (empty) directory of this machine, to its own name or another."""
        source = Path(path)
        # dpkg still writes /bin/sh and /lib/...; the real place of both is below /usr.
        place = name or os.path.join(os.path.realpath(source.parent), source.name).lstrip("/")
        target = self.folder / place
        if target.is_symlink() or target.is_file() or not os.path.lexists(source):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(os.readlink(source))
        elif source.is_dir():
            target.mkdir(exist_ok=True)
        elif source.is_file():
            shutil.copy2(source, target)
            status = source.stat()
            os.chown(target, status.st_uid, status.st_gid)
            target.chmod(status.st_mode & 0o7777)

    def add_tree(self, path, name, without=()):
        shutil.copytree(path, self.folder / name, symlinks=True, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns(*without))

    def add_system(self):
        packages = Packages()
        wanted = packages.closure([*packages.essential, *PACKAGES])
        for link in ("bin", "lib", "lib32", "lib64", "libx32", "sbin"):
            self.add(f"/{link}")
        for path in sorted(packages.files(wanted)):
            if not UNUSED.search(path):
                self.add(path)
                if path.endswith(".py"):
                    self._add_bytecode(Path(path))
        for name in ETC_FILES:
            self.add(f"/etc/{name}")
        self.add(NUMBERS_OF_CALLS)
        self.add_tree("/etc/alternatives", "etc/alternatives")
        # Links of update-alternatives belong to no package.
        for link in Path("/usr/bin").iterdir():
            if link.is_symlink() and os.readlink(link).startswith("/etc/alternatives/"):
                self.add(link)

    def _add_bytecode(self, path):
        """A package's scripts make the bytecode, so no package lists it. Without it every
        interpreter would compile its imports."""
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.cpython-3*.pyc"):
            self.add(compiled)

    def add_libraries(self, programs):
        """The shared libraries that these programs load."""
        for program in programs:
            listing = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
            for path in re.findall(r"(?:=> )?(/\S+) \(0x", listing):
                self.add(path)
                self.add(os.path.realpath(path))

    def add_project(self, root, build):
        for path in root.iterdir():
            if path.is_file():
                self.add(path, f"hatchery/{path.name}")
        for name in ("proto", "tests"):
            self.add_tree(root / name, f"hatchery/{name}", without=("__pycache__",))
        self.add_tree(build, f"hatchery/build/{build.name}",
                      without=("CMakeFiles", "vm", "*.a", "*.o", "*.ninja*", ".ninja*", "*.cmake", "test-logs"))
        programs = [path for path in (self.folder / "hatchery" / "build").rglob("*")
                    if path.is_file() and os.access(path, os.X_OK)]
        self.add_libraries(programs)

    def write(self, target):
        target.unlink(missing_ok=True)
        used = sum(path.lstat().st_blocks * 512 for path in self.folder.rglob("*"))
        megabytes = used * 5 // 4 // 1048576 + 256
        # Thrown away after each run, so neither a journal nor checks make sense.
        capture("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-L", "hatchery",
                "-d", str(self.folder), str(target), f"{megabytes}M")
        shutil.rmtree(self.folder)
