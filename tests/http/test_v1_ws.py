"""GET /v1/ws as conversations (docs/http.md), by Debian's python3-websockets."""

import asyncio
import base64
import json
import os
import unittest

from lib.case import ServerModule
from lib.scale import patience

try:
    import websockets
except ImportError:
    websockets = None

PEER = os.environ.get("HATCHERY_V1_URL")
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\n", http=True)
ECHO = "import sys\nfor line in sys.stdin: print('>' + line, end='', flush=True)"


def setUpModule():
    if websockets is None:
        raise unittest.SkipTest("python3-websockets is not installed")
    if not PEER:
        SERVER.set_up()


def tearDownModule():
    if not PEER and websockets is not None:
        SERVER.tear_down()


def python(code, **fields):
    return {"language": "python", "code": code, **fields}


class Talk:
    """One connection. `events` are the events that came."""

    def __init__(self, socket):
        self.socket, self.events = socket, []

    async def send(self, *messages):
        for message in messages:
            await self.socket.send(json.dumps(message) if isinstance(message, dict) else message)

    async def next(self):
        event = json.loads(await asyncio.wait_for(self.socket.recv(), patience(30)))
        self.events.append(event)
        return event

    async def until(self, name):
        while (event := await self.next())["event"] != name:
            pass
        return event

    async def until_output(self, text):
        while text not in self.output():
            await self.next()

    def output(self):
        return b"".join(event["text"].encode() if "text" in event else base64.b64decode(event["base64"])
                        for event in self.events if event["event"] == "output").decode()

    async def closed(self):
        await asyncio.wait_for(self.socket.wait_closed(), patience(30))
        return self.socket.close_code


def talk(conversation):
    async def run():
        url = (PEER or SERVER.http).replace("http", "ws", 1) + "/v1/ws"
        async with websockets.connect(url, max_size=None) as socket:
            await conversation(Talk(socket))

    asyncio.run(run())


class WebSocket(unittest.TestCase):
    def test_a_program_without_input(self):
        async def conversation(t):
            await t.send(python("print(1)"))
            result = await t.until("result")
            self.assertEqual(("EXITED", "1\n"), (result["status"], t.output()))
            self.assertEqual("stage", t.events[0]["event"])
            self.assertEqual(1000, await t.closed())

        talk(conversation)

    def test_input_goes_in_while_the_program_runs(self):
        async def conversation(t):
            await t.send(python(ECHO, live_stdin=True))
            await t.send({"stdin": "a\n"})
            await t.until_output(">a\n")
            await t.send({"stdin_base64": base64.b64encode(b"b\n").decode()})
            await t.until_output(">b\n")
            await t.send(b"c\n", {"eof": True})
            self.assertEqual(0, (await t.until("result"))["exit_code"])
            self.assertEqual(">a\n>b\n>c\n", t.output())

        talk(conversation)

    def test_much_input_arrives_whole(self):
        async def conversation(t):
            await t.send(python("import sys, hashlib, time\ntime.sleep(0.5)\nprint(len(sys.stdin.buffer.read()))", live_stdin=True))
            for _ in range(40):
                await t.send(b"x" * 50000)
            await t.send({"eof": True})
            await t.until("result")
            self.assertEqual("2000000\n", t.output())

        talk(conversation)

    def test_signals_by_name(self):
        async def conversation(t):
            await t.send(python("import os, signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'got'))\n"
                                "os.write(1, b'on')\nwhile True: time.sleep(0.1)", live_stdin=True))
            await t.until_output("on")
            await t.send({"signal": "USR1"})
            self.assertTrue((await t.until("signalled"))["sent"])
            await t.until_output("got")
            await t.send({"signal": "SIGKILL"})
            result = await t.until("result")
            self.assertEqual(("SIGNALED", 9), (result["status"], result["signal"]))

        talk(conversation)

    def test_a_terminal_and_its_size(self):
        async def conversation(t):
            await t.send(python("import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})\n"
                                "print(*os.get_terminal_size())\nsignal.sigwait({signal.SIGWINCH})\n"
                                "print(*os.get_terminal_size())\nwhile input() != 'end': pass",
                                live_stdin=True, terminal={"rows": 24, "columns": 80}))
            await t.until_output("80 24")
            await t.send({"resize": {"rows": 30, "columns": 100}})
            await t.until_output("100 30")
            await t.send({"stdin": "end\n"})
            self.assertEqual("EXITED", (await t.until("result"))["status"])

        talk(conversation)

    def test_cancelling(self):
        async def conversation(t):
            await t.send(python("import time; time.sleep(60)"))
            await t.until("stage")
            await t.send({"cancel": True})
            self.assertEqual("CANCELLED", (await t.until("result"))["status"])

        talk(conversation)

    @unittest.skipIf(PEER, "the processes of another server are not seen")
    def test_a_client_that_leaves_ends_its_run(self):
        async def conversation(t):
            await t.send(python("import time; time.sleep(60)", live_stdin=True), b"x" * 100000)
            await t.until("stage")

        workers = {process.pid for process in SERVER.worker_processes()}
        talk(conversation)
        SERVER.wait_idle()
        self.assertEqual("", SERVER.sanitizer_reports())
        self.assertEqual(workers, {process.pid for process in SERVER.worker_processes()})

    def test_a_bad_submission_ends_the_conversation(self):
        for message, words in (({"language": "python", "cod": ""}, "cod"), ("{", "JSON"), (b"x", "first message"),
                               ({"language": "cobol", "code": ""}, "cobol")):
            async def conversation(t, message=message, words=words):
                await t.send(message)
                error = (await t.until("error"))["error"]
                self.assertIn(words, error["message"])
                self.assertEqual(1008, await t.closed())

            with self.subTest(words):
                talk(conversation)

    def test_a_bad_message_is_told_and_the_run_goes_on(self):
        async def conversation(t):
            await t.send(python(ECHO, live_stdin=True))
            for message, words in (({"stdn": ""}, "nearest"), ("[", "JSON"), ({"signal": "SEGV"}, "HUP"),
                                   ({"resize": {"rows": 1, "columns": 1}}, "terminal"), ({"resize": {"rows": 0, "columns": 1}}, "rows")):
                await t.send(message)
                self.assertIn(words, (await t.until("refused"))["error"]["message"])
            await t.send({"stdin": "x\n", "eof": True})
            self.assertEqual("EXITED", (await t.until("result"))["status"])
            self.assertEqual(">x\n", t.output())

        talk(conversation)

    def test_input_for_a_run_without_live_stdin_is_refused(self):
        async def conversation(t):
            await t.send(python("import time; time.sleep(1)"))
            for message in ({"stdin": "x"}, {"eof": True}, b"x"):
                await t.send(message)
                self.assertIn("live_stdin", (await t.until("refused"))["error"]["message"])
            await t.until("result")

        talk(conversation)

    def test_a_slow_reader_stops_its_own_program(self):
        async def conversation(t):
            await t.send(python("import sys\nfor _ in range(240): sys.stdout.write('x' * 65536)",
                                limits={"output_bytes": 16 << 20, "wall_us": 30000000}))
            await asyncio.sleep(0.5)
            await t.until("result")
            self.assertEqual(240 * 65536, len(t.output()))

        talk(conversation)
