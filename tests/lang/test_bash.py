"""Bash, a language that is data: bash FILE becomes the sandbox's main process."""

from lib.case import ServerModule, describe
from lib.hostile import MIB, HostileCase
from lib.language_case import Language, tests_of

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage bash { warm = 2 running = 2 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SEMANTICS = {
    "hello": 'echo "Hello, World!"\n',
    "stdin to its end": ("tr a-z A-Z\n", {"stdin": "some\nlines\nand no end"}),
    "stdin by line": ('while IFS= read -r line; do echo "<$line>"; done; echo "rest: $line"\n',
                      {"stdin": "one\n two \nthree\\n\nfour"}),
    "args": ('echo "$0 $#"; for a in "$@"; do printf "[%s]\\n" "$a"; done\n',
             {"args": ["", "a b", "žluťoučký", "-x", "--", "*", "$HOME"]}),
    "env": ('echo "$GREETING"; env | grep -c ^GREETING=; echo "$USER"\n', {"env": {"GREETING": "good day = 1"}}),
    "several files": (". ./lib/greet.sh\ngreet you\nbash other.sh a\n",
                      {"files": {"lib/greet.sh": 'greet() { echo "hi $1 from ${BASH_SOURCE[0]}"; }\n',
                                 "other.sh": 'echo "$0 $1"\n'}}),
    "exit code": "exit 3\n",
    "uncaught error": "set -e\necho begin\nf() {\n  cat /nonexistent\n}\nf\necho never\n",
    "syntax error": "echo before\nif true; then\n  echo in\nfi fi\n",
    "death by signal": "kill -TERM $$\necho never\n",
    "exit hook": "trap 'echo bye $?' EXIT\necho work\nexit 4\n",
    "buffered output": "printf no-newline\n",
    "binary output": 'for i in {0..255}; do printf "\\\\x$(printf %x "$i")"; done\n',
    "utf-8 output": 'echo "Grüße, 世界 🐣"; x=世界; echo ${#x}\n',
    "unread stdin": ("echo done\n", {"stdin": "x" * 200_000}),
    "pending work": "(sleep 0.3; echo late) &\nwait\necho end\n",
    "own source": 'echo "$0 ${BASH_SOURCE[0]} $LINENO"; sed -n "2s/^# //p" "$0"\n# from the source\n',
    "subprocess": "out=$(sh -c 'echo inner; exit 7'); echo \"$out $?\"\n",
    "stderr": "echo out; echo err >&2\n",
}

MORE = {
    "BASH_ENV": ("echo $X\n", {"env": {"BASH_ENV": "env.sh"}, "files": {"env.sh": "X=5\n"}}),
    "POSIXLY_CORRECT and SHELLOPTS": ("echo $SHELLOPTS; echo $u; echo on\n", {"env": {"POSIXLY_CORRECT": "1", "SHELLOPTS": "nounset"}}),
    "TZ": ("printf '%(%H)T\\n' 0\n", {"env": {"TZ": "Asia/Tokyo"}}),
    "command not found": "nosuchcommand --now\n",
    "not executable": "touch x; ./x\n",
    "unbound variable": "set -u\necho $nothing\n",
    "no trailing newline in the source": "echo a; echo b",
    "carriage returns": "echo a\r\nexit 0\r\n",
    "empty program": "",
    "shebang of another": "#!/usr/bin/python3\necho still bash\n",
    "arrays": 'declare -A m=([a]=1 [b]="2 3"); for k in "${!m[@]}"; do echo "$k=${m[$k]}"; done | sort\n',
    "here document": "cat <<E\n$((6 * 7)) `echo x`\nE\n",
    "pipeline status": "set -o pipefail; false | true; echo $? ${PIPESTATUS[@]}\n",
    "arithmetic overflow": "echo $((2**63 - 1)) $((2**63))\n",
    "division by zero": "echo $((1 / 0)); echo after $?\n",
    "integer expected": "[ a -eq 1 ]; echo $?\n",
    "process substitution": "diff <(echo a) <(echo b); echo $?\n",
    "co-process": 'coproc cat; echo hi >&"${COPROC[1]}"; read -r x <&"${COPROC[0]}"; echo "$x"\n',
    "the signals that are caught": "trap 'echo got USR1' USR1; kill -USR1 $$; trap 'echo term; exit 9' TERM; kill -TERM $$\n",
    "what is ignored": "trap -p; kill -PIPE $$; echo never\n",
    "a pipe that nobody reads": "yes | head -1; echo ${PIPESTATUS[@]}\n",
    "signals of the environment": "grep -E '^Sig(Blk|Ign)' /proc/self/status\n",
    "the mask for new files": "umask; touch f; stat -c %a f\n",
    "open descriptors": ("ls /proc/$$/fd\n", {"limits": {"open_files": 1024}}),
    "not interactive": 'echo "$-"; shopt -q login_shell; echo $?; [[ -t 0 ]]; echo $?\n',
    "variables of the shell": 'echo "$SHLVL $OLDPWD $IFS" | od -c; set -o | grep -c on; echo "$PWD"\n',
    "the whole environment": ("env | grep -v ^_= | sort\n", {"env": {"LC_ALL": "C", "A": "", "SHLVL": "7"}}),
    "a PATH of the request": ("echo $PATH; ls; echo $?\n", {"env": {"PATH": "/nowhere"}}),
    "trace": "set -x\necho a b\n: $(echo c)\n",
    "read with a deadline": ("read -t 0.2 x; echo $? $x\n", {"stdin": "line\n"}),
    "descriptors of its own": "exec 5>out; echo hi >&5; exec 5>&-; cat out; exec 1>&-; echo lost\n",
    "standard input that is not there": "exec 0<&-; cat; echo $?\n",
    "background jobs at the end": "sleep 0.1 & \necho end\n",
    "wait for any": "sleep 0.2 & (exit 5) & wait -n; echo $?\n",
    "select and case": ("select x in a b; do echo \"$x\"; break; done 2>/dev/null\ncase foo in f*) echo yes;; esac\n",
                        {"stdin": "2\n"}),
    "globs": ("echo *.txt; shopt -s nullglob; echo *.none x; shopt -s globstar; echo **\n",
              {"files": {"b.txt": "", "a.txt": "", "d/c.txt": ""}}),
    "recursion": "f() { (( $1 == 0 )) && { echo deep; return; }; f $(($1 - 1)); }; f 500\n",
    "subshell and exec": "(exec sh -c 'echo in $0' x); exec echo replaced\n",
    "exec of nothing": "exec /nonexistent\necho never\n",
    "status above 255": "exit 300\n",
    "returns outside of a function": "return 3\necho on\n",
    "mapfile": ("mapfile -t a; echo ${#a[@]} ${a[1]}\n", {"stdin": "x\ny\nz"}),
    "binary input": ("LC_ALL=C od -An -tx1\n", {"stdin": bytes(range(256))}),
    "a source that is not UTF-8": b"echo caf\xe9\n",
    "NUL in input": ("read -r x; echo ${#x}\n", {"stdin": b"a\0b\n"}),
    "exit in a trap on error": "trap 'echo line $LINENO; exit 6' ERR\nfalse\necho never\n",
    "own signal by another": ("sh -c 'kill -SEGV $PPID'; echo never\n"),
}

Bash = tests_of(SERVER, Language(
    name="bash",
    killed=('echo one; printf part; echo err >&2; awk \'BEGIN { printf "two"; while (1) n++ }\'\n', {"limits": {"cpu_us": 300_000}}),
    main="main.sh", command=["/usr/bin/bash"], semantics=SEMANTICS, more=MORE,
    corpus={
        "hello": 'echo "Hello, World!"\n',
        "fizzbuzz": "for i in {1..100}; do s=; ((i % 3)) || s=Fizz; ((i % 5)) || s+=Buzz; echo ${s:-$i}; done\n",
        "primes": "seq 1 999999 | factor | grep -c '^[0-9]*: [0-9]*$'\n",
        "word count": "tr -s ' ' '\\n' | sort | uniq -c | sort -k1,1nr -k2 | while read -r n w; do echo \"$w $n\"; done\n",
    },
    absent={"json": "the shell has no JSON, and jq is not part of Debian's base"},
    random=["echo $RANDOM$RANDOM$RANDOM\n", "mktemp\n", "echo $SRANDOM\n", "head -c 8 /dev/urandom | od -An -tx1\n"],
    random_together=True,
    limits={"wall_us": 60000000, "cpu_us": 60000000, "memory_bytes": 512 * MIB}))


class Hostile(HostileCase):
    """Programs that end by a wall or a limit, and leave the server as it was."""

    SERVER = SERVER
    LANGUAGE = "bash"
    HELLO = SEMANTICS["hello"]

    def test_a_fork_bomb_ends_at_the_limit(self):
        result = self.hostile(":(){ :|:& };:\nsleep 0.3; echo over\n", limits={"wall_us": 3_000_000, "pids": 32})
        self.assertIn(b"fork", result.stderr, describe(result))

    def test_a_memory_bomb_ends_at_the_limit(self):
        self.assert_ends("MEMORY_LIMIT", "x=x; while :; do x=$x$x; done\n",
                         limits={"wall_us": 20_000_000, "memory_bytes": 64 * MIB})

    def test_a_full_disk_is_an_error_of_the_program(self):
        result = self.hostile("cat /dev/zero > f; echo $?; stat -c %s f\n",
                              limits={"wall_us": 20_000_000, "disk_bytes": 8 * MIB})
        self.assertIn(b"No space left", result.stderr, describe(result))

    def test_an_endless_loop_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "while :; do :; done\n", limits={"wall_us": 300_000})

    def test_what_can_not_be_terminated_ends_at_the_limit(self):
        self.assert_ends("TIME_LIMIT", "trap '' TERM INT HUP; while :; do sleep 100; done\n", limits={"wall_us": 300_000})

    def test_a_flood_ends_at_the_limit(self):
        self.assert_ends("OUTPUT_LIMIT", "yes\n", limits={"output_bytes": MIB})

    def test_the_host_is_not_to_be_seen(self):
        result = self.hostile("cat /etc/shadow /proc/1/environ /root/x; echo > /usr/x; ls /proc | grep -c '^[0-9]'\n"
                              "mount -t tmpfs x /tmp; chroot / true; unshare -n true\n")
        self.assertNotIn(b"root:", result.stdout)
        for words in (b"/etc/shadow: No such file", b"/usr/x: Read-only file system", b"mount: ", b"chroot: ", b"unshare: "):
            self.assertIn(words, result.stderr, describe(result))

    def test_a_kill_of_all_reaches_only_its_own(self):
        result = self.hostile("kill -9 1; sleep 100 & kill -9 -1; echo $?; wait\n")
        self.assertIn(describe(result).split()[0], ("EXITED", "SIGNALED"))

    def test_a_kill_of_its_process_group_reaches_only_its_own(self):
        result = self.hostile("trap '' TERM; kill -TERM 0; echo alive\n")
        self.assert_exited(result)
        self.assertEqual(b"alive\n", result.stdout)

    def test_no_socket_leads_out(self):
        result = self.hostile("exec 3<>/dev/tcp/127.0.0.1/22; echo $?\n")
        self.assertIn(b"Address family not supported", result.stderr, describe(result))
        self.assertEqual(b"1\n", result.stdout)

    def test_what_stays_behind_is_killed(self):
        result = self.hostile("trap '' TERM HUP; (setsid sleep 1000 >/dev/null 2>&1 &) ; echo end\n")
        self.assert_exited(result)
        self.assertEqual(b"end\n", result.stdout)
