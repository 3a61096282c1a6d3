"""Streams: output as it comes, live input, signals and stages. However a stream ends, it has one
answer and nothing after it."""

import hashlib
import signal
import time

from lib import host
from lib.case import Case, ServerModule
from lib.hatchery import COMPILE, RUN, STDERR, STDOUT, pb
from lib.server import wait_until

SHARED = "streams"
CONFIG = "client_share = 100\nlanguage python { warm = 3 }\nlanguage c { warm = 1 }\n"
SERVER = ServerModule(__name__, is_shared=True, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

ECHO = "import sys\nfor line in sys.stdin:\n    print('got', line, end='', flush=True)\nprint('end')\n"
FOREVER = "import time\nprint('here', flush=True)\ntime.sleep(1000)\n"
MIB = 1 << 20
# The signals that a program can catch here. STOP and KILL, the rest of the ten, act by themselves.
CAUGHT = {1: "HUP", 2: "INT", 3: "QUIT", 10: "USR1", 12: "USR2", 15: "TERM", 18: "CONT", 28: "WINCH"}


class Streams(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        self.addCleanup(SERVER.wait_idle)

    def ended(self, stream, status="EXITED"):
        """Waits for the stream's Result, and checks that it has the totals and no bytes."""
        result = stream.result()
        self.assert_status(result, status)
        self.assertEqual((b"", b""), (result.stdout, result.stderr))
        self.assertEqual((len(stream.out), len(stream.err)), (result.stdout_total, result.stderr_total))
        return result

    def refused(self, stream, code, words):
        self.assert_refused(code, words, stream.result)
        self.nothing_follows()

    def nothing_follows(self):
        """Any message about a request after its answer would raise Broken."""
        self.client.ping()
        self.assertEqual({}, self.client.streams)

    # ------------------------------------------------------------ output

    def test_output_comes_before_the_end(self):
        stream = self.client.open("print('first', flush=True)\ninput()\nprint('second')")
        self.assertEqual(b"first\n", stream.line())
        stream.write("go on\n")
        self.assertEqual(b"second\n", stream.line())
        self.ended(stream)
        self.nothing_follows()

    def test_both_streams_come_in_the_order_of_their_times(self):
        program = ("import os, time\nfor i in range(20):\n    os.write(1 + i % 2, b'%d ' % i)\n    time.sleep(0.005)\n")
        stream = self.client.open(program)
        result = self.ended(stream)
        self.assertEqual(list(range(20)), [int(n) for o in stream.outputs for n in o.bytes.split()])
        self.assertEqual(sorted(o.at_us for o in stream.outputs), [o.at_us for o in stream.outputs])
        self.assertEqual({STDOUT, STDERR}, {o.stream for o in stream.outputs})
        self.assertGreater(stream.outputs[-1].at_us, 19 * 5000)
        self.assertLessEqual(stream.outputs[-1].at_us, result.wall_us + result.stages.drain_us + result.stages.dispatch_us)

    def test_standard_error_comes_merged(self):
        program = "import os\nfor i in range(10):\n    os.write(1 + i % 2, b'%d ' % i)\n"
        stream = self.client.open(program, merge_stderr=True)
        self.ended(stream)
        self.assertEqual((b"0 1 2 3 4 5 6 7 8 9 ", b""), (stream.out, stream.err))

    def test_bytes_are_bytes(self):
        """Bytes are bytes: a character of three comes in three pieces if it is written so"""
        program = "import os, time\nfor byte in '€'.encode():\n    os.write(1, bytes([byte]))\n    input()\n"
        stream = self.client.open(program)
        for byte in "€".encode():
            self.assertEqual(bytes([byte]), stream.read(1))
            stream.write("\n")
        self.ended(stream)
        self.assertEqual([1, 1, 1], [len(o.bytes) for o in stream.outputs])

    def test_much_output_comes_whole_in_messages_of_64_kib_at_most(self):
        program = "import os\ndata = bytes(range(256)) * 4096\nfor _ in range(12):\n    os.write(1, data)\n"
        stream = self.client.open(program, limits={"output_bytes": 16 * MIB})
        self.ended(stream)
        self.assertEqual(bytes(range(256)) * 4096 * 12, stream.out)
        self.assertLessEqual(max(len(o.bytes) for o in stream.outputs), 64 << 10)

    def test_a_stream_is_never_compressed_and_its_result_may_be(self):
        client = self.connect(compress=True)
        stream = client.open("print('x' * 100_000)")
        self.assertEqual(100_001, stream.result().stdout_total)
        self.assertEqual(0, client.compressed_answers)

    def test_what_does_not_stream_is_captured_as_ever(self):
        stream = self.client.open("print(input())", stream=False)
        stream.write("captured\n")
        self.assertEqual(b"captured\n", stream.result().stdout)
        self.assertEqual(([], []), (stream.outputs, stream.stages))

    def test_output_limits_hold(self):
        program = "import os, sys\nfor _ in range(64):\n    os.write(%d, b'x' * 65536)\n"
        for fd, stream_kind in ((1, STDOUT), (2, STDERR)):
            for name, status, total in (("KILL", "OUTPUT_LIMIT", None), ("TRUNCATE", "EXITED", 64 * 65536)):
                with self.subTest(fd=fd, on_output_limit=name):
                    stream = self.client.open(program % fd, on_output_limit=name, limits={"output_bytes": 100_000})
                    result = stream.result()
                    self.assert_status(result, status)
                    self.assertEqual(100_000, len(stream.data[stream_kind]))
                    self.assertEqual((fd == 1, fd == 2), (result.stdout_truncated, result.stderr_truncated))
                    seen = result.stdout_total if fd == 1 else result.stderr_total
                    self.assertGreater(seen, 100_000)
                    self.assertEqual(total or seen, seen)

    def test_a_wall_limit_ends_it(self):
        stream = self.client.open(FOREVER, limits={"wall_us": 200_000})
        self.ended(stream, "TIME_LIMIT")
        self.assertEqual(b"here\n", stream.out)

    def test_a_child_in_the_background_does_not_keep_the_answer(self):
        stream = self.client.open("import os, time\nends = os.pipe()\nif os.fork() == 0:\n    while True:\n        os.write(1, b'child ')\n"
                                  "        os.write(ends[1], b'x')\n        time.sleep(0.001)\nos.read(ends[0], 1)\nos._exit(3)")
        self.assertEqual(3, self.ended(stream).exit_code)
        self.assertLess(stream.result().wall_us, 5_000_000)
        self.assertIn(b"child", stream.out)
        self.nothing_follows()

    # ------------------------------------------------------------ stages

    def test_stages_are_told(self):
        stream = self.client.open("print(1)")
        result = self.ended(stream)
        self.assertEqual([RUN], [stage.kind for stage in stream.stages])
        self.assertLessEqual(stream.stages[0].at_us, result.queue_us + result.stages.dispatch_us + 1000)

    def test_the_stages_of_a_compiled_language_are_told(self):
        program = f"#include <stdio.h>\n#warning heed {time.time_ns()}\nint main(void)\n{{\nputs(\"ran\");\nreturn 0;\n}}\n"
        stream = self.client.open(program, language="c")
        result = self.ended(stream)
        self.assertEqual([COMPILE, RUN], [stage.kind for stage in stream.stages])
        self.assertLess(stream.stages[0].at_us, stream.stages[1].at_us)
        self.assertIn(b"heed", result.compile.stderr)
        self.assertEqual(b"ran\n", stream.out)
        again = self.client.open(program, language="c")
        self.assertTrue(self.ended(again).compile.cached)
        self.assertEqual([RUN], [stage.kind for stage in again.stages])
        broken = self.client.open("int main(", language="c")
        result = self.ended(broken, "COMPILE_ERROR")
        self.assertTrue(result.compile.stderr)
        self.assertEqual([COMPILE], [stage.kind for stage in broken.stages])

    # ------------------------------------------------------------ input

    def test_a_dialogue(self):
        stream = self.client.open(ECHO)
        for i in range(100):
            stream.write(f"{i}\n")
            self.assertEqual(b"got %d\n" % i, stream.line())
        stream.end()
        self.ended(stream)
        self.assertTrue(stream.out.endswith(b"end\n"))

    def test_what_the_request_has_comes_first(self):
        stream = self.client.open(ECHO, stdin=b"from the request\n")
        self.assertEqual(b"got from the request\n", stream.line())
        stream.write("later\n", eof=True)
        self.assertEqual(b"got later\n", stream.line())
        self.ended(stream)

    def test_input_that_comes_before_the_run_is_kept(self):
        held = [self.client.send_execute("import time; time.sleep(0.5)") for _ in range(4)]
        stream = self.client.open(ECHO)
        stream.write("early\n", eof=True)
        self.ended(stream)
        self.assertEqual(b"got early\nend\n", stream.out)
        for request in held:
            self.client.result(request)

    def test_late_input_is_no_fault(self):
        stream = self.client.open("print(1)")
        self.ended(stream)
        for _ in range(3):
            stream.chunk(b"too late\n")
            stream.give(1)
            stream.resize(20, 20)
        stream.end()
        self.assertFalse(stream.signal(signal.SIGTERM))
        self.nothing_follows()

    def test_a_program_that_closes_its_input_is_told_of(self):
        stream = self.client.open("import os\nos.close(0)\nprint('closed', flush=True)\nimport time\ntime.sleep(1000)")
        stream.line()
        self.assertFalse(stream.write(b"x" * MIB))
        self.assertTrue(stream.closed)
        for _ in range(10):
            stream.chunk(b"thrown away")
        self.assertTrue(stream.signal(signal.SIGKILL))
        self.ended(stream, "SIGNALED")

    def test_a_program_that_does_not_read_is_sent_no_more_than_the_credit(self):
        stream = self.client.open(FOREVER)
        stream.line()
        sent = 0
        while stream.room > 0:
            sent += len(part := b"x" * min(stream.room, 10_000))
            stream.chunk(part)
            self.client.ping()
        self.assertGreaterEqual(sent, 256 << 10)
        self.assertLess(sent, 512 << 10)  # the pipe has taken some bytes
        self.assertFalse(stream.closed)
        self.assertTrue(stream.cancel())
        self.ended(stream, "CANCELLED")

    def test_much_input_comes_whole(self):
        stream = self.client.open("import hashlib, sys\nprint(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())")
        data = bytes(range(251)) * 20_000
        self.assertTrue(stream.write(data, eof=True))
        self.ended(stream)
        self.assertEqual(hashlib.sha256(data).hexdigest(), stream.out.decode().strip())

    def test_input_without_credit_ends_that_run_alone(self):
        other = self.client.open(ECHO)
        stream = self.client.open(FOREVER)
        stream.line()
        stream.chunk(b"x" * (256 << 10))
        stream.chunk(b"x" * (200 << 10))
        self.assert_refused("INVALID_ARGUMENT", ["StdinChunk", "Credit"], stream.result)
        other.write("still here\n", eof=True)
        self.assertEqual(b"got still here\n", other.line())
        self.ended(other)
        self.nothing_follows()

    def test_input_that_must_not_come_is_refused(self):
        stream = self.client.open(FOREVER)
        stream.end()
        stream.chunk(b"more")
        self.refused(stream, "INVALID_ARGUMENT", "eof")
        stream = self.client.open(FOREVER)
        stream.end()
        stream.end()
        self.refused(stream, "INVALID_ARGUMENT", "eof")
        for streams in (True, False):
            stream = self.client.open(FOREVER, live_stdin=False, stream=streams)
            stream.chunk(b"more")
            self.refused(stream, "INVALID_ARGUMENT", "live_stdin")

    def test_messages_about_others_do_nothing(self):
        """Messages about requests of another connection, and about none, do nothing"""
        other = self.connect()
        stream = other.open(ECHO)
        for request_id in (stream.id + 7, 1 << 63, 0):
            self.client.send_unanswered(stdin_chunk=pb.StdinChunk(request_id=request_id, bytes=b"not mine\n"))
            self.client.send_unanswered(credit=pb.Credit(request_id=request_id, bytes=1))
            self.client.send_unanswered(resize=pb.Resize(request_id=request_id, rows=1, columns=1))
            self.assertFalse(self.client.signal(request_id, signal.SIGKILL))
        stream.write("mine\n", eof=True)
        self.ended(stream)
        self.assertEqual(b"got mine\nend\n", stream.out)

    def test_what_has_no_answer_has_no_id(self):
        for message in ({"stdin_chunk": pb.StdinChunk()}, {"credit": pb.Credit()}, {"resize": pb.Resize()}):
            self.assert_refused("INVALID_ARGUMENT", "has no answer", self.client.take, self.client.send(**message), None)
        self.client.ping()

    def test_what_is_malformed_and_has_no_id_ends_the_connection(self):
        other = self.connect()
        other.send_frame(b"\x32\x02\x08")  # a StdinChunk that breaks off
        answer = other.receive()
        self.assertEqual(0, answer.id)
        self.assert_error(answer.error, "INVALID_ARGUMENT", "")

    # ------------------------------------------------------------ signals

    def test_signals_come_to_the_program(self):
        program = ("import os, signal\nfor number in (%s):\n"
                   "    signal.signal(number, lambda n, f: os.write(1, b'%%d\\n' %% n))\n"
                   "print('ready', flush=True)\nimport time\nwhile True:\n    time.sleep(0.01)\n" % ", ".join(map(str, CAUGHT)))
        stream = self.client.open(program)
        self.assertEqual(b"ready\n", stream.line())
        for number in CAUGHT:
            self.assertTrue(stream.signal(number))
            self.assertEqual(b"%d\n" % number, stream.line())
        self.assertTrue(stream.signal(signal.SIGKILL))
        self.assertEqual(signal.SIGKILL, self.ended(stream, "SIGNALED").signal)

    def test_a_program_stops_and_goes_on(self):
        stream = self.client.open("import time\nwhile True:\n    print('.', end='', flush=True)\n    time.sleep(0.01)")
        stream.read(1)
        self.assertTrue(stream.signal(signal.SIGSTOP))
        wait_until(lambda: any(p.state == "T" and p.name == "python" for p in host.descendants(SERVER.process.pid)),
                   what="a program that is stopped")
        self.client.ping()
        written = len(stream.out)
        time.sleep(0.1)
        self.client.ping()
        self.assertEqual(written, len(stream.out))
        self.assertTrue(stream.signal(signal.SIGCONT))
        stream.read(written + 10)
        self.assertTrue(stream.signal(signal.SIGTERM))
        self.assertEqual(signal.SIGTERM, self.ended(stream, "SIGNALED").signal)

    def test_other_numbers_are_refused(self):
        stream = self.client.open(FOREVER)
        stream.line()
        for number in sorted(set(range(66)) - set(CAUGHT) - {signal.SIGKILL, signal.SIGSTOP}) + [1 << 31, (1 << 32) - 1]:
            self.assert_refused("INVALID_ARGUMENT", str(number), stream.signal, number)
        self.assert_refused("INVALID_ARGUMENT", "HUP 1", self.client.signal, 999, 5)
        self.assertTrue(stream.cancel())
        self.ended(stream, "CANCELLED")

    def test_a_signal_before_the_program_is_not_sent(self):
        held = [self.client.send_execute("import time; time.sleep(0.3)") for _ in range(6)]
        stream = self.client.open("print('lives')")
        self.assertFalse(stream.signal(signal.SIGKILL))
        self.ended(stream)
        self.assertEqual(b"lives\n", stream.out)
        for request in held:
            self.client.result(request)

    def test_a_flood_of_signals_is_refused_and_harms_nobody(self):
        stream = self.client.open("import signal\nsignal.signal(28, lambda *a: None)\nprint('ready', flush=True)\n"
                                  "while True:\n    signal.pause()\n", limits={"wall_us": 60_000_000})
        stream.line()
        forks = self.client.status().languages[0].generation
        ids = [self.client.send(signal=pb.Signal(request_id=stream.id, number=28)) for _ in range(20_000)]
        answers = [self.client.wait(request) for request in ids]
        sent = sum(answer.WhichOneof("answer") == "signalled" for answer in answers)
        self.assertTrue(all(answer.signalled.sent for answer in answers if answer.WhichOneof("answer") == "signalled"))
        self.assertGreaterEqual(sent, 100)
        self.assertLess(sent, 2000)  # 100, and another 100 for each second that this took
        refused = next(answer.error for answer in answers if answer.WhichOneof("answer") == "error")
        self.assert_error(refused, "RESOURCE_EXHAUSTED", "100 signals a second")
        self.assertGreater(refused.retry_after_ms, 0)
        self.assertEqual(forks, self.client.status().languages[0].generation)
        self.assertTrue(stream.cancel())
        self.ended(stream, "CANCELLED")

    # ------------------------------------------------------------ ends

    def test_a_cancel_ends_it(self):
        stream = self.client.open(FOREVER)
        self.assertEqual(b"here\n", stream.line())
        self.assertTrue(stream.cancel())
        self.ended(stream, "CANCELLED")
        self.assertFalse(stream.cancel())
        self.nothing_follows()

    def test_a_cancel_ends_one_that_waits(self):
        held = [self.client.send_execute("import time; time.sleep(0.5)") for _ in range(6)]
        stream = self.client.open(ECHO)
        stream.write("never read\n")
        self.assertTrue(stream.cancel())
        self.refused(stream, "CANCELLED", "cancelled")
        self.assertEqual([], stream.stages)
        for request in held:
            self.client.result(request)

    def test_a_deadline_ends_it(self):
        stream = self.client.open(FOREVER, deadline_us=300_000)
        self.ended(stream, "TIME_LIMIT")
        self.assertEqual(b"here\n", stream.out)

    def test_the_run_of_a_client_that_is_gone_is_killed(self):
        mark = "stream_of_one_that_left"
        other = self.connect()
        stream = other.open("import subprocess\nsubprocess.run(['/bin/sh', '-c', "
                            f"'echo begun; while :; do echo y; done; :', '{mark}'])")
        stream.line()
        marked = [p for p in host.processes() if mark in p.command()]
        self.assertTrue(marked)
        other.close()
        wait_until(lambda: not any(p.is_alive() for p in marked), what="the end of the run")

    def test_a_refused_request_has_one_answer(self):
        stream = self.client.open("print(1)", limits={"wall_us": 0})
        stream.chunk(b"for nobody")
        self.refused(stream, "INVALID_ARGUMENT", "wall")
        stream = self.client.open("print(1)", language="none such")
        self.refused(stream, "NOT_FOUND", "none such")

    def test_files_come_back_of_one_that_streams(self):
        stream = self.client.open("open('made', 'w').write('content')\nprint('done')", collect=["made"])
        self.assertEqual([("made", b"content")], [(f.name, f.content) for f in self.ended(stream).files])
        self.assertEqual(b"done\n", stream.out)

    def test_every_id_may_be_used_again(self):
        """The id of a stream is free when its answer is there"""
        for _ in range(5):
            self.client.last_id = 41
            stream = self.client.open("print('again')")
            self.ended(stream)
            self.assertEqual(b"again\n", stream.out)

    def test_streams_beside_ordinary_requests(self):
        streams = [self.client.open(ECHO) for _ in range(3)]
        requests = [self.client.send_execute(f"print({i})") for i in range(10)]
        for i, stream in enumerate(streams):
            stream.write(f"{i}\n", eof=True)
        for i, request in enumerate(requests):
            self.assertEqual(b"%d\n" % i, self.client.result(request).stdout)
        for i, stream in enumerate(streams):
            self.ended(stream)
            self.assertEqual(b"got %d\nend\n" % i, stream.out)
