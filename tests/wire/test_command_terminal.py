"""`hatchery run -it`: the program is on our terminal, and the terminal is as it was after every end."""

import os
import signal
import tempfile

import hatchery_pb2 as pb

from lib.case import Case, ServerModule
from lib.host import children
from lib.live import FakeServer, Live, Relay, Session
from lib.server import wait_until

SHARED = "wire"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

SIZES = ("import os, signal, time\ndef show(*_): os.write(1, b'%d %d\\n' % tuple(os.get_terminal_size(0)))\n"
         "signal.signal(signal.SIGWINCH, show)\nshow()\nfor _ in range(900): time.sleep(0.05)")
WAIT = "import time; print('ready', flush=True); time.sleep(50)"


class Terminal(Case):
    SERVER = SERVER

    def session(self, *arguments, address=None, **options):
        session = Session(address or SERVER.address, "run", *arguments, **options)
        self.addCleanup(session.close)
        return session

    def assert_restored(self, session):
        wait_until(session.is_restored, 30, "a restored terminal")

    def assert_ended(self, session, code):
        self.assertEqual(code, session.end(), session.out)
        self.assert_restored(session)

    def assert_idle(self):
        wait_until(lambda: not any(row.running for row in self.client.status().languages), 30, "an idle server")

    def test_the_prompt_of_a_language_is_talked_to(self):
        session = self.session("-it", "-l", "python")
        session.expect(b">>> ")
        self.assertFalse(session.is_restored())
        session.type(b"6*7\r")
        session.expect(b"6*7\r\n42\r\n>>> ")
        session.type(b"\x03")
        session.expect(b"KeyboardInterrupt")
        session.expect(b">>> ")
        session.type(b"import sys; sys.exit(3)\r")
        self.assert_ended(session, 3)

    def test_ctrl_d_ends_the_input(self):
        session = self.session("-it", "-l", "python")
        session.expect(b">>> ")
        session.type(b"\x04")
        self.assert_ended(session, 0)

    def test_what_is_typed_ahead_is_the_programs(self):
        session = self.session("-t", "-e", "import sys; print(repr(sys.stdin.read()))")
        wait_until(lambda: not session.is_restored(), 30, "raw mode")
        session.type(b"abc\r\x04")
        session.expect(b"'abc\\n'\r\n")
        self.assert_ended(session, 0)

    def test_the_program_is_on_a_terminal_like_ours(self):
        code = "import os; print([os.isatty(i) for i in range(3)], os.environ['TERM'], os.get_terminal_size(2))"
        session = self.session("-t", "-e", code, rows=33, columns=111)
        session.expect(b"[True, True, True] xterm-test os.terminal_size(columns=111, lines=33)\r\n")
        self.assert_ended(session, 0)
        session = self.session("-t", "--env", "TERM=dumb", "-e", "import os; print(os.environ['TERM'])")
        session.expect(b"dumb\r\n")
        self.assert_ended(session, 0)

    def test_what_is_typed_is_echoed_once_and_by_the_programs_terminal(self):
        session = self.session("-t", "-e", "print('ready', flush=True); print('<' + input() + '>')")
        session.expect(b"ready\r\n")
        session.type(b"wrong\x15right\r")
        session.expect(b"<right>\r\n")
        self.assert_ended(session, 0)
        self.assertEqual(1, session.out.count(b"wrong"), session.out)

    def test_ctrl_c_is_the_programs(self):
        code = "import time, sys\ntry: print('ready', flush=True); time.sleep(50)\nexcept KeyboardInterrupt: sys.exit(7)"
        session = self.session("-t", "-e", code)
        session.expect(b"ready\r\n")
        session.type(b"\x03")
        self.assert_ended(session, 7)

    def test_another_size_is_told(self):
        session = self.session("-t", "-e", SIZES, rows=24, columns=80)
        session.expect(b"80 24\r\n")
        session.resize(50, 132)
        session.expect(b"132 50\r\n")
        session.type(b"\x03")
        session.end()
        self.assert_restored(session)

    def test_the_terminal_is_restored_whatever_ends_the_command(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL):
            with self.subTest(number):
                session = self.session("-t", "-e", WAIT)
                session.expect(b"ready\r\n")
                self.assertFalse(session.is_restored())
                session.signal(number)
                self.assert_ended(session, -number)
        self.assert_idle()

    def test_the_terminal_is_restored_when_the_connection_breaks(self):
        with tempfile.TemporaryDirectory() as folder:
            relay = Relay(SERVER.socket_path, folder)
            self.addCleanup(relay.close)
            session = self.session("-t", "-e", WAIT, address=f"unix:{relay.path}")
            session.expect(b"ready\r\n")
            self.assertFalse(session.is_restored())
            relay.cut()
            self.assert_ended(session, 125)
            self.assertIn(b"\nhatchery: the server closed the connection", session.out)
        self.assert_idle()

    def test_a_session_that_is_stopped_leaves_the_terminal_and_finds_it_again(self):
        script = ('set -m; "$0" "$@"; echo stopped $?; read -r line; echo "shell: $line"; fg >/dev/null; echo done $?')
        session = self.session("-t", "-e", SIZES, rows=24, columns=80, shell=script)
        session.expect(b"80 24\r\n")
        command, = [child for child in children(session.process.pid) if child.name == "hatchery"]
        os.kill(command.pid, signal.SIGTSTP)
        session.expect(b"stopped 148\r\n")
        self.assertTrue(session.is_restored())
        session.resize(50, 132)
        session.type(b"in between\r")
        session.expect(b"shell: in between\r\n")
        session.expect(b"132 50\r\n")
        self.assertFalse(session.is_restored())
        session.type(b"\x03")
        session.expect(b"done 130\r\n")
        session.end()
        self.assert_restored(session)

    def test_where_no_shell_could_continue_it_a_session_is_not_stopped(self):
        session = self.session("-t", "-e", SIZES, rows=24, columns=80)
        session.expect(b"80 24\r\n")
        session.signal(signal.SIGTSTP)
        session.resize(50, 132)
        session.expect(b"132 50\r\n")
        wait_until(lambda: not session.is_restored(), 30, "raw mode again")
        session.type(b"\x03")
        session.end()
        self.assert_restored(session)

    def test_the_end_of_a_session_by_a_limit_is_told(self):
        session = self.session("-t", "--wall", "2s", "-e", "import time; print('o', end='', flush=True); time.sleep(50)")
        self.assert_ended(session, 124)
        self.assertRegex(session.out, rb"^o\r\nhatchery: killed: wall time limit of 2 s reached after .*\r\n$")

    def test_a_session_asks_for_the_servers_ceilings(self):
        ceilings = pb.Limits(wall_us=3_600_000_000, cpu_us=900_000_000, memory_bytes=1 << 30, output_bytes=64 << 20)
        language = pb.LanguageStatus(name="python3.11", aliases=["Python"], max_limits=ceilings)
        for options, wall in (((), 3_600_000_000), (("--wall", "5s"), 5_000_000)):
            server = FakeServer()
            self.addCleanup(server.close)
            session = self.session("-it", "-l", "python", *options, address=server.address)
            server.accept()
            server.answer(pb.ServerMessage(id=server.receive().id, status=pb.Status(ready=True, languages=[language])))
            execute = server.receive().execute
            self.assertEqual(pb.Limits(wall_us=wall, cpu_us=900_000_000, output_bytes=64 << 20), execute.limits)
            self.assertEqual((24, 80), (execute.terminal.rows, execute.terminal.columns))
            session.type(b"typed ahead\r\x03")  # the server has started no program that could read this
            chunks = []
            while not (message := server.receive()).HasField("cancel"):
                chunks.append(message.stdin_chunk.bytes)
            self.assertEqual(b"", b"".join(chunks).replace(b"typed ahead\r", b""))
            session.type(b"\x03")
            self.assert_ended(session, -signal.SIGINT)

    def test_before_the_program_runs_the_terminal_is_as_it_was_and_ctrl_c_cancels(self):
        session = self.session("-t", "--wait", "1h", "-e", "1", address="unix:/nonexistent/sock")
        session.read_for(0.2)
        self.assertTrue(session.is_restored())
        session.type(b"\x03")
        self.assert_ended(session, -signal.SIGINT)

    def test_a_refused_session_leaves_the_terminal_as_it_was(self):
        session = self.session("-t", "--echo", "-e", "1")
        self.assert_ended(session, 125)
        self.assertIn(b"hatchery: refused: ", session.out)
        session = self.session("-t", "-l", "cobol")
        self.assert_ended(session, 125)

    def test_without_a_terminal_it_is_refused(self):
        done = SERVER.run("run", "-it", "-e", "1")
        self.assertEqual(125, done.returncode)
        self.assertRegex(done.stderr, rb"^hatchery: -t needs a terminal, and standard input is none: .* -i .*\n$")

    def test_output_may_go_elsewhere(self):
        reader, writer = os.pipe()
        session = self.session("-t", "-e", "import os; print(os.isatty(1))", stdout=writer)
        os.close(writer)
        self.assert_ended(session, 0)
        self.assertEqual(b"True\r\n", os.read(reader, 100))
        os.close(reader)


class Interpreters(Case):
    SERVER = SERVER

    def run_it(self, *arguments):
        done = SERVER.run("run", *arguments)
        return done.returncode, done.stdout, done.stderr

    def test_words_without_a_program_are_the_interpreters(self):
        self.assertEqual((0, b"['-c', 'x y']\n", b""),
                         self.run_it("-l", "python", "--", "-c", "import sys; print(sys.argv)", "x y"))
        self.assertEqual(0, self.run_it("-l", "python", "--", "-m", "this")[0])

    def test_words_before_a_program_are_options(self):
        code = "import sys; print(sys.flags.optimize, sys.argv[1:])"
        self.assertEqual((0, b"2 ['-x']\n", b""), self.run_it("--interpreter-arg", "-OO", "-e", code, "--", "-x"))

    def test_another_interpreter(self):
        self.assertEqual((0, b"sh here\n", b""), self.run_it("--interpreter", "sh", "-e", "echo sh here"))

    def test_input_may_be_live(self):
        live = Live(SERVER.address, "run", "-i", "-l", "python", "--", "-c", "print(input('? '))")
        self.addCleanup(live.close)
        live.say(b"a\n")
        self.assertEqual((0, b"? a\n"), (live.end(), live.out))


if __name__ == "__main__":
    import unittest
    unittest.main()
