"""hatcheryd as the tests run it: started on free ports, awaited, stopped by SIGTERM, and then checked for leftovers."""

import fcntl
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from lib import host, prepared
from lib.hatchery import Client, Closed, Refused
from lib.scale import patience

# Hang guards, not expectations: under the sanitizers, on one busy core, all of this is many times slower.
START_GUARD = patience(120)
STOP_GUARD = patience(120)

BUILD = Path(os.environ.get("HATCHERY_BUILD", "build/release")).resolve()
# The programs under test: those of an installed tree, if there is one (tests/run.py --installed).
PREFIX = os.environ.get("HATCHERY_PREFIX")
HATCHERYD = Path(PREFIX, "sbin/hatcheryd") if PREFIX else BUILD / "hatcheryd"
HOME = HATCHERYD.parent.parent if PREFIX else BUILD  # the tree that hatcheryd belongs to
HATCHERY = Path(PREFIX, "bin/hatchery") if PREFIX else BUILD / "hatchery"
IS_SANITIZED = BUILD.name == "dev"
FAULTS_SIZE = 4096  # the size of the faults file, whatever it contains
RUN_DIR = Path("/run/hatchery")
FREE_PORT = 'listen = { "127.0.0.1:0" }'  # for a section http

# The beginnings of the sanitizers' reports in a development build.
SANITIZER_REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error:|Sanitizer.*encountered a fatal error"
                              r"|Sanitizer: CHECK failed|Sanitizer:DEADLYSIGNAL")

# A program that stops itself and goes on only when the test lets it (Server.wait_held, let_go).
HOLD = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)\n"
HOLD_SH = "kill -STOP $$\n"
HELD = {"wall_us": 60_000_000}  # limits of a run that a test holds; enough for a loaded machine

# The names of the processes below the supervisor: pool, workers of the gateway (the kernel keeps 15 letters) and
# zygotes, the inits of slots, sandboxes.
WORKER = "hatchery-gatewa"
DAEMONS = ("hatchery-pool", WORKER, "hatchery-zygote")
# A sandbox's main process has its language's name until a program replaces it.
LANGUAGES = ("node", "node-prestarted", *sorted(path.stem for path in BUILD.glob("share/hatchery/lang/*.conf")),
             *sorted(path.stem.removeprefix("hatchery-lang-") for path in BUILD.glob("hatchery-lang-*.so")))
PARTS = (*DAEMONS, "hatchery-init", *LANGUAGES)


def sanitized_limits(language):
    """The default limits of a run. Under a sanitizer, each allocation of an interpreter has a shadow and room around
    it, and freed memory is kept for a while."""
    return {"memory_bytes": 512 << 20} if IS_SANITIZED and (BUILD / f"hatchery-lang-{language}.so").exists() else {}


def wait_until(condition, guard=60, what="the condition"):
    """Polls until condition() is true and returns its value; fails after guard seconds."""
    end = time.monotonic() + patience(guard)
    while True:
        reap()
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {patience(guard):g} s")
        time.sleep(0.02)


def is_held(process):
    """True for a program that has stopped itself; not for a daemon that a test stopped."""
    return process.state == "T" and not process.name.startswith("hatchery")


def run_dir_entries():
    if not RUN_DIR.exists():
        return set()
    return {str(path) for path in RUN_DIR.rglob("*")}


class Server:
    """One hatcheryd. listen[0] is always a TCP address on a free port, listen[1] a unix socket.

    http is True: the server has a section http with all contracts on a free port. http is a text: the text is the
    contents of this section. In both cases there are three workers, unless the config has another number. http is None:
    the server speaks HTTP only if the config has such a section. self.https has the base URL of each HTTP address, and
    self.http has the first URL."""

    def __init__(self, name, config=None, options=(), faults=None, http=None):
        self.dir = Path(tempfile.mkdtemp(prefix="hatchery-test-"))
        os.chmod(self.dir, 0o755)
        logs = BUILD / "test-logs"
        logs.mkdir(exist_ok=True)
        self.log_path = logs / f"{name}.log"
        self.socket_path = self.dir / "sock"
        self.command = [str(HATCHERYD), "--listen", "127.0.0.1:0", "--listen", f"unix:{self.socket_path}", *options]
        self.has_own_cache = False
        if config is None:
            # Python with its defaults. On a machine that is too slow for them, the variable has other settings.
            config = os.environ.get("HATCHERY_TEST_CONFIG", "language python { }\n")
        if not re.search(r"^\s*cache\s*=", config, re.M):  # a test must not depend on what another run compiled
            config += f'\ncache = "{self.dir}/cache"\n'
            self.has_own_cache = True
        if http:
            config += f'\nhttp {{ {FREE_PORT if http is True else http} }}\n'
            if not re.search(r"^\s*gateway_workers\s*=", config, re.M):
                config += "gateway_workers = 3\n"
        self.config_path = self.dir / "hatchery.conf"
        self.config_path.write_text(config)
        self.command += ["--config", str(self.config_path)]
        self.faults_path = self.dir / "faults"
        if faults is not None:  # even [], since a test may set faults later
            self.set_faults(*faults)
            self.command += ["--faults", str(self.faults_path)]
        self.process = None
        self.log_from = 0
        self.instance_cgroups = set()
        self.held = []

    def start(self):
        host.become_subreaper()
        self.mounts_before = host.mounts()
        self.run_dir_before = run_dir_entries()
        if self.has_own_cache:
            prepared.lend(self.dir / "cache", self.config_path.read_text())
        with open(self.log_path, "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        words = self.wait_ready()
        self.https = [word for word in words if word.startswith("http://")]
        self.http = self.https[0] if self.https else None
        self.addresses = [word for word in words if word not in self.https]
        self.address, self.unix_address = self.addresses[0], self.addresses[1]
        if self.has_own_cache:
            prepared.keep(self.dir / "cache")
        self.note_cgroups()
        return self

    def wait_ready(self):
        """Reads the one line `ready ADDRESS...` that hatcheryd prints once all languages are warm."""
        end = time.monotonic() + START_GUARD
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0, end - time.monotonic())):
                    self.fail("it did not become ready")
                part = os.read(self.process.stdout.fileno(), 4096)
                if not part:
                    self.process.wait(STOP_GUARD)
                    self.fail(f"it ended with status {self.process.returncode} before it was ready")
                line += part
        words = line.decode().split()
        if words[0] != "ready" or len(words) < 3:
            self.fail(f"instead of `ready ADDRESS ADDRESS` it printed {line!r}")
        return words[1:]

    def set_faults(self, *lines):
        """Chooses the steps that are skipped or that fail, from the next sandbox on. The notation is that of
        zygote/base/fault.h: `skip STEP`, `fail STEP ERRNO`.

        The zygotes map the file, so it is written in place and always has the same size."""
        text = "".join(f"{line}\n" for line in lines).encode()
        if len(text) >= FAULTS_SIZE:
            raise ValueError("too many faults")
        fd = os.open(self.faults_path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, text.ljust(FAULTS_SIZE, b"\0"), 0)
        finally:
            os.close(fd)

    def fail(self, reason):
        raise AssertionError(f"hatcheryd: {reason}; its log ends with\n{self.log_tail()}")

    def log(self):
        """The text that was written since this server's start; the file also keeps the text of earlier servers of that
        name."""
        return self.log_path.read_bytes()[self.log_from:].decode(errors="replace")

    def sanitizer_reports(self):
        """The sanitizers' reports in this server's log, from the first one on; empty if they found nothing."""
        text = self.log()
        found = SANITIZER_REPORT.search(text)
        return text[text.rfind("\n", 0, found.start()) + 1:][:6000] if found else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def connect(self, **options):
        return Client(self.address, **options)

    def run(self, *arguments, stdin=b"", env=None):
        """Runs the hatchery command against this server; returns a CompletedProcess with bytes."""
        env = {**os.environ, "HATCHERY_ADDR": self.address, **(env or {})}
        return subprocess.run([str(HATCHERY), *arguments], input=stdin, capture_output=True, env=env,
                              timeout=patience(120), check=False)

    # ------------------------------------------------------------ the server's processes, seen from the host

    def processes(self):
        return host.descendants(self.process.pid)

    def children(self):
        """The children that the supervisor started. When a zygote is killed, its inits become children of the
        supervisor, too; they do not count here."""
        return [process for process in self.processes()
                if process.parent == self.process.pid and process.name in DAEMONS and process.state not in "ZX"]

    def pool_process(self):
        """The pool."""
        found = [process for process in self.children() if process.name == "hatchery-pool"]
        if len(found) != 1:
            raise AssertionError(f"one pool expected, found {found} among {self.processes()}")
        return found[0]

    def worker_processes(self):
        """The gateway's workers."""
        return [process for process in self.children() if process.name == WORKER]

    def zygote_processes(self):
        pool = self.pool_process().pid
        return [process for process in self.children() if process.pid != pool and process.name != WORKER]

    def daemons(self):
        """The processes that live as long as the server does."""
        return [host.Process(self.process.pid), self.pool_process(), *self.worker_processes(), *self.zygote_processes()]

    def note_cgroups(self):
        """Remembers the cgroup directories of this server. It finds them by the cgroups of the server's processes."""
        for process in self.processes():
            for controllers, path in process.cgroups().items():
                names = path.split("/")
                own = [i for i, name in enumerate(names) if name.startswith("hatchery")]
                if own:
                    below = "/".join(names[:own[0] + 1])
                    self.instance_cgroups |= {mount + below for mount in host.cgroup_mounts(controllers)}

    def cgroup_directories(self):
        """Every directory of this server's cgroups that exists now."""
        return {folder for top in self.instance_cgroups for folder, _, _ in os.walk(top)}

    def wait_idle(self, connections=0):
        """Waits until no request is under way and the server has at most this number of connections. With HTTP, the
        number does not matter, because the gateway has connections of its own."""
        def idle():
            try:
                with self.connect() as client:
                    status = client.status()
            except (Refused, Closed, ConnectionError):
                return False  # all connections are in use at this moment
            return (status.queued == 0 and (self.http or status.connections <= connections + 1)
                    and all(row.running == 0 and row.preparing == 0 and row.queued == 0 and row.warm > 0
                            for row in status.languages))
        wait_until(idle, 60, "an idle server")

    # ------------------------------------------------------------ programs that the test holds

    def wait_held(self, n=1):
        """Waits until n programs have reached their HOLD."""
        def are_held():
            found, todo = [], [self.process.pid]
            while todo:
                below = host.children(todo.pop())
                found += filter(is_held, below)
                todo += [process.pid for process in below]
            return len(found) >= n and found
        self.held = wait_until(are_held, what=f"{n} programs that are held")

    def let_go(self):
        """Lets the programs that wait_held found go on."""
        while self.held:
            os.kill(self.held.pop().pid, signal.SIGCONT)

    # ------------------------------------------------------------ the server's end

    def stop(self):
        """Stops by SIGTERM, and fails unless it exits with 0 and nothing of it is left on the host."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.note_cgroups()
            family = self.processes()
            self.process.send_signal(signal.SIGTERM)
            self.ended(family)
        else:
            status = self.process.returncode
            self.release()
            self.fail(f"it ended by itself with status {status}")

    def ended(self, family=()):
        """For a server that was told to stop. Fails unless the server exits with 0 and leaves nothing on the host."""
        try:
            try:
                status = self.process.wait(STOP_GUARD)
            except subprocess.TimeoutExpired:
                self.fail("it did not stop after it was told to")
            if status != 0:
                self.fail(f"it was told to stop, and ended with status {status}")
            self.check_clean(family)
        finally:
            self.release()

    def check_clean(self, family=()):
        problems = []
        left = {process.pid: process for process in [*family, *orphans()]}
        running = [process for process in left.values() if process.is_running()]
        if running:
            problems.append(f"processes are left: {running}")
        # The kernel may still be taking down dead processes.
        wait_until(lambda: not [process for process in left.values() if process.is_alive()] or running, 30,
                   "the end of dead processes")
        groups = sorted(path for path in self.cgroup_directories() if not is_taken(path))
        if groups:
            problems.append(f"cgroups are left: {groups}")
        mounts = host.mounts()
        if mounts != self.mounts_before:
            changed = set(mounts.values()) ^ set(self.mounts_before.values())
            problems.append(f"the host's mounts changed: {sorted(changed)}")
        files = {path for path in run_dir_entries() - self.run_dir_before
                 if not path.endswith("lock") and not is_taken(path) and os.path.exists(path)}
        if files:
            problems.append(f"files are left: {sorted(files)}")
        if self.socket_path.exists():
            problems.append(f"the unix socket is left: {self.socket_path}")
        if problems:
            self.fail("after its end " + "; ".join(problems))

    def release(self):
        """Last resort, so that a failed test leaves the machine usable. Kills only this hatcheryd and orphans of
        servers. A sanitizer's report is a failure, however the server ended."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None
        for process in orphans():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        shutil.rmtree(self.dir, ignore_errors=True)
        reports = self.sanitizer_reports()
        if reports:
            raise AssertionError(f"hatcheryd: the sanitizers found\n{reports}")


def is_taken(path):
    """Does the instance number in this path belong to another server that runs? It may have started beside ours, or
    after ours had ended. A path without a number belongs to none."""
    number = re.search(r"(?:hatchery|instance)-(\d+)", path)
    if not number:
        return False
    try:
        with open(RUN_DIR / f"instance-{number.group(1)}.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def orphans():
    """Processes of a server whose parents have ended. This process is their parent now, because it is the subreaper."""
    return [process for process in host.processes() if process.parent == os.getpid() and process.name in PARTS]


def reap():
    """Reaps orphans, as the host's own init would. A dead process that is not reaped keeps its whole pid namespace
    alive."""
    for process in host.children(os.getpid()):
        if process.state == "Z" and process.name in PARTS:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass
