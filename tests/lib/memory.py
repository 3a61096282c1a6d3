"""What a program finds in its memory, which is a copy of its zygote's: nothing of other slots, of the host, of the
server's start. Markers stand in all that zygote, supervisor and start-up know, and a program has the whole memory of
every process in its sandbox searched for them (tests/attack/search.c)."""

import os
import struct
import uuid

from lib.case import describe
from lib.server import BUILD

SEARCH = BUILD / "tests" / "attack" / "search"
KEY = 0xa5

# Of a run beside: numbers that occur nowhere else.
MEMORY, DISK = 0x2f7b5d31, 0x17a3c5e9
LIMITS = {"memory_bytes": 1 << 30, "wall_us": 60_000_000, "cpu_us": 60_000_000, "pids": 64}
USUAL = {"java", "javascript", "node-prestarted"}  # under another limit of memory they are fresh, and no copies of anything

CANARY = "canary" + uuid.uuid4().hex
PLANTED = "planted" + uuid.uuid4().hex
os.environ["HATCHERY_CANARY"] = CANARY  # which servers get that are started from here on

C = 'int system(const char *);\nconst char planted[] = "@";\nint main(void) { return system("sh ./look") != 0; }\n'
# Each has @ in its memory, and starts ./look. Languages that are not here execute a program of their own, as bash does,
# or can start none: SQLite leaves what starts one to its command.
PROGRAMS = {
    "bash": "planted=@; sh ./look; :",
    "c-fast": C,
    "java": 'public class Main { static String planted = "@"; public static void main(String[] a) throws Exception {\n'
            'new ProcessBuilder("sh", "./look").inheritIO().start().waitFor(); } }',
    "javascript": "const planted = '@'; require('child_process').spawnSync('sh', ['./look'], { stdio: 'inherit' });",
    "lua": "planted = '@' os.execute('sh ./look')",
    "luajit": "planted = '@' os.execute('sh ./look')",
    "perl": "my $planted = '@'; system('sh ./look');",
    "php": "<?php $planted = '@'; passthru('sh ./look');",
    "prolog": ":- X = '@', shell('sh ./look'), write(user_error, X).",
    "python": "import os\nplanted = '@'\nos.system('sh ./look')",
    "r": "planted <- '@'; writeLines(system('sh ./look', intern = TRUE))",
    "ruby": "planted = '@'\nsystem('sh ./look')",
    "tcl": "set planted @\nputs [exec sh ./look]",
}
PROGRAMS["node-prestarted"] = PROGRAMS["javascript"]


def needles(server):
    """By what they are, as bytes."""
    found = {
        "planted": PLANTED,
        "environment of the server": CANARY,
        "the server's directory: configuration, cache, socket": str(server.dir),
        "where the server is installed": str(BUILD),
        "an address it listens on": server.address,
        "a line of /proc/PID/stat": "(hatchery-zygote)",
        **{f"cgroup {path}": path for path in sorted(server.instance_cgroups)},
    }
    return {**{what: text.encode() for what, text in found.items()},
            "memory limit of the slot beside": struct.pack("<q", MEMORY), "disk of the slot beside": struct.pack("<q", DISK)}


def assert_nothing_of_others(case, language, **more):
    """A program of the language finds what it planted, and no other needle; more: needles by what they are.

    It runs in a sandbox that was made while another run was under way under marked limits: those that were warm before
    are used up by runs that do nothing."""
    wanted = {**needles(case.SERVER), **{what: text.encode() for what, text in more.items()}}
    coded = [bytes(byte ^ KEY for byte in text).hex() for text in wanted.values()]
    program = PROGRAMS[language]
    limits = {name: value for name, value in LIMITS.items() if name != "memory_bytes" or language not in USUAL}
    client = case.client
    beside = None
    if language != "java":  # whose sandboxes are dear, and are made as Node's are
        [row] = [row for row in client.status().languages if row.name == language]
        beside = client.send_execute(program, language=language, files={"look": "exec sleep 1000\n"},
                                     limits={**LIMITS, "memory_bytes": MEMORY, "disk_bytes": DISK})
        for _ in range(row.warm + row.preparing):
            case.assert_exited(client.execute(program, language=language, files={"look": ":\n"}, limits=limits))
    result = client.execute(program.replace("@", PLANTED), language=language, limits=limits, files={
        "search": (SEARCH.read_bytes(), 0o755), "look": f"exec ./search {' '.join(coded)}\n"})
    if beside:
        client.cancel(beside)
    case.assert_exited(result)
    *hits, searched = result.stdout.decode().splitlines()
    case.assertRegex(searched, r"^searched [1-9] [0-9]{6}", describe(result))
    names = list(wanted)
    found = [(names[int(number)], place, process) for process, place, number in (hit.split() for hit in hits)]
    case.assertIn("planted", {what for what, _, _ in found}, f"{language}: the search finds what is there")
    case.assertEqual([], [hit for hit in found if hit[0] != "planted"], language)
