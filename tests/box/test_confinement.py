"""The rights of the server's own processes, as the kernel shows them. The pool, which reads
untrusted requests, has no rights. Zygotes have the nine capabilities of their table. Init has two,
in a user namespace without rights outside."""

import os
import re
import select
import signal
import socket
import struct
import unittest
from pathlib import Path

from lib import host
from lib.case import Case, ServerModule
from lib.server import IS_SANITIZED, wait_until

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST "
                "NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE "
                "SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP").split()
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup")
ZYGOTE = {"SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE", "SETUID", "SETGID", "SETPCAP", "KILL", "CHOWN", "DAC_OVERRIDE"}


def capabilities(process, name):
    value = int(process.status()[name], 16)
    return {CAPABILITIES[bit] if bit < len(CAPABILITIES) else bit for bit in range(64) if value >> bit & 1}


def limits(process):
    rows = {}
    for line in host.read(f"/proc/{process.pid}/limits").splitlines()[1:]:
        fields = re.split(r"\s{2,}", line)
        rows[fields[0]] = (fields[1], fields[2])
    return rows


def namespace(process, name):
    return os.readlink(f"/proc/{process.pid}/ns/{name}")


class Confinement(Case):
    SERVER = SERVER

    def only(self, found):
        self.assertEqual(1, len(found), found)
        return found[0]

    def pool(self):
        return SERVER.pool_process()

    def zygote(self):
        return self.only([p for p in SERVER.zygote_processes() if p.name != "hatchery-init"])

    def inits(self):
        return [p for p in SERVER.processes() if p.name == "hatchery-init"]

    def warm(self):
        """A sandbox that waits for its job: a child of the zygote that has already become the slot's user."""
        zygote = self.zygote().pid
        return wait_until(lambda: [p for p in host.processes() if p.parent == zygote and p.name == "python"
                                   and p.status().get("Seccomp_filters") == str(2) and p.status()["Uid"].split()[0] != "0"],
                          what="a warm sandbox")

    # ------------------------------------------------------------ the pool

    def test_the_pool_has_no_capability_and_gains_none(self):
        pool = self.pool()
        for name in SETS:
            self.assertEqual(set(), capabilities(pool, name), name)
        status = pool.status()
        self.assertEqual(("1", "2", ""), (status["NoNewPrivs"], status["Seccomp"], status["Groups"]))
        # The control: for a process of root, the same reads give other values.
        self.assertNotEqual(set(), capabilities(host.Process(SERVER.process.pid), "CapEff"))

    def test_the_pool_is_a_user_of_its_own(self):
        status = self.pool().status()
        uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
        self.assertEqual((1, 1), (len(uids), len(gids)))
        uid = int(uids.pop())
        self.assertGreater(uid, 65535)
        others = {int(p.status()["Uid"].split()[0]) for p in SERVER.processes() if p.pid != self.pool().pid}
        self.assertNotIn(uid, others)
        self.assertNotIn(f":{uid}:", Path("/etc/passwd").read_text())

    def test_the_pool_has_limits(self):
        rows = limits(self.pool())
        self.assertEqual(("0", "0"), rows["Max core file size"])
        self.assertEqual(("0", "0"), rows["Max nice priority"])
        self.assertEqual(("0", "0"), rows["Max realtime priority"])
        self.assertEqual("1", self.pool().status()["Threads"])

    def test_the_pool_can_not_be_read_by_its_own_user(self):
        """Its memory belongs to root: no other process of its user can look into it"""
        if IS_SANITIZED:
            self.skipTest("the leak check of a sanitized build traces its own process, so it stays open to itself")
        self.assertEqual(0, os.stat(f"/proc/{self.pool().pid}/mem").st_uid)

    def test_the_pool_holds_nothing_but_sockets_pipes_and_its_loop(self):
        pool = self.pool()
        kinds = set()
        for name in os.listdir(f"/proc/{pool.pid}/fd"):
            kinds.add(re.sub(r"[:\[].*|\d+", "", os.readlink(f"/proc/{pool.pid}/fd/{name}")) if name != "2" else "log")
        # It also has the compile cache's directory, which is its root, too.
        cache = {kind for kind in kinds if kind.endswith("/cache/hatchery-")}
        self.assertLessEqual(len(cache), 1)
        self.assertLessEqual(kinds - {"log"} - cache, {"socket", "pipe", "anon_inode", "/dev/null", "/proc//schedstat"}
                             | self.cgroup_files(pool), kinds)

    @staticmethod
    def cgroup_files(pool):
        """The descriptors for its sandboxes' CPU time, which are read-only."""
        found = set()
        for name in os.listdir(f"/proc/{pool.pid}/fd"):
            target = os.readlink(f"/proc/{pool.pid}/fd/{name}")
            if target.rsplit("/", 1)[-1] in ("cpuacct.usage", "cpu.stat"):
                flags = int(re.search(r"flags:\s+(\d+)", host.read(f"/proc/{pool.pid}/fdinfo/{name}")).group(1), 8)
                if flags & 3 == os.O_RDONLY:
                    found.add(re.sub(r"[:\[].*|\d+", "", target))
        return found

    def test_the_pool_sees_what_the_host_sees_and_can_reach_none_of_it(self):
        """It stays in the host's namespaces, since it listens there; its filter confines it: tests/unit/confine.c"""
        for name in NAMESPACES:
            self.assertEqual(os.readlink(f"/proc/self/ns/{name}"), namespace(self.pool(), name))

    # ------------------------------------------------------------ zygotes

    def test_a_zygote_has_the_capabilities_that_it_uses(self):
        zygote = self.zygote()
        for name in ("CapPrm", "CapEff", "CapBnd"):
            self.assertEqual(ZYGOTE, capabilities(zygote, name), name)
        for name in ("CapInh", "CapAmb"):
            self.assertEqual(set(), capabilities(zygote, name), name)

    @unittest.skipUnless((ROOT / "zygote").is_dir(), "the sources are not here")
    def test_the_documented_capabilities_are_those(self):
        source = (ROOT / "zygote" / "rights.c").read_text()
        table = re.search(r"kept_capabilities\[\] = \{(.*?)\};", source, re.S).group(1)
        self.assertEqual(ZYGOTE, set(re.findall(r"CAP_(\w+),", table)))
        self.assertEqual(9, len(ZYGOTE))
        self.assertIn("nine capabilities", (ROOT / "docs" / "architecture.md").read_text())

    def test_a_zygote_is_filtered_too(self):
        self.assertEqual("2", self.zygote().status()["Seccomp"])

    def test_a_zygote_is_in_a_root_of_its_own(self):
        zygote = self.zygote()
        self.assertNotEqual(os.readlink("/proc/self/ns/mnt"), namespace(zygote, "mnt"))
        rows = [line.split() for line in host.read(f"/proc/{zygote.pid}/mountinfo").splitlines()]
        self.assertEqual({"/", "/usr", "/proc", "/run", "/run/beside"}, {row[4] for row in rows})
        self.assertEqual(set(), {"root", "boot", "sys", "srv", "opt"} & set(os.listdir(f"/proc/{zygote.pid}/root")))

    def test_a_zygote_has_no_socket_that_a_stranger_reaches(self):
        zygote = self.zygote()
        inodes = {m.group(1) for name in os.listdir(f"/proc/{zygote.pid}/fd")
                  for m in [re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{zygote.pid}/fd/{name}"))] if m}
        self.assertTrue(inodes)
        self.assertEqual(set(), inodes & self.internet(zygote))
        self.assertNotEqual(os.readlink("/proc/self/ns/net"), namespace(zygote, "net"))
        self.assertEqual(["lo"], [line.split(":")[0].strip() for line in host.read(f"/proc/{zygote.pid}/net/dev").splitlines()[2:]])
        # The control: the same search finds those of the pool.
        pool = self.pool()
        listening = {m.group(1) for name in os.listdir(f"/proc/{pool.pid}/fd")
                     for m in [re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pool.pid}/fd/{name}"))] if m}
        self.assertTrue(listening & self.internet(pool))

    @staticmethod
    def internet(process):
        """The inodes of the sockets in its network namespace."""
        return {field for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
                for line in host.read(f"/proc/{process.pid}/net/{kind}").splitlines() for field in line.split()[9:10]}

    # ------------------------------------------------------------ a pool that was taken over

    def test_an_order_above_the_ceilings_ends_the_zygote(self):
        """The test sends over the pool's own socket. The zygote is renewed, and the server serves on"""
        gib = 1 << 30
        for limits, said in (((1 << 50, 1, 1), "a memory limit of 1125899906842624"), ((gib, 0, 1), "a disk limit of 0"),
                             ((gib, 1, 513), "a pids limit of 513; it is 1 to 512")):
            self.assert_alive()
            zygote = self.zygote()
            for channel in self.channels():
                channel.send(struct.pack("=IIQqqqIIII", 2, 0, 1, *limits, 0, 0, 0, 0))  # ORDER_LIMIT; proto/ipc/channel.h
                channel.close()
            wait_until(lambda zygote=zygote: not zygote.is_alive(), what="the zygote's end")
            self.assertIn(f"the pool ordered {said}", SERVER.log())
            wait_until(lambda: len(SERVER.zygote_processes()) == 1 and self.client.status().ready, what="the next zygote")
        self.assert_alive()
        SERVER.wait_idle(connections=1)

    # ------------------------------------------------------------ signals

    # The process and its child have the handler before the child can be seen.
    HEEDS = ("import os, signal, time\ngot = []\nsignal.signal(signal.SIGINT, lambda *_: got.append(1))\nchild = os.fork()\n"
             "while not got: time.sleep(0.01)\nif child == 0: os._exit(7)\n"
             "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(got))")

    def test_a_signal_reaches_the_program_and_its_child(self):
        """A signal reaches the group of a run's main process, and the child's state shows it"""
        made = int(self.execute("pass").sandbox.rsplit("-", 1)[1])
        number = self.client.send_execute(self.HEEDS, limits={"wall_us": 60_000_000})
        family = wait_until(self.family, what="a program with a child")
        slot = int(re.search(r"/python\.\w-(\d+)", str(family[0].cgroups())).group(1))
        for signal_number, states in ((signal.SIGSTOP, "T"), (signal.SIGCONT, "RSD"), (signal.SIGINT, "")):
            self.order_signal(slot, made, signal_number)
            wait_until(lambda states=states: not states or all(p.status()["State"][0] in states for p in family), what=f"signal {signal_number}")
        result = self.client.result(number)
        self.assert_exited(result)
        self.assertEqual(b"7 1\n", result.stdout)

    def family(self):
        """Finds a child of the zygote, and a child of that child."""
        everybody, zygote = host.processes(), self.zygote().pid
        for parent in everybody:
            children = [p for p in everybody if p.parent == parent.pid and p.name == parent.name == "python"]
            if parent.parent == zygote and children:
                return [parent, *children]
        return None

    def order_signal(self, slot, made, number):
        """Orders a signal for each number that the slot's sandbox may have. Orders for other
        numbers are ignored, as late ones are."""
        for channel in self.channels():
            for sandbox in range(max(1, made - 128), made + 128):
                select.select([], [channel], [])
                channel.send(struct.pack("=IIQqqqIIII", 9, slot, sandbox, 0, 0, 0, 0, number, 0, 0))  # ORDER_SIGNAL
            channel.close()

    def channels(self):
        """The pool's ends of its sockets to zygotes: packet sockets, except 3, which goes to the supervisor."""
        pid = self.pool().pid
        pool, found = os.pidfd_open(pid), []
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                is_socket = int(name) > 3 and os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
                end = socket.socket(fileno=host.take_descriptor(pool, int(name))) if is_socket else None
            except OSError:
                continue  # closed meanwhile: a sandbox's socket
            if end and end.type == socket.SOCK_SEQPACKET:
                found.append(end)
            elif end:
                end.close()
        os.close(pool)
        return found

    # ------------------------------------------------------------ init

    def test_init_has_two_capabilities_where_it_is_nobody(self):
        for init in self.inits():
            status = init.status()
            self.assertEqual({"KILL", "DAC_READ_SEARCH"}, capabilities(init, "CapEff"))
            self.assertEqual({"KILL", "DAC_READ_SEARCH"}, capabilities(init, "CapPrm"))
            for name in ("CapInh", "CapBnd", "CapAmb"):
                self.assertEqual(set(), capabilities(init, name), name)
            self.assertEqual(("1", ""), (status["NoNewPrivs"], status["Groups"]))
            self.assertGreater(int(status["Uid"].split()[0]), 65535)
            self.assertEqual(1, len(set(status["Uid"].split())))

    def test_init_has_its_namespaces(self):
        """pid, net and user are its own and its sandbox's; its files are an empty directory"""
        own = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}
        inits = self.inits()
        self.assertGreater(len(inits), 1)
        for init in inits:
            for name in ("pid", "net", "user"):
                self.assertNotEqual(own[name], namespace(init, name))
            self.assertEqual([], os.listdir(f"/proc/{init.pid}/root"))
            self.assertEqual("4", str(init.descriptors()))
        for name in ("pid", "net", "user"):
            self.assertEqual(len(inits), len({namespace(init, name) for init in inits}), name)
        self.assertEqual(len(inits), len({init.status()["Uid"] for init in inits}))

    # ------------------------------------------------------------ a sandbox that waits

    def test_a_waiting_sandbox_has_nothing(self):
        for process in self.warm():
            status = process.status()
            for name in SETS:
                self.assertEqual(set(), capabilities(process, name), name)
            self.assertEqual(("1", "2", "2", ""), (status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"], status["Groups"]))
            self.assertEqual((1, 1), (len(set(status["Uid"].split())), len(set(status["Gid"].split()))))
            self.assertGreater(int(status["Uid"].split()[0]), 65535)

    def test_a_waiting_sandbox_has_its_namespaces(self):
        """mnt, ipc, uts and cgroup are its own; pid, net and user those of its slot"""
        own = {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}
        of_inits = {name: {namespace(init, name) for init in self.inits()} for name in NAMESPACES}
        for process in self.warm():
            for name in NAMESPACES:
                self.assertNotEqual(own[name], namespace(process, name), name)
            for name in ("pid", "net", "user"):
                self.assertIn(namespace(process, name), of_inits[name])
            for name in ("mnt", "ipc", "uts", "cgroup"):
                self.assertNotIn(namespace(process, name), of_inits[name])

    def test_a_waiting_sandbox_has_its_limits(self):
        for process in self.warm():
            rows = limits(process)
            # One byte: too little for a dump, and no handler is started: zygote/sandbox/limits.c.
            self.assertEqual(("1", "1"), rows["Max core file size"])
            for name in ("Max msgqueue size", "Max nice priority", "Max realtime priority"):
                self.assertEqual(("0", "0"), rows[name], name)
            self.assertEqual(("65536", "65536"), rows["Max locked memory"])
            self.assertEqual(("1024", "1024"), rows["Max pending signals"])

    def test_a_running_sandbox_has_the_limit_of_open_files_that_was_asked_for(self):
        out = self.output("import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
                          "try: resource.setrlimit(resource.RLIMIT_NOFILE, (38, 38)); print('raised')\nexcept (ValueError, OSError): print('refused')",
                          limits={"open_files": 37})
        self.assertEqual("(37, 37)\nrefused\n", out)


if __name__ == "__main__":
    unittest.main()
