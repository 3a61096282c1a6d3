"""Piston's WebSocket as a table of conversations (docs/http-piston.md), by Debian's python3-websockets. With
HATCHERY_PISTON_URL=http://HOST:PORT the table tests a running server; rows of `ours` are then left out."""

import asyncio
import json
import os
import time
import unittest

from lib.case import ServerModule
from lib.scale import patience
from lib.server import wait_until

try:
    import websockets
except ImportError:
    websockets = None

PEER = os.environ.get("HATCHERY_PISTON_URL")
HTTP = 'listen = { "127.0.0.1:0" }  contracts = { "piston" }'
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\nlanguage bash { }\n", http=HTTP)
GUARD = patience(60)
ours = unittest.skipIf(PEER, "Hatchery differs from Piston on purpose here")


def setUpModule():
    if websockets is None:
        raise unittest.SkipTest("python3-websockets is not installed")
    if not PEER:
        SERVER.set_up()


def tearDownModule():
    if not PEER and websockets is not None:
        SERVER.tear_down()


def init(code, language="python", **fields):
    return {"type": "init", "language": language, "version": "*", "files": [{"content": code}], **fields}


def data(text, stream="stdin"):
    return {"type": "data", "stream": stream, "data": text}


def signal(name):
    return {"type": "signal", "signal": name}


EOF = {"type": "eof"}


class Talk:
    """One connection. `messages` are the messages that came."""

    def __init__(self, socket):
        self.socket = socket
        self.messages = []

    async def send(self, *messages):
        for message in messages:
            await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def receive(self):
        message = json.loads(await asyncio.wait_for(self.socket.recv(), GUARD))
        self.messages.append(message)
        return message

    async def until(self, condition):
        """Receives messages until the condition is true."""
        while not condition(self):
            await self.receive()

    async def until_output(self, text):
        await self.until(lambda talk: text in talk.output())

    async def end(self):
        """Receives all messages up to the close. Returns the close code and its reason."""
        try:
            while True:
                await self.receive()
        except websockets.ConnectionClosed:
            return self.socket.close_code, self.socket.close_reason

    def output(self, stream="stdout"):
        return "".join(m["data"] for m in self.messages if m["type"] == "data" and m["stream"] == stream)

    def events(self):
        """All messages except output."""
        return [m for m in self.messages if m["type"] != "data"]

    def exits(self):
        return [(m["stage"], m["code"], m["signal"]) for m in self.messages if m["type"] == "exit"]


def talk(path="/api/v2/connect"):
    """Decorates a test that uses one connection."""
    def wrap(test):
        def run(self):
            async def body():
                url = (PEER or SERVER.http).replace("http://", "ws://") + path
                async with websockets.connect(url, open_timeout=GUARD, close_timeout=GUARD, max_size=None) as socket:
                    await test(self, Talk(socket))
            asyncio.run(asyncio.wait_for(body(), GUARD * 2))
        run.__name__ = test.__name__
        return run
    return wrap


class Conversations(unittest.TestCase):
    maxDiff = None

    @talk()
    async def test_a_program_runs_from_init_to_its_end(self, t):
        await t.send(init("print('hi')"))
        self.assertEqual((4999, "Job Completed"), await t.end())
        self.assertEqual("hi\n", t.output())
        runtime, *events = t.events()
        self.assertEqual(("runtime", "python"), (runtime["type"], runtime["language"]))
        self.assertRegex(runtime["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual([{"type": "stage", "stage": "run"},
                          {"type": "exit", "stage": "run", "code": 0, "signal": None}], events)

    @talk("/api/v2/piston/connect")
    async def test_the_other_prefix_serves_it_too(self, t):
        await t.send(init("exit(3)"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual([("run", 3, None)], t.exits())

    @talk()
    async def test_input_comes_while_it_runs(self, t):
        await t.send(init("import sys\nfor _ in range(2): print(sys.stdin.readline().upper(), end='', flush=True)"))
        for word in ("one\n", "two\n"):
            await t.send(data(word))
            await t.until_output(word.upper())
        self.assertEqual(4999, (await t.end())[0])

    @talk()
    async def test_input_may_come_at_once(self, t):
        await t.send(init("print(input() + input())"), data("a\n"), data("\xe4"), data("\n"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual("a\xe4\n", t.output())

    @ours
    @talk()
    async def test_end_of_file_can_be_sent(self, t):
        await t.send(init("import sys; print(repr(sys.stdin.read()))"), data("no newline"), EOF)
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual("'no newline'\n", t.output())

    @ours
    @talk()
    async def test_a_prompt_comes_before_its_answer(self, t):
        await t.send(init("print('who?', end=' ')\nprint('hello', input())"))
        await t.until_output("who? ")
        await t.send(data("you\n"))
        await t.end()
        self.assertEqual("who? hello you\n", t.output())

    @ours
    @talk()
    async def test_a_signal_reaches_the_program(self, t):
        await t.send(init("import signal, sys, time\nsignal.signal(signal.SIGUSR1, lambda *_: print('got it', flush=True))\n"
                          "print('ready', flush=True)\nwhile True: time.sleep(0.05)", run_timeout=30_000))
        await t.until_output("ready")
        await t.send(signal("SIGUSR1"))
        await t.until_output("got it")
        await t.send(signal("SIGTERM"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual([("run", None, "SIGTERM")], t.exits())

    @talk()
    async def test_both_streams_have_names(self, t):
        await t.send(init("import sys; print('out'); print('err', file=sys.stderr)"))
        await t.end()
        self.assertEqual(("out\n", "err\n"), (t.output(), t.output("stderr")))

    @ours
    @talk()
    async def test_characters_are_whole(self, t):
        await t.send(init("import os, time\nfor byte in '\u20ac\U0001f423'.encode():\n    os.write(1, bytes([byte]))\n    time.sleep(0.02)\n"
                          "os.write(1, b'\\xff\\xe2')"))
        await t.end()
        self.assertEqual("\u20ac\U0001f423\ufffd\ufffd", t.output())

    @talk()
    async def test_a_compiled_program_has_two_stages(self, t):
        await t.send(init('#include <stdio.h>\nint main(void) { puts("hi"); return 2; }', language="c"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual([("compile", 0, None), ("run", 2, None)], t.exits())
        self.assertEqual(["compile", "run"], [m["stage"] for m in t.messages if m["type"] == "stage"])
        self.assertEqual("hi\n", t.output())

    @talk()
    async def test_the_second_time_has_two_stages_too(self, t):
        await t.send(init('#include <stdio.h>\nint main(void) { puts("hi"); return 2; }', language="c"))
        await t.end()
        self.assertEqual([("compile", 0, None), ("run", 2, None)], t.exits())
        self.assertEqual(["compile", "run"], [m["stage"] for m in t.messages if m["type"] == "stage"])

    @talk()
    async def test_a_failed_compile_is_the_end(self, t):
        await t.send(init("int main(void) { return x; }", language="c"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual([("compile", 1, None)], t.exits())
        self.assertIn("undeclared", t.output("stderr"))

    @talk()
    async def test_time_is_limited(self, t):
        await t.send(init("import time; print('a', flush=True); time.sleep(50)", run_timeout=500))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual(([("run", None, "SIGKILL")], "a\n"), (t.exits(), t.output()))

    @ours
    @talk()
    async def test_output_is_limited(self, t):
        await t.send(init("while True: print('x' * 10000)"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual([("run", None, "SIGKILL")], t.exits())
        self.assertEqual(1 << 20, len(t.output()))

    @talk()
    async def test_messages_of_other_types_are_ignored(self, t):
        await t.send(init("print(input())"), {"type": "ping"}, {}, data("on\n"))
        self.assertEqual(4999, (await t.end())[0])
        self.assertEqual("on\n", t.output())

    @ours
    @talk()
    async def test_much_input_and_output_flow(self, t):
        await t.send(init("import sys\nfor line in sys.stdin: sys.stdout.write(line)", run_timeout=30_000, run_cpu_time=30_000))
        line = "x" * 9_999 + "\n"

        async def write():
            for _ in range(90):
                await t.send(data(line))
            await t.send(EOF)
        writer = asyncio.create_task(write())
        self.assertEqual(4999, (await t.end())[0])
        await writer
        self.assertEqual(line * 90, t.output())


MISTAKES = [  # name, messages, close code, reason
    ("a second init", [init("input()"), init("1")], 4000, "Already Initialized"),
    ("no init", [], 4001, "Initialization Timeout"),
    ("no JSON", ["{"], 4002, "Notified Error"),
    ("an unknown language", [init("1", language="brainrot")], 4002, "Notified Error"),
    ("no files", [{"type": "init", "language": "python", "version": "*"}], 4002, "Notified Error"),
    ("data before init", [data("x")], 4003, "Not yet initialized"),
    ("a signal before init", [signal("SIGINT")], 4003, "Not yet initialized"),
    ("data for another stream", [init("input()"), data("x", "stdout")], 4004, "Can only write to stdin"),
    ("a signal that does not exist", [init("input()"), signal("SIGNONE")], 4005, "Invalid signal"),
]

OUR_MISTAKES = [
    ("end of file before init", [EOF], 4003, "Not yet initialized"),
    ("data that is no text", [init("input()"), {"type": "data", "stream": "stdin", "data": 3}], 4002, "Notified Error"),
    ("a message that is no object", ["[]"], 4002, "Notified Error"),
    ("a signal without a name", [init("input()"), {"type": "signal"}], 4005, "Invalid signal"),
]


class Mistakes(unittest.TestCase):
    def check(self, rows):
        for name, messages, code, reason in rows:
            with self.subTest(name):
                @talk()
                async def one(_, t, messages=messages):
                    await t.send(*messages)
                    t.closed = await t.end()
                    self.seen = t
                one(self)
                self.assertEqual((code, reason), self.seen.closed)
                errors = [m["message"] for m in self.seen.messages if m["type"] == "error"]
                self.assertEqual(code == 4002, bool(errors and errors[0]), self.seen.messages)

    def test_each_mistake_has_its_close_code(self):
        self.check(MISTAKES)

    @ours
    def test_so_have_those_that_only_hatchery_knows(self):
        self.check(OUR_MISTAKES)

    def test_an_error_has_the_sentence_of_execute(self):
        @talk()
        async def one(_, t):
            await t.send(init("1", language="brainrot"))
            await t.end()
            self.assertEqual([{"type": "error", "message": "brainrot-* runtime is unknown"}], t.messages)
        one(self)

    def test_init_may_take_a_second(self):
        start = time.monotonic()
        self.check(MISTAKES[1:2])
        self.assertGreater(time.monotonic() - start, 0.9)
        self.assertLess(time.monotonic() - start, patience(10))

    @ours
    def test_a_client_that_leaves_takes_its_run_along(self):
        @talk()
        async def one(_, t):
            await t.send(init("import time; print('on', flush=True); time.sleep(50)", run_timeout=60_000))
            await t.until_output("on")
            wait_until(lambda: self.running() == 1, guard=20, what="a status that counts the run")
            t.socket.transport.abort()
        one(self)
        wait_until(lambda: self.running() == 0, guard=20, what="the end of the run")

    @ours
    def test_a_close_ends_the_run(self):
        @talk()
        async def one(_, t):
            await t.send(init("import time; print('on', flush=True); time.sleep(50)", run_timeout=60_000))
            await t.until_output("on")
            await t.socket.close()
        one(self)
        wait_until(lambda: self.running() == 0, guard=20, what="the end of the run")

    def running(self):
        with SERVER.connect() as client:
            return next(one.running for one in client.status().languages if one.name == "python")
