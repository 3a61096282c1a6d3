"""wrk, somebody else's load generator, against the gateway: 64 connections, for two seconds."""

import shutil
import subprocess
import unittest

from lib.case import ServerModule
from lib.scale import patience

CONNECTIONS = 64
SERVER = ServerModule(__name__, config="language python { }\n", http=True)

# Each of wrk's threads has its own Lua state; `done` runs after all threads and reads their counters.
SCRIPT = """
wrk.method = "POST"
wrk.path = "/v1/run"
wrk.body = [[{"language": "python", "code": "print(6 * 7)"}]]
wrk.headers["Content-Type"] = "application/json"
HEADERS

local threads = {}
function setup(thread) table.insert(threads, thread) end

good, bad, sample = 0, 0, ""
function response(status, headers, body)
    if status == 200 and body:find('"stdout":"42\\\\n"', 1, true) then
        good = good + 1
    else
        bad, sample = bad + 1, status .. " " .. body
    end
end

function done(summary, latency, requests)
    local good, bad, sample = 0, 0, ""
    for _, thread in ipairs(threads) do
        good, bad = good + thread:get("good"), bad + thread:get("bad")
        if thread:get("sample") ~= "" then sample = thread:get("sample") end
    end
    local e = summary.errors
    io.stderr:write(string.format("%d %d %d %d %d %d\\n%s", good, bad, e.connect, e.read, e.write, e.timeout, sample))
end
"""


def setUpModule():
    if not shutil.which("wrk"):
        raise unittest.SkipTest("wrk is not installed")
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()


class Wrk(unittest.TestCase):
    def load(self, headers=""):
        """Runs wrk, and checks that each answer was right and that no connection failed."""
        script = SERVER.dir / "post.lua"
        script.write_text(SCRIPT.replace("HEADERS", headers))
        done = subprocess.run(["wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", "2s", "--timeout", f"{patience(60):.0f}s",
                               "-s", str(script), SERVER.http], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=patience(120), check=False)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        counts, _, sample = done.stderr.partition("\n")
        good, *faults = map(int, counts.split())
        self.assertEqual([0] * 5, faults, f"bad answers, then errors of connect, read, write and time-outs; {sample}")
        self.assertGreater(good, 0, done.stdout)

    def test_kept_connections(self):
        """64 kept connections: each answer is right, and no socket has an error"""
        self.load()

    def test_new_connections(self):
        """a new connection for each request: each answer is right, and no socket has an error"""
        self.load('wrk.headers["Connection"] = "close"')
