"""What a program sees inside a sandbox: nothing of the host may appear. If possible, a test first
shows that the thing is visible outside. Otherwise the test would prove nothing."""

import json
import os
import threading
import unittest
import uuid
from pathlib import Path

from lib import host
from lib.case import Case, ServerModule, describe
from lib.server import wait_until

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup")


class Sandbox(Case):
    SERVER = SERVER

    def shell(self, script, **arguments):
        result = self.execute("import subprocess, sys; sys.exit(subprocess.run(['sh', '-c', sys.argv[1]]).returncode)",
                              args=[script], **arguments)
        return result.stdout.decode(errors="replace")

    def read(self, path):
        return self.output("import sys; sys.stdout.write(open(sys.argv[1]).read())", args=[path])

    def status(self):
        return dict(line.split(":", 1) for line in self.read("/proc/self/status").splitlines())

    def run_marked(self):
        """Starts a program that waits; returns its process as the host sees it, and the request's id."""
        mark = uuid.uuid4().hex
        request = self.client.send_execute(
            f"import subprocess; subprocess.run(['/bin/sh', '-c', 'sleep 50; :', '{mark}'])")
        found = wait_until(lambda: [p for p in host.processes() if mark in p.command()], what="the program")
        return found[0]


class Identity(Sandbox):
    def test_it_is_not_root(self):
        self.assertEqual("1000 1000 1000 1000 []\n", self.output(
            "import os; print(os.getuid(), os.geteuid(), os.getgid(), os.getegid(), [g for g in os.getgroups() if g != 1000])"))

    def test_its_user_has_a_name_and_a_home(self):
        self.assertEqual("sandbox /home/sandbox sandbox\n", self.output(
            "import pwd, os, grp; p = pwd.getpwuid(os.getuid()); print(p.pw_name, p.pw_dir, grp.getgrgid(os.getgid()).gr_name)"))

    def test_the_host_user_is_unprivileged_and_nobody_elses(self):
        process = self.run_marked()
        status = process.status()
        uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
        self.assertEqual((1, 1), (len(uids), len(gids)))
        uid = int(uids.pop())
        self.assertGreater(uid, 65535)
        self.assertEqual("", status["Groups"])
        self.assertNotIn(f":{uid}:", Path("/etc/passwd").read_text())

    def test_sandboxes_have_different_host_users(self):
        first, second = self.run_marked(), self.run_marked()
        self.assertNotEqual(first.status()["Uid"], second.status()["Uid"])

    def test_it_has_no_capability(self):
        status = self.status()
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(0, int(status[name], 16), name)
        self.assertNotEqual(0, int(host.Process(os.getpid()).status()["CapEff"], 16))

    def test_it_can_gain_no_privilege(self):
        self.assertEqual("1", self.status()["NoNewPrivs"].strip())


class Kernel(Sandbox):
    def test_its_namespaces_are_its_own(self):
        own = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}
        inside = json.loads(self.output("import os, json; print(json.dumps({n: os.readlink(f'/proc/self/ns/{n}') for n in %r}))"
                                        % (NAMESPACES,)))
        for name in NAMESPACES:
            self.assertNotEqual(own[name], inside[name], name)

    def test_its_namespaces_are_nobody_elses(self):
        """Two sandboxes share no mount, IPC, UTS or process namespace with each other"""
        first, second = self.run_marked(), self.run_marked()
        for name in NAMESPACES:
            self.assertNotEqual(os.readlink(f"/proc/{first.pid}/ns/{name}"), os.readlink(f"/proc/{second.pid}/ns/{name}"), name)

    def test_its_system_calls_are_filtered(self):
        status = self.status()
        self.assertEqual("2", status["Seccomp"].strip())
        self.assertNotEqual("0", status["Seccomp_filters"].strip())

    def test_it_is_a_normal_process(self):
        """The program has a small process id that is not 1, and few neighbours"""
        pid, pids = json.loads(self.output("import os, json; print(json.dumps([os.getpid(), [int(n) for n in os.listdir('/proc') if n.isdigit()]]))"))
        self.assertNotEqual(1, pid)
        self.assertLess(pid, 10_000)
        self.assertLessEqual(len(pids), 3)


class Filesystem(Sandbox):
    def mounts(self):
        rows = []
        for line in self.read("/proc/self/mountinfo").splitlines():
            left, _, right = line.partition(" - ")
            fields, kind = left.split(), right.split()
            rows.append({"at": fields[4], "options": fields[5].split(","), "type": kind[0]})
        return rows

    def test_the_root_is_an_overlay(self):
        [root] = [row for row in self.mounts() if row["at"] == "/"]
        self.assertEqual("overlay", root["type"])

    def test_mounts_are_few_and_tight(self):
        mounts = self.mounts()
        self.assertLess(len(mounts), 16, mounts)
        for row in mounts:
            self.assertIn("nosuid", row["options"], row)
            if row["at"] == "/usr":
                self.assertIn("ro", row["options"])

    def test_nothing_of_the_host_shows_in_the_mounts(self):
        text = self.read("/proc/self/mountinfo")
        for word in (str(Path(__file__).parents[2]), "hatchery-test", "/etc/resolv.conf"):
            self.assertNotIn(word, text)

    def test_usr_is_read_only(self):
        code = "import os\nfor p in ('/usr/x', '/usr/bin/x', '/usr/lib/x', '/usr/bin/python3'):\n" \
               "    try: open(p, 'w'); print('wrote', p)\n    except OSError as e: print(e.errno in (30, 13, 1))"
        self.assertEqual("True\n" * 4, self.output(code))

    def test_writes_vanish(self):
        mark = uuid.uuid4().hex
        places = [f"{folder}/{mark}" for folder in ("/home/sandbox", "/tmp", "/dev/shm", "/var/tmp", "/", "/etc", "/home", "/var", "/run", "/opt", "/root")]
        code = f"import os, sys\nwrote = []\nfor p in {places!r}:\n    try: open(p, 'w').write('x'); wrote.append(p)\n    except OSError: pass\nprint(' '.join(wrote))"
        wrote = self.output(code).split()
        for must in ("/home/sandbox", "/tmp", "/dev/shm"):
            self.assertIn(f"{must}/{mark}", wrote)
        for _ in range(20):
            self.assertEqual("[]\n", self.output(f"import os; print([p for p in {places!r} if os.path.exists(p)])"))
        self.assertEqual([], [path for path in places if os.path.exists(path)])

    def test_the_hosts_secrets_are_not_there(self):
        code = "import os\nfor p in ('/etc/shadow', '/etc/ssh', '/etc/machine-id', '/root', '/boot', '/sys', '/var/log', '/etc/hosts', '/etc/sudoers', '/proc/kcore', '/proc/sys', '/proc/kallsyms', '/proc/cmdline', '/proc/1/environ', '/proc/1/root/etc', '/dev/mem', '/dev/vda', '/dev/sda', '/dev/kmsg', '/dev/fuse', '/dev/kvm'):\n" \
               "    try:\n        got = os.listdir(p) if os.path.isdir(p) else open(p, 'rb').read(100)\n        if got: print(p, got)\n    except OSError: pass"
        out = self.output(code)
        self.assertNotIn("shadow", out)
        for path in ("/etc/ssh", "/root", "/boot", "/sys", "/var/log", "/proc/", "/dev/", "/etc/sudoers", "/etc/machine-id"):
            self.assertNotIn(path, out)

    def test_the_checkout_is_not_there(self):
        root = Path(__file__).resolve().parents[2]
        self.assertTrue((root / "CMakeLists.txt").exists())
        self.assertEqual("False\n", self.output(f"import os; print(os.path.exists({str(root)!r}))"))

    def test_devices_are_the_harmless_ones(self):
        names = set(self.output("import os; print(*os.listdir('/dev'))").split())
        self.assertLessEqual({"null", "zero", "full", "random", "urandom", "shm"}, names)
        self.assertLessEqual(names, {"null", "zero", "full", "random", "urandom", "shm", "fd", "stdin", "stdout", "stderr", "tty", "pts"})
        code = "import os\nopen('/dev/null', 'w').write('x')\ntry: os.write(os.open('/dev/full', os.O_WRONLY), b'x')\n" \
               "except OSError as e: n = e.errno\n" \
               "print(open('/dev/zero', 'rb').read(4) == bytes(4), n, len(open('/dev/urandom', 'rb').read(9)) == 9)"
        self.assertEqual("True 28 True\n", self.output(code))

    def test_every_place_that_can_be_written_is_bounded(self):
        code = "import os\nfor d in ('/home/sandbox', '/tmp', '/dev/shm', '/dev', '/', '/etc', '/var/tmp'):\n    n = 0\n    try:\n" \
               "        with open(d + '/fill', 'wb', 0) as f:\n            while n < 600: f.write(b'x' * (1 << 20)); n += 1\n    except OSError as e: pass\n" \
               "    print(d, n)\n    try: os.unlink(d + '/fill')\n    except OSError: pass"
        result = self.execute(code, limits={"disk_bytes": 16 << 20, "memory_bytes": 512 << 20, "wall_us": 30_000_000})
        rows = dict(line.split() for line in result.stdout.decode().splitlines())
        self.assertEqual(7, len(rows), describe(result))
        self.assertGreater(int(rows["/tmp"]), 4)
        self.assertLess(max(map(int, rows.values())), 64, rows)

    def test_descriptors_of_a_subprocess_are_three(self):
        self.assertEqual("0 1 2 3\n", self.shell("ls /proc/self/fd | tr '\\n' ' ' | sed 's/ $//'; echo"))


class Network(Sandbox):
    def test_its_only_interface_is_a_loopback_that_is_down(self):
        def interfaces(pid):
            return [line.split(":")[0].strip() for line in host.read(f"/proc/{pid}/net/dev").splitlines()[2:]]
        process = self.run_marked()
        self.assertIn("lo", interfaces("self"))
        self.assertLessEqual(set(interfaces(process.pid)), {"lo"})
        # A loopback that is up has addresses and local routes.
        self.assertTrue(host.read("/proc/self/net/fib_trie").strip())
        self.assertEqual("", host.read(f"/proc/{process.pid}/net/fib_trie").strip())
        self.assertEqual("", host.read(f"/proc/{process.pid}/net/if_inet6").strip())


class Processes(Sandbox):
    def test_the_host_name_is_not_the_hosts(self):
        self.assertNotEqual(os.uname().nodename, self.output("import os; print(os.uname().nodename)").strip())

    def test_it_is_in_a_cgroup_with_its_limits(self):
        process = self.run_marked()
        groups = process.cgroups()
        inside = {name: path for name, path in groups.items() if "hatchery" in path}
        self.assertTrue(inside, groups)

        def limit(*names):
            files = [Path(mount + path, name) for controllers, path in inside.items()
                     for mount in host.cgroup_mounts(controllers) for name in names]
            return [file.read_text().strip() for file in files if file.exists()]
        self.assertEqual([str(256 << 20)], limit("memory.limit_in_bytes", "memory.max"))
        self.assertEqual(["128"], limit("pids.max"))

    def test_it_does_not_see_its_cgroup(self):
        self.assertNotIn("hatchery", self.read("/proc/self/cgroup"))

    def test_it_can_not_be_reached_by_another_sandbox(self):
        """Two sandboxes that run at one time see nothing of each other"""
        mark = uuid.uuid4().hex
        other = self.run_marked()
        self.assertTrue(other.is_alive())
        out = self.output(f"import glob, os\nopen('/tmp/{mark}', 'w'); print(len(glob.glob('/proc/[0-9]*')), os.listdir('/tmp'))")
        self.assertIn(mark, out)
        self.assertLessEqual(int(out.split()[0]), 3)

    def test_nothing_of_it_survives_its_end(self):
        mark = uuid.uuid4().hex
        code = f"import os, subprocess, time\n" \
               f"for _ in range(5): subprocess.Popen(['/bin/sh', '-c', 'trap \"\" 1 2 15; setsid sleep 50; :', '{mark}'], start_new_session=True)\n" \
               "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(50)\n    os._exit(0)\nprint('done')"
        self.assertEqual("done\n", self.output(code))
        self.assertEqual([], [p for p in host.processes() if mark in p.command()])


class Daemons(Sandbox):
    """The threads of the server's own processes."""

    def test_the_supervisor_and_the_pool_have_one_thread(self):
        for process in SERVER.daemons():
            if SERVER.server.process.pid == process.pid or process.pid == SERVER.pool_process().pid:
                self.assertEqual("1", process.status()["Threads"], process)


class Guesses(Sandbox):
    """Programs that run at one time must not get each other's results."""

    def test_many_results_at_once_are_not_mixed(self):
        errors = []

        def ask(number):
            with SERVER.connect() as client:
                for i in range(25):
                    text = f"{number}-{i}"
                    got = client.execute(f"print({text!r}, open('f').read())", files={"f": text}).stdout.decode()
                    if got != f"{text} {text}\n":
                        errors.append((text, got))
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], errors)


if __name__ == "__main__":
    unittest.main()
