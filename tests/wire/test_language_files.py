"""Files of languages: faults in them are found at the start, and compiled and prepared files are made anew when
necessary."""

import os
import subprocess
import unittest

from lib.languages import PYTHON, WithLanguages, runtime
from lib.server import wait_until

DATABASE = "/var/lib/dpkg/status"


class Faulty(WithLanguages):
    """Faults that would end every zygote or sandbox of a language are found at the start, with file and line, and are
    told to clients."""

    def faults(self, server):
        tool = server.dir / "tool"
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
        return {
            "no-program": ({"version": "{ nosuchprogram }"}, "version begins with nosuchprogram, and there is no such program"),
            "no-run": ({"run": "{ /usr/bin/nosuch }"}, "run begins with /usr/bin/nosuch, and there is no such program"),
            "no-warm": ({"kind": "prestarted", "warm": "{ nosuch }"}, "warm begins with nosuch, and"),
            "unseen": ({"run": f"{{ {tool} }}"}, "which sandboxes do not see: name its directory in paths"),
            "no-path": ({"paths": "{ /etc/nosuch }"}, "paths names /etc/nosuch, and there is no such directory"),
            "taken": ({"paths": "{ /dev }"}, "sandboxes have their own /dev"),
            "no-call": ({"extra_calls": "{ nosuchcall }"}, "which is no known system call"),
            "forbidden": ({"extra_calls": "{ ptrace }"}, "the language asks for ptrace, which no sandbox may call"),
        }

    def test_each_in_a_sentence_and_no_zygote_is_started(self):
        server = self.prepare()
        faults = self.faults(server)
        for name, (keys, _) in faults.items():
            self.write(name, runtime(name, **keys))
        self.write("made", runtime("made", prepare='{ sh, -c, ":" }'))
        names = [*faults, "made"]
        wanted = PYTHON + "".join(f"language {name} {{ warm = 1 }}\n" for name in names)
        self.configure(server, f"cache = {server.config_path}/cache\n{wanted}")
        server.start()
        with server.connect() as client:
            self.assertFalse(client.status().ready)
            self.assertEqual(["python"], self.names(client))
            for name, (_, words) in faults.items():
                refused = self.refusal(client, name)
                self.assertEqual("NOT_FOUND", refused.code)
                self.assertIn(f"{name} can't be served here: ", refused.message)
                self.assertIn(words, refused.message)
                self.assertNotIn(str(self.folder), refused.message)
                self.assertRegex(server.log(), rf"{name} can't be served: {self.folder}/{name}.conf: line \d: .*{words}")
            self.assertEqual("made can't be served here: the server's cache directory can't be used",
                             self.refusal(client, "made").message)
            self.assertIn(f"made can't be served: {server.config_path}: line 2: cache: mkdir {server.config_path}/cache: ",
                          server.log())
            self.assertEqual(1, server.run("status").returncode)
            self.assertEqual(1, len(server.zygote_processes()))
            check = subprocess.run([*server.command[:1], "--check-host", "--config", server.config_path], capture_output=True,
                                   text=True, timeout=120, check=False)
            self.assertEqual(1, check.returncode)
            for name in names:
                self.assertRegex(check.stdout, rf"FAIL  language {name} +/.*: line \d: ")
            # After the files are corrected, the languages are served.
            for name in names:
                self.write(name, runtime(name))
            self.configure(server, wanted)
            self.reload(server)
            wait_until(lambda: client.status().ready, what="all of them")
            self.assertEqual({"python", *names}, set(self.names(client)))

    def test_the_host_is_looked_at_without_a_trace(self):
        server = self.prepare()
        self.configure(server, f"cache = {server.dir}/a/b/c\n")
        subprocess.run([*server.command[:1], "--check-host", "--config", server.config_path], capture_output=True, timeout=120,
                       check=True)
        self.assertFalse((server.dir / "a").exists())


@unittest.skipUnless(os.path.exists(DATABASE), "packages are not dpkg's here")
class Upgraded(WithLanguages):
    def test_what_was_made_with_another_compiler_is_made_anew(self):
        server = self.prepare()
        header, database = server.dir / "include" / "header.h", server.dir / "status"
        header.parent.mkdir()
        header.write_text("echo one\n")
        database.write_text("Package: header\n")
        self.write("made", runtime(
            "made", kind="compiled", reads=f'{{ "{server.dir}/inc*" }}', artifacts="{ main }", run="{ sh, ./main }",
            prepare=f'{{ sh, -c, "cp {header} {{prepared}}/h" }}', compile="{ cp, /hatchery/prepared/h, main }"))
        self.configure(server, f"cache = {server.dir}/not/yet/there\n{PYTHON}language made {{ warm = 1 }}\n")
        # A package database for this server only.
        server.command = ["unshare", "--mount", "sh", "-c", f'mount --bind {database} {DATABASE} && exec "$@"', "sh",
                          *server.command]
        server.start()
        with server.connect() as client:
            first = self.assert_made(client, b"one\n")
            header.write_text("echo other\n")
            self.reload(server)
            second = self.wait_renewed(client, first)
            self.assertEqual(second, self.assert_made(client, b"other\n"))
            self.reload(server)  # nothing has changed
            header.write_text("echo upgraded\n")
            database.write_text("Package: header\nVersion: 2\n")
            third = self.wait_renewed(client, second)
            self.assertEqual(third, self.assert_made(client, b"upgraded\n"))
            self.assertEqual([1, 2, 3], [first, second, third])

    def assert_made(self, client, text):
        """Compiles once, and then gets the artifact from the cache. Returns the generation that compiled."""
        for cached in (False, True):
            result = client.execute("", language="made")
            self.assertEqual((text, cached), (result.stdout, result.compile.cached))
        return self.row(client, "made").generation

    def wait_renewed(self, client, generation):
        return wait_until(lambda: (row := self.row(client, "made")).generation > generation and row.generation,
                          what="the next generation")


if __name__ == "__main__":
    unittest.main()
