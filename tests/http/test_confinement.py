"""The rights of the gateway's workers, as the kernel shows them: they read what strangers write, so they have none."""

import os
import re
import unittest

from lib import host
from lib.case import Case, ServerModule
from lib.server import IS_SANITIZED

SERVER = ServerModule(__name__, http=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def limits(process):
    rows = [re.split(r"\s{2,}", line) for line in host.read(f"/proc/{process.pid}/limits").splitlines()[1:]]
    return {fields[0]: (fields[1], fields[2]) for fields in rows}


def sockets(process):
    """The inodes of the process's sockets."""
    links = (os.readlink(f"/proc/{process.pid}/fd/{name}") for name in os.listdir(f"/proc/{process.pid}/fd"))
    return {link[len("socket:["):-1] for link in links if link.startswith("socket:[")}


def internet(pid):
    """The inodes of the sockets in the process's network namespace."""
    return {line.split()[9] for kind in ("tcp", "tcp6") for line in host.read(f"/proc/{pid}/net/{kind}").splitlines()[1:]}


class Confinement(Case):
    SERVER = SERVER

    def workers(self):
        found = SERVER.worker_processes()
        self.assertEqual(3, len(found))
        return found

    def test_workers_have_no_capability_and_gain_none(self):
        for worker in self.workers():
            status = worker.status()
            self.assertEqual([0] * 5, [int(status[name], 16) for name in SETS])
            self.assertEqual(("1", "2", "", "1"), (status["NoNewPrivs"], status["Seccomp"], status["Groups"], status["Threads"]))
        # The control: for a process of root, the same reads give other values.
        self.assertNotEqual(0, int(host.Process(SERVER.process.pid).status()["CapEff"], 16))

    def test_workers_have_a_user_that_nobody_else_is(self):
        ids = {field for worker in self.workers() for name in ("Uid", "Gid") for field in worker.status()[name].split()}
        self.assertEqual(1, len(ids))
        uid = int(ids.pop())
        self.assertGreater(uid, 65535)
        workers = {worker.pid for worker in self.workers()}
        self.assertNotIn(uid, {int(p.status()["Uid"].split()[0]) for p in SERVER.processes() if p.pid not in workers})

    def test_workers_have_limits_and_can_not_be_read(self):
        """Workers leave no core dump, and no process of their user can read their memory"""
        for worker in self.workers():
            self.assertEqual(("0", "0"), limits(worker)["Max core file size"])
            if not IS_SANITIZED:  # the leak check traces its own process
                self.assertEqual(0, os.stat(f"/proc/{worker.pid}/mem").st_uid)

    def test_workers_hold_nothing_but_sockets_and_their_loop(self):
        for worker in self.workers():
            kinds = {re.sub(r"[:\[].*|\d+", "", os.readlink(f"/proc/{worker.pid}/fd/{name}"))
                     for name in os.listdir(f"/proc/{worker.pid}/fd") if name != "2"}
            self.assertLessEqual(kinds, {"socket", "anon_inode", "pipe", "/dev/null"})

    def test_workers_see_the_pools_socket_and_no_other_file(self):
        for worker in self.workers():
            place = os.readlink(f"/proc/{worker.pid}/cwd")
            self.assertRegex(place, r"^/run/hatchery/instance-\d+$")
            self.assertEqual(["pool.sock"], os.listdir(f"/proc/{worker.pid}/cwd/"))
            if not IS_SANITIZED:  # sanitized builds keep the old root, to read /proc
                self.assertEqual(place, os.readlink(f"/proc/{worker.pid}/root"))

    def test_workers_have_a_network_without_an_address(self):
        """Workers accept connections in the host's network, but are themselves in an empty network namespace"""
        listening = internet("self")
        for worker in self.workers():
            self.assertNotEqual(os.readlink("/proc/self/ns/net"), os.readlink(f"/proc/{worker.pid}/ns/net"))
            self.assertEqual(set(), internet(worker.pid))
            self.assertEqual([], [line for line in host.read(f"/proc/{worker.pid}/net/unix").splitlines()[1:] if "@" in line])
            self.assertTrue(sockets(worker) & listening)  # the control: the same search finds the listening sockets


if __name__ == "__main__":
    unittest.main()
