"""Pages in a real browser, headless Chromium: one of a configured origin reads a stream while its program runs, and one
of another origin gets nothing."""

import json
import shutil
import unittest

from lib.browser import Browser, Pages
from lib.case import ServerModule
from lib.server import FREE_PORT, HELD, HOLD

LONG = "it needs Chromium, a large package, which only --all installs"
CONFIGURED, OTHER, SERVER = None, None, None

# The page's script: `report` tells the test, `url` is the server.
PAGE = """<!doctype html><title>test</title><script type="module">
const url = URL;
const report = (value) => fetch("/report", { method: "POST", body: JSON.stringify(value) });
const refused = (error) => ({ failed: error.name });
BODY
</script>"""

STREAM = """
const answer = await fetch(`${url}/v1/run?stream=sse`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(SUBMISSION),
});
const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
let text = "", lines = [];
const seen = () => [...text.matchAll(/^event: output\\ndata: (.*)$/mg)].map((match) => JSON.parse(match[1]).text);
for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    if (lines.length === 0 && seen().length > 0) {
        lines = seen();
        await report({ status: answer.status, first: lines[0], run_id: answer.headers.get("X-Run-Id") });
    }
}
await report({ all: seen().join(""), ended: /^event: result$/m.test(text) });
"""

# What a page without leave may try: to ask first, to read, and to write without reading the answer.
STRANGER = """
const headers = { "Content-Type": "application/json" }, body = JSON.stringify(SUBMISSION);
const run = await fetch(`${url}/v1/run`, { method: "POST", headers, body }).catch(refused);
const status = await fetch(`${url}/v1/status`).catch(refused);
const blind = await fetch(`${url}/v1/run`, { method: "POST", mode: "no-cors", body }).catch(refused);
const read = blind.failed ? null : await blind.text();
await report({ run: run.failed ?? run.status, status: status.failed ?? status.status, blind: blind.type, read });
"""


PLAIN = """
const status = await (await fetch(`${url}/v1/status`)).json();
const headers = { "Content-Type": "application/json" };
const answer = await fetch(`${url}/v1/run`, { method: "POST", headers, body: JSON.stringify(SUBMISSION) });
await report({
    ready: status.ready, status: answer.status, code: (await answer.json()).error.code,
});
"""


def setUpModule():
    global CONFIGURED, OTHER, SERVER
    if not shutil.which("chromium"):
        raise unittest.SkipTest("chromium is not installed; ./dev test --all installs it")
    CONFIGURED, OTHER = Pages(), Pages()
    SERVER = ServerModule(__name__, config="language python { }\n",
                          http=f'{FREE_PORT}  origins = {{ "{CONFIGURED.origin}" }}')
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()
    CONFIGURED.stop()
    OTHER.stop()


def page(body, submission):
    return PAGE.replace("URL", json.dumps(SERVER.http)).replace("BODY", body).replace("SUBMISSION", json.dumps(submission))


def runs():
    """The number of runs that the server has begun."""
    with SERVER.connect() as client:
        return sum(row.runs for row in client.status().languages)


class InBrowser(unittest.TestCase):
    maxDiff = None

    def test_configured_origin(self):
        """a page of a configured origin reads the first line of a stream while the program still runs, and then the rest"""
        code = f"print('first', flush=True)\n{HOLD}print('second')"
        CONFIGURED.pages["/"] = page(STREAM, {"language": "python", "code": code, "limits": HELD})
        with Browser(f"{CONFIGURED.origin}/"):
            first = CONFIGURED.report()
            self.assertEqual((200, "first\n"), (first["status"], first["first"]))
            self.assertTrue(first["run_id"])
            SERVER.wait_held()
            SERVER.let_go()
            self.assertEqual({"all": "first\nsecond\n", "ended": True}, CONFIGURED.report())

    def test_other_origin(self):
        """the browser lets a page of another origin read nothing, and the server runs nothing for it"""
        before = runs()
        OTHER.pages["/"] = page(STRANGER, {"language": "python", "code": "print(6 * 7)"})
        with Browser(f"{OTHER.origin}/"):
            self.assertEqual({"run": "TypeError", "status": "TypeError", "blind": "opaque", "read": ""}, OTHER.report())
        self.assertEqual(before, runs())

    def test_answers_and_refusals(self):
        """a page of a configured origin reads plain answers, and the sentence of a refusal"""
        CONFIGURED.pages["/plain"] = page(PLAIN, {"language": "python", "cod": "1"})
        with Browser(f"{CONFIGURED.origin}/plain"):
            self.assertEqual({"ready": True, "status": 400, "code": "INVALID_ARGUMENT"}, CONFIGURED.report())
