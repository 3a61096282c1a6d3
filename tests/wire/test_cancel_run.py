"""A run has a name, and its peer ends it by that name from any connection. Peers are addresses (127.0.0.N here) and users
of the unix socket."""

from lib.case import Case, ServerModule
from lib.hatchery import Client, Status
from lib.server import HELD, HOLD, wait_until

CONFIG = """
language python {
        warm = 2
        running = 3
}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

BUSY = "print('began', flush=True)\nwhile True: pass"
LONG = {"wall_us": 60_000_000, "cpu_us": 60_000_000}


class CancelRun(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle()

    def start(self, client, run_id):
        """Starts a run that lasts until a request ends it. Waits until its program has begun."""
        stream = client.open(BUSY, live_stdin=False, run_id=run_id, limits=LONG)
        self.assertEqual(b"began\n", stream.line())
        return stream

    def test_another_connection_of_the_same_peer_ends_a_running_program(self):
        run = self.start(self.client, "a-run_1")
        other = self.connect()
        self.assertTrue(other.cancel_run("a-run_1"))
        self.assert_status(run.result(), "CANCELLED")
        self.assertFalse(other.cancel_run("a-run_1"))

    def test_a_run_that_waits_is_ended_too(self):
        held = [self.client.send_execute(HOLD, limits=HELD) for _ in range(2)]  # one peer's share of 3 running
        SERVER.wait_held(2)
        waiting = self.client.send_execute("", run_id="waits")
        other = self.connect()
        wait_until(lambda: other.status().queued == 1, what="a queue")
        self.assertTrue(other.cancel_run("waits"))
        self.assert_refused("CANCELLED", "cancel", self.client.result, waiting)
        SERVER.let_go()
        for request in held:
            self.assert_exited(self.client.result(request))

    def test_a_captured_run_comes_back_cancelled(self):
        request = self.client.send_execute("print(1, flush=True)\n" + HOLD, run_id="captured", limits=HELD)
        SERVER.wait_held()
        self.assertTrue(self.connect().cancel_run("captured"))
        result = self.client.result(request)
        self.assert_status(result, "CANCELLED")
        self.assertEqual(b"1\n", result.stdout)

    def test_another_peer_finds_nothing(self):
        run = self.start(self.client, "mine")
        other, local = self.connect(source="127.0.0.2"), Client(SERVER.unix_address)
        self.addCleanup(local.close)
        self.assertFalse(other.cancel_run("mine"))
        self.assertFalse(local.cancel_run("mine"))

        theirs = self.start(other, "mine")  # each peer has names of its own
        self.assertTrue(other.cancel_run("mine"))
        self.assert_status(theirs.result(), "CANCELLED")
        self.assertTrue(self.client.cancel_run("mine"))
        self.assert_status(run.result(), "CANCELLED")

    def test_one_name_is_one_run_at_a_time(self):
        run = self.start(self.client, "once")
        other = self.connect()
        self.assert_refused("ABORTED", "once", other.execute, "", run_id="once")
        run.cancel()
        self.assert_status(run.result(), "CANCELLED")
        self.assertEqual(b"1\n", other.execute("print(1)", run_id="once").stdout)

    def test_a_name_ends_with_its_connection(self):
        other = self.connect()
        self.start(other, "left")
        other.close()
        wait_until(lambda: not self.client.cancel_run("left"), what="the end of the name")

    def test_a_bad_name_is_refused_in_a_sentence(self):
        for bad in "a b", "a/b", "\u00e4", "x" * 65, "a\n":
            with self.subTest(bad):
                self.assert_refused("INVALID_ARGUMENT", "run_id", self.client.execute, "", run_id=bad)
                self.assert_refused("INVALID_ARGUMENT", "run_id", self.client.cancel_run, bad)
        self.assert_refused("INVALID_ARGUMENT", "run_id", self.client.cancel_run, "")
        self.assert_alive()

    def test_many_runs_have_a_name_each(self):
        ids = [self.client.send_execute("import time; time.sleep(30)", run_id=f"r{i}", limits=LONG) for i in range(40)]
        self.client.ping()  # all requests have arrived
        other = self.connect()
        self.assertTrue(all(other.cancel_run(f"r{i}") for i in range(40)))
        for request in ids:
            answer = self.client.wait(request)
            if answer.WhichOneof("answer") == "result":
                self.assertEqual(Status.CANCELLED, answer.result.status)
            else:
                self.assert_error(answer.error, "CANCELLED", "cancel")
        self.assertFalse(any(other.cancel_run(f"r{i}") for i in range(40)))
