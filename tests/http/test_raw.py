"""HTTP itself, byte by byte: what is refused, when connections end, and how much is held."""

import json
import threading
import time
import unittest

from lib import http_rules
from lib.echo import Echo
from lib.scale import patience
from lib.server import IS_SANITIZED, wait_until

ECHO = None


def setUpModule():
    global ECHO
    ECHO = Echo()


def tearDownModule():
    assert ECHO.stop() == 0, "the worker has to end by itself, and without a complaint of its sanitizers"


class Rules(unittest.TestCase):
    def test_table(self):
        """every request of the table gets the right status, and its connection is closed or stays open as it should"""
        http_rules.check(self, ECHO.connect, "/get", "/echo", "abc")

    def test_table_byte_by_byte(self):
        """the same, with requests that come byte by byte"""
        http_rules.check(self, ECHO.connect, "/get", "/echo", "abc", pieces=1)

    def test_nothing_is_left(self):
        """after all these requests the worker holds no memory for them"""
        def is_empty():
            counts = ECHO.ask("/counts")
            return counts["connections"] == 1 and counts["exchanges"] == 1 and counts["held"] < 20000
        wait_until(is_empty, patience(20))


class Requests(unittest.TestCase):
    def test_accessors(self):
        """a handler sees the path, the query, the type, the body and the trace"""
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        got = ECHO.ask("/echo?q=a%20b&r=1", "POST", b"hello", f"Content-Type: Text/Plain ; charset=x\r\ntraceparent: {trace}\r\n")
        self.assertEqual(("/echo", "a b", "text/plain", "hello", 5, trace, 5),
                         tuple(got[k] for k in ("path", "query", "type", "body", "length", "trace", "peer")))

    def test_tabs(self):
        """tabs around a header's value are no part of the value"""
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        got = ECHO.ask("/echo", "POST", b"hello", f"Content-Type:\ttext/plain\t\r\ntraceparent: \t {trace} \t\r\n")
        self.assertEqual(("text/plain", trace), (got["type"], got["trace"]))

    def test_trace_is_checked(self):
        """a malformed traceparent counts as none"""
        for bad in ("x", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-" + "0" * 32 + "-b7ad6b7169203331-01",
                    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\t;x"):
            with self.subTest(bad):
                self.assertEqual("", ECHO.ask("/get", headers=f"traceparent: {bad}\r\n")["trace"])

    def test_segment(self):
        """a star in a route stands for one segment of the path, and the handler gets it decoded"""
        self.assertEqual("a b", ECHO.ask("/item/a%20b")["segment"])
        for path in ("/item/", "/item/a/b", "/item"):
            with self.subTest(path), ECHO.connect() as c:
                c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(404, c.answer()[0])

    def test_allow(self):
        """405 names the methods that the path takes"""
        with ECHO.connect() as c:
            c.send("DELETE /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, headers, _ = c.answer()
            self.assertEqual((405, "POST, PUT, OPTIONS"), (status, headers["allow"]))

    def test_head(self):
        """HEAD gives the headers of GET and no body, for streams, too"""
        with ECHO.connect() as c:
            c.send("HEAD /get HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, headers, _ = c.answer("HEAD")
            self.assertEqual(200, status)
            self.assertGreater(int(headers["content-length"]), 10)
            c.send("HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(200, c.answer("HEAD")[0])
            c.send("HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(404, c.answer("HEAD")[0])
            self.assertTrue(c.is_open())

    def test_large_body(self):
        """a body of 16 MiB comes whole, with a length and in chunks"""
        body = b"x" * (16 << 20)
        self.assertEqual(len(body), ECHO.ask("/echo", "POST", body)["length"])
        with ECHO.connect(timeout=60) as c:
            c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 1 << 20):
                c.send(b"100000\r\n", body[at:at + (1 << 20)], b"\r\n")
            c.send(b"0\r\n\r\n")
            self.assertEqual(len(body), json.loads(c.answer()[2])["length"])

    def test_small_chunks(self):
        """a body in thousands of chunks of one byte comes whole"""
        with ECHO.connect(timeout=60) as c:
            c.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 50000, b"0\r\n\r\n")
            self.assertEqual(50000, json.loads(c.answer()[2])["length"])


class Continue(unittest.TestCase):
    HEAD = "POST {} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{}\r\n\r\n"

    def test_continue(self):
        """100 Continue comes before the body, with a length and with chunks"""
        for framing, body in (("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n")):
            with self.subTest(framing), ECHO.connect() as c:
                for _ in range(2):
                    c.send(self.HEAD.format("/echo", framing))
                    self.assertEqual(100, c.answer()[0])
                    c.send(body)
                    status, _, text = c.answer()
                    self.assertEqual((200, "abc"), (status, json.loads(text)["body"]))

    def test_refused_before_the_body(self):
        """the worker sends no 100 Continue for a body that it will refuse"""
        for path, length, status in (("/echo", 1 << 30, 413), ("/get", 3, 405), ("/nothing", 3, 404)):
            with self.subTest(path), ECHO.connect() as c:
                c.send(self.HEAD.format(path, f"Content-Length: {length}"))
                self.assertEqual(status, c.answer()[0])
                self.assertTrue(c.is_closed())

    def test_answer_outlives_upload(self):
        """a peer that sends all of a long body first can still read the refusal"""
        with ECHO.connect(timeout=30) as c:
            c.send(f"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {40 << 20}\r\n\r\n")
            try:
                c.send(b"x" * (40 << 20))
            except (BrokenPipeError, ConnectionResetError):
                self.fail("the server closed before it had read what was on its way")
            status, headers, text = c.answer()
            self.assertEqual((413, "close"), (status, headers["connection"]))
            self.assertIn("is longer than", json.loads(text)["error"]["message"])


class Ends(unittest.TestCase):
    def gone(self):
        return ECHO.ask("/gone")["gone"]

    def test_gone(self):
        """a handler learns that its peer has closed: while the handler works, and while it streams"""
        for path in ("/wait?ms=60000", "/stream?n=1000000&size=100000"):
            with self.subTest(path):
                before = self.gone()
                with ECHO.connect() as c:
                    c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    time.sleep(0.2)
                wait_until(lambda: self.gone() == before + 1, patience(5))

    def test_gone_with_more_behind(self):
        """the end of a peer is noticed even if the peer has sent more requests behind the first"""
        before = self.gone()
        with ECHO.connect() as c:
            c.send("GET /wait?ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
            time.sleep(0.2)
        wait_until(lambda: self.gone() == before + 1, patience(5))

    def test_half_closed(self):
        """a peer that closes its sending half counts as gone"""
        before = self.gone()
        with ECHO.connect() as c:
            c.send("GET /wait?ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            c.socket.shutdown(1)
            wait_until(lambda: self.gone() == before + 1, patience(5))
            self.assertTrue(c.is_closed())

    def test_flood_behind_a_request(self):
        """requests behind an unanswered request are read up to a bound only, and are answered later"""
        many = 2000
        with ECHO.connect(timeout=30) as c:
            sender = threading.Thread(target=c.send, args=(
                "GET /wait?ms=1500 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                f"GET /get HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 200}\r\n\r\n" * many))
            sender.start()
            time.sleep(0.7)
            self.assertLess(ECHO.ask("/counts")["held"], 100000)
            for _ in range(many + 1):
                self.assertEqual(200, c.answer()[0])
            sender.join()

    def test_slow_reader(self):
        """a stream waits for its reader, and the worker holds a bounded part of it"""
        with ECHO.connect(timeout=60) as c:
            c.send("GET /stream?n=400&size=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.7)
            self.assertLess(ECHO.ask("/counts")["held"], 1 << 20)
            self.assertEqual(400 * 100000, len(c.answer()[2]))
            self.assertTrue(c.is_open())

    def test_stream_http_1_0(self):
        """a stream to HTTP/1.0 ends with its connection, even if the client asked for keep-alive"""
        with ECHO.connect() as c:
            c.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            status, headers, body = c.answer()
            self.assertEqual((200, 30, None), (status, len(body), headers.get("content-length")))

    def test_slow_head(self):
        """a request whose head is not complete after 10 s is refused"""
        with ECHO.connect(timeout=20) as c, ECHO.connect(timeout=20) as dripping:
            c.send("GET /get HTTP/1.1\r\n")
            began = time.monotonic()
            dripping.send(*("GET /get HTTP/1.1\r\nX: yyy"), pause=0.5)
            self.assertEqual(408, c.answer()[0])
            self.assertTrue(c.is_closed())
            self.assertEqual(408, dripping.answer()[0])
            self.assertLess(time.monotonic() - began, patience(16))


class Timeouts(unittest.TestCase):
    """The worker's clock is fifteen times too fast. Connections that have to wait long begin to wait before all tests."""
    POST = "POST /echo HTTP/1.1\r\nHost: localhost\r\n"

    @classmethod
    def setUpClass(cls):
        cls.echo = Echo(speed=15)
        cls.began = time.monotonic()
        cls.idle, cls.deaf = cls.echo.connect(), cls.echo.connect()
        cls.deaf.send("GET /stream?n=1000000&size=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")

    @classmethod
    def tearDownClass(cls):
        cls.idle.close()
        cls.deaf.close()
        assert cls.echo.stop() == 0

    def gone(self):
        return self.echo.ask("/gone")["gone"]

    def test_idle(self):
        """timeouts: a connection without a request is closed after 75 s, and one that is used in between is not"""
        with self.echo.connect() as used:
            for _ in range(3):
                used.send("GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertEqual(200, used.answer()[0])
                time.sleep(1)
            self.assertTrue(self.idle.is_closed())
            self.assertGreater(time.monotonic() - self.began, 75 / 15)
            self.assertTrue(used.is_open())

    def test_lingering(self):
        """timeouts: a peer that goes on sending after a refusal is closed after 5 s"""
        with self.echo.connect() as c:
            c.send(self.POST + "Content-Length: 99999999999\r\n\r\n")
            self.assertEqual(413, c.answer()[0])
            end = time.monotonic() + patience(5)
            with self.assertRaises(OSError):
                while time.monotonic() < end:
                    c.send("x" * 1000, pause=0.02)

    def test_nothing_taken(self):
        """timeouts: a peer that takes nothing of its answer for 60 s is closed"""
        wait_until(lambda: self.gone() == 1)
        self.assertGreater(time.monotonic() - self.began, 60 / 15)

    def test_slow_body(self):
        """timeouts: a body that stops is refused after 30 s, and one that goes on slowly is not"""
        for head in "Content-Length: 7\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n7\r\n":
            with self.subTest(head), self.echo.connect() as stops, self.echo.connect() as goes_on:
                stops.send(self.POST + head, "x")
                goes_on.send(self.POST + head)
                goes_on.send(*"xxxxxxx", pause=0.5)
                self.assertEqual(408, stops.answer()[0])
                self.assertTrue(stops.is_closed())
                if "chunked" in head:
                    goes_on.send("\r\n0\r\n\r\n")
                self.assertEqual(200, goes_on.answer()[0])


class Memory(unittest.TestCase):
    def test_bodies(self):
        """bodies for which the worker has no memory are refused with Retry-After, and other requests go on"""
        for framing, first, last in ((f"Content-Length: {3 << 20}\r\n\r\n", "", ""),
                                     ("Transfer-Encoding: chunked\r\n\r\n", "300000\r\n", "\r\n0\r\n\r\n")):
            with self.subTest(framing):
                self.check_bodies(framing + first, last)

    def check_bodies(self, head, last):
        head = "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + head
        small = Echo(memory=6 << 20)
        self.addCleanup(small.stop)
        held = [small.connect() for _ in range(3)]
        for c in held:
            self.addCleanup(c.close)
            try:
                c.send(head, b"x" * (2 << 20))
            except (BrokenPipeError, ConnectionResetError):
                pass  # the last one is refused already
        time.sleep(0.5)
        self.assertLess(small.ask("/counts")["held"], 7 << 20)
        if last == "":
            with small.connect() as c:
                c.send(head)
                status, headers, _ = c.answer()
                self.assertEqual((503, "1"), (status, headers["retry-after"]))
        self.assertEqual("/get", small.ask("/get")["path"])
        statuses = set()
        for c in held:
            try:
                c.send(b"x" * (1 << 20), last)
            except (BrokenPipeError, ConnectionResetError):
                pass
            statuses.add(c.answer()[0])
        self.assertEqual({200, 503}, statuses)
        wait_until(lambda: small.ask("/counts")["held"] < 100000, patience(10))

    def test_idle_connections(self):
        """if the worker has too many connections, idle connections are closed for new ones"""
        small = Echo(memory=2 << 20)  # 128 connections
        self.addCleanup(small.stop)
        many = [small.connect() for _ in range(300)]
        for c in many:
            self.addCleanup(c.close)
        self.assertLessEqual(small.ask("/counts")["connections"], 130)
        self.assertTrue(many[0].is_closed())
        self.assertTrue(many[-1].is_open())


class Origins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.echo = Echo(origin="https://example.org", host="box.example.org")

    @classmethod
    def tearDownClass(cls):
        assert cls.echo.stop() == 0

    def test_named_origin(self):
        """a web page may read answers and refusals if the configuration names its origin"""
        for path, expected in (("/get", 200), ("/nothing", 404)):
            with self.subTest(path), self.echo.connect() as c:
                c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.org\r\n\r\n")
                status, headers, _ = c.answer()
                self.assertEqual((expected, "https://example.org", "Origin", "Retry-After, X-Run-Id"),
                                 (status, headers["access-control-allow-origin"], headers["vary"],
                                  headers["access-control-expose-headers"]))

    def test_preflight(self):
        """a browser's preflight request is answered for a named origin, and refused for other origins"""
        ask = ("OPTIONS /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: {}\r\nAccess-Control-Request-Method: POST\r\n"
               "Access-Control-Request-Headers: content-type\r\n\r\n")
        with self.echo.connect() as c:
            c.send(ask.format("https://example.org"))
            status, headers, _ = c.answer()
            self.assertEqual((204, "POST, PUT, OPTIONS", "content-type"),
                             (status, headers["access-control-allow-methods"], headers["access-control-allow-headers"]))
            c.send(ask.format("https://example.com"))
            status, headers, _ = c.answer()
            self.assertEqual((403, None), (status, headers.get("access-control-allow-origin")))

    def test_named_host(self):
        """the Host of a request may be a name from the configuration"""
        with self.echo.connect() as c:
            c.send("GET /get HTTP/1.1\r\nHost: box.example.org\r\n\r\n")
            self.assertEqual(200, c.answer()[0])


class Drain(unittest.TestCase):
    def test_drain(self):
        """a worker that drains answers the requests that it has, with Connection: close, and then ends"""
        echo = Echo()
        with echo.connect() as busy, echo.connect() as idle, echo.connect() as stream:
            busy.send("GET /wait?ms=1500 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            stream.send("GET /stream?n=300&size=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.3)
            echo.drain()
            self.assertTrue(idle.is_closed())
            with self.assertRaises((OSError, EOFError)), echo.connect(timeout=1) as late:
                late.send("GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n")
                late.answer()
            status, headers, _ = busy.answer()
            self.assertEqual((200, "close"), (status, headers["connection"]))
            self.assertIsNone(echo.process.poll())
            self.assertEqual(300 * 100000, len(stream.answer()[2]))
            self.assertEqual(0, echo.stop())


@unittest.skipIf(IS_SANITIZED, "sanitizers have memory of their own")
class Idle(unittest.TestCase):
    def test_ten_thousand(self):
        """10,000 idle connections cost at most 16 KiB each"""
        import resource
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 10200:
            self.skipTest(f"only {hard} descriptors are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        echo = Echo()
        self.addCleanup(echo.stop)

        def resident():
            with open(f"/proc/{echo.process.pid}/status") as lines:
                return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024
        before = resident()
        many = [echo.connect() for _ in range(10000)]
        for c in many:
            self.addCleanup(c.close)
            c.send("GET /get HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for c in many:
            self.assertEqual(200, c.answer()[0])
        each = (resident() - before) / len(many)
        print(f"# {each:.0f} bytes for each idle connection")
        self.assertLess(each, 16 * 1024)


if __name__ == "__main__":
    unittest.main()
