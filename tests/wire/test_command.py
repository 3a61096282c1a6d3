"""The hatchery command: its output and its exit codes."""

import base64
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from lib.case import Case, ServerModule
from lib.scale import patience
from lib.server import HATCHERY

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down


class Command(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)

    def run_command(self, *arguments, **options):
        return SERVER.run(*arguments, **options)

    def file(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def assert_done(self, done, code=0, out=b"", err=b""):
        self.assertEqual((code, out, err), (done.returncode, done.stdout, done.stderr))

    def assert_ended(self, code, words, *arguments, **options):
        """The command ends with this code and says why in one line that holds these words."""
        done = self.run_command(*arguments, **options)
        self.assertEqual(code, done.returncode, done)
        lines = [line for line in done.stderr.decode().splitlines() if line.startswith("hatchery: ")]
        self.assertEqual(1, len(lines), done.stderr)
        for word in words:
            self.assertIn(word, lines[0])
        return done


class Run(Command):
    def test_six_times_seven_is_42(self):
        self.assert_done(self.run_command("run", "-e", "print(6*7)"), out=b"42\n")

    def test_output_passes_byte_for_byte(self):
        code = "import os; os.write(1, bytes(range(256))); os.write(2, b'e\\xff\\0')"
        self.assert_done(self.run_command("run", "-e", code), out=bytes(range(256)), err=b"e\xff\0")

    def test_empty_code_is_a_program(self):
        self.assert_done(self.run_command("run", "-e", ""))

    def test_the_exit_code_is_the_programs(self):
        for code in (0, 1, 3, 255):
            self.assert_done(self.run_command("run", "-e", f"import sys; sys.exit({code})"), code)

    def test_a_traceback_and_nothing_else_is_printed(self):
        done = self.run_command("run", "-e", "1/0")
        self.assertEqual(1, done.returncode)
        self.assertTrue(done.stderr.endswith(b"ZeroDivisionError: division by zero\n"), done.stderr)

    def test_a_signal_is_128_and_its_number(self):
        self.assert_ended(143, ["15"], "run", "-e", "import os; os.kill(os.getpid(), 15)")
        self.assert_ended(134, ["6"], "run", "-e", "import os; os.abort()")

    def test_limits_end_with_their_codes(self):
        self.assert_ended(124, ["wall", "200 ms"], "run", "--wall", "200ms", "-e", "import time; time.sleep(9)")
        self.assert_ended(124, ["CPU"], "run", "--cpu", "200ms", "-e", "while True: pass")
        self.assert_ended(137, ["memory", "32 MiB"], "run", "--memory", "32M", "-e", "x = b'x' * (99 << 20)")
        done = self.assert_ended(143, ["output"], "run", "--output", "10", "-e", "print('x' * 99)")
        self.assertEqual(b"x" * 10, done.stdout)
        self.assert_ended(1, ["disk"], "run", "--disk", "1M", "-e", "open('x', 'wb').write(b'x' * (9 << 20))")

    def test_truncated_output_is_no_failure_and_told(self):
        done = self.assert_ended(0, ["standard output was cut: 10 bytes of 100 bytes came", "--output"], "run", "--output",
                                 "10", "--truncate", "-e", "print('x' * 99)")
        self.assertEqual(b"x" * 10, done.stdout)

    def test_what_it_says_itself_begins_a_line_of_its_own(self):
        killed = ("run", "--wall", "200ms", "-e")
        code = "import sys, time; print('o', end='', flush=True); sys.stderr.write({!r}); sys.stderr.flush(); time.sleep(9)"
        # Both streams go into one pipe, as on a terminal, or into two pipes. In two pipes, the program's standard
        # output does not matter.
        for joined, said, out in (True, "", b"o\nhatchery: "), (True, "e", b"oe\nhatchery: "), (False, "e", b"e\nhatchery: "), \
                (False, "", b"hatchery: "):
            done = subprocess.run([str(HATCHERY), *killed, code.format(said)], stdout=subprocess.PIPE, check=False,
                                  stderr=subprocess.STDOUT if joined else subprocess.PIPE, timeout=patience(120),
                                  env={**os.environ, "HATCHERY_ADDR": SERVER.address})
            self.assertTrue((done.stdout if joined else done.stderr).startswith(out), done)

    def test_a_refusal_is_125(self):
        self.assert_ended(125, ["python"], "run", "-l", "cobol", "-e", "1")
        self.assert_ended(125, ["memory is 900 GiB", "at most 1 GiB here"], "run", "--memory", "900G", "-e", "1")
        self.assert_ended(125, ["wall is 100 s", "at most 60 s here"], "run", "--wall", "100", "-e", "1")

    def test_a_request_that_is_too_large_is_refused_before_it_is_sent(self):
        self.assert_ended(125, ["16 MiB at most here", "standard input 17 MiB of that", "send less"], "run", "--stdin", "-",
                          "-e", "1", stdin=bytes(17 << 20))

    def test_times_and_sizes_are_written_as_people_do(self):
        self.assert_done(self.run_command("run", "--wall", "1.5s", "--cpu", "0.5min", "--memory", "64m", "--disk", "20MiB",
                                          "-e", "print(1)"), out=b"1\n")

    def test_the_language_is_the_files_own_or_none(self):
        programs = {"a.PY": "print(1)", "tool": "#!/usr/bin/env -S python3 -u\nprint(1)", "b.kt": "#!python\nprint(1)"}
        for name, program in programs.items():
            self.assert_done(self.run_command("run", self.file(name, program)), out=b"1\n")
        self.assert_done(self.run_command("run", "-l", "PYTHON3", self.file("c.kt", "print(1)")), out=b"1\n")
        self.assert_done(self.run_command("run", "-", stdin=b"#!/usr/bin/python3\nprint(1)"), out=b"1\n")
        for name, program, words in (("a.kt", "", ".kt files"), ("t", "#!/bin/kotlin\n", "runs kotlin"),
                                     ("t", "x", "cannot tell the language of t")):
            self.assert_ended(125, [words, "-l"], "run", self.file(name, program))
        self.assert_ended(125, ["runs kotlin", "-l"], "run", "-", stdin=b"#!kotlin\n")

    def test_no_server_is_125_and_says_so(self):
        self.assert_ended(125, ["unix:/nonexistent/sock"], "run", "--addr", "unix:/nonexistent/sock", "-e", "1")
        self.assert_ended(125, ["127.0.0.1:1"], "run", "-e", "1", env={"HATCHERY_ADDR": "127.0.0.1:1"})

    def test_a_server_that_is_not_there_yet_is_waited_for(self):
        link, began = self.dir / "sock", time.monotonic()
        self.assert_ended(125, ["is hatcheryd running"], "run", "--wait", "300ms", "--addr", f"unix:{link}", "-e", "1")
        self.assertGreaterEqual(time.monotonic() - began, 0.3)
        waiting = subprocess.Popen([str(HATCHERY), "run", "--wait", "1h", "--addr", f"unix:{link}", "-e", "print(1)"],
                                   stdout=subprocess.PIPE)
        link.symlink_to(SERVER.socket_path)
        self.assertEqual((b"1\n", None), waiting.communicate(timeout=patience(120)))

    def test_wrong_usage_is_2(self):
        for arguments in ([], ["run"], ["run", "--nonsense"], ["nonsense"], ["run", "-e", "1", "--wall", "long"],
                          ["run", "-e", "1", "--wall", "-1s"], ["run", "-e", "1", "--env", "novalue"]):
            with self.subTest(arguments):
                done = self.run_command(*arguments)
                self.assertEqual(2, done.returncode, done)
                self.assertTrue(done.stderr)

    def test_files_are_run(self):
        main = self.file("main.py", "import helper, sys; print(helper.X, sys.argv)")
        helper = self.file("helper.py", "X = 5")
        done = self.run_command("run", main, helper, "--", "-a", "b c")
        self.assertEqual((0, b"5 ['main.py', '-a', 'b c']\n"), (done.returncode, done.stdout.replace(b"/home/sandbox/", b"")))

    def test_the_program_can_come_from_standard_input(self):
        self.assert_done(self.run_command("run", "-", stdin=b"print('from stdin')"), out=b"from stdin\n")

    def test_standard_input_reaches_the_program_only_when_asked(self):
        code = "import sys; print(repr(sys.stdin.read()))"
        self.assert_done(self.run_command("run", "-e", code, stdin=b"x"), out=b"''\n")
        self.assert_done(self.run_command("run", "--stdin", "-", "-e", code, stdin=b"x\n"), out=b"'x\\n'\n")
        self.assert_done(self.run_command("run", "--stdin", self.file("in", "y"), "-e", code), out=b"'y'\n")

    def test_files_go_in_and_out(self):
        source, out = self.file("a.txt", "abc"), self.dir / "out"
        code = "import os; os.mkdir('d'); open('d/up.txt', 'w').write(open('data/in.txt').read().upper())"
        done = self.run_command("run", "--file", f"data/in.txt={source}", "-e", code, "--collect", "d/*.txt",
                                "--out", str(out))
        self.assert_done(done)
        self.assertEqual("ABC", (out / "d" / "up.txt").read_text())

    def test_what_was_sent_and_is_as_it_was_does_not_come_back(self):
        names = [self.file(name, f"open('made', 'w')\nopen('{name}', 'a')") for name in ("main.py", "data")]
        for more, brought in ([], ["made"]), (["--collect-all"], ["data", "made", "main.py"]):
            out = self.dir / f"out{len(more)}"
            self.assert_done(self.run_command("run", *names, "--collect", "*", "--out", str(out), *more))
            self.assertEqual(brought, sorted(path.name for path in out.iterdir()))
        self.assert_ended(0, ["--collect '*.png' matched nothing"], "run", *names, "--collect", "made", "--collect", "*.png",
                          "--out", str(self.dir / "out"))

    def test_files_never_leave_the_output_directory(self):
        out, outside = self.dir / "out", self.dir / "outside"
        out.mkdir()
        outside.mkdir()
        (out / "link").symlink_to(outside)
        (out / "file").symlink_to(outside / "target")
        code = "import os; os.mkdir('link'); open('link/f', 'w').write('x'); open('file', 'w').write('y')"
        done = self.run_command("run", "-e", code, "--collect", "**", "--collect", "*", "--collect", "link/*",
                                "--out", str(out))
        self.assertEqual([], list(outside.iterdir()), done)

    def test_all_options_together(self):
        code = "import os, sys; print(os.environ['A'], sys.argv[1:], flush=True); print('err', file=sys.stderr)"
        done = self.run_command(
            "run", "-l", "python", "-e", code, "--env", "A=b=c", "--wall", "2s", "--cpu", "1s", "--memory", "64M",
            "--pids", "16", "--output", "1M", "--disk", "16M", "--open-files", "20", "--stack", "16M", "--merge-stderr", "--deadline",
            "30s", "--client", "tests", "--compress", "--addr", SERVER.unix_address, "--", "--x")
        self.assert_done(done, out=b"b=c ['--x']\nerr\n")

    def test_on_a_terminal_a_killed_program_keeps_what_it_printed(self):
        program = "import os; print('seen', end=''); os.kill(os.getpid(), 9)"
        self.assertEqual(b"seen", self.run_command("run", "--unbuffered", "-e", program).stdout)
        self.assertEqual(b"", self.run_command("run", "-e", program).stdout)
        for options, expected in (((), b"seen"), (("--buffered",), b"")):
            ours, terminal = os.openpty()
            done = subprocess.run([str(HATCHERY), "run", "--addr", SERVER.address, *options, "-e", program], stdout=terminal,
                                  stderr=subprocess.PIPE, timeout=patience(60), check=False)
            os.write(terminal, b".")  # marks the end of the output for the loop below
            os.close(terminal)
            seen = b""
            while not seen.endswith(b"."):
                seen += os.read(ours, 100)
            self.assertEqual(expected + b".", seen, done)
            os.close(ours)

    def test_stats_are_one_line(self):
        done = self.assert_ended(0, ["EXITED", "wall", "cpu", "memory", "warm", "queue", "dispatch", "run", "drain",
                                     "collect"], "run", "--stats", "-e", "print(1)")
        self.assertEqual(b"1\n", done.stdout)


class Json(Command):
    def json(self, *arguments):
        done = self.run_command(*arguments, "--json")
        self.assertEqual(b"", done.stderr)
        return done.returncode, json.loads(done.stdout)

    def test_a_result_has_the_fields_of_the_contract(self):
        code, result = self.json("run", "-e", "import sys; print('ä'); print('e', file=sys.stderr); sys.exit(4)")
        self.assertEqual((4, 4, "EXITED"), (code, result["exit_code"], result["status"]))
        self.assertEqual("ä\n".encode(), base64.b64decode(result["stdout"]))
        self.assertEqual(b"e\n", base64.b64decode(result["stderr"]))
        for name in ("wall_us", "cpu_us", "cpu_user_us", "cpu_system_us", "memory_peak_bytes", "queue_us", "warm_us",
                     "stdout_total", "stderr_total", "signal", "disk_bytes", "processes_peak", "pids_denied"):
            self.assertIsInstance(result[name], int, name)
        for name in ("stdout_truncated", "stderr_truncated", "oom_killed", "files_incomplete"):
            self.assertIs(False, result[name], name)
        self.assertEqual(("python", []), (result["language"], result["files"]))
        self.assertEqual(["queue_us", "dispatch_us", "run_us", "drain_us", "collect_us"], list(result["stages"]))
        self.assertEqual(0, result["stages"]["collect_us"])
        self.assertGreaterEqual(sum(result["stages"].values()), result["queue_us"] + result["wall_us"])
        self.assertTrue(result["sandbox"] and result["language_version"])

    def test_files_are_in_the_object(self):
        _, result = self.json("run", "-e", "open('f', 'wb').write(b'\\0\\xff')", "--collect", "f")
        self.assertEqual([("f", b"\0\xff")], [(f["name"], base64.b64decode(f["content"])) for f in result["files"]])

    def test_limits_are_named(self):
        for option, value, program, code, status in (
                ("--wall", "200ms", "import time; time.sleep(9)", 124, "TIME_LIMIT"),
                ("--memory", "32M", "x = b'x' * (99 << 20)", 137, "MEMORY_LIMIT"),
                ("--output", "5", "print('x' * 99)", 143, "OUTPUT_LIMIT")):
            with self.subTest(status):
                got, result = self.json("run", option, value, "-e", program)
                self.assertEqual((code, status), (got, result["status"]))

    def test_a_refusal_is_an_error_object(self):
        code, answer = self.json("run", "--memory", "900G", "-e", "1")
        self.assertEqual(125, code)
        self.assertEqual("INVALID_ARGUMENT", answer["error"]["code"])
        self.assertIn("memory_bytes", answer["error"]["message"])  # a name for programmers
        self.assertIsInstance(answer["error"]["retry_after_ms"], int)

    def test_names_that_are_not_utf8_do_not_break_it(self):
        _, result = self.json("run", "-e", "import os; os.close(os.open(b'f\\xff', os.O_CREAT))", "--collect", "f*")
        self.assertEqual(b"f\xff", base64.b64decode(result["files"][0]["raw_name"]))


class Others(Command):
    def test_ping_says_who_answered(self):
        done = self.run_command("ping")
        self.assertEqual(0, done.returncode)
        self.assertIn(SERVER.address.encode(), done.stdout)
        self.assertTrue(json.loads(self.run_command("ping", "--json").stdout)["server_version"])

    def test_status_lists_the_languages(self):
        done = self.run_command("status")
        self.assertEqual(0, done.returncode)
        self.assertIn(b"python", done.stdout)
        status = json.loads(self.run_command("status", "--json").stdout)
        self.assertEqual("python", status["languages"][0]["name"])
        self.assertTrue(status["ready"])

    def test_status_fits_a_terminal(self):
        for arguments in [], ["-l", "python"]:
            lines = self.run_command("status", *arguments).stdout.decode().splitlines()
            self.assertLessEqual(max(len(line) for line in lines), 100, lines)
        self.assert_ended(125, ["no language cobol"], "status", "-l", "cobol")

    def test_status_says_where_the_time_went(self):
        self.run_command("run", "-e", "import time; time.sleep(0.2)")
        names = ["queue", "dispatch", "run", "drain", "collect", "teardown", "refill", "compile"]
        language = json.loads(self.run_command("status", "--json").stdout)["languages"][0]
        self.assertEqual(names, [stage["name"] for stage in language["stages"]])
        for stage in language["stages"]:
            self.assertEqual(["name", "count", "sum_us", "p50_us", "p90_us", "p99_us", "max_us", "buckets"], list(stage))
            self.assertLessEqual(stage["p50_us"], stage["p90_us"])
            self.assertLessEqual(stage["p90_us"], stage["p99_us"])
            self.assertLessEqual(stage["p99_us"], stage["max_us"])
            self.assertLessEqual(stage["max_us"], stage["sum_us"])
        self.assertEqual([language["runs"]] * 4, [stage["count"] for stage in language["stages"][:4]])

        lines = self.run_command("status", "-l", "PY").stdout.decode().splitlines()
        table = lines[lines.index("stage by stage:") + 1:]
        self.assertEqual(["STAGE", "COUNT", "SUM", "P50", "P90", "P99", "MAX"], table[0].split())
        passed = [stage["name"] for stage in language["stages"] if stage["count"]]
        self.assertEqual(passed, [line.split()[0] for line in table[1:]])
        self.assertEqual(1, len({len(line) for line in table}), "the columns are not straight")

    def test_help_is_on_standard_output_and_names_every_option(self):
        done = self.run_command("run", "--help")
        self.assertEqual(0, done.returncode)
        for option in ("--stdin", "--file", "--entry", "--env", "--wall", "--cpu", "--memory", "--pids", "--output",
                       "--disk", "--open-files", "--merge-stderr", "--collect", "--out", "--deadline", "--client",
                       "--priority", "--addr", "--json", "--interactive", "--tty", "--interpreter", "--interpreter-arg"):
            self.assertIn(option, done.stdout.decode())
        for command in ([], ["ping"], ["status"]):
            self.assertEqual(0, self.run_command(*command, "--help").returncode)

    def test_refused_processes_are_told(self):
        done = self.run_command("run", "--pids", "1", "-e", "import os\ntry: os.fork()\nexcept OSError: pass")
        self.assertEqual(0, done.returncode)
        self.assertIn(b"the limit of 1 on processes and threads was reached: the program was refused 1 more; --pids raises it\n", done.stderr)

    def test_help_names_every_limit_with_its_default_and_ceiling(self):
        text = self.run_command("run", "--help").stdout.decode()
        self.assertIn("a value above the server's ceiling is refused", text)
        for option, bounds in {"--wall TIME": "[6 s, at most 60 s]", "--cpu TIME": "[5 s, at most 60 s]",
                               "--memory SIZE": "[256 MiB, at most 1 GiB]", "--pids N": "[128, at most 512]",
                               "--output SIZE": "[1 MiB, at most 16 MiB]", "--disk SIZE": "[48 MiB, at most 512 MiB]",
                               "--open-files N": "[256, at most 1024]",
                               "--stack SIZE": "[8 MiB, at most 512 MiB]"}.items():
            lines = [line for line in text.splitlines() if line.strip().startswith(option)]
            self.assertEqual(1, len(lines), option)
            self.assertTrue(lines[0].endswith(bounds), lines[0])
        # A server without other settings keeps to these ceilings.
        refused = self.run_command("run", "--wall", "61s", "-e", "1")
        self.assertEqual(125, refused.returncode)
        self.assertIn(b"at most 60 s here", refused.stderr)

    def test_help_is_a_command_too(self):
        for words, option in ((["help"], ["--help"]), (["help", "run"], ["run", "--help"]),
                              (["help", "status"], ["status", "--help"])):
            self.assert_done(self.run_command(*words), out=self.run_command(*option).stdout)
        self.assert_ended(2, ["'nonsense' is no command"], "help", "nonsense")

    def test_a_full_disk_under_standard_output_is_noticed(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([str(HATCHERY), "run", "--addr", SERVER.address, "-e", "print(1)"], stdout=full,
                                  stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertNotEqual(0, done.returncode)
