"""Requests on behalf of others: a gateway's socket, on which one connection carries many callers. The test stands in for
the gateway. Three connections stand in for its workers."""

import os
import socket

import hatchery_pb2 as pb

from lib import gateway_socket
from lib.case import Case, ServerModule
from lib.hatchery import Client, Closed, Refused, execute_message
from lib.server import HELD, HOLD, wait_until

RUNNING = 4
SHARE = 3  # client_share is 75 percent
IN_FLIGHT = 24
CONFIG = f"""
log_level = debug
caller_in_flight = {IN_FLIGHT}
max_memory = "24M"
http {{
        listen = {{ "127.0.0.1:0" }}
}}

language python {{
        warm = {RUNNING}
        running = {RUNNING}
}}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LOCAL = b"4" + socket.inet_aton("127.0.0.1")  # the peer of SERVER.connect()
CHANCE = "import os\nprint(os.urandom(16).hex())\n"


class OnBehalf(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle(connections=self.of_workers())

    @staticmethod
    def of_workers():
        """Connections that the server's own gateway may have."""
        return 2 * (os.cpu_count() or 1)

    def gateway(self, caller=None, **options):
        client = gateway_socket.connect(SERVER, caller, **options)
        self.addCleanup(client.close)
        return client

    @staticmethod
    def send(client, caller, code="", **arguments):
        return client.send(execute=execute_message(code, **arguments), on_behalf=pb.OnBehalf(peer=caller))

    def runs(self):
        return self.client.status().languages[0].runs

    def queued(self):
        return self.client.status().queued


class WhoMay(OnBehalf):
    def test_an_ordinary_client_speaks_for_itself_alone(self):
        unix = Client(SERVER.unix_address)
        self.addCleanup(unix.close)
        for client in self.client, unix:
            client.on_behalf = LOCAL
            self.assert_refused("PERMISSION_DENIED", "gateway", client.execute, "print(1)")
            self.assert_refused("PERMISSION_DENIED", "gateway", client.cancel_run, "mine")
            self.assert_refused("PERMISSION_DENIED", "gateway", client.ping)
            client.on_behalf = None
            self.assert_alive(client)

    def test_another_user_is_not_served_on_the_gateways_socket(self):
        for uid in 0, 65534, gateway_socket.path(SERVER).stat().st_uid + 1:
            with self.subTest(uid):
                try:
                    client = self.gateway(b"4abcd", uid=uid)
                except PermissionError:
                    self.assertNotEqual(0, uid)  # the socket's mode refuses this user
                    continue
                request = client.send_execute("print(1)")
                self.assert_refused("PERMISSION_DENIED", "gateway", client.result, request)
                self.assertRaises(Closed, client.receive)

    def test_a_gateway_must_name_the_caller(self):
        client = self.gateway()
        self.assert_refused("INVALID_ARGUMENT", "on_behalf", client.execute, "print(1)")
        self.assert_refused("INVALID_ARGUMENT", "on_behalf", client.cancel_run, "mine")
        self.assertTrue(client.ping())
        self.assertTrue(client.status().ready)
        for bad in b"", b"x" * 65:
            client.on_behalf = bad
            self.assert_refused("INVALID_ARGUMENT", "peer", client.execute, "print(1)")
        client.on_behalf = b"x" * 64
        self.assert_alive(client)

    def test_the_trace_comes_back_and_is_logged(self):
        client = self.gateway((LOCAL, TRACE))
        self.assertEqual(TRACE, client.execute("print(1)").trace)
        wait_until(lambda: SERVER.log().count(TRACE) >= 2, what="the trace in the log")
        self.assertEqual("", self.client.execute("print(1)").trace)
        for bad in "00-a\nb", "a b", "x" * 65:
            client.on_behalf = (LOCAL, bad)
            self.assert_refused("INVALID_ARGUMENT", "trace", client.execute, "print(1)")


class WhatIsCounted(OnBehalf):
    def test_each_caller_has_its_share(self):
        client = self.gateway()
        held = [self.send(client, b"first", HOLD, limits=HELD) for _ in range(RUNNING)]
        SERVER.wait_held(SHARE)
        wait_until(lambda: self.queued() == 1, what="a request that waits for its caller's share")
        other = self.send(client, b"second", "print(2)")
        self.assertEqual(b"2\n", client.result(other).stdout)
        self.assertEqual(1, self.queued())
        SERVER.let_go()
        SERVER.wait_held()
        SERVER.let_go()
        for request in held:
            self.assert_exited(client.result(request))

    def test_one_address_is_one_caller_natively_and_through_a_gateway(self):
        held = [self.client.send_execute(HOLD, limits=HELD) for _ in range(SHARE)]
        SERVER.wait_held(SHARE)
        client = self.gateway()
        waits = self.send(client, LOCAL, "print(1)")
        wait_until(lambda: self.queued() == 1, what="a request over the address's share")
        self.assertEqual(b"2\n", client.result(self.send(client, b"4\x7f\0\0\2", "print(2)")).stdout)
        SERVER.let_go()
        self.assertEqual(b"1\n", client.result(waits).stdout)
        for request in held:
            self.assert_exited(self.client.result(request))

    def test_requests_in_flight_are_counted_per_caller_over_all_workers(self):
        workers = [self.gateway() for _ in range(3)]
        held = [(client, self.send(client, b"flood", HOLD, limits=HELD))
                for _ in range(IN_FLIGHT // 3) for client in workers]
        for client in workers:
            client.ping()
        for client in workers:
            request = self.send(client, b"flood")
            error = self.assert_refused("RESOURCE_EXHAUSTED", f"{IN_FLIGHT} requests of this caller", client.result,
                                        request)
            self.assertGreater(error.retry_after_ms, 0)
            self.assertEqual(b"2\n", client.result(self.send(client, b"calm", "print(2)")).stdout)
        for client, request in held:
            client.cancel(request)
        for client, request in held:
            client.wait(request)
        SERVER.held.clear()
        self.assertEqual(b"2\n", workers[0].result(self.send(workers[0], b"flood", "print(2)")).stdout)

    def test_hundreds_of_callers_share_a_connection(self):
        client = self.gateway()
        requests = [self.send(client, b"caller %d" % i, "print(6 * 7)") for i in range(300)]
        answers = [client.wait(request) for request in requests]
        done = [answer.result for answer in answers if answer.WhichOneof("answer") == "result"]
        self.assertTrue(all(result.stdout == b"42\n" for result in done))
        for answer in answers:  # some may be refused, if a bound of the server is reached
            if answer.WhichOneof("answer") == "error":
                self.assert_error(answer.error, "RESOURCE_EXHAUSTED", "")
        self.assertGreater(len(done), 100)

    def test_answers_that_are_not_taken_cost_their_caller_alone(self):
        client = self.gateway()
        before = self.runs()
        flood = [self.send(client, b"flood", "print('x' * 4_000_000)", limits={"output_bytes": 8 << 20})
                 for _ in range(12)]
        calm = self.send(client, b"calm", "print('y' * 100_000)")
        wait_until(lambda: self.runs() >= before + 6, what="the end of more runs than the server holds answers of")
        lost = 0
        for request in flood:
            try:
                self.assertEqual(4_000_001, len(client.result(request).stdout))
            except Refused as refused:
                self.assert_error(refused.error, "RESOURCE_EXHAUSTED", "")
                lost += 1
        self.assertGreater(lost, 0)
        self.assertEqual(100_001, len(client.result(calm).stdout))
        self.assertEqual(b"2\n", client.result(self.send(client, b"flood", "print(2)")).stdout)

    def test_a_stream_goes_on_while_another_callers_answers_wait(self):
        client = self.gateway(b"calm")
        self.send(client, b"flood", "print('x' * 4_000_000)", limits={"output_bytes": 8 << 20})
        stream = client.open("for i in range(1000): print(i)", live_stdin=False)
        self.assertEqual(b"0\n", stream.line())
        self.assert_exited(stream.result())
        self.assertEqual("".join(f"{i}\n" for i in range(1000)).encode(), stream.out)


class Names(OnBehalf):
    def test_a_run_is_cancelled_by_its_caller_through_any_worker(self):
        workers = [self.gateway(b"mine") for _ in range(3)]
        requests = [client.send_execute(HOLD, limits=HELD, run_id=f"run-{i}") for i, client in enumerate(workers)]
        SERVER.wait_held(3)
        stranger = self.gateway(b"another")
        for i, client in enumerate(workers):
            self.assertFalse(stranger.cancel_run(f"run-{i}"))
            self.assertTrue(workers[(i + 1) % 3].cancel_run(f"run-{i}"))
            self.assert_status(client.result(requests[i]), "CANCELLED")
        SERVER.held.clear()

    def test_a_gateway_that_lies_finds_nothing_of_a_native_client(self):
        run = self.client.send_execute(HOLD + CHANCE, limits=HELD, run_id="native", idempotency_key="native")
        SERVER.wait_held()
        client = self.gateway(LOCAL)
        self.assertFalse(client.cancel_run("native"))
        copy = client.send_execute(HOLD + CHANCE, limits=HELD, run_id="native", idempotency_key="native")
        SERVER.wait_held(2)  # the second request has a run of its own
        SERVER.let_go()
        self.assertNotEqual(self.client.result(run).stdout, client.result(copy).stdout)

    def test_a_repeat_through_another_worker_gets_the_first_answer(self):
        workers = [self.gateway(b"mine") for _ in range(3)]
        under_way = [client.send_execute(HOLD + CHANCE, limits=HELD, idempotency_key="one") for client in workers]
        for client in workers:
            client.ping()
        SERVER.wait_held()
        SERVER.let_go()
        outs = {client.result(request).stdout for client, request in zip(workers, under_way)}
        self.assertEqual(1, len(outs))
        for client in (*workers, self.gateway(b"mine")):
            outs.add(client.execute(HOLD + CHANCE, limits=HELD, idempotency_key="one").stdout)
        self.assertEqual(1, len(outs))
        other = self.gateway(b"another").execute(CHANCE, idempotency_key="one").stdout
        self.assertNotIn(other, outs)

    def test_a_gateway_that_dies_takes_its_own_runs_along_and_no_others(self):
        client, other = self.gateway(b"mine"), self.gateway(b"mine")
        client.send_execute(HOLD, limits=HELD, run_id="lost")
        native = self.client.send_execute(HOLD + "print(1)", limits=HELD)
        stays = other.send_execute(HOLD + "print(2)", limits=HELD, run_id="stays")
        SERVER.wait_held(3)
        client.close()
        wait_until(lambda: not other.cancel_run("lost"), what="the end of the dead gateway's run")
        SERVER.wait_held(2)
        SERVER.let_go()
        self.assertEqual(b"1\n", self.client.result(native).stdout)
        self.assertEqual(b"2\n", other.result(stays).stdout)
