"""Mistakes of clients: each gets a code and a sentence that names it, and other clients lose nothing."""

from lib.case import Case, ServerModule, describe

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

INVALID = "INVALID_ARGUMENT"
LIMITS = {"wall_us": 60_000_000, "cpu_us": 60_000_000, "memory_bytes": 1 << 30, "pids": 512, "output_bytes": 16 << 20,
          "disk_bytes": 512 << 20, "open_files": 1024, "stack_bytes": 512 << 20}


class Programs(Case):
    SERVER = SERVER

    def test_an_unknown_language_is_answered_with_the_known_ones(self):
        for language in ("cobol", "Python ", "", "x" * 31):
            with self.subTest(language):
                self.assert_refused("NOT_FOUND" if language else ("NOT_FOUND", INVALID), "python",
                                    self.execute, "1", language=language)
        self.assert_alive()

    def assert_error(self, error, code, words):
        if isinstance(code, tuple):
            from lib.hatchery import Code
            self.assertIn(Code.Name(error.code), code)
            code = Code.Name(error.code)
        super().assert_error(error, code, words)

    def test_a_language_name_that_is_too_long_is_refused(self):
        self.assert_refused(("NOT_FOUND", INVALID), "language", self.execute, "1", language="x" * 5000)
        self.assert_alive()

    def test_neither_code_nor_files_is_refused(self):
        self.assert_refused(INVALID, "code", self.execute)
        self.assert_alive()

    def test_empty_code_is_a_program(self):
        result = self.execute("")
        self.assert_exited(result)
        self.assertEqual((b"", b""), (result.stdout, result.stderr))

    def test_code_with_nul_bytes_fails_in_the_interpreter(self):
        result = self.execute(b"print(1)\0\nprint(2)\n")
        self.assert_exited(result, 1)
        self.assertIn(b"SyntaxError", result.stderr)

    def test_crlf_and_a_byte_order_mark_are_fine(self):
        result = self.execute(b"\xef\xbb\xbfif True:\r\n    print('a')\r\nprint('''x\r\ny''')\r\n")
        self.assert_exited(result)
        self.assertEqual(b"a\nx\ny\n", result.stdout)

    def test_code_that_is_not_utf8_fails_in_the_interpreter(self):
        result = self.execute(b"print('\xff')\n")
        self.assert_exited(result, 1)
        self.assertIn(b"SyntaxError", result.stderr)

    def test_megabytes_of_code_run(self):
        result = self.execute("# nothing\n" * 1_000_000 + "print(1)")
        self.assertEqual(b"1\n", result.stdout, describe(result))

    def test_one_file_needs_no_entry(self):
        self.assertEqual(b"7\n", self.execute(files={"anything.py": "print(7)"}).stdout)

    def test_the_main_file_needs_no_entry(self):
        self.assertEqual(b"m\n", self.execute(files={"a.py": "", "main.py": "print('m')"}).stdout)

    def test_several_files_without_an_entry_are_refused(self):
        self.assert_refused(INVALID, "entry", self.execute, files={"a.py": "", "b.py": ""})

    def test_an_entry_that_is_not_among_the_files_is_refused(self):
        self.assert_refused(INVALID, ["entry", "c.py"], self.execute, files={"a.py": "", "b.py": ""}, entry="c.py")

    def test_an_entry_in_a_directory_runs(self):
        result = self.execute(files={"app/start.py": "import helper; print(helper.X)", "app/helper.py": "X = 8"},
                              entry="app/start.py")
        self.assertEqual(b"8\n", result.stdout, describe(result))

    def test_code_beside_a_file_of_the_main_name_is_refused(self):
        self.assert_refused(INVALID, "main.py", self.execute, "1", files={"main.py": "2"})
        self.assert_alive()


class Files(Case):
    SERVER = SERVER

    def test_a_thousand_files_arrive(self):
        files = {f"d{i % 10}/f{i}": str(i) for i in range(1000)}
        code = "import os; print(sum(int(open(f'd{i % 10}/f{i}').read()) for i in range(1000)))"
        self.assertEqual("499500\n", self.output(code, files=files))

    def test_too_many_files_are_refused(self):
        self.assert_refused(INVALID, ["files", "4096"], self.execute, "1", files={f"f{i}": "" for i in range(4097)})
        self.assert_alive()

    def test_bad_file_names_are_refused(self):
        names = {"": "name", "/etc/passwd": "/etc/passwd", "/": "name", "..": "..", "../x": "..", "a/../b": "..",
                 "a/..": "..", ".": "name", "./a": "name", "a/.": "name", "a//b": "name", "a/": "name",
                 "x" * 256: "255", "d/" * 600 + "x": "1024"}
        for name, word in names.items():
            with self.subTest(name[:40]):
                self.assert_refused(INVALID, word, self.execute, "1", files={name: "x"})
        self.assert_alive()

    def test_a_file_name_with_a_nul_byte_is_refused(self):
        self.assert_refused(INVALID, "nul", self.execute, "1", files={"a\0b": "x"})
        self.assert_alive()

    def test_two_files_of_one_name_are_refused(self):
        from lib.hatchery import execute_message
        message = execute_message("1", files={"a": "x"})
        message.files.add(name="a", content=b"y")
        self.assert_refused(INVALID, "a", self.client.result, self.client.send(execute=message))
        self.assert_alive()

    def test_a_file_that_is_also_a_directory_is_refused(self):
        for files in ({"a": "x", "a/b": "y"}, {"a/b/c": "x", "a/b": "y"}, {"a-b": "1", "a": "x", "a/c": "2"}):
            with self.subTest(sorted(files)):
                self.assert_refused(INVALID, "directory", self.execute, "1", files=files)
        self.assert_alive()

    def test_odd_but_legal_names_arrive(self):
        names = [" ", "-rf", "é ü", "a b/c d", "...", ".hidden", "..x", "x" * 255, "'\"$(x)", "new\nline", "\\", "*"]
        code = "import os, json; print(json.dumps(sorted(os.path.join(d, f)[2:] for d, _, fs in os.walk('.') for f in fs)))"
        import json
        found = json.loads(self.output(code, files={name: "x" for name in names}))
        self.assertEqual(sorted(names + ["main.py"]), found)

    def test_files_larger_than_the_disk_are_refused(self):
        self.assert_refused(INVALID, "disk_bytes", self.execute, "1", files={"a": b"x" * 3_000_000},
                            limits={"disk_bytes": 1 << 20})
        self.assert_alive()

    def test_a_mode_beyond_the_permission_bits_is_refused(self):
        self.assert_refused(INVALID, "mode", self.execute, "1", files={"a": ("x", 0o4755)})
        self.assert_alive()


class Limits(Case):
    SERVER = SERVER

    def test_zero_and_negative_limits_are_refused_with_field_and_floor(self):
        for name in LIMITS:
            for value in (0, -1, -2 ** 63):
                with self.subTest(f"{name}={value}"):
                    self.assert_refused(INVALID, [name, "it must be at least"], self.execute, "1",
                                        limits={name: value})
        self.assert_alive()

    def test_limits_over_the_ceiling_are_refused_with_field_and_ceiling(self):
        most = {"wall_us": "60 s", "cpu_us": "60 s", "memory_bytes": "1 GiB", "output_bytes": "16 MiB",
                "disk_bytes": "512 MiB", "stack_bytes": "512 MiB"}
        for name, ceiling in LIMITS.items():
            for value in (ceiling + 1, 2 ** 63 - 1):
                with self.subTest(f"{name}={value}"):
                    self.assert_refused(INVALID, [name, f"at most {most.get(name, ceiling)} here"], self.execute, "1",
                                        limits={name: value})
        self.assert_alive()

    def test_every_limit_at_its_ceiling_is_taken(self):
        for name, ceiling in LIMITS.items():
            with self.subTest(f"{name}={ceiling}"):
                self.assert_exited(self.execute("", limits={name: ceiling}))

    def test_all_limits_together_are_taken(self):
        self.assert_exited(self.execute("", limits=LIMITS))


class Words(Case):
    SERVER = SERVER

    def test_arguments_and_variables_with_nul_bytes_are_refused(self):
        self.assert_refused(INVALID, "args", self.execute, "1", args=["a\0b"])
        self.assert_refused(INVALID, "env", self.execute, "1", env={"A": "a\0b"})
        self.assert_refused(INVALID, "env", self.execute, "1", env={"A\0": "b"})
        self.assert_alive()

    def test_variable_names_that_no_environment_can_hold_are_refused(self):
        self.assert_refused(INVALID, "env", self.execute, "1", env={"": "x"})
        self.assert_refused(INVALID, "env", self.execute, "1", env={"A=B": "x"})
        self.assert_alive()

    def test_too_many_or_too_long_words_are_refused(self):
        self.assert_refused(INVALID, ["args", "4096"], self.execute, "1", args=["x"] * 4097)
        self.assert_refused(INVALID, ["env", "1024"], self.execute, "1", env={f"V{i}": "x" for i in range(1025)})
        self.assert_refused(INVALID, ["args", "131071"], self.execute, "1", args=["x" * 131072])
        self.assert_refused(INVALID, ["env", "131071"], self.execute, "1", env={"A": "x" * 131072})
        self.assert_alive()

    def test_the_longest_words_arrive(self):
        code = "import sys, os; print(len(sys.argv[1]), len(os.environ['A']), len(sys.argv))"
        self.assertEqual("131071 131071 2\n", self.output(code, args=["x" * 131071], env={"A": "y" * 131071}))
        self.assertEqual("4097\n", self.output("import sys; print(len(sys.argv))", args=["x"] * 4096))

    def test_bad_globs_are_refused(self):
        self.assert_refused(INVALID, "globs", self.execute, "1", collect=["*"] * 65)
        self.assert_refused(INVALID, "glob", self.execute, "1", collect=["x" * 5000])
        self.assert_refused(INVALID, "glob", self.execute, "1", collect=["a\0"])
        self.assert_alive()

    def test_globs_that_climb_find_nothing(self):
        """Globs that climb out of the work directory are refused or find nothing"""
        from lib.hatchery import Refused
        for glob in ("../*", "/etc/passwd", "/**", "a/../../*"):
            with self.subTest(glob):
                try:
                    self.assertEqual([], list(self.execute("", collect=[glob]).files))
                except Refused as refused:
                    self.assertEqual(INVALID, refused.code)

    def test_a_client_name_that_is_too_long_is_refused(self):
        self.assert_refused(INVALID, ["client", "255"], self.execute, "1", client="x" * 256)
        self.assert_exited(self.execute("", client="y" * 255))


class Input(Case):
    SERVER = SERVER

    def test_much_input_that_nobody_reads_is_no_error(self):
        self.assertEqual("done\n", self.output("print('done')", stdin=b"x" * ((16 << 20) - 1000)))
        self.assert_alive()

    def test_much_input_that_is_closed_at_once_is_no_error(self):
        self.assertEqual("done\n", self.output("import os; os.close(0); print('done')", stdin=b"x" * (4 << 20)))

    def test_much_input_is_read_whole(self):
        code = "import sys, hashlib; d = sys.stdin.buffer.read(); print(len(d), hashlib.sha256(d).hexdigest())"
        import hashlib
        import random
        data = random.Random(1).randbytes(15 << 20)
        self.assertEqual(f"{len(data)} {hashlib.sha256(data).hexdigest()}\n", self.output(code, stdin=data, limits={"memory_bytes": 512 << 20}))
