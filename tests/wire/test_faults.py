"""Trouble on the host's side: every step of making a sandbox fails in turn, and descriptors, disk space, memory and
cgroups are taken away. The server names the trouble, and tries less and less often. When the
trouble is over, all waiting requests are answered."""

import contextlib
import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from lib import host
from lib.case import describe
from lib.hatchery import Closed, Refused
from lib.scale import ALL
from lib.server import HATCHERYD, Server, wait_until

ROOT = Path(__file__).resolve().parents[2]
WARM, RUNNING = 2, 3
SLOTS = WARM + RUNNING
CONFIG = f"language python {{ warm = {WARM} running = {RUNNING} }}\n"
LIMITS = {"memory_bytes": 100 << 20, "wall_us": 60_000_000}
REQUESTS = 2 * SLOTS
SERVERS = 3
OBSERVED = 0.5  # how long a failing step is watched, in seconds
GUARD = 60

# Failures come in bursts of WARM, and the pause between bursts doubles from 50 ms: 0, 50, 150, 350,
# 750 ms; a failing set-up of runs under way adds one each. Without pauses there would be ten times
# as many.
ATTEMPTS = 5 * WARM + SLOTS


def table(path, start):
    """The names in a table of steps of the source."""
    text = (ROOT / path).read_text()
    body = text[text.index(start):]
    return re.findall(r'^\s*\{ "([^"]+)",', body[:body.index("\n};")], re.MULTILINE)


def begun(path):
    """The names of steps that stand in no table."""
    return re.findall(r'begin\(maker, "([^"]+)"', (ROOT / path).read_text())


BOOT = table("zygote/sandbox/boot.c", "struct step boot_steps[]")
INIT = table("zygote/init/init.c", "struct step steps[]")
SLOT = begun("zygote/tenant.c")
OF_RUNS = ["limits"]  # it fails at the hand-over of a run, which is tried again once


class TheList(unittest.TestCase):
    def test_the_steps_are_those_that_the_host_check_goes_through(self):
        with tempfile.NamedTemporaryFile("w") as config:
            config.write(CONFIG)
            config.flush()
            done = subprocess.run([str(HATCHERYD), "--check-host", "--config", config.name], capture_output=True, text=True,
                                  timeout=120, check=True)
        shown = [re.split(r"\s{2,}", line)[1] for line in done.stdout.splitlines() if "  " in line]
        first = shown.index("slot") + 1
        self.assertEqual(BOOT, shown[first:shown.index("teardown")])

    def test_the_lists_are_whole(self):
        self.assertGreater(len(BOOT), 15)
        self.assertGreater(len(INIT), 6)
        self.assertLessEqual({"slot", "cgroup renewal", "cgroup limits", "fork", "warm", "limits"}, set(SLOT))


class Watched:
    """A server whose log is read from a mark on."""

    def __init__(self, name, **options):
        self.server = Server(name, config=CONFIG, **options)
        self.mark = 0

    def start(self):
        self.server.start()
        return self

    def __getattr__(self, name):
        return getattr(self.server, name)

    def set_mark(self):
        self.mark = len(self.server.log())

    def news(self):
        return self.server.log()[self.mark:]

    def row(self):
        with self.server.connect() as client:
            return client.status().languages[0]

    def failures(self):
        return self.row().failures


def ask(client, count=REQUESTS, **arguments):
    arguments.setdefault("limits", LIMITS)
    return [(client.send_execute(f"print({n} * 7)", **arguments), b"%d\n" % (n * 7)) for n in range(count)]


def check(test, client, asked):
    for request, expected in asked:
        result = client.result(request)
        test.assertEqual((expected, 0), (result.stdout, result.exit_code), describe(result))


class EveryStep(unittest.TestCase):
    def fail_step(self, server, step):
        """One step fails for a while."""
        server.wait_idle()
        before = server.row()
        server.set_mark()
        with server.connect(timeout=GUARD) as client:
            server.set_faults(f"fail {step} {errno.ENOMEM}")
            began = time.monotonic()
            asked = ask(client, REQUESTS if ALL else SLOTS + 1)  # more than there are slots
            # A step that comes before the sandbox is seen only with a new slot, and existing slots are kept.
            if step in INIT:
                for process in server.processes():
                    if process.name == "hatchery-init":
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(process.pid, 9)
            wait_until(lambda: re.search(rf"slot \d+: .*\b{re.escape(step)}\b.*", server.news()), GUARD,
                       f"a line of the log that names {step}")
            wait_until(lambda: server.failures() > before.failures, GUARD, f"a failure of {step} counted")
            first = server.failures()
            time.sleep(OBSERVED)  # a rate is measured
            attempts = server.failures() - first
            most = ATTEMPTS + 5 * (time.monotonic() - began)
            if step in OF_RUNS:
                most += 2 * REQUESTS  # each is tried twice, and then refused
            self.assertLessEqual(attempts, most, f"{step} is tried too often")
            self.assertIn(os.strerror(errno.ENOMEM), server.news(), step)
            server.set_faults()
            self.finish(server, client, step, asked)

    def finish(self, server, client, step, asked):
        """The trouble is over: waiting requests are answered. Inits were killed for some steps, and their runs may have
        been lost: such a run is answered by an error that says so."""
        for request, expected in asked:
            try:
                result = client.result(request)
            except Refused as refused:
                self.assertTrue(step in INIT + OF_RUNS and refused.code == "INTERNAL", f"{step}: {refused}")
                if step in OF_RUNS:
                    self.assertIn(f"the second one: {step}: {os.strerror(errno.ENOMEM)};", refused.message)
                continue
            if step in INIT and result.signal == 9:
                continue
            self.assertEqual((expected, 0), (result.stdout, result.exit_code), f"{step}: {describe(result)}")
        server.wait_idle(connections=1)
        self.assertEqual(WARM, server.row().warm, step)
        self.assertIsNone(server.process.poll())

    def several(self, number, steps, problems):
        server = Watched(f"faults.{number}", faults=[])
        try:
            server.start()
            for step in steps:
                self.fail_step(server, step)
            daemons = {process.pid for process in server.daemons()}
            self.assertEqual(daemons, {process.pid for process in server.daemons()})
            server.stop()
        except BaseException as error:  # pylint: disable=broad-except
            problems.append(error)
            server.release()

    def test_every_step_fails_in_turn(self):
        """Each step of making a sandbox fails for a while: it is named, tried less and less often, and nothing is lost"""
        steps, problems = [*BOOT, *SLOT, *INIT], []
        threads = [threading.Thread(target=self.several, args=(i, steps[i::SERVERS], problems)) for i in range(SERVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]


class Trouble(unittest.TestCase):
    def start(self, **options):
        server = Watched(f"faults.{self._testMethodName}", **options)
        self.addCleanup(server.stop)
        return server.start()

    def daemons(self, server):
        return {process.pid: process.start for process in server.daemons()}

    def test_repeated_failure_turns_readiness_off_and_success_on_again(self):
        server = self.start(faults=[])
        with server.connect() as client:
            self.assertTrue(client.status().ready)
            server.set_faults(f"fail overlay root {errno.ENOMEM}")
            asked = ask(client)
            wait_until(lambda: not client.status().ready, GUARD, "a server that says that it is not ready")
            server.set_faults()
            check(self, client, asked)
            wait_until(lambda: client.status().ready, GUARD, "a server that is ready again")

    def test_a_server_that_cannot_make_its_first_sandbox_comes_up_when_it_can(self):
        server = Watched("faults.first", faults=[f"fail fork {errno.EAGAIN}"])
        starting = threading.Thread(target=server.start)
        starting.start()
        try:
            wait_until(lambda: server.log_path.exists() and "fork" in server.news(), GUARD, "a line about the fork")
            self.assertTrue(starting.is_alive())
        finally:
            server.set_faults()
            starting.join(2 * GUARD)
        with server.connect() as client:
            check(self, client, ask(client))
        server.stop()

    def test_a_zygote_without_descriptors(self):
        """A zygote that can open nothing more says so, and goes on when it can"""
        server = self.start()
        before = self.daemons(server)
        zygote = server.zygote_processes()[0]
        _, hard = resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE)
        server.set_mark()
        with server.connect(timeout=GUARD) as client:
            resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE, (zygote.descriptors(), hard))
            asked = ask(client)
            wait_until(lambda: os.strerror(errno.EMFILE) in server.news(), GUARD, "a line about open files")
            failures = server.failures()
            wait_until(lambda: server.failures() > failures, GUARD, "another try")
            resource.prlimit(zygote.pid, resource.RLIMIT_NOFILE, (hard, hard))
            check(self, client, asked)
        server.wait_idle()
        self.assertEqual(before, self.daemons(server))

    def test_a_pool_without_descriptors(self):
        """A pool that can open nothing more keeps the clients it has, and takes new ones when it can"""
        server = self.start()
        before = self.daemons(server)
        pool = server.pool_process()
        uid, gid = (pool.status()[name].split()[0] for name in ("Uid", "Gid"))

        hard = int(host.read(f"/proc/{pool.pid}/limits").split("Max open files")[1].split()[1])

        def allow(files):
            subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "prlimit", f"--pid={pool.pid}",
                            f"--nofile={files}:"], check=True)  # the pool's own user may do this
        with server.connect(timeout=GUARD) as client:
            client.ping()
            allow(pool.descriptors())
            client.ping()
            asked = ask(client)
            allow(3)  # descriptors of ending sandboxes do not help
            server.set_mark()
            waiting = server.connect(timeout=GUARD)  # the kernel takes it; the pool can't yet
            self.addCleanup(waiting.close)
            wait_until(lambda: server.news().count("accepting a connection") > 1, GUARD, "another try to take it")
            client.ping()
            allow(hard)
            check(self, client, asked)
            check(self, waiting, ask(waiting))
            self.assertEqual(before, self.daemons(server))

            # It can't take another zygote's channel, or a new configuration, either.
            server.set_mark()
            allow(3)
            server.process.send_signal(signal.SIGHUP)
            os.kill(server.zygote_processes()[0].pid, signal.SIGKILL)
            for what in ("another zygote's channel", "the configuration"):
                wait_until(lambda what=what: f"no descriptor is left for {what}" in server.news(), GUARD, what)
            asked = ask(client)
            client.ping()
            allow(hard)
            check(self, client, asked)
        self.assertEqual(pool.pid, server.pool_process().pid)

    def refused_to_start(self, prepare, *options):
        """hatcheryd in a mount namespace of its own, on file systems that a shell has prepared there."""
        folder = Server("none").dir
        self.addCleanup(shutil.rmtree, folder)
        script = f"{prepare}\nexec \"$@\""
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, str(folder),
                               str(HATCHERYD), *options], capture_output=True, text=True, timeout=GUARD, check=False)
        self.assertNotEqual(0, done.returncode)
        return done.stderr

    def test_no_space_for_the_lock_is_a_plain_error(self):
        said = self.refused_to_start("mount -t tmpfs -o nr_inodes=1 none /run", "--listen", "127.0.0.1:0")
        self.assertIn("/run/hatchery", said)
        self.assertIn(os.strerror(errno.ENOSPC), said)

    def test_no_space_for_the_socket_is_a_plain_error(self):
        said = self.refused_to_start('mount -t tmpfs -o nr_inodes=1 none "$0"; set -- "$@" --listen "unix:$0/sock"')
        self.assertIn("sock", said)
        self.assertIn(os.strerror(errno.ENOSPC), said)

    # ------------------------------------------------------------ cgroups

    def slot_groups(self, server):
        """Groups of slots, by name, without processes or groups below."""
        found = {}
        for folder in sorted(server.cgroup_directories()):
            if re.fullmatch(r"python.*-\d+", os.path.basename(folder)):
                found.setdefault(os.path.basename(folder), []).append(folder)
        return found

    def test_a_cgroup_that_somebody_removed(self):
        """The group of an idle slot is removed behind the server's back: the slot is made anew"""
        server = self.start()
        before = self.daemons(server)
        with server.connect(timeout=GUARD) as client:
            # So many runs at once that all slots are made, and some are idle afterwards.
            for request in [client.send_execute("import time; time.sleep(0.3)") for _ in range(4 * SLOTS)]:
                client.result(request)
            server.wait_idle(connections=1)
            server.note_cgroups()
            removed = set()
            for name, folders in self.slot_groups(server).items():
                for folder in folders:
                    with contextlib.suppress(OSError):
                        os.rmdir(folder)
                        removed.add(name)
            self.assertTrue(removed)
            for _ in range(4):
                check(self, client, ask(client))
        server.wait_idle()
        self.assertEqual(before, self.daemons(server))

    def memory_group(self, server):
        """The server's own group where memory is counted, and the names of its limit and usage."""
        server.note_cgroups()
        for folder in server.instance_cgroups:
            for limit, usage in (("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")):
                if os.path.exists(f"{folder}/{limit}"):
                    return folder, f"{folder}/{limit}", f"{folder}/{usage}"
        self.fail(f"no memory limit in {server.instance_cgroups}")

    def write_limit(self, path, value):
        """Writes a limit. The kernel may have to reclaim memory first, and answers EBUSY until it
        has."""
        def written():
            try:
                Path(path).write_text(str(value))
                return True
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                return False
        wait_until(written, GUARD, f"the limit {value} in {path}")

    def test_sandboxes_die_for_the_memory_of_all_and_daemons_do_not(self):
        """With less memory for all sandboxes together than they ask for, some are killed and told so, and no daemon is"""
        server = self.start()
        before = self.daemons(server)
        _, limit, usage = self.memory_group(server)
        hog = "x = b'x' * (90 << 20)\nimport time; time.sleep(0.2)\nprint('got it')"
        statuses = []
        with server.connect(timeout=GUARD) as client:
            self.write_limit(limit, int(Path(usage).read_text()) + (120 << 20))
            ids = [client.send_execute(hog) for _ in range(6 * RUNNING)]
            for request in ids:
                try:
                    result = client.result(request)
                    statuses.append(result.signal or result.exit_code)
                    if result.signal:
                        self.assertTrue(result.oom_killed, describe(result))
                except Refused as refused:
                    self.assertIn(refused.code, ("INTERNAL", "UNAVAILABLE"))
                    statuses.append(refused.code)
            self.write_limit(limit, -1 if "limit_in_bytes" in limit else "max")
            self.assertTrue(any(statuses), "the limit of all together killed nobody")
            check(self, client, ask(client))
        server.wait_idle()
        self.assertEqual(before, self.daemons(server))

    def squeeze(self, limit, usage):
        """Sets the smallest limit that the kernel accepts for a group with so much memory in
        use."""
        value = int(Path(usage).read_text())
        with contextlib.suppress(OSError):
            while value > 1 << 20:
                Path(limit).write_text(str(value))
                value -= 256 << 10

    def trouble(self, client, asked):
        """Answers of a time without memory: right ones, or errors that say so. Returns the number of such errors."""
        count = 0
        for request, expected in asked:
            try:
                result = client.result(request)
            except Refused as refused:
                self.assertIn(refused.code, ("INTERNAL", "UNAVAILABLE"))
                count += 1
                continue
            if result.oom_killed or result.signal:
                count += 1
            elif result.exit_code == 0:
                self.assertEqual(expected, result.stdout, describe(result))
        return count

    def test_no_memory_for_sandboxes_at_all(self):
        """With no memory left for any sandbox the server lives on, and serves when there is some again"""
        server = self.start()
        before = self.daemons(server)
        _, limit, usage = self.memory_group(server)
        with server.connect(timeout=GUARD) as client:
            failures = server.failures()
            self.squeeze(limit, usage)
            asked = ask(client, 4 * REQUESTS)
            time.sleep(4 * OBSERVED)  # the server lives through this time
            self.write_limit(limit, -1 if "limit_in_bytes" in limit else "max")
            self.assertGreater(self.trouble(client, asked) + server.failures() - failures, 0)
            check(self, client, ask(client))
        server.wait_idle()
        self.assertEqual(before, self.daemons(server))

    def test_little_memory_for_the_whole_tree(self):
        """In a cgroup that is too small, the kernel kills sandboxes and no daemon"""
        own = [path for controllers, path in host.Process(os.getpid()).cgroups().items()
               if controllers == "" or "memory" in controllers.split(",")]
        mounts = [mount for controllers in ("memory", "") for mount in host.cgroup_mounts(controllers)
                  if os.path.exists(f"{mount}{own[-1] if controllers == '' else own[0]}/cgroup.procs")]
        group = next((Path(f"{mount}{path}") for mount in mounts for path in own
                      if os.path.exists(f"{mount}{path}/memory.limit_in_bytes")), None)
        if group is None:
            self.skipTest("a process can't be put into a group with a memory limit here: cgroup version 2 has it below others")
        group = group / "test-faults-tree"
        group.mkdir(exist_ok=True)
        self.addCleanup(lambda: wait_until(lambda: remove_group(group), GUARD, "an empty group"))
        server = Watched("faults.tree")
        server.server.command = ["sh", "-ec", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh", *server.command]
        server.start()
        self.addCleanup(server.stop)
        before = self.daemons(server)
        usage = int((group / "memory.usage_in_bytes").read_text())
        self.write_limit(group / "memory.limit_in_bytes", usage + (120 << 20))
        hog = "x = b'x' * (90 << 20)\nimport time; time.sleep(0.2)"
        with server.connect(timeout=GUARD) as client:
            killed = 0
            for request in [client.send_execute(hog) for _ in range(6 * RUNNING)]:
                try:
                    killed += client.result(request).signal == 9
                except Refused:
                    killed += 1
            self.assertGreater(killed, 0, "the limit of the tree killed nobody")
            self.write_limit(group / "memory.limit_in_bytes", -1)
            check(self, client, ask(client))
        server.wait_idle()
        self.assertEqual(before, self.daemons(server))


def remove_group(group):
    try:
        group.rmdir()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
