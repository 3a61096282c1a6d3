"""A repeat with an idempotency key gets the answer of the first request, and the program runs once. Each program here
prints a number that no second run would print."""

from lib.case import Case, ServerModule
from lib.hatchery import Client, execute_message
from lib.server import HELD, HOLD, wait_until

CONFIG = """
max_memory = "64M"

language python {
        warm = 2
        running = 3
}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

CHANCE = "import os\nprint(os.urandom(16).hex())\n"


class Idempotency(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle()

    def key(self, suffix=""):
        """A key that no other test uses."""
        return f"{self.id()}{suffix}"[-128:]

    def runs(self):
        return self.client.status().languages[0].runs

    def test_a_later_repeat_has_the_same_answer_byte_for_byte(self):
        before = self.runs()
        first = self.client.wait(self.client.send_execute(CHANCE, idempotency_key=self.key()))
        other = self.connect()
        other.last_id = 1000
        again = other.wait(other.send_execute(CHANCE, idempotency_key=self.key()))
        self.assertNotEqual(first.id, again.id)
        first.id = again.id = 0
        self.assertEqual(first.SerializeToString(), again.SerializeToString())
        self.assertEqual(33, len(first.result.stdout))
        self.assertEqual(before + 1, self.runs())

    def test_repeats_wait_for_the_run_that_is_under_way(self):
        before = self.runs()
        first = self.client.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        SERVER.wait_held()
        clients = [self.connect() for _ in range(5)]
        ids = [client.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD) for client in clients]
        for client in clients:
            client.ping()  # its request has arrived
        SERVER.let_go()
        out = self.client.result(first).stdout
        self.assertEqual({out}, {client.result(request).stdout for client, request in zip(clients, ids)})
        self.assertEqual(before + 1, self.runs())

    def test_the_run_goes_on_for_a_repeat_when_the_first_client_has_left(self):
        first, second = self.connect(), self.connect()
        first.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        SERVER.wait_held()
        request = second.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        second.ping()
        wait_until(lambda: self.client.status().connections == 3, what="three connections")
        first.close()
        wait_until(lambda: self.client.status().connections == 2, what="the end of one of them")
        SERVER.let_go()
        self.assertEqual(33, len(second.result(request).stdout))

    def test_the_run_ends_with_the_last_request_that_waits(self):
        clients = [self.connect() for _ in range(2)]
        for client in clients:
            client.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        SERVER.wait_held()
        for client in clients:
            client.close()
        SERVER.wait_idle(connections=1)
        SERVER.held.clear()
        self.assertEqual(33, len(self.client.execute(CHANCE, idempotency_key=self.key()).stdout))

    def test_a_cancelled_run_is_not_kept(self):
        request = self.client.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        SERVER.wait_held()
        self.assertTrue(self.client.cancel(request))
        self.assert_status(self.client.result(request), "CANCELLED")
        SERVER.held.clear()
        again = self.client.send_execute(HOLD + CHANCE, idempotency_key=self.key(), limits=HELD)
        SERVER.wait_held()
        SERVER.let_go()
        self.assert_exited(self.client.result(again))

    def test_a_repeat_may_have_less_time_and_another_name(self):
        first = self.client.execute(CHANCE, idempotency_key=self.key(), run_id="one", deadline_us=30_000_000)
        again = self.client.execute(CHANCE, idempotency_key=self.key(), run_id="two", deadline_us=20_000_000)
        self.assertEqual(first.stdout, again.stdout)

    def test_another_request_with_the_key_is_refused(self):
        self.client.execute(CHANCE, idempotency_key=self.key())
        self.assert_refused("INVALID_ARGUMENT", "another request", self.client.execute, CHANCE + " ",
                            idempotency_key=self.key())
        self.assert_refused("INVALID_ARGUMENT", "another request", self.client.execute, CHANCE,
                            idempotency_key=self.key(), args=["1"])

    def test_keys_belong_to_a_peer_and_a_name(self):
        local = Client(SERVER.unix_address)
        self.addCleanup(local.close)
        outs = [client.execute(CHANCE, idempotency_key=self.key(), client=name).stdout
                for client in (self.client, self.connect(source="127.0.0.2"), local) for name in ("", "a", "b")]
        self.assertEqual(9, len(set(outs)))

    def test_streams_have_no_key(self):
        for fields in {"stream": True}, {"live_stdin": True}, {"stream": True, "live_stdin": True, "terminal": (24, 80)}:
            with self.subTest(fields):
                self.assert_refused("INVALID_ARGUMENT", ["idempotency_key", "stream"], self.client.execute, CHANCE,
                                    idempotency_key=self.key(), **fields)

    def test_a_request_that_is_mended_may_keep_its_key(self):
        self.assert_refused("NOT_FOUND", "no-such", self.client.execute, CHANCE, language="no-such",
                            idempotency_key=self.key())
        self.assert_exited(self.client.execute(CHANCE, idempotency_key=self.key()))

    def test_a_bad_key_is_refused_in_a_sentence(self):
        for bad in "a b", "\u00e4", "x" * 129, "a\n":
            with self.subTest(bad):
                self.assert_refused("INVALID_ARGUMENT", "idempotency_key", self.client.execute, CHANCE,
                                    idempotency_key=bad)
        self.assert_alive()

    def test_the_oldest_answers_go_first_when_they_hold_too_much(self):
        code = "import os, sys\nsys.stdout.write(os.urandom(500_000).hex())"
        outs = [self.client.execute(code, idempotency_key=self.key(str(i))).stdout for i in range(12)]
        self.assertEqual([1_000_000] * 12, [len(out) for out in outs])
        self.assertEqual(outs[11], self.client.execute(code, idempotency_key=self.key("11")).stdout)
        self.assertEqual(outs[8], self.client.execute(code, idempotency_key=self.key("8")).stdout)
        self.assertNotEqual(outs[0], self.client.execute(code, idempotency_key=self.key("0")).stdout)
        self.assert_alive()

    def test_many_keys_run_once_each(self):
        before = self.runs()
        messages = [execute_message("", idempotency_key=self.key(f"-{i}")) for i in range(200)]
        for _ in range(2):
            for message in messages:
                self.assert_exited(self.client.take(self.client.send(execute=message), "result"))
        self.assertEqual(before + 200, self.runs())
