"""AWK, a language that is data: awk -f FILE ARGUMENTS becomes the sandbox's main process."""

from lib.case import ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage awk { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SEMANTICS = {
    "hello": 'BEGIN { print "Hello, World!" }\n',
    "stdin to its end": ("{ print toupper($0) }\n", {"stdin": "some\nlines\nand no end"}),
    "stdin by line": ('{ printf "%d: <%s> %d\\n", NR, $2, NF; fflush() }\n', {"stdin": "a b c\n\n x  y \nlast"}),
    "args": ('BEGIN { for (i = 0; i < ARGC; i++) printf "[%s]\\n", ARGV[i] }\n',
             {"args": ["", "a b", "žluťoučký", "v=1", "--", "-x"]}),
    "env": ('BEGIN { print ENVIRON["GREETING"]; print ENVIRON["USER"] }\n', {"env": {"GREETING": "good day = 1"}}),
    "several files": ("FNR == 1 { print FILENAME } { print v, $1 }\n",
                      {"args": ["v=1", "a.txt", "v=2", "d/b.txt"], "files": {"a.txt": "1\n2\n", "d/b.txt": "3\n"}}),
    "exit code": 'BEGIN { print "x"; exit 3 }\n',
    "uncaught error": 'BEGIN {\n  print "begin"\n  x = 1 / zero\n}\n',
    "syntax error": 'BEGIN { print "a"\n  if (1 { print }\n}\n',
    "death by signal": 'BEGIN { system("kill -TERM $PPID"); while (1) n++ }\n',
    "exit hook": 'BEGIN { exit 4 }\nEND { print "bye" }\n',
    "buffered output": 'BEGIN { printf "no-newline" }\n',
    "binary output": ('BEGIN { for (i = 0; i < 256; i++) printf "%c", i }\n', {"env": {"LC_ALL": "C"}}),
    "utf-8 output": 'BEGIN { s = "Grüße, 世界 🐣"; print s, length(s) }\n',
    "unread stdin": ('BEGIN { print "done" }\n', {"stdin": "x" * 200_000}),
    "own source": 'BEGIN { while ((getline line < "main.awk") > 0) print NR, line }\n',
    "subprocess": 'BEGIN { "echo inner; exit 7" | getline x; print x, close("echo inner; exit 7"), system("exit 7") }\n',
    "stderr": 'BEGIN { print "out"; print "err" > "/dev/stderr" }\n',
}

MORE = {
    "AWKPATH": ('@include "far"\nBEGIN { f() }\n', {"env": {"AWKPATH": "libs"}, "files": {"libs/far.awk": "function f() { print 1 }\n"}}),
    "POSIXLY_CORRECT": ('BEGIN { print length("ä"), substr("hello", 2, 2), "\\x41B" }\n', {"env": {"POSIXLY_CORRECT": "1"}}),
    "TZ": ('BEGIN { print strftime("%H", 0) }\n', {"env": {"TZ": "Asia/Tokyo"}}),
    "fields and patterns": ("/b/ { $2 = \"X\"; print } NR == 2, NR == 3 { print \"range\", $0 }\n",
                            {"stdin": "a b c\nd e f\ng b h\ni j k\n"}),
    "record separators": ('BEGIN { RS = ""; FS = "\\n" } { print NR ": " $1 "/" $NF }\n', {"stdin": "a\nb\n\n\nc\nd\n"}),
    "arrays in order": 'BEGIN { n = split("c a b", w); for (i = n; i; i--) print w[i]; delete w; print length(w) }\n',
    "functions and recursion": "function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) }\nBEGIN { print f(20) }\n",
    "deep recursion": "function f(n) { return n ? 1 + f(n - 1) : 0 }\nBEGIN { print f(20000) }\n",
    "regular expressions": 'BEGIN { s = "foo bar"; gsub(/o+/, "[&]", s); print s, match(s, /b.r/), RSTART, RLENGTH }\n',
    "printf": 'BEGIN { printf "%5.2f|%-5s|%05d|%x|%e\\n", 3.14159, "ab", 42, 255, 12345.678 }\n',
    "numbers": "BEGIN { print 2^53, 2^53 + 1, 1e300 * 1e300, log(-1), int(-3.7), 1/3; print 0.1 + 0.2 == 0.3 }\n",
    "output files": 'BEGIN { print "x" > "f"; print "y" > "f"; close("f"); while ((getline l < "f") > 0) print l }\n',
    "output pipe": 'BEGIN { print "b\\na" | "sort"; close("sort"); print "end" }\n',
    "a pipe left open": 'BEGIN { print "b\\na" | "sort" }\n',
    "getline of a missing file": 'BEGIN { print (getline x < "/nonexistent") }\n',
    "a missing argument file": ("{ print }\n", {"args": ["/nonexistent"]}),
    "a directory for a file": ("{ print }\n", {"args": ["."]}),
    "nextfile and next": ("NR == 2 { next } { print }\n", {"stdin": "1\n2\n3\n"}),
    "exit in the middle": ("NR == 2 { exit 5 } { print } END { print \"end\" }\n", {"stdin": "1\n2\n3\n"}),
    "an error in END": ("END { f() }\n", {"stdin": "1\n"}),
    "undefined function": "BEGIN { nothing(1) }\n",
    "unterminated string": 'BEGIN { print "abc }\n',
    "empty program": ("", {"stdin": "x\n"}),
    "comment alone": ("# nothing\n", {"stdin": "x\n"}),
    "carriage returns": 'BEGIN { print "a" }\r\n',
    "binary input": ("{ print length($0) }\n", {"stdin": bytes(range(256)), "env": {"LC_ALL": "C"}}),
    "input that is not UTF-8": ("{ print length($0) }\n", {"stdin": b"caf\xe9\n"}),
    "the same numbers by default": "BEGIN { print rand(), rand(); print srand(1), srand() }\n",
    "open descriptors": 'BEGIN { system("ls /proc/self/fd | wc -l") }\n',
    "what is ignored": 'BEGIN { system("grep -E ^Sig.Ign /proc/self/status") }\n',
    "no standard output": 'BEGIN { print "x" > "/dev/full"; close("/dev/full"); print "on" }\n',
    "a reader that ends": 'BEGIN { for (i = 0; i < 100000; i++) print i | "head -1" }\n',
    "a file beside of another name": ("@include \"lib.awk\"\nBEGIN { print twice(21) }\n",
                                      {"files": {"lib.awk": "function twice(x) { return 2 * x }\n"}}),
    "a missing include": "@include \"none.awk\"\n",
    "time": 'BEGIN { print strftime("%Y-%m-%d %H:%M", 0, 1), systime() > 1600000000 }\n',
    "sorted walk": 'BEGIN { a["b"]; a["a"]; PROCINFO["sorted_in"] = "@ind_str_asc"; for (k in a) print k }\n',
    "bits": "BEGIN { print and(12, 10), or(12, 10), xor(12, 10), lshift(1, 10) }\n",
}

Awk = tests_of(SERVER, Language(
    name="awk",
    killed=('BEGIN { print "one"; printf "part"; print "err" > "/dev/stderr"; printf "two"; while (1) n++ }\n', {"limits": {"cpu_us": 300_000}}),
    main="main.awk", command=["awk", "-f"], semantics=SEMANTICS, more=MORE,
    corpus={
        "hello": 'BEGIN { print "Hello, World!" }\n',
        "fizzbuzz": 'BEGIN { for (i = 1; i <= 100; i++) print i % 15 ? i % 5 ? i % 3 ? i : "Fizz" : "Buzz" : "FizzBuzz" }\n',
        "primes": "BEGIN {\n  n = 1000000\n  for (i = 2; i < n; i++) {\n    if (i in c) continue\n    k++\n"
                  "    for (j = i * i; j < n; j += i) c[j]\n  }\n  print k\n}\n",
        "word count": "{ for (i = 1; i <= NF; i++) n[$i]++ }\nEND { for (w in n) print w, n[w] | \"sort -k2,2nr -k1,1\" }\n",
    },
    absent={"json": "AWK has no JSON", "pending work": "AWK has neither threads nor timers"},
    random=["BEGIN { srand(); \"od -An -N8 -tx8 /dev/urandom\" | getline x; print x }\n",
            'BEGIN { "mktemp" | getline x; print x }\n'],
    limits={"wall_us": 60_000_000, "cpu_us": 60_000_000, "memory_bytes": 512 * MIB}))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "awk"
    HELLO = SEMANTICS["hello"]

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "BEGIN { while (1) n++ }\n", limits={"wall_us": 300_000})

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", 'BEGIN { s = "x"; while (1) a[n++] = s = s s }\n',
                         limits={"memory_bytes": 64 * MIB, "wall_us": 20_000_000})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", 'BEGIN { while (1) print "flood" }\n', limits={"output_bytes": MIB})

    def test_endless_input_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "{ n++ }\n", args=["/dev/zero"], limits={"wall_us": 300_000, "memory_bytes": 1024 * MIB})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile('BEGIN { while (1) print "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" > "f" }\n',
                              limits={"disk_bytes": 4 * MIB})
        self.assertIn(b"No space left", result.stderr, describe(result))

    def test_no_socket_leads_out(self):
        result = self.hostile('BEGIN { s = "/inet/tcp/0/127.0.0.1/22"; print "x" |& s; print "on" }\n')
        self.assertNotIn(b"SSH", result.stdout + result.stderr, describe(result))
        self.assertNotEqual(0, result.exit_code, describe(result))

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile('BEGIN { while ((getline l < "/etc/shadow") > 0) print l; '
                              'print (getline l < "/proc/1/environ") }\n')
        self.assertEqual(b"-1\n", result.stdout, describe(result))
