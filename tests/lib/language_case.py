"""The tests that every language has: does a program do here the same as under its own command?

tests/lang/test_NAME.py describes one language by a Language, and gets its tests from `tests_of`:

- the semantics table: each program is run once by the plain command in an empty directory, with pipes for its streams,
  and once by Hatchery; standard output, standard error and the way it ended have to be the same. The
  command's answers are recorded (lib/recorded.py), so the command runs only if there is no answer yet, or if the two
  differ;
- a name of SEMANTICS without a program has to be in `absent`, with the reason, so that no language forgets one;
- the corpus: the same five tasks in every language, with the output that they must have;
- random values have to differ between runs, one after the other and at one time;
- echo_last_expression, where the language has it;
- files of a request that the language reads at its start (lib/init_files.py) are obeyed as by the command, or not at
  all;
- with `unbuffered`, the output of a killed run, and the order of both streams in one;
- its memory holds nothing of other runs and of the host (lib/memory.py).
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lib import memory
from lib.case import Case, describe
from lib.hatchery import Status
from lib.init_files import INIT_FILES
from lib.recorded import RECORDING, Recorded, compare, words_of
from lib.scale import ALL, patience
from lib.server import sanitized_limits

WORK = "/home/sandbox"

# The names that a semantics table must have, and what each program must show.
SEMANTICS = {
    "hello": "prints a line",
    "stdin to its end": "prints all of standard input, changed in some way",
    "stdin by line": "reads line by line, and answers each",
    "args": "prints its arguments, among them an empty one, one with a space and one with UTF-8",
    "env": "prints the variable GREETING of the request, and HOME as the sandbox has it is not looked at",
    "several files": "requires, imports or includes another file of the request",
    "exit code": "ends itself with status 3",
    "uncaught error": "dies of an error in line 3 or deeper: message, line, status, no frames of ours",
    "syntax error": "can't be parsed",
    "death by signal": "sends itself SIGTERM",
    "exit hook": "a hook that runs at the end, and prints",
    "buffered output": "prints without a newline and ends without a flush",
    "binary output": "prints all 256 bytes",
    "utf-8 output": "prints letters outside of ASCII, which are in its source",
    "unread stdin": "does not read the standard input that it is given, 200,000 bytes",
    "pending work": "ends its main line while a thread or a timer is pending",
    "own source": "prints the name of its file, and something that is read from it (__FILE__, DATA)",
    "subprocess": "starts another program, and prints what that said and its exit status",
    "stderr": "prints to standard error, and to standard output",
}

# With HATCHERY_TEST_SHORT (`./dev test --short`): the rows that use each path through a language's
# own code once.
SHORT = bool(os.environ.get("HATCHERY_TEST_SHORT"))
SHORT_SEMANTICS = ("hello", "stdin by line", "args", "several files", "exit code", "uncaught error", "syntax error",
                   "death by signal", "exit hook", "subprocess")
SHORT_CORPUS = ("word count",)
# Those rows of SHORT_SEMANTICS that test only the compiled program, not its compiler.
RUN_STAGE = ("stdin by line", "args", "exit code", "death by signal", "exit hook", "subprocess")

CORPUS = ("hello", "fizzbuzz", "primes", "word count", "json")

# What a language's program `killed` writes to standard output and standard error before it dies
# without a flush.
PRINTED = b"one\npart" b"err\n" b"two"

WORDS = "the cat and the dog and the bird\nthe end\n" * 50

# The output of each task, byte by byte.
CORPUS_OUTPUT = {
    "hello": "Hello, World!\n",
    "fizzbuzz": "".join(("FizzBuzz" if i % 15 == 0 else "Buzz" if i % 5 == 0 else "Fizz" if i % 3 == 0 else str(i)) + "\n"
                        for i in range(1, 101)),
    "primes": "78498\n",  # how many primes there are below 1,000,000
    "word count": "the 200\nand 100\nbird 50\ncat 50\ndog 50\nend 50\n",  # by number, then by name
    "json": '{"name":"hatch","total":6}\n',  # of {"name": "hatch", "items": [1, 2, 3]} on standard input: the sum
}
CORPUS_STDIN = {"word count": WORDS, "json": '{"name": "hatch", "items": [1, 2, 3]}\n'}


@dataclass
class Language:
    name: str  # as requests give it
    main: str  # the name of inline code: "main.pl"
    command: list  # the plain command, before the file's name; or a function (folder, entry, args) -> argv
    semantics: dict  # name: (program, options) or program. Options: args, stdin, files, entry, env, and `ours`: the expected
    # (stdout, stderr, ending) where Hatchery differs from the command, which docs/languages.md has to explain
    corpus: dict
    absent: dict = field(default_factory=dict)  # of SEMANTICS and CORPUS: name to the reason
    more: dict = field(default_factory=dict)  # further rows of the semantics table, with any names
    random: list = field(default_factory=list)  # programs that print something random: numbers, a temporary name, ...
    # Each of `random` prints a line and does not disturb the next. So they run as one program, except with --all.
    random_together: bool = False
    echo: list = field(default_factory=list)  # (program, expected stdout); empty: echo_last_expression is refused
    killed: object = None  # a program that prints PRINTED, or the value of its option `printed`, and dies
    fresh: dict = field(default_factory=dict)  # a variable that the language reads at its start: `killed` is run with it, too
    failing: str = ""  # replaces the "uncaught error" of SEMANTICS if that one prints after its error
    normalise: object = None  # bytes -> bytes, applied to both sides' standard error and output
    limits: dict = field(default_factory=dict)  # the limits of every run
    tools: dict = field(default_factory=dict)  # passed on as it is
    prepare: object = None  # called with the folder before the plain command: for compilers
    execute: dict = field(default_factory=dict)  # further fields of every Execute
    is_costly: bool = False  # a sandbox, or a compilation, takes seconds of processor time: the short form, except with --all
    always: tuple = ()  # rows of `more` that belong to the short form, too
    # Rows of SEMANTICS that other rows, or another language, already test. They run only with --all.
    elsewhere: tuple = ()
    recorded: str = ""  # the language whose command and recorded answers are used, if it is another
    # Rows of `more` that print, end well and do not disturb the next. They are one program, except with --all.
    together: tuple = ()


def reference(language, program, options):
    """The result of the plain command: (stdout, stderr, ending), with its directory called WORK."""
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        for name, content in {language.main: program, **options.get("files", {})}.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        args, entry = options.get("args", []), options.get("entry", language.main)
        command = (language.command(folder, entry, args) if callable(language.command)
                   else [*language.command, entry, *args])
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": folder, "USER": "sandbox", "LOGNAME": "sandbox",
               "LANG": "C.UTF-8", **options.get("env", {})}
        done = subprocess.run(command, cwd=folder, input=to_bytes(options.get("stdin", b"")), capture_output=True,
                              env=env, timeout=patience(120), check=False)
        ending = ("signal", -done.returncode) if done.returncode < 0 else ("exit", done.returncode)
        return tuple(stream.replace(folder.encode(), WORK.encode()) for stream in (done.stdout, done.stderr)) + (ending,)


class References:
    """The plain command's answers to the rows that have no recorded answer. The command runs while earlier rows are
    compared, because a cold command may take longer than all that Hatchery does."""

    AHEAD = 6  # rows; few, so that a single test does not start many commands that it does not need
    THREADS = 2

    def __init__(self, language, rows):
        self.language = language
        self.rows = rows  # (name, program, options) in the order of the tests
        self.pool = ThreadPoolExecutor(self.THREADS)
        self.recorded = Recorded(language.recorded or language.name)
        self.futures = {}

    def asked(self, index):
        """Returns all that decides what the command does, except the versions of packages."""
        _, program, options = self.rows[index]
        language = self.language
        return [words_of(language.command), language.main, program,
                [options.get(name) for name in ("args", "stdin", "files", "entry", "env")]]

    def is_recorded(self, index):
        return not ALL and not RECORDING and self.recorded.get(self.rows[index][0], self.asked(index)) is not None

    def ask_ahead(self, index):
        """Starts the command for this row, if needed, and for some rows after it."""
        wanted = [i for i in range(index, len(self.rows)) if self.is_needed(self.rows[i][2]) and not self.is_recorded(i)]
        for i in wanted[:self.AHEAD]:
            if i not in self.futures:
                self.futures[i] = self.submit(i)

    def submit(self, index):
        return self.pool.submit(reference, self.language, *self.rows[index][1:])

    def ask(self, index):
        """Runs the command, and returns a Future of its result. Each call runs the command again."""
        return self.futures.pop(index, None) or self.submit(index)

    def compare(self, index, ours, expected, assert_same):
        """Compares Hatchery's answer with expected(the result of the command)."""
        compare(self.recorded, self.rows[index][0], self.asked(index), ours, lambda: expected(self.ask(index).result()),
                assert_same)

    def end(self, names):
        """Ends all commands that still run."""
        self.pool.shutdown(cancel_futures=True)
        if RECORDING:
            self.recorded.write(names)

    @staticmethod
    def is_needed(options):
        return not options.get("ours") or callable(options["ours"])


def to_bytes(text):
    return text.encode() if isinstance(text, str) else text


def ending_of(result):
    name = Status.Name(result.status)
    if name == "SIGNALED":
        return "signal", result.signal
    return ("exit", result.exit_code) if name == "EXITED" else (name, result.exit_code)


class LanguageCase(Case):
    """The tests that need no table. tests_of derives a class from this one."""

    LANGUAGE = None
    REFERENCES = None
    NAMES = ()  # the names of all rows, also of those that do not run

    @classmethod
    def tearDownClass(cls):
        if cls.REFERENCES:
            cls.REFERENCES.end(cls.NAMES)

    def run_program(self, program, **options):
        language = self.LANGUAGE
        fields = {"args": options.get("args", []), "env": options.get("env", {}),
                  "stdin": to_bytes(options.get("stdin", b"")),
                  "limits": {**sanitized_limits(language.name), **language.limits, **options.get("limits", {})},
                  **language.execute, **options.get("execute", {})}
        files = options.get("files", {})
        if "entry" in options:  # another file than the program's is the entry
            files, fields["entry"] = {language.main: program, **files}, options["entry"]
        if files:
            fields["files"] = files
        if "entry" in options:
            return self.execute(language=language.name, **fields)
        return self.execute(program, language=language.name, **fields)

    def same_as_command(self, index):
        language = self.LANGUAGE
        _, program, options = self.REFERENCES.rows[index]
        self.REFERENCES.ask_ahead(index)
        result = self.run_program(program, **options)
        ending = ending_of(result)
        # If `ours` is a tuple, it describes the run itself. Otherwise the compiler's messages are
        # compared if it refused the program.
        refused = ending[0] == "COMPILE_ERROR" and not isinstance(options.get("ours"), tuple)
        said = result.compile if refused else result
        ours = (said.stdout, said.stderr, ending if said is result else (ending[0], said.exit_code))
        normalise = language.normalise or (lambda stream: stream)

        def normalised(answer):
            return normalise(answer[0]), normalise(answer[1]), answer[2]

        def assert_same(theirs, ours):
            self.assert_same(theirs, ours, result)

        if not self.REFERENCES.is_needed(options):
            assert_same(normalised(options["ours"]), normalised(ours))
            return
        expected = options.get("ours") or (lambda theirs: theirs)
        self.REFERENCES.compare(index, normalised(ours), lambda theirs: normalised(expected(theirs)), assert_same)

    def assert_same(self, theirs, ours, result):
        """Compares without unittest's own comparison, which takes hours for long lines."""
        for name, expected, got in zip(("stdout", "stderr", "ending"), theirs, ours):
            if expected != got and name != "ending":
                at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
                near = slice(max(0, at - 200), at + 400)
                self.fail(f"{name} differs at byte {at} of {len(expected)}, {len(got)}:\n"
                          f"by its command {expected[near]!r}\nby Hatchery    {got[near]!r}\n{describe(result)}")
            self.assertEqual(expected, got, describe(result))

    def many(self, count):
        """Together with one earlier run, more runs than a server with `warm = 2 running = 2` has slots (a costly
        language: `warm = 1 running = 2`). Values that are equal in two runs would be equal in all."""
        return count if ALL else 3 if self.LANGUAGE.is_costly else 5

    def run_corpus(self, name):
        program = self.LANGUAGE.corpus[name]
        result = self.run_program(program, stdin=CORPUS_STDIN.get(name, ""))
        self.assert_exited(result)
        self.assertEqual(CORPUS_OUTPUT[name], result.stdout.decode(), describe(result))

    def test_no_name_of_the_tables_is_forgotten(self):
        language = self.LANGUAGE
        for table, names in ((language.semantics, SEMANTICS), (language.corpus, CORPUS)):
            self.assertEqual([], [name for name in names if name not in table and name not in language.absent])
        self.assertEqual([], [name for name in language.semantics if name not in SEMANTICS], "put it into more")

    def random_programs(self):
        programs = self.LANGUAGE.random
        return ["".join(programs)] if self.LANGUAGE.random_together and not ALL else programs

    def assert_random(self, program, results):
        """Checks that each line of the output differs from run to run."""
        for result in results:
            self.assert_exited(result)
            self.assertTrue(result.stdout.strip(), describe(result))
        together = self.LANGUAGE.random_together
        lines = [result.stdout.splitlines() if together else [result.stdout] for result in results]
        self.assertEqual({len(lines[0])}, {len(said) for said in lines}, lines)
        for of_each in zip(*lines):
            self.assertEqual(len(results), len(set(of_each)), f"{program}: {of_each}")
        self.assertEqual(len(results), len({result.sandbox for result in results}))

    def test_what_is_random_differs_between_runs_one_after_the_other(self):
        for program in self.random_programs():
            self.assert_random(program, [self.run_program(program) for _ in range(self.many(12))])

    def test_what_is_random_differs_between_runs_at_one_time(self):
        for program in self.random_programs():
            language = self.LANGUAGE
            first = self.run_program(program)  # so that the others find the compiled program in the cache
            requests = [self.client.send_execute(program, language=language.name,
                                                 limits={**sanitized_limits(language.name), **language.limits},
                                                 **language.execute) for _ in range(self.many(6))]
            self.assert_random(program, [first, *map(self.client.result, requests)])

    def test_echo_last_expression(self):
        language = self.LANGUAGE
        if not language.echo:
            self.assert_refused("INVALID_ARGUMENT", "echo_last_expression", self.run_program, "",
                                execute={"echo_last_expression": True})
            return
        for program, expected in language.echo:
            result = self.run_program(program, execute={"echo_last_expression": True})
            self.assertEqual(expected, result.stdout.decode(), f"{program!r}: {describe(result)}")

    def keep_what_a_killed_run_printed(self):
        program, options = self.LANGUAGE.killed if isinstance(self.LANGUAGE.killed, tuple) else (self.LANGUAGE.killed, {})
        for env in [{}, self.LANGUAGE.fresh] if self.LANGUAGE.fresh else [{}]:
            result = self.run_program(program, **{"env": env, **options}, execute={"unbuffered": True, "merge_stderr": True})
            self.assertNotEqual(("exit", 0), ending_of(result), describe(result))
            self.assertEqual(options.get("printed", PRINTED), result.stdout, describe(result))

    def have_both_streams_in_order(self):
        row = self.LANGUAGE.failing or self.LANGUAGE.semantics["uncaught error"]
        program, options = row if isinstance(row, tuple) else (row, {})
        apart = self.run_program(program, **options, execute={"unbuffered": True})
        together = self.run_program(program, **options, execute={"unbuffered": True, "merge_stderr": True})
        self.assertTrue(apart.stdout, describe(apart))
        self.assertEqual(apart.stdout + apart.stderr, together.stdout, describe(together))

    def test_each_run_begins_afresh(self):
        """More runs than there are slots: files and pids of one run do not affect the next."""
        program = self.LANGUAGE.semantics["hello"]
        program, options = program if isinstance(program, tuple) else (program, {})
        first = self.run_program(program, **options)
        sandboxes = set()
        for _ in range(self.many(20)):
            result = self.run_program(program, **options)
            self.assertEqual(first.stdout, result.stdout, describe(result))
            sandboxes.add(result.sandbox)
        self.assertEqual(self.many(20), len(sandboxes))

    def test_status_knows_the_language(self):
        [row] = [row for row in self.client.status().languages if row.name == self.LANGUAGE.name]
        self.assertTrue(row.version, row)
        self.assertNotEqual(0, row.kind, row)


def identifier(name):
    return re.sub(r"\W+", "_", name).strip("_").lower()


def joined(rows, names):
    """Returns the table with these rows joined into one. Each of them is a program without options."""
    if not names:
        return rows
    return {"what it computes": "\n".join(rows[name] for name in names),
            **{name: row for name, row in rows.items() if name not in names}}


def tests_of(server, language):
    """A TestCase with all tests of the language. The module binds it to a name of its own."""
    is_short = SHORT or language.is_costly and not ALL
    elsewhere = () if ALL else language.elsewhere
    planted = {f"planted {name}": row for name, row in INIT_FILES.get(language.name, {}).items()}
    # The rows whose answers are recorded.
    usual = {**language.semantics, **joined(language.more, language.together), **planted}
    table = {**usual, **language.more} if ALL else usual
    rows = {f"test_as_by_its_command_{identifier(name)}": (name, *row) if isinstance(row, tuple) else (name, row, {})
            for name, row in table.items()
            if name not in elsewhere and (not is_short or name in (*SHORT_SEMANTICS, *language.always, *planted))}
    order = sorted(rows)

    def semantics_test(index):
        return lambda self: self.same_as_command(index)

    def corpus_test(name):
        return lambda self: self.run_corpus(name)

    # unittest asks the class for the module whose server is to be started.
    members = {"SERVER": server, "LANGUAGE": language, "NAMES": [*usual],
               "REFERENCES": References(language, [rows[title] for title in order]),
               "__module__": sys._getframe(1).f_globals["__name__"]}
    for index, title in enumerate(order):
        members[title] = semantics_test(index)
    for name in (name for name in language.corpus if not is_short or name in SHORT_CORPUS):
        members[f"test_corpus_{identifier(name)}"] = corpus_test(name)
    if language.is_costly and not ALL:
        # The test that random values differ between runs at one time also shows what these two show.
        members["test_each_run_begins_afresh"] = None
        members["test_what_is_random_differs_between_runs_one_after_the_other"] = None
    else:
        members["test_a_killed_run_keeps_what_it_printed"] = lambda self: self.keep_what_a_killed_run_printed()
        members["test_an_error_comes_after_what_was_printed_before_it"] = lambda self: self.have_both_streams_in_order()
    if language.name in memory.LANGUAGES:
        server.options["config"] = memory.with_ceilings(server.options["config"], language.name)
        members["test_nothing_of_others_is_in_its_memory"] = lambda self: memory.assert_nothing_of_others(self, language.name)
    return type("Semantics", (LanguageCase,), members)


SIGTERM = ("signal", int(signal.SIGTERM))
