"""Streams of /v1/run: SSE and lines of JSON (docs/http.md)."""

import base64
import http.client
import json
import os
import time
import unittest
import uuid
from urllib.parse import urlsplit

from lib.case import ServerModule
from lib.scale import patience
from lib.server import wait_until

PEER = os.environ.get("HATCHERY_V1_URL")
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\n", http=True)
SLOW = "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.3)"


def setUpModule():
    if not PEER:
        SERVER.set_up()


def tearDownModule():
    if not PEER:
        SERVER.tear_down()


class Events:
    """One streamed answer. Each event is a dictionary with the member `event`."""

    def __init__(self, body, kind="sse", headers=None, path=None):
        self.kind = kind
        self.connection = http.client.HTTPConnection(urlsplit(PEER or SERVER.http).netloc, timeout=patience(60))
        self.connection.request("POST", path or f"/v1/run?stream={kind}", json.dumps(body),
                                {"Content-Type": "application/json", **(headers or {})})
        self.answer = self.connection.getresponse()
        self.comments = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def next(self):
        """The next event; None: the stream has ended."""
        name = data = None
        while line := self.answer.readline():
            line = line.decode().rstrip("\n")
            if self.kind == "ndjson":
                return json.loads(line)
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif line.startswith(":"):
                self.comments += 1
            elif not line and name:
                return {"event": name, **data}
        return None

    def all(self):
        events = []
        while event := self.next():
            events.append(event)
        return events


def python(code, **fields):
    return {"language": "python", "code": code, **fields}


def bytes_of(events, stream="stdout"):
    return b"".join(event["text"].encode() if "text" in event else base64.b64decode(event["base64"])
                    for event in events if event["event"] == "output" and event["stream"] == stream)


class Streams(unittest.TestCase):
    def test_events_come_in_their_order(self):
        for kind, media in ("sse", "text/event-stream"), ("ndjson", "application/x-ndjson"):
            with self.subTest(kind), Events(python("import sys; print('a'); print('b', file=sys.stderr)"), kind) as stream:
                self.assertEqual((200, media), (stream.answer.status, stream.answer.getheader("Content-Type")))
                self.assertEqual("no-store", stream.answer.getheader("Cache-Control"))
                self.assertEqual("no", stream.answer.getheader("X-Accel-Buffering"))
                events = stream.all()
                self.assertEqual("stage", events[0]["event"])
                self.assertEqual("result", events[-1]["event"])
                self.assertEqual((b"a\n", b"b\n"), (bytes_of(events), bytes_of(events, "stderr")))
                self.assertEqual(("EXITED", 2), (events[-1]["status"], events[-1]["stdout_total"]))
                self.assertNotIn("stdout", events[-1])
                self.assertEqual({stream.answer.getheader("X-Run-Id")},
                                 {event["run_id"] for event in events if "run_id" in event})

    def test_output_comes_while_the_program_runs(self):
        with Events(python(SLOW)) as stream:
            times = []
            while event := stream.next():
                if event["event"] == "output":
                    times.append(time.monotonic())
            self.assertEqual(3, len(times))
            self.assertGreater(times[2] - times[0], 0.4)

    def test_the_form_is_chosen_by_query_header_and_body(self):
        rows = [("/v1/run", {"Accept": "text/event-stream"}, {}, "text/event-stream"),
                ("/v1/run", {"Accept": "application/x-ndjson"}, {}, "application/x-ndjson"),
                ("/v1/run", {}, {"stream": True}, "text/event-stream"),
                ("/v1/run", {"Accept": "application/json, text/event-stream"}, {}, "application/json"),
                ("/v1/run?stream=ndjson", {"Accept": "text/event-stream"}, {}, "application/x-ndjson"),
                ("/v1/run", {"Accept": "*/*"}, {}, "application/json")]
        for path, headers, fields, media in rows:
            with self.subTest(path=path, headers=headers), Events(python("1", **fields), headers=headers, path=path) as stream:
                self.assertEqual(media, stream.answer.getheader("Content-Type"))
                stream.answer.read()
        with Events(python("1"), path="/v1/run?stream=xml") as stream:
            self.assertEqual(400, stream.answer.status)

    def test_characters_are_whole(self):
        code = ("import os, time\nfor b in '\u00e4\u20ac\U0001f423'.encode():\n    os.write(1, bytes([b])); time.sleep(0.02)")
        with Events(python(code)) as stream:
            events = stream.all()
            self.assertEqual("\u00e4\u20ac\U0001f423", "".join(event["text"] for event in events if event["event"] == "output"))

    def test_bytes_that_are_no_characters_come_as_base64(self):
        code = "import os, time\nos.write(1, b'a\\xff'); time.sleep(0.1); os.write(1, b'b'); time.sleep(0.1); os.write(1, b'\\xe2\\x82')"
        with Events(python(code)) as stream:
            events = stream.all()
            self.assertEqual(b"a\xffb\xe2\x82", bytes_of(events))
            self.assertTrue(any("base64" in event for event in events))
            at = 0
            for event in events:
                if event["event"] == "output":
                    self.assertEqual(at, event["offset"])
                    at += len(bytes_of([event]))

    def test_a_compiled_program_has_two_stages(self):
        code = f'#include <stdio.h>\nint main(void) {{ puts("{uuid.uuid4()}"); }}'
        with Events({"language": "c", "code": code}) as stream:
            self.assertEqual(["compile", "run"], [event["stage"] for event in stream.all() if event["event"] == "stage"])

    def test_a_refusal_has_its_status(self):
        for body, status in ((python("1", priority=9), 400), ({"language": "cobol", "code": ""}, 404)):
            with Events(body) as stream:
                self.assertEqual(status, stream.answer.status)
                self.assertIn("error", json.loads(stream.answer.read()))

    def test_a_run_is_cancelled_by_the_id_that_the_stream_tells(self):
        with Events(python("print(1, flush=True)\nimport time; time.sleep(60)")) as stream:
            name = stream.answer.getheader("X-Run-Id")
            other = http.client.HTTPConnection(urlsplit(PEER or SERVER.http).netloc, timeout=patience(60))
            other.request("POST", f"/v1/runs/{name}/cancel")
            other.getresponse().read()
            self.assertEqual("CANCELLED", stream.all()[-1]["status"])

    def test_a_closed_stream_cancels_its_run(self):
        name = uuid.uuid4().hex
        with Events(python("print(1, flush=True)\nimport time; time.sleep(60)", run_id=name)) as stream:
            stream.next()

        def is_free():
            with Events(python("1", run_id=name)) as again:
                again.answer.read()
                return again.answer.status == 200

        wait_until(is_free, what="the run is gone")

    def test_a_slow_reader_stops_its_own_program(self):
        code = "import sys\nfor _ in range(240): sys.stdout.write('x' * 65536)"
        limits = {"output_bytes": 16 << 20, "wall_us": 30000000}
        with Events(python(code, limits=limits)) as slow:
            slow.next()
            for _ in range(3):  # other runs are as quick as before
                with Events(python("print(1)")) as quick:
                    self.assertEqual("result", quick.all()[-1]["event"])
            time.sleep(0.5)
            # The first event was a stage.
            self.assertEqual(240 * 65536, len(bytes_of(slow.all())))

    def test_a_comment_comes_each_ten_seconds(self):
        with Events(python("import time; time.sleep(11)", limits={"wall_us": 20000000})) as stream:
            stream.all()
            self.assertGreaterEqual(stream.comments, 1)
