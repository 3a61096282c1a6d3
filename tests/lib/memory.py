"""A program's memory is a copy of its zygote's, and must hold nothing of other slots, of the host, or of the server's
start. Markers are put into all data that the zygote, the supervisor and the server's start use. A program then starts
a search for the markers in the whole memory of every process in its sandbox (tests/attack/search.c). If a language's
programs can't start another program, the host searches."""

import os
import re
import struct
import subprocess
import uuid

from lib import host
from lib.case import describe
from lib.scale import ALL
from lib.server import BUILD, HOME, IS_SANITIZED, wait_until

SEARCH = BUILD / "tests" / "attack" / "search"
KEY = 0xa5

# Limits of another run: numbers that occur nowhere else.
MEMORY, DISK, PIDS = 0x2f7b5d31, 0x17a3c5e9, 0xf7a1d
LIMITS = {"memory_bytes": 1 << 30, "wall_us": 60_000_000, "cpu_us": 60_000_000, "pids": 64}
USUAL = {"java", "javascript", "node-prestarted"}  # another memory limit would make their processes fresh, not copies
CEILINGS = " ceilings { pids = 1048576 } "  # for the language's section of the configuration

CANARY = "canary" + uuid.uuid4().hex
PLANTED = "planted" + uuid.uuid4().hex
os.environ["HATCHERY_CANARY"] = CANARY  # in the environment of all servers that are started from here on

C = 'int system(const char *);\nconst char planted[] = "@";\nint main(void) { return system("sh ./look") != 0; }\n'
# Programs that have @ in their memory, and start ./look. The tests replace @ by a marker.
PROGRAMS = {
    "awk": 'BEGIN { planted = "@"; exit system("sh ./look") }\n',
    "bash": "planted=@; sh ./look; :",
    "c": C,
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
    "sed": "1!s/x/@/\n1e sh ./look\nd\n",
    "tcl": "set planted @\nputs [exec sh ./look]",
}
PROGRAMS["node-prestarted"] = PROGRAMS["javascript"]
if ALL:  # without --all only C is tested: programs of all these languages replace the process
    PROGRAMS["cpp"] = C.replace("int system", 'extern "C" int system').replace("const char planted", "char planted")
    PROGRAMS["go"] = ('package main\nimport ("os"; "os/exec")\nvar planted = "@"\n'
                      'func main() { c := exec.Command("sh", "./look", planted); c.Stdout = os.Stdout; c.Run() }\n')
    PROGRAMS["rust"] = ('static PLANTED: &str = "@";\n'
                        'fn main() { std::process::Command::new("sh").arg("./look").arg(PLANTED).status().unwrap(); }\n')
# For these languages no run with marked limits goes on beside the search. Their programs replace
# the copy of the zygote. Java is among them, because its sandboxes are expensive, and are made like
# Node's.
NO_RUN_BESIDE = ("awk", "c", "cpp", "go", "java", "rust", "sed")

SLEEP, NOTHING = "exec sleep 1000\n", ":\n"

# For languages whose programs can't start other programs. Each of these programs has @ in its
# memory and goes on running, so that the host can search.
SQL = {SLEEP: "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n;\n", NOTHING: "SELECT 1;\n"}
OUTSIDE = {"bc": 'x = 1\n"@"\nwhile (x) x = 1\n', "sqlite": f"SELECT '@';\n{SQL[SLEEP]}"}

LANGUAGES = {*PROGRAMS, *OUTSIDE}


def with_ceilings(config, language):
    """Returns the configuration with ceilings that allow the limits of the marked run."""
    changed, n = re.subn(rf'^(language "?{language}"? {{)', rf"\1{CEILINGS}", config, flags=re.M)
    if n != 1:
        raise ValueError(f"there is no section of {language} in {config!r}")
    return changed


def needles(server):
    """Returns each needle's bytes by its meaning."""
    found = {
        "planted": PLANTED,
        "environment of the server": CANARY,
        "the server's directory: configuration, cache, socket": str(server.dir),
        "where the server is installed": str(HOME),
        "an address it listens on": server.address,
        "a line of /proc/PID/stat": "(hatchery-zygote)",
        "memory limit of the slot beside, as a cgroup is told": str(MEMORY),
        **{f"cgroup {path}": path for path in sorted(server.instance_cgroups)},
    }
    numbers = {"memory limit of the slot beside": MEMORY, "disk of the slot beside": DISK, "pids limit of the slot beside": PIDS}
    return {**{what: text.encode() for what, text in found.items()},
            **{what: struct.pack("<q", number) for what, number in numbers.items()}}


def coded(wanted):
    return [bytes(byte ^ KEY for byte in text).hex() for text in wanted.values()]


def hits_of(output, wanted):
    """Returns (meaning, place, process) for each line of the search's output."""
    names = list(wanted)
    return [(names[int(number)], place, process) for process, place, number in (line.split() for line in output)]


def limits_of(language):
    return {name: value for name, value in LIMITS.items() if name != "memory_bytes" or language not in USUAL}


def small(language, look):
    """Returns a small program of the language, with `look` as the script that it starts."""
    return {"code": SQL[look]} if language == "sqlite" else {"code": PROGRAMS[language], "files": {"look": look}}


def mark(case, language):
    """Starts a run with marked limits, which the zygote keeps in its memory (zygote/cgroup_slot.h). Then uses up all
    sandboxes that were warm before, so that the next sandbox was made after the limits were set. Returns the running
    request."""
    client = case.client
    [row] = [row for row in client.status().languages if row.name == language]
    beside = client.send_execute(**small(language, SLEEP), language=language,
                                 limits={**LIMITS, "memory_bytes": MEMORY, "disk_bytes": DISK, "pids": PIDS})
    for _ in range(row.warm + row.preparing):
        case.assert_exited(client.execute(**small(language, NOTHING), language=language, limits=limits_of(language)))
    return beside


def assert_nothing_of_others(case, language, **more):
    """Checks that a program of the language finds its own marker, and no other needle. more: further needles by their
    meaning."""
    if IS_SANITIZED:
        case.skipTest("the search would touch a sanitizer's shadow memory, which then counts as memory of the run")
    wanted = {**needles(case.SERVER), **{what: text.encode() for what, text in more.items()}}
    if language in OUTSIDE:
        assert_nothing_seen_from_outside(case, language, wanted)
        return
    beside = None if language in NO_RUN_BESIDE else mark(case, language)
    client = case.client
    result = client.execute(PROGRAMS[language].replace("@", PLANTED), language=language, stdin=b"line\n",
                            limits=limits_of(language), files={
        "search": (SEARCH.read_bytes(), 0o755), "look": f"exec ./search {' '.join(coded(wanted))}\n"})
    if beside:
        client.cancel(beside)
    case.assert_exited(result)
    *hits, searched = result.stdout.decode().splitlines()
    case.assertRegex(searched, r"^searched [1-9] [0-9]{6}", describe(result))
    check(case, language, hits_of(hits, wanted))


def is_beside(process):
    """Tells whether the process belongs to the run with marked limits. This run may know its own limits."""
    for controllers, path in process.cgroups().items():
        for mount in host.cgroup_mounts(controllers):
            for name in "memory.limit_in_bytes", "memory.max":
                if host.read(f"{mount}{path}/{name}").strip() == str(MEMORY // 4096 * 4096):
                    return True
    return False


def assert_nothing_seen_from_outside(case, language, wanted):
    """Checks the same by a search from the host, in all processes of the language: waiting and working ones."""
    beside = mark(case, language) if language == "sqlite" else None
    request = case.client.send_execute(OUTSIDE[language].replace("@", PLANTED), language=language, limits=LIMITS)

    def hits():
        pids = [f"pid={process.pid}" for process in case.SERVER.processes()
                if process.name == language and not is_beside(process)]
        done = subprocess.run([SEARCH, *pids, *coded(wanted)], capture_output=True, text=True, check=True)
        found = hits_of([line for line in done.stdout.splitlines()[:-1] if " closed " not in line], wanted)
        return found if any(what == "planted" for what, _, _ in found) else None
    try:
        check(case, language, wait_until(hits, what="a program with the marker"))
    finally:
        for under_way in filter(None, (request, beside)):
            case.client.cancel(under_way)


def check(case, language, found):
    case.assertIn("planted", {what for what, _, _ in found}, f"{language}: the search finds what is there")
    case.assertEqual([], [hit for hit in found if hit[0] != "planted"], language)
