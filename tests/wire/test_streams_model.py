"""Two streams on one connection in random interleavings. A model knows which bytes each program was
told to write. HATCHERY_TEST_SEED repeats a failed run."""

import os
import random
import select
import signal
import time

from lib.case import Case, ServerModule
from lib.hatchery import STDERR, STDOUT
from lib.scale import ALL, repeat

SHARED = "streams"
CONFIG = "client_share = 100\nlanguage python { warm = 3 }\nlanguage c { warm = 1 }\n"
SERVER = ServerModule(__name__, is_shared=True, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

STEPS = 100_000 if ALL else 10_000
EPISODE = 250  # steps of one pair of streams
MOST = 4 << 20  # bytes that one stream is told to write
ROOM = {"output_bytes": 16 << 20, "wall_us": 60_000_000}
PATTERN = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 16))

# Each line of its input tells it how many bytes of the pattern to write, and where.
PROGRAM = """
import os, sys
pattern = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 16))
at = [0, 0, 0]
for line in sys.stdin.buffer:
    fd, left = map(int, line.split())
    while left:
        begin = at[fd] & 65535
        n = os.write(fd, pattern[begin:begin + left])
        at[fd] += n
        left -= n
"""


class Side:
    """One stream, and the output that it should bring."""

    def __init__(self, client, randomly):
        self.randomly = randomly
        self.stream = client.open(PROGRAM, gives_back=False, limits=ROOM)
        self.told = {STDOUT: 0, STDERR: 0}
        self.unsent = b""  # the rest of a command that is sent in pieces
        self.checked = {STDOUT: 0, STDERR: 0}

    def write(self):
        which = self.randomly.choice((STDOUT, STDERR))
        size = self.randomly.choice((1, 2, 3, self.randomly.randrange(1, 4000), self.randomly.randrange(1, 200_000)))
        if self.told[which] + size > MOST or self.stream.room < 200:
            return
        self.told[which] += size
        self.unsent += b"%d %d\n" % (1 if which == STDOUT else 2, size)
        self.go_on_sending()

    def go_on_sending(self, all_of_it=False):
        n = len(self.unsent) if all_of_it or self.randomly.random() < 0.7 else self.randomly.randrange(len(self.unsent) + 1)
        self.stream.chunk(self.unsent[:n])
        self.unsent = self.unsent[n:]

    def give(self):
        self.stream.give(self.randomly.choice((0, 1, 7, 1000, self.randomly.randrange(1, 300_000))))

    def check(self):
        """The output so far is the beginning of the expected bytes, and no longer than they are."""
        for which, told in self.told.items():
            data, at = self.stream.data[which], self.checked[which]
            if len(data) > told:
                raise AssertionError(f"{len(data)} bytes came of {told}")
            while at < len(data):
                begin = at & 65535
                n = min(65536 - begin, len(data) - at)
                if data[at:at + n] != PATTERN[begin:begin + n]:
                    raise AssertionError(f"bytes {at} to {at + n} of stream {which} are not those that were written")
                at += n
            self.checked[which] = at


class Model(Case):
    SERVER = SERVER

    def test_random_interleavings(self):
        seed = os.environ.get("HATCHERY_TEST_SEED", str(random.randrange(1 << 32)))
        print(f"# HATCHERY_TEST_SEED={seed}", flush=True)
        randomly = random.Random(seed)
        ends = {"eof": 0, "cancel": 0, "kill": 0, "close": 0, "too much": 0}
        for _ in range(repeat(STEPS // EPISODE)):
            self.episode(randomly, ends)
        print(f"# {ends}", flush=True)
        SERVER.wait_idle()

    def episode(self, randomly, ends):
        client = SERVER.connect()
        sides = [Side(client, randomly) for _ in range(2)]
        for _ in range(EPISODE):
            self.step(client, randomly.choice(sides), randomly)
        for side in sides:
            end = randomly.choice(list(ends))
            ends[end] += 1
            if end == "close":
                break
            self.end(client, side, end)
            side.check()
        client.close()

    def step(self, client, side, randomly):
        what = randomly.random()
        if what < 0.4:
            side.write()
        elif what < 0.7:
            side.give()
        elif what < 0.75:
            side.go_on_sending()
        elif what < 0.77:
            side.stream.signal(signal.SIGWINCH)
        elif what < 0.78:
            client.ping()
        elif what < 0.785:
            self.assertEqual(b"5\n", client.execute("print(5)").stdout)
        while select.select([client.sock], [], [], 0)[0]:
            client.go_on()
            side.check()

    def end(self, client, side, end):
        stream = side.stream
        if end == "eof":
            side.go_on_sending(all_of_it=True)
            stream.give(1 << 30)
            stream.end()
            self.assert_exited(stream.result())
            self.assertEqual(side.told, {which: len(data) for which, data in stream.data.items()})
            result = stream.result()
            self.assertEqual((side.told[STDOUT], side.told[STDERR]), (result.stdout_total, result.stderr_total))
        elif end == "cancel":
            stream.wait(lambda: stream.stages)
            self.assertTrue(stream.cancel())
            self.assert_status(stream.result(), "CANCELLED")
        elif end == "kill":
            stream.wait(lambda: stream.stages)
            while not stream.signal(signal.SIGKILL):  # its sandbox may not have the job yet
                time.sleep(0.02)
            stream.give(1 << 30)
            self.assert_status(stream.result(), "SIGNALED")
        else:
            stream.chunk(b"x" * (stream.room + 1))
            self.assert_refused("INVALID_ARGUMENT", "StdinChunk", stream.result)
        client.ping()
        self.assertNotIn(stream.id, client.streams)
