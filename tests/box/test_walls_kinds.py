"""Every kind of language (exec, compiled, prestarted, forked) has the same walls, although each kind starts its program
in another way. A program of each kind reports what it sees, and which calls are refused (lib/probe.py). Controls show
that the calls are not refused without the walls. Programs that use up a resource end by their limit."""

import os
import unittest
from pathlib import Path

from lib import memory, probe
from lib.case import Case, describe
from lib.hatchery import Status
from lib.server import HOME
from lib.walls import CALLS, LIMITS, Servers

SLOW_IN_VM = "the machine there has no language but Python"

LANGUAGES = ("bash", "c", "javascript", "perl", "c-fast")
NEIGHBOUR = "neighbour-" + memory.CANARY[-12:]
SERVERS = Servers(__name__, config="client_share = 100\n" + "".join(f'language "{name}" {{ warm = 1 {memory.CEILINGS}}}\n' for name in LANGUAGES)
                  + f"language {NEIGHBOUR} {{ runtime = bash warm = 1 }}\n")
setUpModule, tearDownModule = SERVERS.set_up, SERVERS.tear_down

# Bash and Perl become the probe (exec), and Node starts it as a child. Before that, Perl and Node
# report their own status. Node is not the main process of its sandbox.
JAVASCRIPT = """
const fs = require("fs"), { spawnSync } = require("child_process");
for (const line of fs.readFileSync("/proc/self/status", "utf8").trim().split("\\n"))
    console.log("itself", line.replace(":", " "));
for (const name of ["status", "fd", "mem", "environ"])
    console.log("parents", name, fs.existsSync(`/proc/${process.ppid}/${name}`));
spawnSync("./probe", process.argv.slice(2), { stdio: "inherit" });
"""
PERL = """
use Errno;
open my $f, '<', '/proc/self/status' or die;
while (<$f>) { s/:/ /; print "itself $_" }
my %calls = (mount => 165, ptrace => 101, unshare => 272, bpf => 321, keyctl => 250);
for (sort keys %calls) {
    next if fork // die;
    my $got = syscall($calls{$_}, 0, $_ eq 'unshare' ? 0x10000000 : 0, 0, 0, 0);
    my ($name) = grep { $!{$_} } keys %!;
    print "itself call-$_ ", $got < 0 ? $name : 'ok', "\\n";
    exit;
}
continue { wait }
$| = 1; print '';
exec './probe', @ARGV;
"""
PROGRAMS = {"bash": 'exec ./probe "$@"\n', "c": probe.PROBE, "c-fast": probe.PROBE, "javascript": JAVASCRIPT, "perl": PERL}
# Declares the function, because libtcc's headers may lack it. The C library has it in any case.
C_FAST = 'const char *strerrorname_np(int);\n'

# Directories of the root that are there in every sandbox.
ROOT = ("/", "/bin", "/dev", "/etc", "/home", "/lib", "/run", "/usr", "/usr/bin", "/usr/lib", "/var")

NOBODYS = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}
NAMES = {"bash": {"probe"}, "c": {"main"}, "javascript": {"javascript", "node", "probe"}, "perl": {"probe"}, "c-fast": {"c-fast"}}
# The errors of a refused call: the call does not exist, or the program has no right to make it.
REFUSED = {"ENOSYS", "EPERM", "EACCES", "EINVAL", "EAFNOSUPPORT", "ESRCH", "EBADF"}


class Kinds(Case):
    """One test for each fact. Each language runs the probe once, and all tests read its report."""
    SERVER = SERVERS
    seen = {}

    def look(self, language, walls=()):
        if (language, walls) not in self.seen:
            files = {} if language in ("c", "c-fast") else {"probe": probe.program()}
            code = C_FAST + PROGRAMS[language] if language == "c-fast" else PROGRAMS[language]
            server = SERVERS.without(walls)
            with server.connect() as client:
                result = client.execute(code, language=language, files=files, args=self.host_files(),
                                        limits=LIMITS)
            self.assert_exited(result)
            Kinds.seen[language, walls] = probe.rows(result.stdout.decode())
        return self.seen[language, walls]

    @staticmethod
    def host_files():
        there = ("/etc/shadow", "/etc/fstab", "/etc/machine-id", "/etc/apt", "/home/sandbox/../../etc/gshadow", "/root", "/boot", "/sys/kernel", "/run/hatchery", "/proc/kcore", "/proc/sys/kernel",
                 "/dev/mem", "/dev/kmsg", "/var/log", "/var/cache", str(HOME), str(Path(__file__)), str(SERVERS.dir),
                 str(SERVERS.socket_path))
        return [path for path in there if os.path.exists(path)]

    def each(self):
        return [(language, self.look(language)) for language in LANGUAGES]

    def test_no_capability_and_no_way_to_one(self):
        for language, seen in self.each():
            for what in ("status", "itself"):
                if what == "status" or what in seen:
                    self.assertEqual({"0000000000000000"}, {seen[what][name] for name in NOBODYS}, (language, what))
                    self.assertEqual(("1", "2"), (seen[what]["NoNewPrivs"], seen[what]["Seccomp"]), (language, what))

    def test_one_user_who_is_nobody_on_the_host(self):
        for language, seen in self.each():
            for what in ("status", "itself"):
                if what == "status" or what in seen:
                    self.assertEqual(1, len(set(seen[what]["Uid"].split())), (language, what))
                    self.assertEqual(1, len(set(seen[what]["Gid"].split())), (language, what))
                    self.assertNotEqual("0", seen[what]["Uid"].split()[0])
                    self.assertEqual("", seen[what]["Groups"])

    def test_both_processes_of_what_was_started_ahead_are_walled_in(self):
        """The main process follows the prestarted program, has the same walls, and is not visible to the program"""
        seen = self.look("javascript")
        self.assertEqual({"false"}, set(seen["parents"].values()))
        followers = [process for process in SERVERS.processes() if process.name == "javascript"]
        self.assertTrue(followers)
        for follower in followers:
            status = follower.status()
            self.assertEqual(seen["itself"]["Seccomp_filters"], status["Seccomp_filters"])
            self.assertEqual("1", status["NoNewPrivs"])
            self.assertEqual({"0000000000000000"}, {status[name] for name in NOBODYS})

    def test_the_only_network_device_is_down(self):
        self.assertIn("|-- 127.0.0.1", Path("/proc/net/fib_trie").read_text())  # the control: the host's device is up
        for language, seen in self.each():
            self.assertEqual({"lo": ""}, seen["device"], language)
            self.assertEqual({}, seen.get("address", {}), language)

    def test_only_its_own_processes(self):
        for language, seen in self.each():
            uid = seen["status"]["Uid"].split()[0]
            for number, value in seen["process"].items():
                owner, name = value.split(None, 1)
                self.assertEqual(uid, owner, (number, value))
                self.assertIn(name, NAMES[language], (number, value))

    def test_no_file_of_the_host(self):
        for _, seen in self.each():
            self.assertEqual(set(self.host_files()), set(seen["host"]))
            self.assertEqual({"ENOENT"}, set(seen["host"].values()), seen["host"])

    def test_nothing_can_be_written_but_its_own(self):
        for _, seen in self.each():
            self.assertEqual({path: "EROFS" for path in ROOT}, {path: seen["write"][path] for path in ROOT})
            self.assertEqual({}, {path: got for path, got in seen["write"].items() if got not in ("EROFS", "EACCES", "ENOENT", "EPERM")})
            self.assertEqual({"ok"}, set(seen["own"].values()), seen["own"])

    def test_no_descriptor_but_the_standard_streams(self):
        for language, seen in self.each():
            self.assertEqual({"0": "pipe", "1": "pipe", "2": "pipe"}, seen["descriptor"], language)

    def test_no_name_of_another_language_in_memory(self):
        for language in ("javascript", "perl", "c-fast"):
            memory.assert_nothing_of_others(self, language, **{"another language": NEIGHBOUR})

    def test_calls_are_refused(self):
        for language, seen in self.each():
            self.assertGreater(len(seen["call"]), 35)
            self.assertEqual({}, {name: got for name, got in seen["call"].items() if got not in REFUSED}, language)

    def test_calls_from_within_the_interpreter_are_refused(self):
        got = {name: value for name, value in self.look("perl")["itself"].items() if name.startswith("call-")}
        self.assertEqual({"call-mount": "EPERM", "call-ptrace": "EPERM", "call-unshare": "EPERM", "call-bpf": "ENOSYS",
                          "call-keyctl": "ENOSYS"}, got)

    def test_without_walls_the_same_probe_gets_through(self):
        # The control of the tests above: without the system call filter, these calls succeed. The
        # tests of box/walls calls show the walls behind the filter.
        for language in LANGUAGES:
            free = self.look(language, CALLS)
            through = {name for name, got in free["call"].items() if got == "ok"}
            self.assertLessEqual({"ptrace", "seize", "pidfd_getfd", "personality", "inet", "inet6", "netlink"}, through, language)
            self.assertNotEqual(self.look(language)["status"]["Seccomp_filters"], free["status"]["Seccomp_filters"], language)



C = """#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) { static char b[1 << 16]; %s }
"""


def c(body):
    return C % body


# Each table has one program in each language. All except HELLO and SLEEP use up a resource. FORK
# prints "refused" when it can start no more processes.
HELLO = {"bash": "echo Hello", "c": c('puts("Hello");'), "javascript": 'console.log("Hello")', "perl": 'print "Hello\n"',
         "c-fast": c('puts("Hello");')}
LOOP = {"bash": "while :; do :; done", "c": c("for (volatile int i = 0;; i++);"), "javascript": "for (;;);", "perl": "1 while 1",
        "c-fast": c("for (volatile int i = 0;; i++);")}
SLEEP = {"bash": "trap '' TERM INT HUP; while :; do sleep 100; done", "c": c("for (;;) pause();"), "c-fast": c("for (;;) pause();"),
         "javascript": 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)', "perl": "$SIG{TERM} = 'IGNORE'; sleep 100 while 1"}
MEMORY = {"bash": "x=x; while :; do x=$x$x; done", "c": c("for (;;) memset(malloc(1 << 20), 1, 1 << 20);"),
          "javascript": "const a = []; for (;;) a.push(Buffer.alloc(1 << 20, 1))", "perl": "my @x; push @x, 'x' x 1_000_000 while 1",
          "c-fast": c("for (;;) memset(malloc(1 << 20), 1, 1 << 20);")}
FLOOD = {"bash": "while :; do echo flooooooooooooooooooooooooooooooooooooooooooooood; done", "c": c("for (;;) write(1, b, sizeof b);"),
         "javascript": 'const b = Buffer.alloc(65536); for (;;) require("fs").writeSync(1, b)', "perl": "print 'x' x 65536 while 1",
         "c-fast": c("for (;;) write(1, b, sizeof b);")}
FILL = 'int fd = open("f", O_WRONLY | O_CREAT, 0600); while (write(fd, b, sizeof b) > 0); perror("write"); return 3;'
DISK = {"bash": "cat /dev/zero > f || exit 3", "c": c(FILL), "c-fast": c(FILL),
        "javascript": 'const fs = require("fs"), f = fs.openSync("f", "w"), b = Buffer.alloc(1 << 16);\n'
                      'try { for (;;) fs.writeSync(f, b) } catch (e) { process.exit(3) }',
        "perl": "open my $f, '>', 'f'; 1 while syswrite $f, 'x' x 65536; exit 3"}
FORKS = 'int n = 0; for (; n < 500; n++) { pid_t p = fork(); if (p == 0) for (;;) pause(); if (p < 0) break; } puts(n < 500 ? "refused" : "all"); return 0;'
FORK = {"bash": "for i in {1..500}; do sleep 1000 2>/dev/null & done 2>&1 | grep -qi 'fork' && echo refused", "c": c(FORKS), "c-fast": c(FORKS),
        "javascript": 'const { spawn } = require("child_process");\n'
                      'setInterval(() => spawn("sleep", ["1000"]).on("error", (e) => { console.log("refused"); process.exit() }), 0)',
        "perl": "$| = 1; for (1 .. 500) { my $p = fork; if (!defined $p) { print qq(refused\n); last } sleep 1000 unless $p }"}
FORK_ON = {"bash": ":(){ :|:& };:\nwhile :; do :; done", "c": c("for (;;) fork();"), "c-fast": c("for (;;) fork();"), "perl": "fork while 1",
           "javascript": 'const { spawn } = require("child_process"); const f = () => { try { spawn(process.execPath, [__filename]).on("error", f) } catch { f() } }; setInterval(f, 0)'}


class Limits(Case):
    """Each kind ends by its limit, and the next run of each shows no trace."""
    SERVER = SERVERS

    def ends(self, programs, statuses, **limits):
        results = {}
        for language in LANGUAGES:
            wanted = {"wall_us": 60_000_000, "cpu_us": 60_000_000, **limits}
            result = self.execute(programs[language], language=language, limits=wanted)
            self.assertIn(Status.Name(result.status), statuses, f"{language}: {describe(result)}")
            after = self.execute(HELLO[language], language=language)
            self.assert_exited(after)
            self.assertEqual(b"Hello\n", after.stdout, f"{language}: {describe(after)}")
            results[language] = result
        return results

    def test_an_endless_loop(self):
        self.ends(LOOP, ("CPU_LIMIT",), cpu_us=200_000)

    def test_an_endless_sleep(self):
        self.ends(SLEEP, ("TIME_LIMIT",), wall_us=300_000)

    def test_a_bomb_of_memory(self):
        self.ends(MEMORY, ("MEMORY_LIMIT",), memory_bytes=128 << 20)

    def test_a_flood(self):
        for language, result in self.ends(FLOOD, ("OUTPUT_LIMIT",), output_bytes=1 << 20).items():
            self.assertEqual(1 << 20, len(result.stdout), language)

    def test_a_full_disk(self):
        for language, result in self.ends(DISK, ("DISK_LIMIT",), disk_bytes=8 << 20).items():
            self.assertEqual(3, result.exit_code, f"{language}: {describe(result)}")

    def test_a_bomb_of_processes_is_told(self):
        for language, result in self.ends(FORK, ("EXITED",), pids=40, open_files=1024).items():
            self.assertEqual(b"refused\n", result.stdout, f"{language}: {describe(result)}")

    def test_a_bomb_of_processes_that_goes_on(self):
        self.ends(FORK_ON, ("TIME_LIMIT", "MEMORY_LIMIT"), pids=40, wall_us=1_000_000, memory_bytes=256 << 20)


if __name__ == "__main__":
    unittest.main()
