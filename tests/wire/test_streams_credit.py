"""Credit: without it a program waits in its write, and only that program waits. A client that gives
no credit, or reads nothing, costs the server a bounded amount of memory."""

import socket
import time

from lib import host
from lib.case import Case, ServerModule
from lib.hatchery import FIRST_CREDIT, STDOUT, Client, Closed, Refused
from lib.server import IS_SANITIZED, wait_until

CONFIG = """
client_share = 100
max_unsent_bytes = "4M"
write_timeout = "2s"
language python { warm = 4 }
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

MIB = 1 << 20
ROOM = {"output_bytes": 16 * MIB}
# Writes until something ends it.
FLOOD = "import os\nwhile True:\n    os.write(1, b'x' * 65536)\n"
# Writes 1 MiB, and then prints how long that took.
TIMED = ("import os, time\nbegan = time.monotonic()\nfor _ in range(16):\n    os.write(1, b'x' * 65536)\n"
         "print(f'\\n{time.monotonic() - began:.3f}')\n")
UNSENT = 256 << 10  # how much output of streams waits on one connection at most
FRAME = 64 << 10


class Credit(Case):
    SERVER = SERVER

    def setUp(self):
        super().setUp()
        self.addCleanup(SERVER.wait_idle)

    def status_of(self, client):
        return client.status().languages[0]

    def drain(self, stream):
        """Reads all output that comes without more credit."""
        self.assertTrue(stream.wait(lambda: stream.credit == 0))

    def wait_ended(self, running=0):
        """Waits until exactly `running` programs run, also if ended ones still wait for credit."""
        with SERVER.connect() as client:
            self.assert_alive(client)  # the status is newer than this
            wait_until(lambda: self.status_of(client).running == running, what=f"{running} that run")

    # ------------------------------------------------------------ waiting

    def test_without_credit_a_program_waits_in_its_write(self):
        stream = self.client.open(TIMED, gives_back=False, limits=ROOM)
        self.drain(stream)
        self.assertEqual(FIRST_CREDIT, len(stream.out))
        other = self.connect()
        began = time.monotonic()
        for client in (self.client, other):  # no other request waits, on this connection or another
            client.ping()
            self.assert_alive(client)
        served = time.monotonic() - began
        time.sleep(max(0, 0.5 - served))
        self.assertEqual(FIRST_CREDIT, len(stream.out))
        stream.give(16 * MIB)
        result = stream.result()
        self.assert_exited(result)
        self.assertEqual(b"x" * MIB, stream.out[:MIB])
        self.assertGreater(float(stream.out[MIB:]), 0.4)
        self.assertLess(result.cpu_us, 400_000)  # it did not spin

    def test_credit_in_drops(self):
        program = "import os\nos.write(1, bytes(range(256)) * 1024)\nos.write(1, bytes(range(250)) * 40)\n"
        stream = self.client.open(program, gives_back=False)
        self.drain(stream)
        expected = bytes(range(256)) * 1024 + bytes(range(250)) * 40
        for drop in [1] * 40 + [7] * 40 + [1000] * 5:
            before = len(stream.out)
            stream.give(drop)
            self.drain(stream)
            self.assertEqual(before + drop, len(stream.out))
        stream.give(1)
        stream.give(0)
        self.drain(stream)
        stream.give(1 << 20)
        self.assert_exited(stream.result())
        self.assertEqual(expected, stream.out)

    def test_both_streams_share_the_credit(self):
        program = "import os\nfor i in range(32):\n    os.write(1 + i % 2, b'ab'[i % 2:][:1] * 16384)\n"
        stream = self.client.open(program, gives_back=False)
        self.drain(stream)
        self.assertEqual(FIRST_CREDIT, len(stream.out) + len(stream.err))
        stream.give(FIRST_CREDIT)
        self.assert_exited(stream.result())
        self.assertEqual((b"a" * FIRST_CREDIT, b"b" * FIRST_CREDIT), (stream.out, stream.err))

    def test_no_sum_of_credit_overflows(self):
        stream = self.client.open(TIMED, gives_back=False, limits=ROOM)
        for _ in range(5):
            stream.give((1 << 64) - 1)
        self.assert_exited(stream.result())
        self.assertEqual(b"x" * MIB, stream.out[:MIB])

    # ------------------------------------------------------------ limits

    def test_a_program_that_waits_for_credit_is_met_by_its_wall_limit(self):
        stream = self.client.open(FLOOD, gives_back=False, limits={"wall_us": 300_000, **ROOM})
        self.drain(stream)
        self.wait_ended()
        self.client.ping()
        self.assertFalse(stream.is_over)  # the slot is free, but the answer comes after the output
        stream.give(16 * MIB)
        result = stream.result()
        self.assert_status(result, "TIME_LIMIT")
        self.assertEqual(len(stream.out), result.stdout_total)
        self.assertGreater(len(stream.out), FIRST_CREDIT)

    def test_a_program_that_waits_for_credit_is_met_by_its_cpu_limit(self):
        program = ("import os, threading\ndef burn():\n    while True:\n        pass\n"
                   "threading.Thread(target=burn, daemon=True).start()\n" + FLOOD)
        stream = self.client.open(program, gives_back=False, limits={"cpu_us": 200_000, "wall_us": 30_000_000, **ROOM})
        self.drain(stream)
        self.wait_ended()
        stream.give(16 * MIB)
        self.assert_status(stream.result(), "CPU_LIMIT")

    def test_limits_of_output_count_what_is_written_not_what_is_sent(self):
        for name, status in (("KILL", "OUTPUT_LIMIT"), ("TRUNCATE", "EXITED")):
            with self.subTest(on_output_limit=name):
                program = "import os\nfor _ in range(20):\n    os.write(1, b'y' * 65536)\n"
                stream = self.client.open(program, gives_back=False, on_output_limit=name,
                                          limits={"output_bytes": FIRST_CREDIT + 10})
                self.drain(stream)
                stream.give(5)
                self.drain(stream)
                stream.give(100)
                result = stream.result()
                self.assert_status(result, status)
                self.assertEqual(FIRST_CREDIT + 10, len(stream.out))
                self.assertEqual(95, stream.credit)
                self.assertTrue(result.stdout_truncated)

    # ------------------------------------------------------------ ends

    def test_a_cancel_does_not_wait_for_credit(self):
        stream = self.client.open(FLOOD, gives_back=False, limits=ROOM)
        self.drain(stream)
        self.assertTrue(stream.cancel())
        result = stream.result()
        self.assert_status(result, "CANCELLED")
        self.assertEqual(FIRST_CREDIT, len(stream.out))
        self.assertGreater(result.stdout_total, FIRST_CREDIT)

    def test_a_cancel_ends_the_waiting_of_one_that_is_over(self):
        stream = self.client.open("import os\nos.write(1, b'z' * 300_000)\n", gives_back=False)
        self.drain(stream)
        self.wait_ended()
        self.client.ping()
        self.assertFalse(stream.is_over)
        self.assertTrue(stream.cancel())
        self.assert_exited(stream.result())  # the program had ended before
        self.assertEqual(FIRST_CREDIT, len(stream.out))
        self.assertEqual(300_000, stream.result().stdout_total)

    def test_a_deadline_does_not_wait_for_credit(self):
        stream = self.client.open(FLOOD, gives_back=False, limits=ROOM, deadline_us=400_000)
        self.assert_status(stream.result(), "TIME_LIMIT")
        self.assertEqual(FIRST_CREDIT, len(stream.out))

    def test_a_client_that_leaves_without_giving_any_leaves_nothing(self):
        for ended in (False, True):
            other = self.connect()
            stream = other.open("import os\nos.write(1, b'z' * 300_000)\n" if ended else FLOOD, gives_back=False)
            self.assertTrue(stream.wait(lambda: stream.credit == 0))
            if ended:
                self.wait_ended()
            other.close()
            SERVER.wait_idle()

    def test_a_client_that_gives_none_is_not_closed(self):
        """The connection of a client that gives no credit stays open: output without credit does not count as unsent"""
        stream = self.client.open(TIMED, gives_back=False, limits={"wall_us": 30_000_000, **ROOM})
        self.drain(stream)
        time.sleep(3)  # longer than write_timeout
        self.client.ping()
        stream.give(16 * MIB)
        self.assert_exited(stream.result())
        self.assertEqual(b"x" * MIB, stream.out[:MIB])

    # ------------------------------------------------------------ shares

    def test_streams_of_one_connection_have_equal_shares(self):
        streams = [self.client.open(FLOOD, gives_back=False, limits={"wall_us": 30_000_000, **ROOM}) for _ in range(8)]
        for stream in streams:  # all of them run before any goes on
            self.drain(stream)
        for stream in streams:
            stream.give(1 << 30)
        while sum(len(stream.data[STDOUT]) for stream in streams) < 8 * FIRST_CREDIT + 48 * MIB:
            self.client.go_on()
        got = [len(stream.data[STDOUT]) - FIRST_CREDIT for stream in streams]
        print(f"# MiB of each: {' '.join(f'{n / MIB:.1f}' for n in got)}")
        self.assertGreater(min(got), max(got) / 3)
        for stream in streams:
            stream.cancel()  # some may have reached their output limit by then
        for stream in streams:
            stream.result()

    def test_answers_do_not_wait_behind_streams(self):
        """An answer waits only behind a bounded number of bytes, however many streams are full"""
        client = self.unix()
        streams = [client.open(FLOOD, gives_back=False, limits={"wall_us": 30_000_000, **ROOM}) for _ in range(4)]
        for stream in streams:
            stream.give(1 << 30)
        self.wait_full()
        client.ping()
        before = sum(len(stream.out) for stream in streams)
        print(f"# before the pong: {before >> 10} KiB")
        # The bytes that the kernel holds in both ends' sockets, and those that the server holds.
        buffers = sum(client.sock.getsockopt(socket.SOL_SOCKET, option) for option in (socket.SO_SNDBUF, socket.SO_RCVBUF))
        self.assertLess(before, buffers + UNSENT + FRAME)

    def unix(self):
        """A connection whose buffers in the kernel are small, and do not grow."""
        client = Client(SERVER.unix_address)
        self.addCleanup(client.close)
        return client

    def wait_full(self):
        """Waits until the server writes no more to a client that reads nothing."""
        written = None
        while written != (written := host.read(f"/proc/{SERVER.pool_process().pid}/io").split("wchar:")[1].split()[0]):
            time.sleep(0.3)

    def test_a_client_that_reads_nothing_is_closed_and_costs_bounded_memory(self):
        pool = SERVER.pool_process()
        before = pool.rss_bytes()
        client = self.unix()
        for _ in range(4):
            client.open(FLOOD, gives_back=False, limits={"wall_us": 30_000_000, **ROOM}).give(1 << 40)
        peak = 0
        with SERVER.connect() as other:
            def is_gone():
                nonlocal peak
                peak = max(peak, pool.rss_bytes())
                return self.status_of(other).running == 0
            wait_until(lambda: self.status_of(other).running == 4, what="four that run")
            wait_until(is_gone, 30, "the end of a client that takes nothing")
        self.assertLess(peak - before, (100 if IS_SANITIZED else 4) << 20)
        with self.assertRaises((Closed, ConnectionError)):
            while True:
                client.receive()

    def test_a_slow_reader_gets_all_of_it(self):
        client = self.unix()
        stream = client.open("import os\nfor i in range(48):\n    os.write(1, b'%d' % (i % 10) * 65536)\n", limits=ROOM)
        while not stream.is_over:
            client.go_on()
            time.sleep(0.02)
        self.assert_exited(stream.result())
        self.assertEqual(b"".join(b"%d" % (i % 10) * 65536 for i in range(48)), stream.out)


LITTLE = 'client_share = 100\nmax_memory = "16M"\nlanguage python { warm = 4 }\n'
FILE = 4_000_000
UNTAKEN = f"import os\nopen('f', 'wb').write(b'f' * {FILE})\nos.write(1, b'z' * {FIRST_CREDIT + 60_000})\n"


class Memory(Case):
    """Ended runs whose output is not taken hold memory that other requests need."""

    def test_they_give_way_the_first_first(self):
        server = ServerModule("test_streams_memory", config=LITTLE)
        server.set_up()
        self.addCleanup(server.tear_down)
        with server.connect() as client, server.connect() as other:
            streams = [client.open(UNTAKEN, gives_back=False, collect=["f"]) for _ in range(5)]
            streams[-1].wait(lambda: streams[-1].credit == 0)
            leaving = server.connect()
            for _ in range(3):
                leaving.open(UNTAKEN, gives_back=False, collect=["f"])
            # There is room for four of the eight.
            for stream in streams[:4]:
                self.assert_refused("RESOURCE_EXHAUSTED", "was not taken", stream.result)
            leaving.close()
            wait_until(lambda: self.is_served(other), what="a server that takes requests")
            streams[4].give(1 << 20)
            self.assertEqual(FILE, len(streams[4].result().files[0].content))
            self.assertEqual(b"z" * (FIRST_CREDIT + 60_000), streams[4].out)

    def is_served(self, client):
        try:
            return client.execute("print(1)").stdout == b"1\n"
        except Refused as refused:
            self.assert_error(refused.error, "RESOURCE_EXHAUSTED", "memory")
            return False
