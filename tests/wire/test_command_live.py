"""`hatchery run` while the program runs, with pipes: output as it comes, live input, Ctrl-C, and readers that are slow or
go away."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import hatchery_pb2 as pb

from lib.case import Case, ServerModule
from lib.live import FakeServer, Live, Relay
from lib.scale import patience
from lib.server import HATCHERY, HOLD, wait_until

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LONG = ("--wall", "60s")
ECHO = "import sys\nfor line in sys.stdin:\n    print('got', line, end='', flush=True)\nprint('end')"
CAT = ("import os\nwhile data := os.read(0, 65536):\n    while data:\n        data = data[os.write(1, data):]\n"
       "os.write(2, b'all\\xff')")
STUBBORN = ("import os, signal, time\nsignal.signal(signal.SIGINT, lambda *_: os.write(1, b'again\\n'))\n"
            "os.write(1, b'ready\\n')\nend = time.monotonic() + 50\nwhile time.monotonic() < end:\n    time.sleep(0.05)")


class LiveCase(Case):
    SERVER = SERVER

    def live(self, *arguments, address=None, **options):
        live = Live(address or SERVER.address, "run", *LONG, *arguments, **options)
        self.addCleanup(live.close)
        return live

    def assert_idle(self):
        """Nothing runs at the server any more."""
        wait_until(lambda: not any(row.running for row in self.client.status().languages), 30, "an idle server")


class Output(LiveCase):
    def test_output_comes_while_the_program_runs(self):
        live = self.live("-i", "-e", "import sys; print('first', flush=True); input(); print('second', file=sys.stderr)")
        live.expect(b"first\n")
        self.assertEqual(b"", live.err)
        live.say(b"\n")
        self.assertEqual((0, b"first\n", b"second\n"), (live.end(), live.out, live.err))

    def test_both_streams_keep_their_order_in_one_pipe(self):
        code = "import os\nfor i in range(5):\n    os.write(1, b'o%d ' % i); input(); os.write(2, b'e%d ' % i); input()"
        live = self.live("-i", "-e", code, stderr=subprocess.STDOUT)
        for i in range(5):
            for stream in (b"o", b"e"):
                live.expect(stream + b"%d " % i)
                live.say(b"\n")
        self.assertEqual((0, b"o0 e0 o1 e1 o2 e2 o3 e3 o4 e4 "), (live.end(), live.out))

    def test_a_program_waits_for_a_slow_reader_and_nothing_is_lost(self):
        size = 8 << 20
        code = f"import os\nfor i in range({size >> 10}):\n    os.write(1, b'%07d\\n' % i * 128)"
        live = self.live("--output", "16M", "-e", code)
        time.sleep(0.4)  # without a wait all output would have come by now
        self.assertEqual(1, sum(row.running for row in self.client.status().languages))
        memory = int(Path(f"/proc/{live.process.pid}/statm").read_text().split()[1]) * 4096
        before = memory
        time.sleep(0.2)
        memory = int(Path(f"/proc/{live.process.pid}/statm").read_text().split()[1]) * 4096
        self.assertLess(memory - before, 1 << 20)
        self.assertEqual(0, live.end())
        self.assertEqual(b"".join(b"%07d\n" % i * 128 for i in range(size >> 10)), live.out)

    def test_a_reader_that_has_enough_ends_the_run_as_it_ends_any_command(self):
        flood = "import sys\nwhile True: sys.stdout.write('y' * 999 + '\\n')"
        for options in ([], ["-i"]):
            live = self.live(*options, "--output", "16M", "--cpu", "60s", "-e", flood)
            head = subprocess.run(["head", "-n", "1"], stdin=live.process.stdout, capture_output=True, check=True,
                                  timeout=patience(60))
            live.process.stdout.close()
            self.assertEqual(b"y" * 999 + b"\n", head.stdout)
            self.assertEqual(-signal.SIGPIPE, live.process.wait(patience(60)))
            self.assertEqual(b"", live.process.stderr.read())
        self.assert_idle()

    def test_where_sigpipe_is_ignored_a_sentence_tells_it(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([str(HATCHERY), "run", "-e", "print('x')"], stdout=writer, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "HATCHERY_ADDR": SERVER.address}, timeout=patience(60),
                              restore_signals=False)
        os.close(writer)
        self.assertEqual((125, b"hatchery: write to standard output: Broken pipe\n"), (done.returncode, done.stderr))

    def test_without_standard_output_nothing_is_written_elsewhere(self):
        command = f'exec "{HATCHERY}" run -e "print(1)" >&-'
        done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, check=False, timeout=patience(60),
                              env={**os.environ, "HATCHERY_ADDR": SERVER.address})
        self.assertEqual((125, b"hatchery: write to standard output: Bad file descriptor\n"), (done.returncode, done.stderr))

    def test_a_connection_that_breaks_is_told_and_what_came_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            relay = Relay(SERVER.socket_path, folder)
            self.addCleanup(relay.close)
            live = self.live("-e", "import time; print('seen', end='', flush=True); time.sleep(50)",
                             address=f"unix:{relay.path}", stderr=subprocess.STDOUT)
            live.expect(b"seen")
            relay.cut()
            self.assertEqual(125, live.end())
            self.assertRegex(live.out, rb"^seen\nhatchery: the server closed the connection.*\n$")
        self.assert_idle()


class Input(LiveCase):
    def test_a_pipe_is_passed_on_with_its_end(self):
        done = SERVER.run("run", "-i", "-e", ECHO, stdin=b"a\nb\n")
        self.assertEqual((0, b"got a\ngot b\nend\n", b""), (done.returncode, done.stdout, done.stderr))
        done = SERVER.run("run", "-i", "-e", ECHO, stdin=b"")
        self.assertEqual((0, b"end\n"), (done.returncode, done.stdout))

    def test_prompt_and_answer(self):
        live = self.live("-i", "-e", "name = input('name? '); print('Hello,', name)")
        live.expect(b"name? ")
        live.say(b"Ada\n")
        live.expect(b"Hello, Ada\n")
        self.assertEqual(0, live.end())

    def test_a_program_that_reads_before_there_is_anything_waits(self):
        live = self.live("-i", "-e", "print('ready', flush=True)\n" + ECHO)
        live.expect(b"ready\n")
        time.sleep(0.1)
        self.assertIsNone(live.process.poll())
        live.say(b"x\n")
        live.expect(b"got x\n")
        live.end_input()
        live.expect(b"end\n")
        self.assertEqual(0, live.end())

    def test_input_that_never_ends_does_not_keep_the_command(self):
        live = self.live("-i", "-e", "print(input())")
        live.say(b"enough\nmore\n")
        self.assertEqual((0, b"enough\n"), (live.end(), live.out))
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as source:
            live = self.live("-i", "-e", "print(input())", stdin=source.stdout)
            self.assertEqual((0, b"y\n"), (live.end(), live.out))
            live = self.live("-i", "-e", "import os, time; os.close(0); time.sleep(0.3); print(1)", stdin=source.stdout)
            self.assertEqual((0, b"1\n"), (live.end(), live.out))
            source.kill()

    def test_bytes_are_the_same_both_ways(self):
        data = bytes(range(256)) * (3 << 12) + b"\r\n\x04\x03\xff"
        done = SERVER.run("run", "-i", "--output", "16M", "-e", CAT, stdin=data)
        self.assertEqual((0, b"all\xff"), (done.returncode, done.stderr))
        self.assertTrue(data == done.stdout)

    def test_a_file_is_input_too(self):
        with tempfile.TemporaryFile() as source:
            source.write(b"from a file\n")
            source.seek(0)
            live = self.live("-i", "-e", ECHO, stdin=source)
            self.assertEqual((0, b"got from a file\nend\n"), (live.end(), live.out))

    def test_input_is_not_read_faster_than_the_program_takes_it(self):
        code = "import sys\nprint('ready', flush=True)\nsys.stdin.buffer.read(1)\nsys.stdin.buffer.read(5 << 20)\nprint('ok')"
        live = self.live("-i", "-e", "import time\ntime.sleep(0.5)\n" + code)
        os.set_blocking(live.process.stdin.fileno(), False)
        taken, end = 0, time.monotonic() + 0.3
        while time.monotonic() < end:
            taken += live.process.stdin.write(bytes(1 << 16)) or 0
            time.sleep(0.002)
        self.assertLess(taken, 1 << 20)  # no more than pipes and credit hold
        os.set_blocking(live.process.stdin.fileno(), True)
        live.expect(b"ready\n")
        live.say(bytes(6 << 20))
        live.end_input()
        live.expect(b"ok\n")

    def test_json_holds_the_whole_output_of_live_input(self):
        done = SERVER.run("run", "-i", "--json", "-e", ECHO, stdin=b"a\n")
        result = json.loads(done.stdout)
        self.assertEqual((0, "Z290IGEKZW5kCg=="), (done.returncode, result["stdout"]))

    def test_without_i_nothing_is_read(self):
        live = self.live("-e", "import sys; print(repr(sys.stdin.read()))")
        self.assertEqual((0, b"''\n"), (live.end(), live.out))


class Interrupts(LiveCase):
    def test_ctrl_c_is_the_programs(self):
        code = "import time, sys\ntry: print('ready', flush=True); time.sleep(50)\nexcept KeyboardInterrupt: sys.exit(7)"
        for options in ([], ["-i"]):
            live = self.live(*options, "-e", code)
            live.expect(b"ready\n")
            live.signal()
            self.assertEqual((7, b""), (live.end(), live.err))

    def test_a_program_that_dies_of_ctrl_c_takes_the_command_with_it(self):
        live = self.live("-e", "import signal, time\nsignal.signal(2, signal.SIG_DFL)\nprint(1, flush=True)\ntime.sleep(50)")
        live.expect(b"1\n")
        live.signal()
        self.assertEqual(-signal.SIGINT, live.end())
        self.assertIn(b"SIGINT", live.err)

    def test_twice_cancels(self):
        live = self.live("-e", STUBBORN)
        live.expect(b"ready\n")
        live.signal()
        live.expect(b"again\n")
        live.signal()
        self.assertEqual(-signal.SIGINT, live.end())
        self.assertRegex(live.err, rb"^hatchery: cancelled after .*\n$")
        self.assert_idle()

    def test_twice_in_a_while_is_twice_for_the_program(self):
        live = self.live("-e", STUBBORN)
        live.expect(b"ready\n")
        live.signal()
        live.expect(b"again\n")
        time.sleep(2.1)
        live.signal()
        live.expect(b"again\n")
        self.assertIsNone(live.process.poll())

    def test_sigterm_and_sighup_end_the_command_and_the_run(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            live = self.live("-e", STUBBORN)
            live.expect(b"ready\n")
            live.signal(number)
            self.assertEqual((-number, b""), (live.end(), live.err))
            self.assert_idle()

    def test_what_was_ignored_when_it_began_stays_ignored(self):
        both = (signal.SIGINT, signal.SIGHUP)
        live = self.live("-i", "-e", "print(1, flush=True); input(); print(2)",
                         preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in both])
        live.expect(b"1\n")
        for number in both:
            live.signal(number)
        live.say(b"\n")
        self.assertEqual((0, b"1\n2\n"), (live.end(), live.out))

    def test_json_is_cancelled_likewise(self):
        live = self.live("--json", "-e", STUBBORN.replace("os.write(1, b'ready", HOLD + "os.write(1, b'ready"))
        SERVER.wait_held()
        SERVER.let_go()
        live.signal()
        time.sleep(0.1)
        live.signal()
        self.assertEqual(-signal.SIGINT, live.end())
        self.assertEqual("CANCELLED", json.loads(live.out)["status"])


class Waiting(LiveCase):
    """A server takes the request, but does not run it."""

    def setUp(self):
        super().setUp()
        self.server = FakeServer()
        self.addCleanup(self.server.close)

    def begin(self, *arguments):
        live = self.live(*arguments, address=self.server.address)
        self.server.accept()
        return live

    def test_before_a_program_runs_the_first_ctrl_c_cancels(self):
        live = self.begin("-e", "1")
        execute = self.server.receive()
        live.signal()
        cancel = self.server.receive()
        self.assertEqual(execute.id, cancel.cancel.request_id)
        self.server.answer(pb.ServerMessage(id=execute.id, error=pb.Error(code=pb.Error.CANCELLED, message="cancelled")))
        self.assertEqual((-signal.SIGINT, b"hatchery: cancelled before it ran\n"), (live.end(), live.err))

    def test_a_cancel_that_is_not_answered_is_not_waited_for_after_another_ctrl_c(self):
        live = self.begin("-e", "1")
        self.server.receive()
        live.signal()
        self.assertEqual("cancel", self.server.receive().WhichOneof("request"))
        self.assertIsNone(live.process.poll())
        live.signal()
        self.assertEqual((-signal.SIGINT, b""), (live.end(), live.err))

    def test_a_signal_that_found_no_program_cancels(self):
        live = self.begin("--json", "-e", "1")
        execute = self.server.receive()
        live.signal()
        sent = self.server.receive()
        self.assertEqual((execute.id, 2), (sent.signal.request_id, sent.signal.number))
        self.server.answer(pb.ServerMessage(id=sent.id, signalled=pb.Signalled(sent=False)))
        self.assertEqual(execute.id, self.server.receive().cancel.request_id)

    def test_a_server_that_does_not_stream_is_shown_at_the_end(self):
        live = self.begin("-e", "1")
        result = pb.Result(status=pb.Result.EXITED, exit_code=3, stdout=b"out", stderr=b"err")
        self.server.answer(pb.ServerMessage(id=self.server.receive().id, result=result))
        self.assertEqual((3, b"out", b"err"), (live.end(), live.out, live.err))


if __name__ == "__main__":
    import unittest
    unittest.main()
