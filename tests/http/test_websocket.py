"""WebSockets: the handshake, messages, control frames, closing, and frames that break the rules."""

import os
import time
import unittest

from lib.echo import Echo
from lib.scale import patience
from lib.server import wait_until
from lib.websocket import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, close_frame, frame

ECHO = None


def setUpModule():
    global ECHO
    ECHO = Echo()


def tearDownModule():
    assert ECHO.stop() == 0, "the worker has to end by itself, and without a complaint of its sanitizers"


class Case(unittest.TestCase):
    def open(self, **options):
        ws = WebSocket(ECHO.address, **options)
        self.addCleanup(ws.close)
        self.assertEqual(101, ws.status)
        return ws

    def gone(self):
        return ECHO.ask("/gone")["gone"]


class Handshake(Case):
    def test_refusals(self):
        """a handshake with a wrong or missing header is refused, and its connection stays open"""
        good = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        for change, status in (({"Connection": "keep-alive"}, 426), ({"Upgrade": "h2c"}, 426), ({"Connection": None}, 426),
                               ({"Upgrade": None}, 426), ({"Sec-WebSocket-Version": "8"}, 426), ({"Sec-WebSocket-Version": None}, 426),
                               ({"Sec-WebSocket-Key": None}, 400), ({"Sec-WebSocket-Key": "abc"}, 400),
                               ({"Sec-WebSocket-Key": "?" * 24}, 400), ({"Sec-WebSocket-Key": "YWJjZGVmZ2hpamtsbW5vcHE="}, 400),
                               ({"Origin": "https://example.org"}, 403), ({"Host": "example.org"}, 403)):
            with self.subTest(change), ECHO.connect() as c:
                headers = {"Host": "localhost", **good, **change}
                c.send("GET /ws HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items() if v) + "\r\n")
                got, answered, _ = c.answer()
                self.assertEqual(status, got)
                if status == 426:
                    self.assertEqual("websocket", answered["upgrade"])
                if status == 426 and "Sec-WebSocket-Version" in change:
                    self.assertEqual("13", answered["sec-websocket-version"])
                self.assertTrue(c.is_open())

    def test_example_of_the_rfc(self):
        """the example request of RFC 6455 gets the answer that the RFC shows"""
        with ECHO.connect() as c:
            c.send("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            status, headers, _ = c.answer()
            self.assertEqual((101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), (status, headers["sec-websocket-accept"]))

    def test_frames_with_the_request(self):
        """frames that come together with the request are read"""
        ws = self.open(more=frame(TEXT, "at once"))
        self.assertEqual((TEXT, b"at once"), ws.receive())


class Messages(Case):
    def test_echo(self):
        """messages of all lengths come back, text and bytes"""
        ws = self.open(timeout=60)
        for length in (0, 1, 125, 126, 65535, 65536, 1 << 20):
            for opcode, payload in ((TEXT, b"x" * length), (BINARY, os.urandom(length))):
                ws.send(frame(opcode, payload))
                self.assertEqual((opcode, payload), ws.receive())

    def test_fragments(self):
        """a message in fragments is joined, and a ping between them is answered first"""
        ws = self.open()
        ws.send(frame(TEXT, "one ", fin=False), frame(PING, "now"), frame(0, "two ", fin=False), frame(0, "three"))
        self.assertEqual((PONG, b"now"), ws.receive())
        self.assertEqual((TEXT, b"one two three"), ws.receive())

    def test_byte_by_byte(self):
        """a frame that comes byte by byte is read"""
        ws = self.open()
        ws.send(*(bytes([b]) for b in frame(TEXT, "slow")))
        self.assertEqual((TEXT, b"slow"), ws.receive())

    def test_ping(self):
        """pings go both ways"""
        ws = self.open()
        ws.send(frame(PING, b"\0\xff"), frame(TEXT, "ping"))
        self.assertEqual((PONG, b"\0\xff"), ws.receive())
        self.assertEqual((PING, b""), ws.receive())
        ws.send(frame(PONG), frame(TEXT, "on"))
        self.assertEqual((TEXT, b"on"), ws.receive())

    def test_hold(self):
        """while the server holds a WebSocket, messages wait; afterwards they come in their order"""
        ws = self.open()
        began = time.monotonic()
        ws.send(frame(TEXT, "hold"), *(frame(TEXT, str(n)) for n in range(5)))
        for n in range(5):
            self.assertEqual((TEXT, str(n).encode()), ws.receive())
        self.assertGreater(time.monotonic() - began, 0.15)

    def test_slow_reader(self):
        """the server reads nothing from a peer that reads nothing; all messages arrive in the end"""
        ws = self.open(timeout=60)
        for _ in range(20):
            ws.send(frame(TEXT, "big 1000000"))
        time.sleep(0.5)
        self.assertLess(ECHO.ask("/counts")["held"], 4 << 20)
        for _ in range(20):
            opcode, payload = ws.receive()
            self.assertEqual((TEXT, 1000000), (opcode, len(payload)))

    def test_flood_of_pings(self):
        """if a peer sends many pings and reads no answers, the worker holds bounded memory"""
        ws = self.open(timeout=60)
        ws.socket.settimeout(1)
        try:
            for _ in range(600):
                ws.send(frame(PING, "x" * 125) * 500)
        except TimeoutError:
            pass
        self.assertLess(ECHO.ask("/counts")["held"], 4 << 20)


class Ends(Case):
    def test_client_closes(self):
        """the peer's close frame is answered with the same code, and the handler is called"""
        before = self.gone()
        ws = self.open()
        ws.send(close_frame(1000, "done"))
        self.assertEqual(1000, ws.closing_code())
        self.assertTrue(ws.is_closed())
        wait_until(lambda: self.gone() == before + 1, patience(5))

    def test_server_closes(self):
        """the server's close frame has its code and its reason"""
        ws = self.open()
        ws.send(frame(TEXT, "close 4999"), frame(TEXT, "too late"))
        opcode, payload = ws.receive()
        self.assertEqual((CLOSE, 4999, b"as you say"), (opcode, int.from_bytes(payload[:2], "big"), payload[2:]))
        ws.send(close_frame(4999))
        self.assertTrue(ws.is_closed())

    def test_close_without_an_answer(self):
        """a peer that does not answer a close frame is closed after a time"""
        before = self.gone()
        ws = self.open(timeout=20)
        ws.send(frame(TEXT, "close 4000"))
        self.assertEqual(4000, ws.closing_code())
        self.assertTrue(ws.is_closed(within=12))
        wait_until(lambda: self.gone() == before + 1, patience(5))

    def test_lost(self):
        """a connection that ends without a close frame is noticed"""
        before = self.gone()
        WebSocket(ECHO.address).close()
        wait_until(lambda: self.gone() == before + 1, patience(5))

    def test_broken_rules(self):
        """frames that break the rules end the connection, with the code of RFC 6455 or without one"""
        for title, sent, code in (
                ("a frame without a mask", frame(TEXT, "x", mask=False), 1002),
                ("a reserved bit", frame(TEXT, "x", rsv=4), 1002),
                ("an unknown opcode", frame(3, "x"), 1002),
                ("an unknown control opcode", frame(11, "x"), 1002),
                ("a ping in fragments", frame(PING, "x", fin=False), 0),
                ("a ping of 126 bytes", frame(PING, "x" * 126), 0),
                ("a continuation of nothing", frame(0, "x"), 1002),
                ("a new message inside another", frame(TEXT, "x", fin=False) + frame(TEXT, "y"), 1002),
                ("text that is not UTF-8", frame(TEXT, b"\xff\xfe"), 1007),
                ("text that is not UTF-8, in fragments", frame(TEXT, b"\xc3", fin=False) + frame(0, b"x"), 1007),
                ("a surrogate", frame(TEXT, b"\xed\xa0\x80"), 1007),
                ("a close frame of one byte", frame(CLOSE, b"x"), 0),
                ("a close frame with a code that nobody may send", close_frame(1005), 1002),
                ("a close frame with a reason that is not UTF-8", frame(CLOSE, b"\x03\xe8\xff"), 1007),
                ("a message beyond the bound", frame(TEXT, "x" * 100, length=(1 << 20) + 1), 1009),
                ("a message beyond 63 bits", frame(TEXT, "", length=(1 << 64) - 1), 0),
                ("fragments beyond the bound", frame(BINARY, b"x" * 600000, fin=False) + frame(0, b"x" * 600000), 1009)):
            with self.subTest(title):
                ws = self.open()
                ws.send(sent)
                self.assertEqual(code, ws.closing_code())
                self.assertTrue(ws.is_closed(within=12))

    def test_random_bytes(self):
        """random bytes end their connection, but not the worker"""
        for _ in range(100):
            with WebSocket(ECHO.address) as ws:
                try:
                    ws.send(os.urandom(300))
                    ws.socket.shutdown(1)
                    ws.rest()
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertEqual("/get", ECHO.ask("/get")["path"])

    def test_drain(self):
        """a worker that drains waits for its WebSockets"""
        echo = Echo()
        self.addCleanup(echo.stop)
        with WebSocket(echo.address) as ws:
            echo.drain()
            time.sleep(0.3)
            ws.send(frame(TEXT, "still here"))
            self.assertEqual((TEXT, b"still here"), ws.receive())
            ws.send(close_frame(1000))
            self.assertEqual(1000, ws.closing_code())
        self.assertEqual(0, echo.process.wait(patience(10)))


if __name__ == "__main__":
    unittest.main()
