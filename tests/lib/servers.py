"""Tests that start servers of their own, one or more each."""

import os

from lib.case import Case
from lib.server import Server, is_taken


class WithServers(Case):
    def prepare(self, **options):
        server = Server(f"{type(self).__name__}.{self._testMethodName}", **options)
        self.addCleanup(server.stop)
        return server

    def start(self, **options):
        return self.prepare(**options).start()

    def groups(self, server):
        """This server's cgroups. Their inodes tell them from the cgroups that a later server makes."""
        server.note_cgroups()
        return {(path, os.stat(path).st_ino) for path in server.cgroup_directories()}

    def assert_gone(self, groups):
        def is_there(path, inode):
            try:
                return os.stat(path).st_ino == inode and not is_taken(path)
            except FileNotFoundError:
                return False
        self.assertEqual([], [path for path, inode in groups if is_there(path, inode)],
                         "the next server did not remove the cgroups of a killed server")
