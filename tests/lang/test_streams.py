"""Live streams of each language, by a table: a dialogue, the end of file, input that comes late, a flood, a slow reader, a
client that goes, a signal, a terminal and its resize."""

import hashlib
import signal
import time
import unittest
from dataclasses import dataclass

from lib.case import Case, ServerModule, describe
from lib.hatchery import FIRST_CREDIT, Refused
from lib.scale import ALL, patience
from lib.server import wait_until

LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000, "output_bytes": 8 << 20}
LINES = 60_000
FLOOD = b"0123456789abcde\n" * LINES
WAIT_S = 0.3  # a program that has credit would end within this time


@dataclass
class Programs:
    """The programs that a language runs here. None: the language can't do this, and `why` says
    why."""

    talk: object  # prints "ready", then "got LINE" for each line of its input, then "end"
    flood: object  # prints FLOOD
    feed: str = ""  # the input of the flood
    words: tuple = ("one", "two")  # the lines of the dialogue
    ready: bool = True  # the dialogue prints "ready" and "end"
    why: str = ""  # the reason for each difference from the other languages
    heeds_interrupt: bool = True  # Ctrl-C ends a read
    newline: bytes = b"\r\n"  # on a terminal


C_TALK = r"""#include <stdio.h>
#include <string.h>
int main(void) {
    char line[256];
    puts("ready"); fflush(stdout);
    while (fgets(line, sizeof line, stdin)) { printf("got %s", line); fflush(stdout); }
    puts("end");
    return 0;
}
"""
C_FLOOD = f"#include <stdio.h>\nint main(void) {{ for (int i = 0; i < {LINES}; i++) puts(\"0123456789abcde\"); return 0; }}\n"
LUA_TALK = """io.stdout:setvbuf("no")
print("ready")
for line in io.lines() do print("got " .. line) end
print("end")
"""
LUA_FLOOD = f"for i = 1, {LINES} do print('0123456789abcde') end\n"
JS_TALK = """console.log('ready');
require('readline').createInterface({ input: process.stdin, terminal: false })
    .on('line', (line) => console.log('got ' + line)).on('close', () => console.log('end'));
"""
JS_FLOOD = f"process.stdout.write('0123456789abcde\\n'.repeat({LINES}));\n"

LANGUAGES = {
    "awk": Programs('BEGIN { print "ready"; fflush() }\n{ print "got " $0; fflush() }\nEND { print "end" }\n',
                    f'BEGIN {{ for (i = 0; i < {LINES}; i++) print "0123456789abcde" }}\n'),
    "bash": Programs('echo ready\nwhile read -r line; do echo "got $line"; done\necho end\n',
                     f"yes 0123456789abcde | head -n {LINES}\n"),
    "bc": Programs('while (1) {\n  x = read()\n  if (x == 0) break\n  print "got ", x, "\\n"\n}\nquit\n',
                   f'for (i = 0; i < {LINES}; i++) print "0123456789abcde\\n"\n', words=("1", "2"), ready=False,
                   why="read() takes numbers, tells of the end of file for ever, and Ctrl-C is a remark", heeds_interrupt=False),
    "c": Programs(C_TALK, C_FLOOD),
    "c-fast": Programs(C_TALK, C_FLOOD),
    "cpp": Programs("""#include <iostream>
#include <string>
int main() {
    std::string line;
    std::cout << "ready" << std::endl;
    while (std::getline(std::cin, line)) std::cout << "got " << line << std::endl;
    std::cout << "end" << std::endl;
}
""", f'#include <iostream>\nint main() {{ for (int i = 0; i < {LINES}; i++) std::cout << "0123456789abcde\\n"; }}\n'),
    "go": Programs("""package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Println("got " + lines.Text())
	}
	fmt.Println("end")
}
""", f'package main\n\nimport (\n\t"bufio"\n\t"os"\n)\n\nfunc main() {{\n\tout := bufio.NewWriter(os.Stdout)\n'
     f'\tfor i := 0; i < {LINES}; i++ {{\n\t\tout.WriteString("0123456789abcde\\n")\n\t}}\n\tout.Flush()\n}}\n'),
    "java": Programs("""import java.util.Scanner;
public class Main {
    public static void main(String[] args) {
        System.out.println("ready");
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) System.out.println("got " + in.nextLine());
        System.out.println("end");
    }
}
""", "public class Main { public static void main(String[] a) { StringBuilder s = new StringBuilder();\n"
     f"for (int i = 0; i < {LINES}; i++) s.append(\"0123456789abcde\\n\"); System.out.print(s); }} }}\n"),
    "javascript": Programs(JS_TALK, JS_FLOOD),
    "lua": Programs(LUA_TALK, LUA_FLOOD, heeds_interrupt=False, why="its own command reads on, too"),
    "luajit": Programs(LUA_TALK, LUA_FLOOD, heeds_interrupt=False, why="its own command reads on, too"),
    "perl": Programs('$| = 1;\nprint "ready\\n";\nwhile (<STDIN>) { print "got $_" }\nprint "end\\n";\n',
                     f'print "0123456789abcde\\n" x {LINES};\n'),
    "php": Programs('<?php\necho "ready\\n";\nwhile (($line = fgets(STDIN)) !== false) echo "got $line";\necho "end\\n";\n',
                    f'<?php\necho str_repeat("0123456789abcde\\n", {LINES});\n'),
    "prolog": Programs(""":- initialization(main).
main :- writeln(ready), flush_output, loop.
loop :- read_line_to_string(user_input, Line),
    ( Line == end_of_file -> writeln(end) ; format("got ~s~n", [Line]), flush_output, loop ).
""", f":- initialization(forall(between(1, {LINES}, _), writeln('0123456789abcde'))).\n"),
    "python": Programs("import sys\nprint('ready', flush=True)\nfor line in sys.stdin:\n    print('got', line, end='', flush=True)\nprint('end')\n",
                       f"print('0123456789abcde\\n' * {LINES}, end='')\n"),
    "r": Programs(heeds_interrupt=False, why="its own command reads on, too", talk="""cat("ready\\n")
input <- file("stdin", "r")
while (length(line <- readLines(input, n = 1)) > 0) cat("got ", line, "\\n", sep = "")
cat("end\\n")
""", flood=f'writeLines(rep("0123456789abcde", {LINES}))\n'),
    "ruby": Programs("$stdout.sync = true\nputs 'ready'\nwhile (line = $stdin.gets)\n  print 'got ', line\nend\nputs 'end'\n",
                     f"print \"0123456789abcde\\n\" * {LINES}\n"),
    "rust": Programs("""use std::io::BufRead;
fn main() {
    println!("ready");
    for line in std::io::stdin().lock().lines() { println!("got {}", line.unwrap()); }
    println!("end");
}
""", f'fn main() {{ print!("{{}}", "0123456789abcde\\n".repeat({LINES})); }}\n'),
    "sed": Programs("s/^/got /\n", "s/.*/0123456789abcde/\n", feed="x\n" * LINES, ready=False),
    "sqlite": Programs(None, f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LINES})\n"
                       "SELECT '0123456789abcde' FROM n;\n", why="its program is what stands in standard input"),
    "tcl": Programs("puts ready\nflush stdout\nwhile {[gets stdin line] >= 0} {\n    puts \"got $line\"\n    flush stdout\n}\nputs end\n",
                    newline=b"\r\r\n", why="tclsh writes the carriage return itself, too", flood=
                    f"puts -nonewline [string repeat \"0123456789abcde\\n\" {LINES}]\n"),
    "typescript": Programs(JS_TALK.replace("(line)", "(line: string)").replace("require('readline')", "import * as r from 'readline';\nr")
                           .replace("console.log('ready');\nimport * as r from 'readline';\n",
                                    "import * as r from 'readline';\nconsole.log('ready');\n"), JS_FLOOD),
}
# Programs that print the size of their terminal at once, and after each change.
SIZES = {
    "bash": "trap 'stty size' WINCH\nstty size\nwhile :; do sleep 0.01; done\n",
    "python": "import os, signal, time\ndef tell(*_):\n    s = os.get_terminal_size()\n    print(s.lines, s.columns)\n"
              "signal.signal(signal.SIGWINCH, tell)\ntell()\nwhile True:\n    time.sleep(1)\n",
    "perl": "$SIG{WINCH} = sub { system 'stty size' };\nsystem 'stty size';\nsleep 1 while 1;\n",
    # Its handler does not print: it may have interrupted a print that holds the lock.
    "ruby": "require 'io/console'\nchanged = true\ntrap('WINCH') { changed = true }\nloop do\n"
            "  if changed\n    changed = false\n    puts $stdout.winsize.join(' ')\n  end\n  sleep 0.01\nend\n",
    "javascript": "const tell = () => console.log(`${process.stdout.rows} ${process.stdout.columns}`);\n"
                  "process.stdout.on('resize', tell);\ntell();\nsetInterval(() => {}, 1000);\n",
    "c": "#include <signal.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n#include <unistd.h>\n"
         "static void tell(int s) { (void)s; struct winsize w; ioctl(0, TIOCGWINSZ, &w); printf(\"%d %d\\n\", w.ws_row, w.ws_col); fflush(stdout); }\n"
         "int main(void) { signal(SIGWINCH, tell); tell(0); for (;;) pause(); }\n",
}

ASKS_WHERE = b"\x1b[6n"
# The line typed at each language's prompt, and its answer.
PROMPTS = {
    "bash": (b"$ ", "echo $((6 * 7))", b"\n42"), "bc": (b"", "6 * 7", b"\n42"), "java": (b"jshell> ", "6 * 7", b"=> 42"),
    "javascript": (b"> ", "6 * 7", b"42"), "lua": (b"> ", "6 * 7", b"\n42"), "luajit": (b"> ", "=6 * 7", b"42"),
    "php": (b"php > ", "echo 6 * 7;", b"42"), "prolog": (b"?- ", "X is 6 * 7.", b"X = 42"), "python": (b">>> ", "6 * 7", b"\n42"),
    "r": (b"> ", "6 * 7", b"[1] 42"), "ruby": (b"irb", "6 * 7", b"=> 42"), "sqlite": (b"sqlite> ", "SELECT 6 * 7;", b"\n42"),
    "tcl": (b"% ", "expr {6 * 7}", b"42"),
}

SERVER = ServerModule(__name__, config="client_share = 100\n" + "".join(
    f"language {name} {{ warm = 1 running = 2 }}\n" for name in LANGUAGES))
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


class Streams(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        self._client = SERVER.connect(timeout=patience(60))
        self.addCleanup(SERVER.wait_idle)

    def open(self, language, code, **options):
        return self.client.open(code, language=language, limits=LIMITS, unbuffered=True, **options)

    def begin(self, language, **options):
        """Starts the dialogue's program, and waits until it has printed "ready"."""
        programs = LANGUAGES[language]
        stream = self.open(language, programs.talk, **options)
        if programs.ready:
            self.assertEqual(b"ready", stream.line().rstrip(), stream.err)
        return programs, stream

    def say(self, stream, word):
        stream.write(word + "\n")
        self.assertEqual(f"got {word}".encode(), stream.line().rstrip(), stream.err)

    def ended(self, stream, last=b"end\n"):
        result = stream.result()
        self.assert_exited(result)
        self.assertTrue(stream.out.endswith(last), stream.out[-100:])
        self.assertEqual(len(stream.out), result.stdout_total)
        self.assertEqual(b"", result.stdout)

    def is_full(self, stream, size):
        """Exactly `size` bytes have come, and no more follow."""
        self.assertTrue(stream.wait(lambda: len(stream.out) >= size))
        time.sleep(WAIT_S)
        self.client.ping()
        self.assertEqual(size, len(stream.out))
        self.assertFalse(stream.is_over)

    # ------------------------------------------------------------ one test a row

    def dialogue(self, language):
        programs, stream = self.begin(language)
        for word in programs.words:
            self.say(stream, word)
        if language == "bc":
            stream.write("0\n")
        stream.end()
        self.ended(stream, b"end\n" if programs.ready else b"")

    def end_of_file(self, language):
        programs, stream = self.begin(language)
        stream.end()
        self.ended(stream, b"end\n" if programs.ready else b"")

    def late_input(self, language):
        programs, stream = self.begin(language)
        time.sleep(WAIT_S)
        self.assertFalse(stream.is_over)
        self.say(stream, programs.words[0])
        time.sleep(WAIT_S / 3)
        self.say(stream, programs.words[1])
        self.assertTrue(stream.cancel())
        self.assert_status(stream.result(), "CANCELLED")

    def flood_of(self, language, **options):
        programs = LANGUAGES[language]
        stream = self.open(language, programs.flood, live_stdin=False, stdin=programs.feed.encode(), **options)
        return FLOOD, stream

    def flood(self, language):
        expected, stream = self.flood_of(language)
        result = stream.result()
        self.assert_exited(result)
        self.assertEqual((len(expected), b""), (len(stream.out), stream.err))
        self.assertEqual(hashlib.sha256(expected).digest(), hashlib.sha256(stream.out).digest())

    def slow_reader(self, language):
        expected, stream = self.flood_of(language, gives_back=False)
        self.is_full(stream, FIRST_CREDIT)
        stream.give(1000)
        self.assertTrue(stream.wait(lambda: len(stream.out) >= FIRST_CREDIT + 1000))
        stream.give(len(expected))
        self.assert_exited(stream.result())
        self.assertTrue(expected == stream.out)

    def client_gone(self, language):
        client, programs = SERVER.connect(), LANGUAGES[language]
        stream = client.open(programs.flood, language=language, limits=LIMITS, gives_back=False, live_stdin=False,
                             stdin=programs.feed.encode())
        self.assertTrue(stream.wait(lambda: len(stream.out) > 0))
        client.close()
        wait_until(lambda: self.row(language).running == 0, what=f"the end of {language}'s run")

    def row(self, language):
        return next(row for row in self.client.status().languages if row.name == language)

    def a_signal(self, language):
        _, stream = self.begin(language)
        self.assertTrue(stream.signal(signal.SIGKILL))
        result = stream.result()
        self.assert_status(result, "SIGNALED")
        self.assertEqual(signal.SIGKILL, result.signal)

    def a_term(self, language):
        """TERM ends each program. Java runs its clean-up first, so it ends with an exit status."""
        _, stream = self.begin(language)
        wait_until(lambda: stream.signal(signal.SIGTERM), what="a program")
        if language == "prolog":  # looks at signals when it has read
            time.sleep(WAIT_S)
            stream.end()
        result = stream.result()
        end = (result.signal, result.exit_code)
        self.assertIn(end, [(signal.SIGTERM, 0), (0, 128 + signal.SIGTERM), (0, 1)], describe(result))

    def terminal(self, language):
        """A terminal echoes typed text, Ctrl-D ends the input, and lines end with \\r\\n."""
        programs = LANGUAGES[language]
        stream = self.open(language, programs.talk, terminal=(24, 80))
        if programs.ready:
            self.assertEqual(b"ready" + programs.newline, stream.line())
        stream.write(programs.words[0] + "\n")
        got = b"got " + programs.words[0].encode() + programs.newline
        self.assertIn(got, stream.read_until(got))
        self.assertIn(programs.words[0].encode() + b"\r\n", stream.out)
        stream.resize(50, 132)
        stream.write("0\n" if language == "bc" else b"\x04")
        result = stream.result()
        self.assert_exited(result)
        if programs.ready:
            self.assertTrue(stream.out.endswith(b"end" + programs.newline), stream.out)

    def terminal_interrupt(self, language):
        programs = LANGUAGES[language]
        stream = self.open(language, programs.talk, terminal=(24, 80))
        if programs.ready:
            stream.read_until(b"ready" + programs.newline)
        else:
            stream.write(programs.words[0] + "\n")
            stream.read_until(b"got " + programs.words[0].encode())
        stream.write(b"\x03")
        result = stream.result()
        self.assertNotEqual((0, 0), (result.signal, result.exit_code), describe(result))

    def test_sizes_of_terminals(self):
        for language, code in SIZES.items():
            with self.subTest(language=language):
                stream = self.open(language, code, terminal=(24, 80))
                self.assertEqual(b"24 80\r\n", stream.read_until(b"\n"))
                stream.resize(50, 132)
                self.assertEqual(b"50 132\r\n", stream.read_until(b"\n"))
                stream.cancel()
                self.assert_status(stream.result(), "CANCELLED")

    def tell_where(self, stream, told):
        """Tells the program where the cursor is, as a terminal does for each that asks; `told` counts the times."""
        while stream.out.count(ASKS_WHERE) > told[0]:
            told[0] += 1
            stream.write(b"\x1b[1;1R")

    def has_come(self, stream, answer, told, times=1):
        """True if the answer stands in the output so many times."""
        while stream.out.count(answer) < times and not stream.is_over:
            self.client.go_on()
            self.tell_where(stream, told)
        return stream.out.count(answer) >= times

    def leave(self, stream, told):
        """Types Ctrl-D until the prompt has ended. It is lost where the line editor is not reading yet."""
        for _ in range(20):
            stream.write(b"\x04")
            for _ in range(10):
                time.sleep(0.1)
                self.client.ping()
                self.tell_where(stream, told)
                if stream.is_over:
                    return

    def test_prompts(self):
        """A claimed prompt computes, and ends with its input; languages without a prompt refuse"""
        told = {row.name for row in self.client.status().languages if row.prompts}
        self.assertEqual(set(PROMPTS), told)
        for language, (prompt, typed, answer) in PROMPTS.items():
            if language == "java" and not ALL:
                continue  # it takes seconds of processor time
            with self.subTest(language=language):
                stream = self.open(language, None, terminal=(24, 80), env={"TERM": "dumb"})
                told = [0]
                self.assertTrue(self.has_come(stream, prompt, told), stream.out)
                prompts = stream.out.count(prompt) if prompt else 0
                stream.write(typed + "\n")
                self.assertTrue(self.has_come(stream, answer, told), stream.out)
                if prompt:  # what is typed before it is another's
                    self.assertTrue(self.has_come(stream, prompt, told, prompts + 1), stream.out)
                self.leave(stream, told)
                self.assert_status(stream.result(), "EXITED")
        with self.assertRaises(Refused) as caught:
            self.open("perl", None, terminal=(24, 80)).result()
        self.assertEqual("INVALID_ARGUMENT", caught.exception.code)

    def test_every_language_is_in_the_table(self):
        self.assertEqual(set(LANGUAGES), {row.name for row in self.client.status().languages})


TALKS = ("dialogue", "end_of_file", "late_input", "a_signal", "a_term", "terminal", "terminal_interrupt")
FLOODING = ("flood", "slow_reader", "client_gone")


def add(language, what):
    def test(self):
        getattr(self, what)(language)
    setattr(Streams, f"test_{language.replace('-', '_')}_{what}", test)


# Languages whose runs take long. Without --all they have the rows of a language's own reading and writing.
COSTLY = {"cpp", "go", "java", "javascript", "prolog", "r", "rust", "typescript"}
USUAL = ("dialogue", "slow_reader", "terminal")


def is_usual(language, what):
    return ALL or language not in COSTLY or what in USUAL


def is_possible(language, what):
    if what == "end_of_file" and language == "bc":
        return False
    return LANGUAGES[language].heeds_interrupt or what != "terminal_interrupt"


for name_, programs_ in LANGUAGES.items():
    for what_ in (*(TALKS if programs_.talk else ()), *FLOODING):
        if is_possible(name_, what_) and is_usual(name_, what_):
            add(name_, what_)


if __name__ == "__main__":
    unittest.main()
