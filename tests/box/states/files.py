"""States of the file system."""

import fcntl
import importlib.util
import shutil
import subprocess
import time

HOME = "/home/sandbox"
LONG_AGO = 1000000000
ELSEWHERE = ["/usr", "/usr/bin", "/usr/bin/env", "/usr/lib/python3/dist-packages", "/proc", "/proc/self", "/sys", "/run"]


def paths():
    """Lists all paths except those of the host's /usr and the kernel's /proc."""
    found = ["/"]
    for top, folders, files in os.walk("/"):
        if top == "/":
            folders[:] = [name for name in folders if name not in ("proc", "usr", "sys")]
        found += [os.path.join(top, name) for name in folders + files]
    return sorted(found)


def folders():
    return [path for path in paths() + ELSEWHERE if os.path.isdir(path) and not os.path.islink(path)]


@state
class a_root_that_is_taken_apart:
    """This state comes first, since it would remove the marks of the others. The host's own trees
    can't be changed at all, so a few of their names are enough: they have 100,000."""
    def poison():
        for top in [f"/{name}" for name in os.listdir("/")]:
            if top in ("/usr", "/proc", "/sys"):
                for name in quietly(os.listdir, top):
                    quietly(os.rmdir, f"{top}/{name}")
                    quietly(os.unlink, f"{top}/{name}")
            else:
                quietly(os.unlink, top)
                shutil.rmtree(top, ignore_errors=True)
        if os.path.exists(HOME + "/main.py"):
            raise OSError("it can't be taken apart")

    def probe():
        return os.path.exists(HOME + "/main.py")


@state
class files_everywhere:
    def poison():
        some(lambda folder: open(folder + "/poison", "w").close(), folders())
        some(lambda folder: os.symlink("/etc/passwd", folder + "/poison-link"), folders())
        some(lambda folder: os.mkfifo(folder + "/poison-fifo"), folders())

    def probe():
        return paths() + [path + "/poison" for path in ELSEWHERE if os.path.exists(path + "/poison")]


@state
class modes_and_owners:
    def poison():
        some(lambda path: os.chmod(path, 0o6777), paths() + ELSEWHERE)

    def probe():
        rows = [(path, os.lstat(path)) for path in paths() + ELSEWHERE if os.path.lexists(path)]
        return [(path, oct(s.st_mode), s.st_uid, s.st_gid) for path, s in rows if not path.startswith("/proc/")]


@state
class contents:
    def poison():
        def write(path):
            with open(path, "ab") as file:
                file.write(b"poison")
        some(write, [path for path in paths() if os.path.isfile(path)])

    def probe():
        def content(path):
            with open(path, "rb") as file:
                return hash_of(file.read())
        return [(path, quietly(content, path)) for path in paths()
                if os.path.isfile(path) and not os.path.islink(path) and not path.startswith("/dev/")]


def hash_of(data):
    import zlib
    return zlib.crc32(data)


@state
class extended_attributes:
    refused = "the filter refuses to set any"

    def poison():
        some(lambda path: os.setxattr(path, "user.poison", b"1"), paths() + ELSEWHERE)

    def probe():
        return [(path, quietly(os.listxattr, path)) for path in paths() + ELSEWHERE
                if quietly(os.listxattr, path) not in ([], "ENOTSUP", "ENOENT", "ENOTDIR", "EACCES", "ENXIO")]


@state
class timestamps:
    def poison():
        some(lambda path: os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False), paths() + ELSEWHERE)

    def probe():
        return [path for path in paths() + ELSEWHERE if os.path.lexists(path)
                and LONG_AGO in (int(os.lstat(path).st_mtime), int(os.lstat(path).st_atime))]


@state
class change_times_of_folders:
    # Writable files are made anew with the sandbox: their times are reported relative to the start
    # of its process.
    MADE_AT_ONCE_NS = 200_000_000

    def poison():
        time.sleep(0.25)  # otherwise the sandbox might be as young as the change

        def touch(folder):
            open(folder + "/x", "w").close()
            os.unlink(folder + "/x")
        some(touch, ["/tmp", "/var/tmp", "/dev/shm"])
        for folder in folders():
            quietly(touch, folder)

    def probe():
        with open("/proc/self/stat") as f:
            ticks = int(f.read().rpartition(")")[2].split()[19])
        age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        made = time.time_ns() - age_ns + change_times_of_folders.MADE_AT_ONCE_NS
        return [("/etc", os.stat("/etc").st_mtime_ns)] + [
            (path, os.stat(path).st_mtime_ns > made) for path in ("/tmp", "/var/tmp", "/dev/shm", "/dev")]


@state
class access_times:
    """The next sandbox must not see that a file of the host was read. The reader itself does not see it either: access
    times are never updated."""
    unseen = "no file that runs share has its access time updated"
    places = ["/etc/passwd", "/etc/hosts", "/usr/bin/env", "/usr/lib/os-release", "/etc", "/usr/lib/python3.11"]

    def poison():
        for path in access_times.places:
            if os.path.isdir(path):
                os.listdir(path)
            else:
                open(path, "rb").read()

    def probe():
        return [os.stat(path).st_atime_ns for path in access_times.places]


@state
class byte_code_and_own_modules:
    def poison():
        os.makedirs(HOME + "/__pycache__", exist_ok=True)
        for folder in (HOME, "/tmp", HOME + "/__pycache__"):
            open(folder + "/poisonous.py", "w").write("x = 1\n")
        for path in ("/usr/lib/python3.11/__pycache__/poison.pyc", "/usr/lib/python3/dist-packages/poisonous.py"):
            quietly(open, path, "w")
        importlib.invalidate_caches()
        __import__("poisonous")

    def probe():
        importlib.invalidate_caches()
        return importlib.util.find_spec("poisonous") is not None


@state
class startup_files:
    def poison():
        site = HOME + "/.local/lib/python3.11/site-packages"
        os.makedirs(site, exist_ok=True)
        open(site + "/usercustomize.py", "w").write("import builtins; builtins.poison = 1\n")
        open(site + "/poison.pth", "w").write("import sys; sys.poison = 1\n")
        for name in (".profile", ".bashrc", ".pythonrc", ".inputrc", ".terminfo"):
            open(f"{HOME}/{name}", "w").write("poison")

    def probe():
        code = "import builtins, sys; print(hasattr(builtins, 'poison'), hasattr(sys, 'poison'))"
        return subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=False).stdout


@state
class space_and_inodes:
    def poison():
        os.makedirs("/tmp/many", exist_ok=True)
        try:
            for i in range(2000):
                open(f"/tmp/many/{i}", "w").close()
            with open("/tmp/much", "wb") as file:
                while True:
                    file.write(b"x" * (1 << 20))
        except OSError:
            pass

    def probe():
        free = [os.statvfs(path) for path in (HOME, "/tmp", "/dev/shm")]
        return [(s.f_bfree // 64, s.f_ffree, s.f_blocks, s.f_files) for s in free]


@state
class locks_on_shared_files:
    def poison():
        def hold(ready):
            file = open("/usr/bin/env", "rb")
            fcntl.flock(file, fcntl.LOCK_EX)
            ready()
            while True:
                call("pause")
        forked(hold)

    def probe():
        with open("/usr/bin/env", "rb") as file:
            return quietly(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
