"""What a program finds in its memory, which is a copy of its zygote's: nothing of other slots, of the host, of the
server's start. Markers stand in all that zygote, supervisor and start-up know, and a program of each language has the
whole memory of every process in its sandbox searched for them (tests/attack/search.c)."""

import os
import struct
import unittest
import uuid

from lib.case import Case, ServerModule, describe
from lib.server import BUILD, IS_SANITIZED

SEARCH = BUILD / "tests" / "attack" / "search"
KEY = 0xa5
CANARY = "canary" + uuid.uuid4().hex
NEIGHBOUR = "neighbour-" + uuid.uuid4().hex[:12]  # another language's name, and its module's
PLANTED = "planted" + uuid.uuid4().hex  # by the program itself

# The limits of the run beside: numbers that occur nowhere else.
MEMORY, DISK = 0x2f7b5d31, 0x17a3c5e9

C = 'int system(const char *);\nconst char planted[] = "@";\nint main(void) { return system("sh ./look") != 0; }\n'
# Each has @ in its memory, and starts ./look.
PROGRAMS = {
    "python": "import os\nplanted = '@'\nos.system('sh ./look')",
    "perl": "my $planted = '@'; system('sh ./look');",
    "ruby": "planted = '@'\nsystem('sh ./look')",
    "php": "<?php $planted = '@'; passthru('sh ./look');",
    "lua": "planted = '@' os.execute('sh ./look')",
    "luajit": "planted = '@' os.execute('sh ./look')",
    "tcl": "set planted @\nputs [exec sh ./look]",
    "r": "planted <- '@'; writeLines(system('sh ./look', intern = TRUE))",
    "prolog": ":- X = '@', shell('sh ./look'), write(user_error, X).",
    "sqlite": "create table t(a); insert into t values ('@');\n.shell sh ./look\n",
    "c-fast": C,
    "c": C,
    "bash": "planted=@; sh ./look; :",
    "javascript": "const planted = '@'; require('child_process').spawnSync('sh', ['./look'], { stdio: 'inherit' });",
    "java": 'public class Main { static String planted = "@"; public static void main(String[] a) throws Exception {\n'
            'new ProcessBuilder("sh", "./look").inheritIO().start().waitFor(); } }',
}
# Others start a program of their own in the sandbox, as bash and c do, and so have none of the zygote's memory.

SERVER = ServerModule(
    __name__, config="client_share = 100\nwarm_memory = 4G\n"
    + "".join(f"language {name} {{ warm = 2 running = 2 ceilings {{ memory = 2G }} }}\n" for name in PROGRAMS)
    + f"language {NEIGHBOUR} {{ runtime = lua warm = 1 preload = {{ {NEIGHBOUR}_module }} }}\n")


NEEDLES = {}


def setUpModule():
    os.environ["HATCHERY_CANARY"] = CANARY
    SERVER.set_up()
    NEEDLES.update(needles())


def tearDownModule():
    SERVER.tear_down()
    del os.environ["HATCHERY_CANARY"]


def needles():
    """By what they are, as bytes."""
    found = {
        "planted": PLANTED,
        "environment of the server": CANARY,
        "another language": NEIGHBOUR,
        "the server's directory: configuration, cache, socket": str(SERVER.dir),
        "where the server is installed": str(BUILD),
        "an address it listens on": SERVER.address,
        "a line of /proc/PID/stat": "(hatchery-zygote)",
    }
    for number, path in enumerate(sorted(SERVER.instance_cgroups)):
        found[f"cgroup {path}"] = path
        found[f"below the mount {number}"] = path.split("/", 5)[-1]
    for process in SERVER.zygote_processes():
        found[f"zygote {process.pid}"] = f"/proc/{process.pid}/"
    return {**{what: text.encode() for what, text in found.items()},
            "memory limit of the slot beside": struct.pack("<q", MEMORY), "disk of the slot beside": struct.pack("<q", DISK)}


class Memory(Case):
    SERVER = SERVER

    def search(self, language):
        """What is found by a program while another one of the language runs under marked limits. The searcher's sandbox is
        made after that: the one before it is used up by a run that does nothing."""
        wanted = NEEDLES
        coded = {what: bytes(byte ^ KEY for byte in text).hex() for what, text in wanted.items()}
        files = {"search": (SEARCH.read_bytes(), 0o755), "look": f"exec ./search {' '.join(coded.values())}\n"}
        limits = {"memory_bytes": 1 << 30, "wall_us": 60_000_000, "cpu_us": 60_000_000, "pids": 64}
        program = PROGRAMS[language]
        beside = self.client.send_execute(program, language=language, files={"look": "read forever\n"}, stdin=None,
                                          limits={**limits, "memory_bytes": MEMORY, "disk_bytes": DISK})
        self.execute(program, language=language, files={"look": "echo done\n"}, limits=limits)
        result = self.execute(program.replace("@", PLANTED), language=language, files=files, limits=limits)
        self.client.cancel(beside)
        self.assert_exited(result)
        *hits, searched = result.stdout.decode().splitlines()
        self.assertRegex(searched, r"^searched [1-9] [0-9]{7}", describe(result))
        names = list(wanted)
        return [(names[int(number)], place, process) for process, place, number in (hit.split() for hit in hits)]


def test_of(language):
    def test(self):
        hits = self.search(language)
        self.assertIn("planted", {what for what, _, _ in hits}, "the search finds what is there")
        self.assertEqual([], [hit for hit in hits if hit[0] != "planted"])
    test.__doc__ = f"{language}: nothing of others in memory"
    return test


for name in PROGRAMS:
    setattr(Memory, f"test_{name.replace('-', '_')}", test_of(name))


if __name__ == "__main__":
    unittest.main()
