"""Output: exactly the first bytes up to the limit are kept, however and by whichever process they are written. Every
flood writes digits in their order, so that the kept bytes can be told from others of the same length."""

import unittest

from lib.attack import EMULATED
from lib.case import Case, ServerModule, describe
from lib.hatchery import Status

SLOW_IN_VM = "megabytes are written byte by byte"

SHARED = "plain"
SERVER = ServerModule(__name__, is_shared=True)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

LIMIT = 5_003 if EMULATED else 100_003
DIGITS = b"0123456789" * (LIMIT // 10 + 1)
LIMITS = {"output_bytes": LIMIT, "wall_us": 50_000_000, "cpu_us": 50_000_000, "open_files": 64}

# `put` writes `total` bytes to a descriptor: digits in their order. `chunk` is a multiple of ten.
PRELUDE = """
import ctypes, errno, fcntl, mmap, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def put(fd, total, chunk=65530):
    digits = b'0123456789' * (chunk // 10)
    while total > 0:
        n = os.write(fd, digits[:total])
        assert n == min(chunk, total), n
        total -= n
"""

# Each program writes `total` bytes to the stream `fd`, which is 1 or 2.
FLOODS = {
    "write": "put(fd, total)",
    "single bytes": "for i in range(total): os.write(fd, b'%d' % (i % 10))",
    "a daemon": "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        put(fd, total); open('done', 'w')\n    os._exit(0)\n"
                "while not os.path.exists('done'): time.sleep(0.01)",
    "the stream opened by name": "put(os.open('/proc/self/fd/%d' % fd, os.O_WRONLY), total)",
    "the stream opened to append": "put(os.open('/proc/self/fd/%d' % fd, os.O_WRONLY | os.O_APPEND | os.O_TRUNC), total)",
    "seeks and holes": """
for action in (lambda: os.lseek(fd, 1 << 30, 0), lambda: os.pwrite(fd, b'x', 1 << 30), lambda: os.ftruncate(fd, 1 << 30),
               lambda: os.posix_fallocate(fd, 0, 1 << 30), lambda: os.truncate('/proc/self/fd/%d' % fd, 1 << 30),
               lambda: os.pread(fd, 1, 0), lambda: os.read(fd, 1), lambda: mmap.mmap(fd, 4096), lambda: os.ftruncate(fd, 0)):
    try: action(); raise SystemExit('it worked')
    except (OSError, ValueError): pass
put(fd, total)""",
    "a large pipe": "fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20); put(fd, total)",
    "a small pipe": "fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096); put(fd, total)",
    "a stream that does not block": """
os.set_blocking(fd, False)
while total:
    try: total -= os.write(fd, (b'0123456789' * 7000)[(start - total) % 10:][:total])
    except BlockingIOError: time.sleep(0.0005)""",
    "appending": "fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND); put(fd, total)",
    "packets": "fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT); put(fd, total, 1000)",
    "packets of one byte": "fcntl.fcntl(fd, fcntl.F_SETFL, os.O_DIRECT)\nfor i in range(total): os.write(fd, b'%d' % (i % 10))",
    "sendfile": "f = open('x', 'w+b'); f.write(b'0123456789' * (total // 10 + 1)); f.flush()\ndone = 0\n"
                "while done < total: done += os.sendfile(fd, f.fileno(), done, total - done)",
    "splice": """
r, w = os.pipe()
while total:
    n = min(total, 60000)
    os.write(w, b'0123456789' * 6000 if n == 60000 else (b'0123456789' * 6000)[:n])
    left = n
    while left: left -= os.splice(r, fd, left)
    total -= n""",
    "the shell": "os.environ['N'] = str(total)\nos.system('yes 0123456789 | tr -d \"\\\\n\" | head -c $N >&%d' % fd)",
}


def program(flood, total, fd=1):
    return f"{PRELUDE}\ntotal = start = {total}; fd = {fd}\n{FLOODS[flood]}\n"


class Floods(Case):
    SERVER = SERVER

    def send_all(self, total, **arguments):
        return {flood: self.client.send_execute(program(flood, total), limits=LIMITS, **arguments) for flood in FLOODS}

    def assert_kept(self, result, status, size=LIMIT, stream="stdout"):
        kept = getattr(result, stream)
        self.assertEqual(status, Status.Name(result.status), describe(result)[:300])
        self.assertEqual(size, len(kept))
        self.assertEqual(DIGITS[:size], kept)

    def test_exactly_the_limit_is_given(self):
        """Output of exactly the limit arrives whole, in whatever way it is written, and the program exits by itself"""
        for flood, request in self.send_all(LIMIT).items():
            with self.subTest(flood):
                result = self.client.result(request)
                self.assert_kept(result, "EXITED")
                self.assertEqual(0, result.exit_code)

    def test_one_byte_more_is_a_limit(self):
        for flood, request in self.send_all(LIMIT + 1).items():
            with self.subTest(flood):
                self.assert_kept(self.client.result(request), "OUTPUT_LIMIT")

    def test_a_flood_keeps_exactly_the_first_bytes(self):
        for flood, request in self.send_all(LIMIT * 4).items():
            with self.subTest(flood):
                self.assert_kept(self.client.result(request), "OUTPUT_LIMIT")

    def test_a_flood_that_is_cut_keeps_exactly_the_first_bytes(self):
        """A flood with TRUNCATE keeps exactly the first bytes, and the program goes on to its end"""
        for flood, request in self.send_all(LIMIT * 4, on_output_limit="TRUNCATE").items():
            with self.subTest(flood):
                result = self.client.result(request)
                self.assert_kept(result, "EXITED")
                self.assertEqual((0, LIMIT * 4, True), (result.exit_code, result.stdout_total, result.stdout_truncated))

    def test_a_flood_of_the_other_stream(self):
        """A flood of standard error keeps exactly the first bytes, whether the output is cut or the run is killed"""
        ids = {(flood, cut): self.client.send_execute(program(flood, LIMIT * 2, fd=2), limits=LIMITS, on_output_limit="TRUNCATE" if cut else "KILL")
               for flood in ("write", "a daemon", "the stream opened by name", "splice", "packets") for cut in (False, True)}
        for (flood, cut), request in ids.items():
            with self.subTest(flood, cut=cut):
                result = self.client.result(request)
                self.assert_kept(result, "EXITED" if cut else "OUTPUT_LIMIT", stream="stderr")
                self.assertEqual(b"", result.stdout)


class Streams(Case):
    SERVER = SERVER

    def test_both_streams_at_once_are_each_cut_at_the_limit(self):
        code = f"{PRELUDE}\nfor fd in (1, 2):\n    if os.fork() == 0: put(fd, {LIMIT * 3}); os._exit(0)\nfor _ in range(2): os.wait()"
        result = self.execute(code, limits=LIMITS, on_output_limit="TRUNCATE")
        self.assert_exited(result)
        self.assertEqual((DIGITS[:LIMIT], DIGITS[:LIMIT]), (result.stdout, result.stderr))

    def test_both_streams_may_be_full(self):
        code = f"{PRELUDE}\nfor fd in (1, 2):\n    if os.fork() == 0: put(fd, {LIMIT}); os._exit(0)\nfor _ in range(2): os.wait()"
        result = self.execute(code, limits=LIMITS)
        self.assert_exited(result)
        self.assertEqual((DIGITS[:LIMIT], DIGITS[:LIMIT]), (result.stdout, result.stderr))

    def test_merged_streams_are_cut_together(self):
        half = LIMIT // 2
        code = PRELUDE + "\nput(1, {}); put(2, {})"
        result = self.execute(code.format(half, LIMIT - half), limits=LIMITS, merge_stderr=True)
        self.assert_exited(result)
        self.assertEqual((LIMIT, b""), (len(result.stdout), result.stderr))
        result = self.execute(code.format(half, LIMIT - half + 1), limits=LIMITS, merge_stderr=True)
        self.assert_status(result, "OUTPUT_LIMIT")
        self.assertEqual((LIMIT, b""), (len(result.stdout), result.stderr))

    def test_a_program_that_closes_its_streams_goes_on(self):
        code = "import os\nos.write(1, b'kept')\nos.closerange(0, 64)\nopen('done', 'w').write('yes')"
        result = self.execute(code, collect=["done"])
        self.assert_exited(result)
        self.assertEqual((b"kept", b"yes"), (result.stdout, result.files[0].content))

    def test_a_program_that_reads_its_own_output_hurts_itself_alone(self):
        code = f"{PRELUDE}\nimport threading\nfd = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)\n" \
               f"threading.Thread(target=put, args=(1, {LIMIT})).start()\nend = time.time() + 0.3\nwhile time.time() < end:\n" \
               "    try: os.read(fd, 65536)\n    except BlockingIOError: pass"
        result = self.execute(code, limits=LIMITS)
        self.assert_exited(result)
        self.assertLessEqual(len(result.stdout), LIMIT)
        self.assert_alive()


class Moments(Case):
    """The pool looks at output at intervals, and watches those pipes that bring much output. Output arrives whole at
    any time and under any load."""

    SERVER = SERVER

    def test_output_that_comes_late_or_in_parts_comes_whole(self):
        """Output that comes late, or bit by bit, arrives whole, from one run alone and from many at once"""
        programs = [f"{PRELUDE}\ntime.sleep({pause}); put({fd}, {LIMIT})" for pause in (0, 0.003, 0.02, 0.05, 0.2) for fd in (1, 2)]
        programs += [f"{PRELUDE}\nfor i in range({LIMIT // 5000}): put(1, 5000, 10); time.sleep({pause})\nput(1, {LIMIT % 5000})"
                     for pause in (0.001, 0.01)]
        alone = [self.client.execute(code, limits=LIMITS) for code in programs]
        requests = [self.client.send_execute(code, limits=LIMITS) for code in programs]
        for code, result in zip(programs * 2, alone + [self.client.result(request) for request in requests]):
            with self.subTest(code[len(PRELUDE):]):
                self.assert_exited(result)
                self.assertEqual(DIGITS[:LIMIT], result.stdout or result.stderr)

    def test_a_little_too_much_is_noticed_while_the_program_sleeps(self):
        code = "import os, time\ntime.sleep({})\nos.write({}, b'0123456789')\ntime.sleep(45)"
        ids = [self.client.send_execute(code.format(pause, fd), limits={**LIMITS, "output_bytes": 9}) for pause in (0, 0.005, 0.1) for fd in (1, 2)]
        for request in ids:
            result = self.client.result(request)
            self.assert_status(result, "OUTPUT_LIMIT")
            self.assertEqual(b"012345678", result.stdout or result.stderr)
            self.assertLess(result.wall_us, 30_000_000)


if __name__ == "__main__":
    unittest.main()
