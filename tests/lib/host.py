"""The host's processes, mounts, cgroups and descriptors, so that tests can check that nothing was left over."""

import ctypes
import os
import platform
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SYS_PIDFD_GETFD = 438

# The files about the machine in a sandbox's /proc, where the kernel allows them (zygote/facts.h).
KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
FACTS = ("meminfo", "uptime", "cpuinfo", "stat", "loadavg") if KERNEL >= (6, 15) else ()


def become_subreaper():
    """Makes this process the parent of its children's orphans, so that a leaked process can't hide below pid 1."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def take_descriptor(pidfd, number):
    """A copy of a descriptor of that process."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
    if found < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return found


def read(path, default=""):
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return default


class Process:
    """A process of the host by pid, told apart from a later one of the same pid by its start time."""

    def __init__(self, pid):
        self.pid = pid
        stat = read(f"/proc/{pid}/stat")
        # The name may hold spaces and parentheses: fields count from the last ')'.
        fields = stat[stat.rfind(")") + 2:].split()
        self.name = stat[stat.find("(") + 1:stat.rfind(")")]
        self.state = fields[0] if fields else ""
        self.parent = int(fields[1]) if fields else 0
        self.start = int(fields[19]) if fields else 0

    def exists(self):
        return self.start != 0

    def is_alive(self):
        now = Process(self.pid)
        return now.exists() and now.start == self.start and now.state not in "ZX"

    def is_running(self):
        """True if the process is alive and not already ending: an ending process no longer has
        memory."""
        return self.is_alive() and "VmSize" in self.status()

    def command(self):
        return read(f"/proc/{self.pid}/cmdline").replace("\0", " ").strip()

    def status(self):
        lines = (line.split(":", 1) for line in read(f"/proc/{self.pid}/status").splitlines())
        return {key: value.strip() for key, value in lines}

    def rss_bytes(self):
        return int(self.status().get("VmRSS", "0 kB").split()[0]) * 1024

    def cgroups(self):
        """The process's cgroups: from controller (or '' for version 2) to path."""
        rows = (line.split(":", 2) for line in read(f"/proc/{self.pid}/cgroup").splitlines())
        return {controllers: path for _, controllers, path in rows}

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0

    def __repr__(self):
        return f"{self.pid} ({self.name}, {self.state}: {self.command()[:80]})"


def processes():
    found = (Process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process.exists()]


def descendants(pid):
    """All processes below pid, without pid itself."""
    children = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child.pid)
    return found


def children(pid):
    """The children of pid, faster than by a look at all processes. Look repeatedly: if a child ends
    meanwhile, the kernel may leave others out."""
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):  # CONFIG_PROC_CHILDREN
        return [process for process in processes() if process.parent == pid]
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    names = " ".join(read(f"/proc/{pid}/task/{task}/children") for task in tasks).split()
    return [process for process in map(Process, map(int, names)) if process.exists()]


def mounts():
    """The mounts of the host's own mount namespace, by mount id."""
    return {line.split()[0]: line for line in read("/proc/self/mountinfo").splitlines()}


def cgroup_mounts(controllers):
    """Where a hierarchy is mounted, by its name in /proc/PID/cgroup: "" for version 2, else its controllers."""
    found = []
    for line in read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2" and not controllers:
            found.append(left.split()[4])
        elif kind == "cgroup" and controllers and set(controllers.split(",")) <= set(options.split(",")):
            found.append(left.split()[4])
    return found
