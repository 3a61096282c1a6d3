"""The programs of examples/ do what they say."""

import subprocess

from lib.case import Case, ServerModule
from lib.scale import patience
from lib.server import BUILD

SERVER = ServerModule(__name__, config="client_share = 100\nlanguage python { warm = 4 }\n")
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

ASYNC = BUILD / "examples" / "example-async"
RUNS = 100


class Examples(Case):
    SERVER = SERVER

    def run_async(self, address):
        return subprocess.run([ASYNC, address], capture_output=True, text=True, timeout=patience(120), check=False)

    def test_a_hundred_runs_in_flight_are_shown_as_they_come(self):
        done = self.run_async(SERVER.server.address)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        lines = done.stdout.splitlines()
        for number in range(RUNS):
            own = [line[3:] for line in lines if line.startswith(f"{number:3} ")]
            self.assertEqual(2, len(own), lines)
            self.assertRegex(own[0], r"^ \| hello from 3\.")
            self.assertEqual(" : exit code 0", own[1])

    def test_a_server_that_is_not_there_is_told_of_by_each(self):
        done = self.run_async("unix:/no/such/socket")
        lines = done.stdout.splitlines()
        self.assertEqual(RUNS, len([line for line in lines if "connect to unix:" in line]), done.stdout)
        self.assertNotIn("may have run", done.stdout)
