"""npm's piston-client, somebody else's program, against Hatchery. Its packages are in the build tree."""

import json
import unittest

from lib.case import ServerModule
from lib.npm import Packages

NPM = Packages("piston-client@1.0.2")
HTTP = 'listen = { "127.0.0.1:0" }  contracts = { "piston" }'
SERVER = ServerModule(__name__, config="language python { }\nlanguage c { }\n", http=HTTP)

SCRIPT = """
import { piston } from 'piston-client';
const client = piston({ server: process.argv[2] });
const calls = JSON.parse(process.argv[3]);
const answers = [await client.runtimes()];
for (const call of calls) answers.push(await client.execute(...call));
console.log(JSON.stringify(answers));
"""


def setUpModule():
    reason = NPM.install()
    if reason:
        raise unittest.SkipTest(reason)
    (NPM.folder / "script.mjs").write_text(SCRIPT)
    SERVER.set_up()


def tearDownModule():
    SERVER.tear_down()


class PistonClient(unittest.TestCase):
    def calls(self, *calls):
        done = NPM.run("node", "script.mjs", SERVER.http, json.dumps(calls))
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def test_it_lists_the_runtimes(self):
        runtimes, = self.calls()
        self.assertEqual({"python", "c"}, {runtime["language"] for runtime in runtimes})

    def test_it_runs_a_program(self):
        _, first, second = self.calls(["python", "import sys; print(sys.argv[1:])"],
                                      [{"language": "python", "version": "3.x", "args": ["a"], "stdin": "hi",
                                        "files": [{"name": "x.py", "content": "import sys; print(input(), sys.argv[1])"}]}])
        self.assertEqual("['1', '2', '3']\n", first["run"]["output"])
        self.assertEqual("hi a\n", second["run"]["output"])

    def test_it_compiles_a_program(self):
        _, answer = self.calls(["c", '#include <stdio.h>\nint main(void) { puts("hi"); }'])
        self.assertEqual(("hi\n", 0), (answer["run"]["stdout"], answer["compile"]["code"]))

    def test_it_is_told_of_its_mistake(self):
        _, answer = self.calls(["cobol", "x", {"version": "*"}])
        self.assertEqual({"message": "cobol-* runtime is unknown"}, answer)
