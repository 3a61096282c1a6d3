"""Each sandbox is used once. No program finds what an earlier program left, in any number of runs, and the host is the
same at the end as at the beginning."""

import threading
import unittest
from collections import Counter

from lib import host
from lib.case import Case, ServerModule, describe
from lib.scale import ALL, repeat
from lib.server import IS_SANITIZED, Server, wait_until

WARM, RUNNING = 4, 8
SLOTS = WARM + RUNNING
CONFIG = f"language python {{ warm = {WARM} running = {RUNNING} }}\n"
SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

RUNS = repeat(2000 if ALL and not IS_SANITIZED else 250, 200)
CONNECTIONS = 64
PATIENT = {"wall_us": 50_000_000, "cpu_us": 50_000_000}

# Leaves a mark wherever a program can leave one.
POISON = """
import builtins, json, math, os, random, sys, subprocess, tempfile, ctypes
for place in ('.', '/tmp', '/dev/shm', '/var/tmp', '/home/sandbox', '/', '/etc', '/dev'):
    try: open(place + '/poison', 'w').write('x')
    except OSError: pass
builtins.poison = json.poison = math.poison = sys.poison = random.poison = True
os.environ['POISON'] = '1'
sys.path.insert(0, '/poison')
sys.modules['poison'] = sys
random.seed(1)
os.umask(0)
try: os.setxattr('.', 'user.poison', b'1')
except OSError: pass
try: os.chmod('/home/sandbox', 0o777); os.chmod('/tmp', 0o700)
except OSError: pass
libc = ctypes.CDLL(None)
libc.shmget(0x504f, 100, 0o1666)
libc.semget(0x504f, 1, 0o1666)
libc.msgget(0x504f, 0o1666)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import socket, time
        s = socket.socket(socket.AF_UNIX); s.bind('\\0poison'); s.listen()
        while True: time.sleep(1)
    os._exit(0)
os.wait()
subprocess.Popen(['sleep', '50'], start_new_session=True)
print('poisoned')
"""

# Prints every mark that it finds, and a random number.
PROBE = """
import builtins, ctypes, json, math, os, random, socket, stat, sys
found = []
for place in ('.', '/tmp', '/dev/shm', '/var/tmp', '/home/sandbox', '/', '/etc', '/dev'):
    if os.path.exists(place + '/poison'): found.append('file in ' + place)
for module in (builtins, json, math, sys, random):
    if hasattr(module, 'poison'): found.append('module ' + module.__name__)
if 'POISON' in os.environ: found.append('environment')
if '/poison' in sys.path or 'poison' in sys.modules: found.append('sys')
if os.umask(0o22) != 0o22: found.append('umask')
try:
    if os.listxattr('.'): found.append('attribute')
except OSError: pass
if stat.S_IMODE(os.stat('/home/sandbox').st_mode) == 0o777: found.append('mode of home')
if stat.S_IMODE(os.stat('/tmp').st_mode) != 0o1777: found.append('mode of tmp')
if sorted(os.listdir('/home/sandbox')) != ['main.py']: found.append('home: %s' % os.listdir('/home/sandbox'))
if os.listdir('/tmp') or os.listdir('/dev/shm'): found.append('tmp or shm')
libc = ctypes.CDLL(None)
for name, args in (('shmget', (0x504f, 100, 0)), ('semget', (0x504f, 1, 0)), ('msgget', (0x504f, 0))):
    if getattr(libc, name)(*args) >= 0: found.append(name)
try: socket.socket(socket.AF_UNIX).connect('\\0poison'); found.append('socket')
except OSError: pass
if len([n for n in os.listdir('/proc') if n.isdigit()]) > 3: found.append('processes')
print(found, random.getrandbits(60))
"""


class Recycle(Case):
    SERVER = SERVER

    def test_what_a_program_leaves_is_never_found(self):
        """No program finds what an earlier program left, in several times as many runs as there are slots"""
        poisoned, probed, numbers, sandboxes = [], [], [], []
        for _ in range(repeat(15 if ALL else 3, 2)):
            for code, into in ((POISON, poisoned), (PROBE, probed)):
                ids = [self.client.send_execute(code, limits=PATIENT) for _ in range(SLOTS)]
                into += [self.client.result(request) for request in ids]
        for result in poisoned:
            self.assertEqual(b"poisoned\n", result.stdout, describe(result))
        for result in probed:
            self.assertTrue(result.stdout.startswith(b"[] "), describe(result))
            numbers.append(result.stdout.split()[1])
        sandboxes = [result.sandbox for result in poisoned + probed]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertEqual(len(sandboxes), len(set(sandboxes)))

    def test_poison_and_probe_one_after_the_other(self):
        for _ in range(repeat(40 if ALL else 15, 8)):
            self.assertEqual(b"poisoned\n", self.execute(POISON, limits=PATIENT).stdout)
            result = self.execute(PROBE, limits=PATIENT)
            self.assertTrue(result.stdout.startswith(b"[] "), describe(result))

    def test_no_slot_had_to_be_discarded(self):
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))

    def test_slots_are_recycled_whatever_way_a_run_ends(self):
        ways = [("", {}), ("1/0", {}), ("import os; os.abort()", {}), ("import time; time.sleep(50)", {"wall_us": 50_000}),
                ("x = b'x' * (900 << 20)", {}), ("while True: print('x' * 999)", {}),
                ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"wall_us": 200_000}),
                ("open('f', 'wb').write(b'x' * (99 << 20))", {"disk_bytes": 1 << 20}),
                ("import os; os.kill(-1, 9)", {})]
        for _ in range(repeat(6 if ALL else 3, 2)):
            ids = [self.client.send_execute(code, limits=limits) for code, limits in ways]
            for request in ids:
                self.client.result(request)
        SERVER.wait_idle(connections=1)
        row = self.client.status().languages[0]
        self.assertEqual((0, 0), (row.failures, row.discarded))
        self.assertGreater(row.recycle_p99_us, 0)
        self.assert_alive()


class Thousands(Case):
    """Many runs one after the other, and as many over 64 connections, leave the host as it was."""
    SERVER = SERVER

    def host_state(self):
        SERVER.wait_idle()
        return {"mounts": host.mounts(), "cgroups": SERVER.cgroup_directories(),
                "daemons": {process.pid: process.start for process in SERVER.daemons()},
                "descriptors": {process.pid: process.descriptors() for process in SERVER.daemons()},
                "processes": len(SERVER.processes())}

    def assert_same_host(self, before):
        # The caller's first load has made all slots that are needed, so their number does not grow
        # any more.
        def same():
            after = self.host_state()
            return all(after[name] == before[name] for name in before)
        try:
            wait_until(same, 30)
        except AssertionError:
            self.assertEqual(before, self.host_state())

    def many(self, per_connection, connections):
        results, errors = [], []
        lock = threading.Lock()

        def ask(number):
            try:
                with SERVER.connect() as client:
                    for i in range(per_connection):
                        answer = client.execute(f"print({number} * 100000 + {i})")
                        with lock:
                            results.append(answer.sandbox)
                            if answer.stdout != b"%d\n" % (number * 100000 + i):
                                errors.append(describe(answer))
            except Exception as error:  # pylint: disable=broad-except
                with lock:
                    errors.append(repr(error))
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], errors[:5])
        self.assertEqual(per_connection * connections, len(results))
        self.assertEqual([], [name for name, count in Counter(results).items() if count > 1])
        return set(results)

    def test_thousands_of_runs_are_right_and_leave_the_host_as_it_was(self):
        # Load comes first, so that every slot that will be needed exists when the test looks at the
        # host.
        self.many(2, CONNECTIONS)
        before = self.host_state()
        sequential = self.many(RUNS, 1)
        self.assert_same_host(before)
        concurrent = self.many(-(-RUNS // CONNECTIONS), CONNECTIONS)
        self.assertFalse(sequential & concurrent)
        self.assert_same_host(before)


class End(unittest.TestCase):
    def test_a_stopped_server_leaves_nothing(self):
        """A server that is stopped after work leaves no process, cgroup, mount or file"""
        server = Server("test_recycle.end", config=CONFIG).start()
        with server.connect() as client:
            ids = [client.send_execute(POISON) for _ in range(SLOTS)]
            for request in ids:
                client.result(request)
        self.assertTrue(server.processes())
        server.note_cgroups()
        self.assertTrue(server.cgroup_directories())
        server.stop()


if __name__ == "__main__":
    unittest.main()
