"""The queue is fair: a client that floods delays itself. Peers are addresses (127.0.0.N here), names are those of
Execute.

Figures are printed as comments, and judged only by ratios with wide margins: both sides of a ratio are measured
together.
"""

import socket
import statistics
import threading
import time

from lib.case import Case, ServerModule
from lib.hatchery import Code
from lib.server import HELD, HOLD, wait_until

RUNNING = 4
FLOOD = 240
CONFIG = f"""
max_queue = {FLOOD}
max_in_flight = 1024
max_unsent_bytes = "4M"
client_running = {RUNNING}

language python {{
        warm = {RUNNING}
        running = {RUNNING}
}}

language second {{
        runtime = python
        warm = 1
        running = {RUNNING}
}}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

BUSY = "import time; time.sleep(0.03)"
SLEEP = "import time; time.sleep(50)"
EXHAUSTED = "RESOURCE_EXHAUSTED"


class Fair(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        SERVER.wait_idle()

    def peer(self, number):
        return self.connect(source=f"127.0.0.{number}")

    def wait_queued(self, number):
        wait_until(lambda: self.client.status().queued >= number, what=f"a queue of {number}")

    def queue_waits(self, connection, number=9, **arguments):
        """Sends single requests, one after the other. Returns their queue times in milliseconds."""
        return [connection.execute("", **arguments).queue_us / 1e3 for _ in range(number)]

    def flood(self, connection, number=FLOOD, name="", **arguments):
        for i in range(number):
            connection.send_execute(BUSY, client=name.format(i), **arguments)

    def drain(self, *clients):
        """Ends the remaining requests of a flood."""
        for client in clients:
            client.close()
        wait_until(lambda: all(row.running == 0 and row.queued == 0 for row in self.client.status().languages),
                   what="the end of the flood")


class Flood(Fair):
    def test_a_flood_delays_the_single_request_of_another_peer_by_no_more_than_its_share(self):
        """Under a flood, a quiet peer waits much shorter than in a queue that is first come, first served"""
        loud, quiet = self.peer(2), self.peer(3)
        self.flood(loud)
        self.wait_queued(FLOOD // 2)
        fair = self.queue_waits(quiet)
        # The control has the same queue and pace: one more request of the flood waits for all requests before it.
        waiting = self.client.status().queued
        fifo = self.queue_waits(loud, 1)[0]
        print(f"# flood of {FLOOD}: quiet peer waits {statistics.median(fair):.1f} ms (median of {len(fair)}, "
              f"worst {max(fair):.1f}), behind {waiting} of the flood {fifo:.1f} ms", flush=True)
        self.assertLess(statistics.median(fair), fifo / 4)
        self.drain(loud)

    def test_names_of_one_peer_are_served_fairly(self):
        """One address that speaks for many: the flood of one name does not delay another name"""
        front = self.peer(2)
        self.flood(front, name="loud")
        self.wait_queued(FLOOD // 2)
        fair = self.queue_waits(front, client="quiet")
        waiting = self.client.status().queued
        fifo = self.queue_waits(front, 1, client="loud")[0]
        print(f"# flood of a name: another name waits {statistics.median(fair):.1f} ms (median), behind {waiting} of the "
              f"flood {fifo:.1f} ms", flush=True)
        self.assertLess(statistics.median(fair), fifo / 4)
        self.drain(front)

    def test_invented_names_bring_no_more(self):
        """A peer that invents a name for each request gets no more than one peer's share"""
        loud, quiet = self.peer(2), self.peer(3)
        self.flood(loud, name="invented {}")
        self.wait_queued(FLOOD // 2)
        fair = self.queue_waits(quiet)
        waiting = self.client.status().queued
        fifo = self.queue_waits(loud, 1, client="invented last")[0]
        print(f"# flood of {FLOOD} names: quiet peer waits {statistics.median(fair):.1f} ms (median), behind {waiting} of "
              f"the flood {fifo:.1f} ms", flush=True)
        self.assertLess(statistics.median(fair), fifo / 4)
        self.drain(loud)

    def test_long_runs_do_not_take_the_server_from_short_ones(self):
        """One peer's empty runs are not slowed down to the pace of another peer's runs of one second"""
        slow, quick = self.peer(2), self.peer(3)
        for _ in range(60):
            slow.send_execute("import time; time.sleep(1)")
        self.wait_queued(40)
        began = time.monotonic()
        ids = [quick.send_execute("") for _ in range(40)]
        for request in ids:
            self.assert_exited(quick.result(request))
        took = time.monotonic() - began
        done = 60 - (RUNNING - 1) - self.client.status().queued
        print(f"# 40 empty runs beside a flood of 1 s runs: {took:.2f} s, while {done} of the long ones began", flush=True)
        # If both peers took turns by request, 40 long runs would begin meanwhile: 13 s at three at a time.
        self.assertLess(done, 30)
        self.drain(slow)


class Debts(Fair):
    """Six clients each send one run after the other, and never have two in the queue. They starve no other
    client."""
    NUMBER, ROUNDS, SHORT = 6, 10, 8

    def long_ones(self, connections, names):
        """Starts each client's runs, one after the other. Returns a list that grows by one at the end of each run."""
        ended, enough = [], threading.Event()

        def run(connection, name):
            for _ in range(self.ROUNDS):
                if not enough.is_set():
                    connection.execute("import time; time.sleep(0.4)", client=name)
                    ended.append(name)

        threads = [threading.Thread(target=run, args=pair) for pair in zip(connections, names, strict=True)]
        for thread in threads:
            thread.start()
            self.addCleanup(thread.join)
        self.addCleanup(enough.set)  # cleanups go backwards: this one comes before the joins
        wait_until(lambda: len(ended) >= self.NUMBER, what="the end of some runs")
        return ended

    def assert_served(self, connections, victim, names, name):
        """The victim has used little, so its short runs start before the next runs of the other clients"""
        ended = self.long_ones(connections, names)
        before = len(ended)
        for request in [victim.send_execute("", client=name) for _ in range(self.SHORT)]:
            self.assert_exited(victim.result(request))
        meanwhile = len(ended) - before
        print(f"# while {self.SHORT} short runs were served, {meanwhile} of {self.NUMBER * self.ROUNDS} runs of 0.4 s ended",
              flush=True)
        self.assertLess(meanwhile, self.NUMBER * self.ROUNDS / 2)

    def test_sequential_peers_count_as_what_they_use(self):
        peers = [self.peer(10 + i) for i in range(self.NUMBER)]
        self.assert_served(peers, self.peer(9), [""] * self.NUMBER, "")

    def test_sequential_names_count_as_what_they_use(self):
        """The names of one peer compete for the peer's share; what a name uses is counted as for peers"""
        connections = [self.peer(2) for _ in range(self.NUMBER)]
        self.assert_served(connections, self.peer(2), [f"long {i}" for i in range(self.NUMBER)], "short")


class Share(Fair):
    def test_one_client_can_not_hold_all_slots(self):
        """One peer floods with runs of a minute: another peer's run starts at once, the rest of the flood waits"""
        loud, quiet = self.peer(2), self.peer(3)
        for _ in range(3 * RUNNING):
            loud.send_execute(SLEEP, limits={"wall_us": 60_000_000})
        self.wait_queued(2 * RUNNING)
        for _ in range(3):
            self.assert_exited(quiet.execute(""))
        row = self.client.status().languages[0]
        self.assertEqual(2 * RUNNING + 1, row.queued)
        self.drain(loud)

    def test_without_a_share_it_could(self):
        """The control: on a server with client_share = 100 the same flood keeps others waiting until it ends"""
        other = ServerModule(f"{__name__}-all", config=CONFIG + "client_share = 100\n")
        other.set_up()
        self.addCleanup(other.tear_down)
        with other.connect(source="127.0.0.2") as loud, other.connect(source="127.0.0.3") as quiet:
            for _ in range(3 * RUNNING):
                loud.send_execute(SLEEP, limits={"wall_us": 60_000_000})
            wait_until(lambda: quiet.status().queued >= 2 * RUNNING, what="a flood")
            self.assert_refused("DEADLINE_EXCEEDED", "deadline_us", quiet.execute, "", deadline_us=1_000_000)

    def test_one_name_can_not_hold_all_slots_of_its_peer(self):
        front = self.peer(2)
        for _ in range(RUNNING):
            front.send_execute(SLEEP, client="loud")
        self.wait_queued(1)
        self.assert_exited(front.execute("", client="quiet"))
        self.drain(front)


    def test_one_client_has_a_share_of_all_languages_together(self):
        """A client that floods two languages has client_running runs in all; an end in one makes room in the other"""
        loud, quiet = self.peer(2), self.peer(3)
        first = [loud.send_execute(SLEEP) for _ in range(RUNNING)]
        self.wait_queued(1)
        for _ in range(2):
            loud.send_execute(SLEEP, language="second")
        self.wait_queued(2)
        self.assert_exited(quiet.execute("", language="second"))

        def state():
            return [(row.running, row.queued) for row in self.client.status().languages]
        self.assertEqual([(RUNNING - 1, 1), (1, 1)], state())
        for request in (first[RUNNING - 1], first[0]):  # the one that waits, and one that runs
            self.assertTrue(loud.cancel(request))
        wait_until(lambda: state() == [(RUNNING - 2, 0), (2, 0)], what="the place of the one in the other language")
        self.drain(loud)


class Priority(Fair):
    def order_of(self, client, requests):
        """The tags of requests in the order of their answers. All requests wait before the first is started. Requests
        that run together end together."""
        tags, places = {}, RUNNING - 1
        blockers = [client.send_execute(HOLD, limits=HELD) for _ in range(places)]
        SERVER.wait_held(places)
        for tag, arguments in requests:
            tags[client.send_execute(HOLD, limits=HELD, **arguments)] = tag
        self.wait_queued(len(requests))
        for _ in range(1 + len(requests) // places):
            SERVER.wait_held(places)
            SERVER.let_go()
        for request in [*blockers, *tags]:
            client.result(request)
        return [tags[i] for i in client.order if i in tags]

    def test_the_higher_priority_is_started_first(self):
        client = self.peer(2)
        requests = [(f"p{priority}", {"priority": priority}) for priority in (0, 0, 0, 1, 1, 1, 7, 7, 7)]
        order = self.order_of(client, requests)
        # Three start at the same time, and may end in any order.
        self.assertEqual([{"p7"}, {"p1"}, {"p0"}], [set(order[i:i + 3]) for i in (0, 3, 6)], order)

    def test_it_gives_a_client_no_more_than_its_share(self):
        loud, quiet = self.peer(2), self.peer(3)
        self.flood(loud, priority=7)
        self.wait_queued(FLOOD // 2)
        fair = self.queue_waits(quiet)
        fifo = self.queue_waits(loud, 1, priority=7)[0]
        self.assertLess(statistics.median(fair), fifo / 4)
        self.drain(loud)

    def test_out_of_range_is_refused(self):
        self.assert_refused("INVALID_ARGUMENT", ["priority", "8", "7"], self.execute, "1", priority=8)
        self.assert_alive()

    def test_the_command_takes_it(self):
        self.assertEqual(b"1\n", SERVER.run("run", "--priority", "7", "-e", "print(1)").stdout)
        refused = SERVER.run("run", "--priority", "8", "-e", "print(1)")
        self.assertEqual(125, refused.returncode)
        self.assertIn(b"priority", refused.stderr)
        self.assertEqual(2, SERVER.run("run", "--priority", "high", "-e", "1").returncode)


class Full(Fair):
    def fill(self, client):
        for _ in range(FLOOD + RUNNING - 1):
            client.send_execute(SLEEP)
        self.wait_queued(FLOOD)

    def test_the_newest_of_the_flood_gives_way(self):
        """In a full queue, the newest request of the flood is refused, and a newcomer's request takes its place"""
        loud, quiet = self.peer(2), self.peer(3)
        self.fill(loud)
        last = loud.last_id
        # The newcomer sends more requests than slots are free, so that it has to wait.
        ids = [quiet.send_execute("import time; time.sleep(0.5)") for _ in range(3)]
        answer = loud.receive()
        self.assertEqual(last, answer.id)
        self.assert_error(answer.error, EXHAUSTED, "wait")
        self.assertGreater(answer.error.retry_after_ms, 0)
        for request in ids:
            self.assert_exited(quiet.result(request))
        self.drain(loud)

    def test_the_flood_itself_gets_no_more_places(self):
        loud = self.peer(2)
        self.fill(loud)
        error = self.assert_refused(EXHAUSTED, str(FLOOD), loud.execute, "1")
        self.assertGreater(error.retry_after_ms, 0)
        self.assertNotIn(loud.last_id - 1, loud.kept)
        self.drain(loud)

    def test_when_to_try_again_follows_the_present_pace(self):
        """retry_after_ms is near the time that the queue takes to empty"""
        loud = self.peer(2)
        for _ in range(FLOOD + RUNNING - 1):
            loud.send_execute(BUSY)
        error = None
        began = time.monotonic()
        while error is None:  # runs end all the time, so the pace is known, and places in the queue become free
            request = loud.send_execute(BUSY)
            time.sleep(0.002)  # the pace of the flood
            loud.ping()
            seen = sum(answer.WhichOneof("answer") == "result" for answer in loud.kept.values())
            if seen >= 40 and request in loud.kept and loud.kept[request].WhichOneof("answer") == "error":
                error = loud.kept[request].error
        waiting = self.client.status().queued
        refused_at = time.monotonic()
        wait_until(lambda: self.client.status().queued == 0, what="an empty queue")
        took_ms = (time.monotonic() - refused_at) * 1e3
        print(f"# {waiting} waited {refused_at - began:.2f} s after the start: retry_after_ms {error.retry_after_ms}, the "
              f"queue was empty after {took_ms:.0f} ms", flush=True)
        self.assertEqual(EXHAUSTED, Code.Name(error.code))
        self.assertTrue(took_ms / 6 < error.retry_after_ms < took_ms * 6 + 1000)
        self.drain(loud)

    def test_deadlines_are_honoured_while_queued(self):
        loud, quiet = self.peer(2), self.peer(3)
        for _ in range(2 * RUNNING):
            loud.send_execute(SLEEP)
        self.wait_queued(RUNNING)
        hold = quiet.send_execute(SLEEP)  # takes the last free slot
        self.wait_queued(RUNNING + 1)
        began = time.monotonic()
        self.assert_refused("DEADLINE_EXCEEDED", "deadline_us", quiet.execute, "1", deadline_us=300_000)
        self.assertGreater(time.monotonic() - began, 0.29)
        # A request behind the refused one in the same queue is not disturbed.
        behind = quiet.send_execute("print(3)")
        self.assertTrue(quiet.cancel(hold))
        self.assertEqual(b"3\n", quiet.result(behind).stdout)
        self.drain(loud)


class Gone(Fair):
    def test_the_end_of_a_peer_that_was_not_read_from_is_noticed(self):
        """The pool reads nothing from a client with too many unsent answers; but if it dies, its runs end"""
        client = self.peer(2)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(2):
            client.send_execute(SLEEP)
        for _ in range(20):
            client.send_execute("print('x' * (1 << 20))", limits={"output_bytes": 2 << 20})
        wait_until(lambda: self.client.status().queued == 0 and self.client.status().languages[0].running == 2,
                   what="the end of all but two runs")
        client.sock.shutdown(socket.SHUT_WR)  # as if the client had died, but without a reset
        self.drain()
        wait_until(lambda: self.client.status().connections == 1, what="the end of the connection")
