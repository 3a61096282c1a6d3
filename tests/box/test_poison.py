"""Sandboxes forget: programs change every kind of state that they can, and later runs look for the
changes in every slot.

The tables in states/ run inside the sandbox. A state is clean if its probe reports the same after the poison as in an
unpoisoned sandbox. Each probe must see its poison: in one run with the poison, it reports something else.
"""

import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from lib import host
from lib.case import Case, ServerModule, describe
from lib.hatchery import Refused
from lib.scale import ALL
from lib.server import HELD, HOLD, Server, wait_until

STATES = Path(__file__).with_name("states")
TABLES = ("files", "ipc", "process", "interpreter", "memory")
WARM, RUNNING = (2, 3) if ALL else (1, 2)  # with fewer slots, each has its turn sooner
SLOTS = WARM + RUNNING
CONFIG = f"client_share = 100\nlanguage python {{ warm = {WARM} running = {RUNNING} limits {{ memory = \"64M\" }} }}\n"
LIMITS = {"wall_us": 50_000_000, "cpu_us": 50_000_000, "memory_bytes": 800 << 20, "open_files": 200,
          "pids": 128}
POISON_ROUNDS, PROBE_ROUNDS, PAIRS = (2, 3, 2 * SLOTS) if ALL else (1, 1, SLOTS)

SLOW_IN_VM = "every slot is poisoned and probed several times"

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


def program(table, what):
    """The common part, one table, and the code that applies it."""
    parts = [(STATES / f"{name}.py").read_text() for name in ("common", table)]
    return "\n".join([*parts, f"main({what!r})\n"])


def difference(clean, found):
    """Shortens a report: some probes report much."""
    if isinstance(clean, list) and isinstance(found, list):
        clean, found = [x for x in clean if x not in found], [x for x in found if x not in clean]
    elif isinstance(clean, dict) and isinstance(found, dict):
        names = [name for name in {**clean, **found} if clean.get(name) != found.get(name)]
        clean, found = ({name: of.get(name) for name in names} for of in (clean, found))
    return f"{clean!r:.600} became {found!r:.600}"


class Tables(Case):
    SERVER = SERVER

    def said(self, result):
        self.assert_exited(result)
        return json.loads(result.stdout)

    def rounds(self, table, what, rounds):
        """Runs a program in every slot, several times, all slots at once; returns the reports, and their slots."""
        code = program(table, what)
        slots, said = {}, []
        deadline = time.monotonic() + 120
        while len(slots) < SLOTS or min(slots.values()) < rounds:
            self.assertLess(time.monotonic(), deadline, f"not every slot had its turn: {slots}")
            ids = [self.client.send_execute(code, args=[table], limits=LIMITS) for _ in range(2 * SLOTS)]
            for request in ids:
                one = self.said(self.client.result(request))
                slots[one["slot"]] = slots.get(one["slot"], 0) + 1
                said.append(one)
        self.assertEqual(SLOTS, len(slots), slots)
        return said

    def counters(self):
        SERVER.wait_idle(connections=1)
        row = self.client.status().languages[0]
        # A very busy machine may not free sockets in flight in time, which is not a mistake of the
        # server.
        return row.failures, row.discarded - SERVER.log().count("of its last run stay, it is made anew")

    def table(self, name):
        counters = self.counters()
        self.look_for_all(name)
        self.assertEqual(counters, self.counters(), "a slot had to be discarded")

    def look_for_all(self, name):
        fresh = self.rounds(name, "probe", 1)
        clean = fresh[0]["found"]
        self.assertGreater(len(clean), 1)
        for one in fresh:
            self.compare(clean, one["found"], "an unpoisoned sandbox differs from another")
        self.control(name, clean)
        for one in self.rounds(name, "poison", POISON_ROUNDS):
            self.check_poisoned(name, one["poisoned"])
        for one in self.rounds(name, "probe", PROBE_ROUNDS):
            self.compare(clean, one["found"], f"left from another run in slot {one['slot']}")
        # And the other way round: each slot's next run, right behind a poisoned one.
        for _ in range(PAIRS):
            poison = self.client.send_execute(program(name, "poison"), args=[name], limits=LIMITS)
            probe = self.client.send_execute(program(name, "probe"), args=[name], limits=LIMITS)
            self.said(self.client.result(poison))
            self.compare(clean, self.said(self.client.result(probe))["found"], "left from the run before")

    def compare(self, clean, found, message):
        self.assertEqual(sorted(clean), sorted(found))
        for state, value in clean.items():
            if value != found[state]:
                self.fail(f"{state}: {message}: {difference(value, found[state])}")

    def markers(self, table, word):
        """The states of a table that are marked `refused` or `unseen`."""
        source = (STATES / f"{table}.py").read_text().split("@state\nclass ")[1:]
        return {part.split(":", 1)[0] for part in source if f"    {word} = " in part}

    def check_poisoned(self, table, poisoned):
        refused = self.markers(table, "refused")
        for state, said in poisoned.items():
            if state in refused:
                self.assertNotEqual("done", said, f"{state} was not refused")
            else:
                self.assertEqual("done", said, f"{state} could not be poisoned")

    def control(self, table, clean):
        """Poison and probe in one run: the probe finds every poison that is not refused, or it would be blind."""
        one = self.said(self.execute(program(table, "both"), args=[table], limits=LIMITS))
        self.check_poisoned(table, one["poisoned"])
        blind = self.markers(table, "refused") | self.markers(table, "unseen")
        for state, value in clean.items():
            if state in blind:
                self.assertEqual(value, one["found"][state], f"{state} changed, though nothing should change it")
            else:
                self.assertNotEqual(value, one["found"][state], f"the probe of {state} does not see the poison")

    def test_files_and_all_that_belongs_to_them_are_gone(self):
        self.table("files")

    def test_interprocess_communication_is_gone(self):
        self.table("ipc")

    def test_what_processes_inherit_and_leave_running_is_gone(self):
        self.table("process")

    def test_the_interpreter_is_as_new(self):
        self.table("interpreter")

    def test_memory_holds_nothing_of_another(self):
        self.table("memory")


# Everything that must differ between two runs, one per line.
NUMBERS = """
import os, random, secrets, tempfile, uuid
print(random.random(), random.getrandbits(64), random.SystemRandom().getrandbits(64), secrets.token_hex(16), uuid.uuid1(),
      uuid.uuid4(), os.path.basename(tempfile.mktemp()), os.urandom(16).hex(), random.Random().random(), uuid.uuid1().node)
"""
NUMBER_NAMES = ("random", "random bits", "system random", "secrets", "uuid1", "uuid4", "tempfile", "urandom", "Random()",
                "uuid node")


class Numbers(Case):
    SERVER = SERVER

    def numbers(self, client, runs, at_once):
        said = []
        for _ in range(0, runs, at_once):
            ids = [client.send_execute(NUMBERS, limits=LIMITS) for _ in range(at_once)]
            for request in ids:
                result = client.result(request)
                self.assert_exited(result)
                said.append(result.stdout.split())
        return said

    def repeated(self, said):
        return [name for name, column in zip(NUMBER_NAMES, zip(*said)) if len(set(column)) != len(column)]

    def test_siblings_never_draw_the_same_random_numbers(self):
        """No two runs, one after the other or at once, draw the same random number, uuid or temporary name"""
        runs = 60 if ALL else 5 * SLOTS
        said = self.numbers(self.client, runs, 1)
        said += self.numbers(self.client, runs, SLOTS)
        self.assertEqual([], self.repeated(said))

    def test_without_the_renewal_after_the_fork_they_would(self):
        """Without the interpreter's renewal after a fork, siblings draw the same numbers"""
        with one_server("poison.interpreter", "skip interpreter") as server, server.connect() as client:
            said = self.numbers(client, 10, 1)
            # The kernel's own random numbers are always new.
            self.assertEqual({"random", "random bits", "tempfile"} & set(self.repeated(said)), {"random", "random bits"})


class one_server:
    """A server with faults, for one test."""

    def __init__(self, name, *faults):
        self.server = Server(name, config=CONFIG, faults=faults)

    def __enter__(self):
        return self.server.start()

    def __exit__(self, *error):
        if error[0] is None:
            self.server.stop()
        else:
            self.server.release()


class WallsTakenDown(Case):
    """Without the wall that removes a mark, later runs find the mark."""

    def found_later(self, table, fault, states):
        with one_server(f"poison.{fault}", f"skip {fault}") as server, server.connect() as client:
            def said(what):
                result = client.execute(program(table, what), args=[table], limits=LIMITS)
                self.assert_exited(result)
                return json.loads(result.stdout)["found"]
            clean = said("probe")
            said("poison")
            for _ in range(3 * SLOTS):
                found = said("probe")
                states = [state for state in states if found[state] == clean[state]]
        self.assertEqual([], states, "not found although the wall was down")

    def test_without_ipc_namespaces_system_v_objects_stay(self):
        self.addCleanup(remove_system_v_objects)
        self.found_later("ipc", "ipc namespace", ["system_v_memory", "system_v_semaphores", "system_v_messages"])

    def test_without_the_step_for_it_the_pid_counter_counts_on(self):
        self.found_later("process", "pid counter", ["pid_counter"])


def remove_system_v_objects():
    """Removes the IPC objects of the tables: a sandbox without an IPC namespace of its own leaves them on the host."""
    for kind, letter in (("shm", "m"), ("sem", "s"), ("msg", "q")):
        for line in host.read(f"/proc/sysvipc/{kind}").splitlines()[1:]:
            fields = line.split()
            if int(fields[0]) == 0x504F49 or int(fields[7 if kind != "sem" else 4]) > 1 << 30:
                subprocess.run(["ipcrm", f"-{letter}", fields[1]], check=False)


SPREAD = """
import os, sys, time
kept = []
def tell(name, function):
    try: function(); print(name, 'ok', flush=True)
    except (OSError, MemoryError) as error: print(name, error.errno, flush=True)
def files():
    for _ in range(50): kept.append(os.open('/dev/null', os.O_RDONLY))
def disk():
    with open('big', 'wb') as file:
        for _ in range(20): file.write(b'x' * (1 << 20))
    os.unlink('big')
def processes():
    pids = []
    try:
        for _ in range(20):
            pid = os.fork()
            if pid == 0: time.sleep(50)
            pids.append(pid)
    finally:
        for pid in pids: os.kill(pid, 9), os.waitpid(pid, 0)
tell('files', files); os.closerange(3, 200)
tell('disk', disk)
tell('processes', processes)
tell('memory', lambda: kept.append(bytearray(40 << 20)))
"""
TOO_MUCH = "x = bytearray(100 << 20)"

TIGHT = {"memory_bytes": 32 << 20, "pids": 4, "disk_bytes": 2 << 20, "open_files": 16, "output_bytes": 100,
         "cpu_us": 300_000, "wall_us": 3_000_000}
WIDE = {"memory_bytes": 900 << 20, "pids": 400, "disk_bytes": 400 << 20, "open_files": 1000, "cpu_us": 50_000_000,
        "wall_us": 50_000_000}
PATIENT = {"wall_us": 50_000_000}  # all other limits as the server has them; 64 MiB, since touching a page takes time


class Limits(Case):
    SERVER = SERVER

    def in_every_slot(self, code, rounds=2, **arguments):
        ids = [self.client.send_execute(code, **arguments) for _ in range(rounds * SLOTS)]
        return [self.client.result(request) for request in ids]

    def test_limits_are_those_of_the_run_and_not_of_the_one_before(self):
        fine = b"files ok\ndisk ok\nprocesses ok\nmemory ok\n"
        for _ in range(2 if ALL else 1):
            for result in self.in_every_slot(SPREAD, limits=TIGHT):
                self.assertNotIn(b"ok", result.stdout)  # the control: these limits do hurt
            for result in self.in_every_slot(SPREAD, limits=PATIENT):
                self.assertEqual(fine, result.stdout, describe(result))
            for result in self.in_every_slot(TOO_MUCH, limits=WIDE):
                self.assert_exited(result)
            for result in self.in_every_slot(TOO_MUCH, limits=PATIENT):
                self.assert_status(result, "MEMORY_LIMIT")

    def test_what_is_reported_is_the_runs_own(self):
        """Peak memory, CPU time, processes and disk of a run say nothing of the run before it"""
        heavy = "import os, time\nx = b'x' * (50 << 20)\nopen('f', 'wb').write(x[:10 << 20])\n" \
                "for _ in range(4):\n    if os.fork() == 0: time.sleep(0.1), os._exit(0)\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
        for _ in range(2 if ALL else 1):
            for result in self.in_every_slot(heavy, limits=WIDE):
                self.assert_exited(result)
                self.assertGreater(result.memory_peak_bytes, 50 << 20)
                self.assertGreater(result.cpu_us, 200_000)
            for result in self.in_every_slot("pass", limits=PATIENT):
                self.assert_exited(result)
                self.assertLess(result.memory_peak_bytes, 30 << 20)
                self.assertLess(result.cpu_us, 200_000)
                self.assertLess(result.disk_bytes, 1 << 20)
                self.assertLessEqual(result.processes_peak, 1)
                self.assertFalse(result.oom_killed)


class Discarded(Case):
    """A slot whose end can't be proved is thrown away, counted, and replaced."""
    SERVER = SERVER

    def inits(self):
        return [process for process in SERVER.processes() if process.name == "hatchery-init"]

    def counted(self):
        return self.client.status().languages[0].discarded

    def init_of(self, slot_uid):
        """Finds a slot's init: its uid is one below that of the slot's programs."""
        return next(process for process in self.inits() if process.status()["Uid"].split()[0] == str(slot_uid - 1))

    def start_run(self, code):
        request = self.client.send_execute(code, limits={"wall_us": 40_000_000})
        wait_until(lambda: self.client.status().languages[0].running == 1, what="a running program")
        return request

    def sandboxes(self):
        """The main processes of sandboxes, by their host uid: no init, no zygote."""
        return [process for process in SERVER.processes()
                if process.name == "python" and process.status()["Uid"].split()[0] != "0"]

    def running_init(self):
        """The init of the slot in which a program burns CPU time."""
        def burning():
            rows = [(process, int(host.read(f"/proc/{process.pid}/stat").rsplit(")", 1)[1].split()[11] or 0))
                    for process in self.sandboxes()]
            return next((process for process, ticks in rows if ticks > 10), None)
        program_of = wait_until(burning, what="a program at work")
        return self.init_of(int(program_of.status()["Uid"].split()[0]))

    def test_a_killed_init_of_a_waiting_slot(self):
        """If the init of a waiting sandbox is killed, its slot is discarded, counted and replaced"""
        SERVER.wait_idle(connections=1)
        waiting = self.sandboxes()[0]
        before, victim = self.counted(), self.init_of(int(waiting.status()["Uid"].split()[0]))
        os.kill(victim.pid, signal.SIGKILL)
        wait_until(lambda: self.counted() == before + 1, what="a slot discarded")
        wait_until(lambda: not victim.is_alive(), what="its end")
        SERVER.wait_idle(connections=1)
        self.assert_alive()

    def test_a_killed_init_of_a_running_slot(self):
        """A run whose init is killed is answered by an Error, and its slot is discarded, counted and replaced"""
        before = self.counted()
        request = self.start_run("while True: pass")
        victim = self.running_init()
        os.kill(victim.pid, signal.SIGKILL)
        with self.assertRaises(Refused) as caught:
            self.client.result(request)
        self.assertIn(caught.exception.code, ("INTERNAL", "UNAVAILABLE"))
        wait_until(lambda: self.counted() == before + 1, what="a slot discarded")
        self.assertNotIn(victim.pid, [process.pid for process in self.inits() if process.is_alive()])
        SERVER.wait_idle(connections=1)
        self.assert_alive()

    def test_a_stopped_init_is_not_waited_for_without_end(self):
        """An init that does not answer is killed, and its slot discarded, counted and replaced"""
        before = self.counted()
        request = self.start_run("import os, time\nif os.fork() == 0: time.sleep(1000)\n"
                                    "end = time.time() + 2\nwhile time.time() < end: pass")
        victim = self.running_init()
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            answer = self.client.wait(request)
        finally:
            if victim.is_alive():
                os.kill(victim.pid, signal.SIGCONT)
        self.assertIn(answer.WhichOneof("answer"), ("result", "error"))
        wait_until(lambda: self.counted() == before + 1, what="a slot discarded")
        self.assertIn("init does not answer", SERVER.log())
        SERVER.wait_idle(connections=1)
        self.assert_alive()

    def stop_a_birth(self):
        """Has a sandbox made and stops it by SIGSTOP before it is warm; returns whether that worked."""
        zygote = SERVER.zygote_processes()[0].pid
        children = f"/proc/{zygote}/task/{zygote}/children"
        known, stopped = set(host.read(children).split()), set()
        request = self.client.send_execute("pass")
        end = time.monotonic() + 0.05
        while not stopped and time.monotonic() < end:
            stopped = set(host.read(children).split()) - known
            for pid in stopped:
                os.kill(int(pid), signal.SIGSTOP)
        self.client.result(request)
        time.sleep(0.2)  # a sandbox that had reported in time counts as warm by now; a stopped one reports nothing
        self.births = [int(pid) for pid in stopped]
        if self.client.status().languages[0].preparing == 1:
            return True
        for pid in stopped:
            try:
                os.kill(int(pid), signal.SIGCONT)
            except ProcessLookupError:
                pass  # the sandbox was warm already, had the job, and has ended
        return False

    def wait_for_a_stopped_birth(self):
        if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
            self.skipTest("the kernel does not list children (CONFIG_PROC_CHILDREN)")
        # All slots are made first: making an init has another limit.
        requests = [self.client.send_execute(HOLD, limits=HELD) for _ in range(RUNNING)]
        SERVER.wait_held(RUNNING)
        SERVER.let_go()
        for request in requests:
            self.client.result(request)
        SERVER.wait_idle(connections=1)
        wait_until(self.stop_a_birth, what="a sandbox stopped while it boots")

    def give_a_moment(self, pid):
        """Lets a stopped process run for some 20 us, in which it does little; on a loaded machine it takes several
        tries."""
        def used():
            return host.read(f"/proc/{pid}/schedstat").split()[0]
        before, end = used(), time.monotonic() + 1
        while used() == before and time.monotonic() < end:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGSTOP)

    def test_a_birth_on_a_loaded_machine_is_waited_for(self):
        """A sandbox that gets a little processor time now and then is slow, not failed; and its language stays ready"""
        self.wait_for_a_stopped_birth()
        # 10 s are longer than PATIENCE_MS (zygote/tenant_overdue.c).
        before, end = self.client.status().languages[0], time.monotonic() + 10
        while time.monotonic() < end and self.client.status().languages[0].preparing == 1:
            for pid in self.births:
                self.give_a_moment(pid)
            self.assertTrue(self.client.status().ready)
            time.sleep(0.4)  # between two moments of the sandbox
        for pid in self.births:
            os.kill(pid, signal.SIGCONT)
        SERVER.wait_idle(connections=1)
        self.assertEqual(before.failures, self.client.status().languages[0].failures)
        self.assert_alive()

    def test_a_stopped_birth_is_not_waited_for_without_end(self):
        """A sandbox that does not come up is killed, and its slot made anew"""
        self.wait_for_a_stopped_birth()
        failures = self.client.status().languages[0].failures
        wait_until(lambda: self.client.status().languages[0].failures > failures, what="a failure counted")
        self.assertIn("does not come up", SERVER.log())
        SERVER.wait_idle(connections=1)
        self.assert_alive()


if __name__ == "__main__":
    unittest.main()
