"""`cmake --install` makes a tree that serves the same languages as the build, wherever it is moved."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.scale import patience
from lib.server import BUILD, IS_SANITIZED
from lib.servers import WithServers

ROOT = Path(__file__).resolve().parents[2]
FILES = ("bin/hatchery", "sbin/hatcheryd", "libexec/hatchery/hatchery-init", "share/hatchery/hatchery.proto",
         "share/man/man1/hatchery.1", "share/man/man8/hatcheryd.8", "share/man/man5/hatcheryd.conf.5",
         "share/hatchery/lang/c.conf", "share/hatchery/lang/node.js", "share/hatchery/prometheus/hatchery.rules.yml",
         "share/hatchery/grafana/hatchery.json",
         *(f"include/hatchery/client/{name}.h" for name in ("async", "characters", "event", "hatchery")))
# Attaches a client to a libevent base, and says which version it was compiled for and linked with.
EVENT_PROGRAM = """
#include "client/characters.h"
#include "client/event.h"
#include <event2/event.h>
#include <stdio.h>
int main(void)
{
        struct event_base *base = event_base_new();
        const struct hatchery_client_config config = { .address = "unix:/no/such/socket", .once = true };
        struct hatchery_client *client;
        struct hatchery_event *event;
        if (hatchery_client_new(&client, &config, NULL) || hatchery_event_attach(&event, client, base, NULL))
                return 1;
        event_base_loop(base, EVLOOP_NONBLOCK);
        hatchery_event_free(event);
        hatchery_client_free(client);
        event_base_free(base);
        printf("%d %d %zu\\n", HATCHERY_API_VERSION, hatchery_api_version(), hatchery_characters_room(0));
}
"""
PROGRAMS = {"bash": "echo here", "python": "print('here')", "javascript": "console.log('here')"}


def languages(program):
    """Returns each language with its state, as --check-host prints them, without the paths of files."""
    done = subprocess.run([program, "--check-host"], capture_output=True, text=True, timeout=patience(120), check=False)
    return re.findall(r"^(\w+) +language (\S+)", done.stdout, re.M)


def compile_by_pkg_config(tree, package, source, program):
    """Compiles the source with pkg-config's flags for the installed package, and with nothing else of this
    repository."""
    environment = {**os.environ, "PKG_CONFIG_PATH": str(next(tree.glob("lib/**/pkgconfig")))}
    asked = subprocess.run(["pkg-config", "--cflags", "--libs", package], env=environment, capture_output=True, text=True,
                           check=True)
    sanitizers = ["-fsanitize=address,undefined"] if IS_SANITIZED else []
    subprocess.run(["cc", "-std=c17", "-Wall", "-Werror", "-x", "c", source, "-x", "none", "-o", program,
                    *asked.stdout.split(), *sanitizers], cwd="/", check=True, timeout=patience(120))


@unittest.skipUnless(shutil.which("cmake") and (BUILD / "cmake_install.cmake").exists(), "a tree is installed by cmake")
class Installed(WithServers):
    def test_it_may_be_moved_and_lacks_nothing(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        made = Path(folder.name, "made")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", made], stdout=subprocess.DEVNULL, check=True,
                       timeout=patience(120))
        tree = made.rename(Path(folder.name, "moved"))
        self.assertEqual([], [name for name in FILES if not (tree / name).is_file()])
        there = languages(tree / "sbin/hatcheryd")
        self.assertEqual(languages(BUILD / "hatcheryd"), there)

        wanted = [name for name in PROGRAMS if ("ok", name) in there]
        self.assertIn("bash", wanted)
        server = self.prepare(config="".join(f"language {name} {{ warm = 1 }}\n" for name in wanted))
        server.command[0] = str(tree / "sbin/hatcheryd")
        server.start()
        with server.connect() as client:
            self.assertTrue(client.status().ready)
            for name in wanted:
                self.assertEqual(b"here\n", client.execute(PROGRAMS[name], language=name).stdout, name)
        self.library_serves(tree, server)

    def library_serves(self, tree, server):
        """pkg-config is enough to build programs with libhatchery: examples/async.c, the program in
        docs/libhatchery.md, and a program that uses hatchery-event."""
        if not shutil.which("pkg-config"):
            self.skipTest("pkg-config is not installed")
        example = tree / "example"
        compile_by_pkg_config(tree, "hatchery", ROOT / "examples" / "async.c", example)
        done = subprocess.run([example, server.address], capture_output=True, text=True, timeout=patience(120), check=False)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(100, len({line.split()[0] for line in done.stdout.splitlines()}), done.stdout)
        source = tree / "documented.c"
        text = re.search("```c\n(.*?)```", (ROOT / "docs" / "libhatchery.md").read_text(encoding="utf-8"), re.S).group(1)
        source.write_text(text.replace("127.0.0.1:7070", server.address), encoding="utf-8")
        compile_by_pkg_config(tree, "hatchery", source, tree / "documented")
        done = subprocess.run([tree / "documented"], capture_output=True, text=True, timeout=patience(120), check=False)
        self.assertEqual((0, "4\n6\n", ""), (done.returncode, done.stdout, done.stderr))
        source = tree / "event.c"
        source.write_text(EVENT_PROGRAM, encoding="utf-8")
        compile_by_pkg_config(tree, "hatchery-event", source, tree / "event")
        done = subprocess.run([tree / "event"], capture_output=True, text=True, timeout=patience(60), check=True)
        compiled, linked, room = done.stdout.split()
        self.assertEqual(compiled, linked)
        self.assertEqual("12", room)


if __name__ == "__main__":
    unittest.main()
