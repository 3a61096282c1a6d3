"""Requests and answers: one and many on a connection, order, compression, cancelling, vanishing, status."""

import os
import uuid

from lib import host
from lib.case import Case, ServerModule, describe
from lib.hatchery import Refused, Status, execute_message, pb
from lib.server import HELD, HOLD, wait_until

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SLEEP = "import time; time.sleep(50)"


def sleeping(mark):
    """A program that sleeps. It starts a process with `mark` as an argument, so that the host can
    find it."""
    return f"import subprocess; subprocess.run(['/bin/sh', '-c', 'sleep 50; :', '{mark}'])"


def processes_with(mark):
    return [process for process in host.processes() if mark in process.command()]


class Execute(Case):
    SERVER = SERVER

    def test_a_program_prints_hello(self):
        result = self.execute("print('hello')")
        self.assert_exited(result)
        self.assertEqual((b"hello\n", b""), (result.stdout, result.stderr))

    def test_a_result_says_what_the_run_used(self):
        result = self.execute("x = bytearray(20 << 20); sum(range(300000)); print(1)")
        self.assert_exited(result)
        self.assertEqual("python", result.language)
        self.assertRegex(result.language_version, r"^3\.\d+\.\d+")
        self.assertGreater(result.wall_us, 0)
        self.assertGreater(result.cpu_us, 0)
        self.assertLessEqual(result.cpu_user_us + result.cpu_system_us, result.cpu_us * 2)
        self.assertGreater(result.memory_peak_bytes, 20 << 20)
        self.assertLess(result.memory_peak_bytes, 128 << 20)
        self.assertTrue(result.sandbox)
        self.assertEqual(2, result.stdout_total)
        self.assertFalse(result.oom_killed or result.stdout_truncated or result.files_incomplete)

    def test_an_unused_sandbox_had_been_waiting(self):
        SERVER.wait_idle()
        self.assertGreater(self.execute("").warm_us, 0)

    def test_the_same_over_a_unix_socket(self):
        with self.SERVER.connect() as tcp, type(tcp)(SERVER.unix_address) as unix:
            self.assertEqual(b"42\n", unix.execute("print(42)").stdout)

    def test_aliases_name_the_same_language(self):
        for alias in ("python3", "py"):
            with self.subTest(alias):
                self.assertEqual("python", self.execute("", language=alias).language)

    def test_arguments_environment_and_stdin_arrive(self):
        result = self.execute("import sys, os; print(sys.argv[1:], os.environ['MARK'], sys.stdin.read())",
                              args=["a b", "", "é", "--x"], env={"MARK": "ünï=x"}, stdin=b"in\nput")
        self.assertEqual("['a b', '', 'é', '--x'] ünï=x in\nput\n", result.stdout.decode())

    def test_a_standard_variable_can_be_replaced(self):
        self.assertEqual("/elsewhere\n", self.output("import os; print(os.environ['HOME'])", env={"HOME": "/elsewhere"}))

    def test_stderr_is_apart_or_merged_in_order(self):
        code = "import os\nfor i in range(4): os.write(1 + i % 2, b'%d' % i)"
        apart, merged = self.execute(code), self.execute(code, merge_stderr=True)
        self.assertEqual((b"02", b"13"), (apart.stdout, apart.stderr))
        self.assertEqual((b"0123", b""), (merged.stdout, merged.stderr))

    def test_files_come_in_and_go_out(self):
        result = self.execute(
            files={"main.py": "import os; os.makedirs('out/deep')\n"
                              "open('out/deep/b.bin', 'wb').write(open('data/a.bin', 'rb').read()[::-1])\n"
                              "open('top.txt', 'w').write('t'); os.chmod('top.txt', 0o600)\n"
                              "open('unasked', 'w').write('u'); os.symlink('/etc/passwd', 'out/link.bin')",
                   "data/a.bin": bytes(range(256))},
            collect=["*.txt", "out/**/*.bin", "out/*.bin"])
        self.assert_exited(result)
        files = {file.name: file for file in result.files}
        self.assertEqual({"top.txt", "out/deep/b.bin"}, set(files))
        self.assertEqual(bytes(range(256))[::-1], files["out/deep/b.bin"].content)
        self.assertEqual(0o600, files["top.txt"].mode & 0o777)
        self.assertFalse(result.files_incomplete)

    def test_modes_of_files_arrive(self):
        code = "import os; print(oct(os.stat('x.sh').st_mode & 0o777), oct(os.stat('y').st_mode & 0o777)); os.system('./x.sh')"
        result = self.execute(code, files={"x.sh": ("#!/bin/sh\necho ran\n", 0o755), "y": "-"})
        self.assertEqual(sorted([b"0o755 0o644", b"ran"]), sorted(result.stdout.splitlines()), describe(result))

    def test_files_over_the_asked_number_are_left_out_with_a_note(self):
        result = self.execute("for i in range(5): open(f'f{i}', 'w').write('x')",
                              collect={"globs": ["f*"], "max_files": 3})
        self.assertEqual(3, len(result.files))
        self.assertTrue(result.files_incomplete)
        self.assertTrue(result.files_note)

    def test_files_over_the_asked_bytes_are_left_out_with_a_note(self):
        result = self.execute("open('big', 'w').write('x' * 5000); open('small', 'w').write('y')",
                              collect={"globs": ["*"], "max_bytes": 1000})
        self.assertNotIn("big", [file.name for file in result.files])
        self.assertTrue(result.files_incomplete)

    def test_only_what_the_run_changed_comes_back_where_that_is_asked_for(self):
        files = {"same": "x" * 3000, "touched": "t", "other": "abc", "mode": "m", "empty": "", "was/same": ("s", 0o600)}
        code = ("import os, pathlib\nos.utime('touched')\npathlib.Path('other').write_text('abd')\nos.chmod('mode', 0o600)\n"
                "pathlib.Path('made').write_text('new')\nos.rename('empty', 'renamed')")

        def names(**collect):
            result = self.execute(code, files=files, collect={"globs": ["**"], "changed_only": True, **collect})
            return [f.name for f in result.files], result.files_incomplete
        self.assertEqual((["made", "mode", "other", "renamed"], False), names())
        # Files that are left out count against no bound.
        self.assertEqual((["made", "mode", "other", "renamed"], False), names(max_files=4, max_bytes=7))
        self.assertEqual((["made", "mode", "other"], True), names(max_files=3))
        self.assertEqual((["made", "mode", "renamed"], True), names(max_bytes=6))
        self.assertEqual(8, len(names(changed_only=False)[0]))

    def test_files_are_collected_after_a_failure_too(self):
        result = self.execute("open('f', 'w').write('kept'); raise SystemExit(3)", collect=["f"])
        self.assert_exited(result, 3)
        self.assertEqual([b"kept"], [file.content for file in result.files])

    def test_a_file_name_that_is_not_utf8_comes_with_its_bytes(self):
        result = self.execute("import os; os.close(os.open(b'f\\xff', os.O_CREAT | os.O_WRONLY))", collect=["f*"])
        self.assertEqual([("f�", b"f\xff")], [(file.name, file.raw_name) for file in result.files])

    def test_an_unread_message_of_a_program_is_not_believed(self):
        """Whatever a program writes to whatever descriptor it finds changes nothing about the result"""
        result = self.execute("import os\nfor fd in range(3, 64):\n"
                              "    try: os.write(fd, b'\\0' * 64)\n    except OSError: pass\nos._exit(5)")
        self.assert_exited(result, 5)


class ManyAtOnce(Case):
    SERVER = SERVER

    def test_answers_come_in_the_order_of_completion(self):
        slow = self.client.send_execute(HOLD + "print('slow')", limits=HELD)
        quick = self.client.send_execute("print('quick')")
        self.assertEqual(b"quick\n", self.client.result(quick).stdout)
        SERVER.wait_held()
        SERVER.let_go()
        self.assertEqual(b"slow\n", self.client.result(slow).stdout)
        self.assertEqual([quick, slow], self.client.order)

    def test_a_hundred_requests_on_one_connection_are_each_answered_once(self):
        ids = {self.client.send_execute(f"print({i})"): b"%d\n" % i for i in range(100)}
        for request, expected in ids.items():
            self.assertEqual(expected, self.client.result(request).stdout)
        self.assertEqual(sorted(ids), sorted(self.client.order))

    def test_a_ping_does_not_wait_behind_a_run(self):
        run = self.client.send_execute(SLEEP)
        self.client.ping()
        self.assertNotIn(run, self.client.order)
        self.client.cancel(run)
        self.client.wait(run)

    def test_any_id_but_zero_may_be_used_and_used_again(self):
        for request_id in (2 ** 64 - 1, 5, 5):
            message = pb.ClientMessage(id=request_id, ping=pb.Ping())
            self.client.send_frame(message.SerializeToString())
            self.assertEqual(request_id, self.client.receive().id)


class Compression(Case):
    SERVER = SERVER
    CODE = "print('abcdefgh' * 2000)"

    def test_a_plain_client_gets_plain_answers(self):
        client = self.connect()
        client.execute(self.CODE)
        self.assertEqual(0, client.compressed_answers)

    def test_a_compressing_client_gets_compressed_answers(self):
        client = self.connect(compress=True)
        self.assertEqual(b"abcdefgh" * 2000 + b"\n", client.execute(self.CODE + "#" * 5000).stdout)
        self.assertEqual(1, client.compressed_answers)

    def test_a_client_that_asks_in_plain_gets_compressed_answers(self):
        client = self.connect()
        request = client.send(lz4=True, execute=execute_message(self.CODE))
        self.assertEqual(b"abcdefgh" * 2000 + b"\n", client.result(request).stdout)
        self.assertEqual(1, client.compressed_answers)

    def test_small_answers_and_those_that_do_not_shrink_are_plain(self):
        client = self.connect(compress=True)
        client.ping()
        self.assertEqual(16 << 10, client.execute("import os; os.write(1, os.urandom(16 << 10))").stdout_total)
        self.assertEqual(0, client.compressed_answers)

    def test_megabytes_pass_compressed_both_ways(self):
        client = self.connect(compress=True)
        data = b"0123456789" * (1 << 20)
        result = client.execute("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=data,
                                limits={"output_bytes": 12 << 20})
        self.assertEqual(len(data), len(result.stdout))
        self.assertEqual(data, result.stdout)


class Cancelling(Case):
    SERVER = SERVER

    def test_a_running_program_is_killed_and_its_output_kept(self):
        mark = uuid.uuid4().hex
        run = self.client.send_execute("print('before', flush=True)\n" + sleeping(mark))
        wait_until(lambda: processes_with(mark), what="the program's start")
        self.assertTrue(self.client.cancel(run))
        result = self.client.result(run)
        self.assert_status(result, "CANCELLED")
        self.assertEqual(b"before\n", result.stdout)
        self.assertEqual([], processes_with(mark))

    def test_a_queued_request_is_taken_out_of_the_queue(self):
        running = [self.client.send_execute(SLEEP) for _ in range(self.slots())]
        queued = self.client.send_execute("print('never')")
        wait_until(lambda: self.client.status().queued > 0, what="a queued request")
        self.assertTrue(self.client.cancel(queued))
        self.assert_refused("CANCELLED", [], self.client.result, queued)
        for run in running:
            self.client.cancel(run)
            try:
                self.assert_status(self.client.result(run), "CANCELLED")
            except Refused as refused:
                self.assertEqual("CANCELLED", refused.code)

    def slots(self):
        """Starts more programs than can run at once."""
        return 8 * (os.cpu_count() or 1) + 32

    def test_an_unknown_id_is_not_found_and_an_answered_one_neither(self):
        run = self.client.send_execute("")
        self.client.result(run)
        self.assertFalse(self.client.cancel(run))
        self.assertFalse(self.client.cancel(999999))

    def test_the_request_of_another_connection_can_not_be_cancelled(self):
        run = self.client.send_execute(HOLD + "print('done')", limits=HELD)
        SERVER.wait_held()
        self.assertFalse(self.connect().cancel(run))
        SERVER.let_go()
        self.assertEqual(b"done\n", self.client.result(run).stdout)

    def test_cancelling_twice_is_harmless(self):
        run = self.client.send_execute(SLEEP)
        first = self.client.send(cancel=pb.Cancel(request_id=run))
        second = self.client.send(cancel=pb.Cancel(request_id=run))
        for request in (first, second):
            self.client.take(request, "cancelled")
        try:
            self.assert_status(self.client.result(run), "CANCELLED")
        except Refused as refused:
            self.assertEqual("CANCELLED", refused.code)
        self.assert_alive()


class Vanishing(Case):
    SERVER = SERVER

    def test_the_run_of_a_client_that_closed_is_killed(self):
        mark = uuid.uuid4().hex
        client = self.connect()
        client.send_execute(sleeping(mark))
        wait_until(lambda: processes_with(mark), what="the program's start")
        client.close()
        wait_until(lambda: not processes_with(mark), what="the program's end")
        self.assert_alive()

    def test_the_queued_requests_of_a_client_that_closed_are_dropped(self):
        client = self.connect()
        for _ in range(100):
            client.send_execute(SLEEP)
        wait_until(lambda: self.client.status().queued > 0, what="queued requests")
        client.close()
        wait_until(lambda: self.client.status().queued == 0, what="an empty queue")
        wait_until(lambda: sum(row.running for row in self.client.status().languages) == 0, what="no runs")
        self.assert_alive()


class Deadlines(Case):
    SERVER = SERVER

    def test_a_run_beyond_its_deadline_is_killed(self):
        result = self.execute("print(1, flush=True)\nwhile True: pass", deadline_us=1_000_000)
        self.assert_status(result, "TIME_LIMIT")
        self.assertEqual(b"1\n", result.stdout)

    def test_a_deadline_that_is_kept_changes_nothing(self):
        self.assert_exited(self.execute("", deadline_us=60_000_000))

    def test_a_request_not_started_by_its_deadline_is_refused(self):
        blocker = self.connect()
        for _ in range(100):
            blocker.send_execute(SLEEP)
        wait_until(lambda: self.client.status().queued > 0, what="a queue")
        self.assert_refused("DEADLINE_EXCEEDED", "deadline", self.execute, "", deadline_us=300_000)
        blocker.close()


class Reporting(Case):
    SERVER = SERVER

    def test_a_ping_is_answered_with_the_version(self):
        self.assertRegex(self.client.ping(), r"^\d+\.\d+\.\d+")

    def test_the_status_shows_the_warm_pool(self):
        SERVER.wait_idle()
        status = self.client.status()
        self.assertTrue(status.ready)
        self.assertFalse(status.draining)
        self.assertEqual(1, status.connections)
        self.assertGreater(status.uptime_us, 0)
        [python] = [row for row in status.languages if row.name == "python"]
        least = max(4, 2 * (os.cpu_count() or 1))
        self.assertEqual(least, python.warm_min)
        self.assertEqual(python.warm_target, python.warm)
        self.assertTrue(least <= python.warm <= python.warm_max, python)
        # A sandbox copies a part of the interpreter's memory: more than nothing, less than all.
        self.assertTrue(100 << 10 < python.sandbox_bytes < 64 << 20, python)
        self.assertEqual((0, 0, 0), (python.running, python.queued, python.failures))

    def test_runs_are_counted(self):
        def runs():
            return self.client.status().languages[0].runs
        before = runs()
        for _ in range(5):
            self.execute("")
        self.assertEqual(before + 5, runs())

    def test_a_run_in_progress_shows(self):
        run = self.client.send_execute(HOLD, limits=HELD)
        SERVER.wait_held()
        wait_until(lambda: self.client.status().languages[0].running == 1, what="one running program")
        self.client.cancel(run)
        SERVER.held.clear()
        self.assertEqual("CANCELLED", Status.Name(self.client.result(run).status))
