"""sed, a language that is data: sed -f FILE ARGUMENTS becomes the sandbox's main process."""

from lib.case import ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage sed { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LINE = {"stdin": "line\n"}

SEMANTICS = {
    "hello": ("1c Hello, World!\n", LINE),
    "stdin to its end": ("$!d\ns/.*/last: &/\n", {"stdin": "some\nlines\nand no end"}),
    "stdin by line": ("s/^/</;s/$/>/\n", {"stdin": "a b\n\nlast"}),
    "args": ("F\n", {"args": ["a b.txt", "žluť.txt", "--", "-x"],
                     "files": {"a b.txt": "1\n", "žluť.txt": "2\n", "-x": "3\n"}}),
    "env": ("s/.*/printf %s \"$GREETING\"/e\n", {**LINE, "env": {"GREETING": "good day = 1"}}),
    "several files": ("/insert/r extra.txt\n$w out.txt\n$e cat out.txt\n",
                      {"stdin": "a\ninsert\nb\n", "files": {"extra.txt": "from a file\n"}}),
    "exit code": ("s/x/y/\n2q3\n", {"stdin": "x\nxx\nxxx\n"}),
    "uncaught error": ("p\np\nr\n", LINE),
    "syntax error": ("s/a/b\n", LINE),
    "death by signal": ("1e kill -TERM $PPID; sleep 1\np\n", LINE),
    "buffered output": ("s/$/!/\n", {"stdin": "no newline"}),
    "binary output": ("s/x/\\x00\\x01\\xff\\o200/\n", {"stdin": "x\n", "env": {"LC_ALL": "C"}}),
    "utf-8 output": ("s/.*/Grüße, 世界 🐣/;y/ü/u/\n", LINE),
    "unread stdin": ("1q\n", {"stdin": "first\n" + "x\n" * 100_000}),
    "own source": ("r main.sed\n", LINE),
    "subprocess": ("1e echo inner; exit 7\n", LINE),
    "stderr": ("w /dev/stderr\n", LINE),
}

MORE = {
    "POSIXLY_CORRECT": ("s/a\\+/x/\n", {"stdin": "aa+\n", "env": {"POSIXLY_CORRECT": "1"}}),
    "hold space": ("1!G;h;$!d\n", {"stdin": "1\n2\n3\n"}),
    "branches": (":a\ns/^\\([^#]*\\)#/\\1+/\nta\n", {"stdin": "a#b#c\n"}),
    "groups": ("s/\\(.\\)\\(.\\)/\\2\\1/g\n", {"stdin": "abcdef\n"}),
    "an option line": ("#n\n/b/p\n", {"stdin": "a\nb\n"}),
    "addresses": ("2,4{/x/!d}\n0~3s/^/third /\n", {"stdin": "x1\nx2\ny3\nx4\ny5\nx6\n"}),
    "case conversion": ("s/\\w\\+/\\u&/g;s/$/ \\U&/\n", {"stdin": "some words\n"}),
    "append, insert, change": ("1i before\n2a after\n3c changed\n", {"stdin": "1\n2\n3\n"}),
    "line numbers": ("=\n", {"stdin": "a\nb\n"}),
    "list": ("l\n", {"stdin": "tab\there\x07é\\\n"}),
    "several files end to end": ("$!d\n", {"args": ["a", "b"], "files": {"a": "1\n2", "b": "3\n4"}}),
    "the separate option": ("$!d\n", {"args": ["-s", "a", "b"], "files": {"a": "1\n2", "b": "3\n4"}}),
    "the quiet option": ("2p\n", {"args": ["-n"], "stdin": "1\n2\n"}),
    "extended expressions": ("s/(a|b)+/<&>/\n", {"args": ["-E"], "stdin": "xabax\n"}),
    "editing in place": ("s/a/b/;$e cat x\n", {"args": ["-i", "x"], "files": {"x": "a\n"}}),
    "NUL data": ("s/^./X/\n", {"args": ["-z"], "stdin": b"ab\0cd\0"}),
    "a missing file": ("p\n", {"args": ["/nonexistent"]}),
    "a file that is there after one that is not": ("p\n", {"args": ["/nonexistent", "a"], "files": {"a": "1\n"}}),
    "unknown command": ("k\n", LINE),
    "unknown option": ("p\n", {"args": ["--nothing"], "stdin": ""}),
    "a label that is missing": ("b nowhere\n", LINE),
    "unmatched braces": ("{p\n", LINE),
    "empty program": ("", LINE),
    "no input": ("p\n", {}),
    "quit without printing": ("2Q5\n", {"stdin": "1\n2\n3\n"}),
    "a line of great length": ("s/x/y/g;s/^\\(.\\{3\\}\\).*/\\1/\n", {"stdin": "x" * 100_000}),
    "input that is not UTF-8": ("s/./X/g\n", {"stdin": b"caf\xe9!\n"}),
    "carriage returns": ("s/a/b/\r\n", {"stdin": "a\n"}),
    "a full device": ("w /dev/full\n", LINE),
    # In sed, popen closes descriptor 4, the other end of its pipe, perhaps only while the child
    # already runs. So the program waits for that. If the descriptor leaks, the program ends by its
    # time limit.
    "open descriptors": ("1e while test -e /proc/$PPID/fd/4; do sleep 0.01; done; ls /proc/$PPID/fd\n", LINE),
}

Sed = tests_of(SERVER, Language(
    name="sed",
    killed=("s/.*/one/p\ns/.*/err/w /dev/stderr\n:a\nba\n", {**LINE, "limits": {"cpu_us": 300_000}, "printed": b"one\nerr\n"}),
    failing=("p\n", {"args": ["a.txt", "missing"], "files": {"a.txt": "1\n"}}),
    main="main.sed", command=["sed", "-f"], semantics=SEMANTICS, more=MORE,
    corpus={},
    absent={"exit hook": "sed has none", "pending work": "sed has neither threads nor timers",
            "hello": "it takes a line of input, which the corpus does not have",
            "fizzbuzz": "sed has no numbers", "primes": "sed has no numbers", "word count": "sed has no numbers",
            "json": "sed has no JSON"}))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "sed"

    def hostile(self, program, **options):
        result = self.run_program(program, **options)
        self.assertEqual(b"b\n", self.run_program("s/a/b/\n", stdin=b"a\n").stdout)
        return result

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", ":a\nba\n", stdin=b"x\n", limits={"wall_us": 300_000})

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", ":a\ns/.*/&&/\nba\n", stdin=b"xx\n",
                         limits={"memory_bytes": 32 * MIB, "wall_us": 20_000_000})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", ":a\np\nba\n", stdin=b"xx\n", limits={"output_bytes": MIB})

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile("p\n", args=["/etc/shadow", "/proc/1/environ"])
        self.assertEqual(b"", result.stdout, describe(result))
        self.assertEqual(2, result.exit_code, describe(result))
