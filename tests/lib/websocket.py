"""A WebSocket client that can break the rules: it sends frames as they are given."""

import base64
import hashlib
import os
import struct

from lib.raw_http import Raw

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode, payload=b"", fin=True, mask=True, rsv=0, length=None):
    """The bytes of one frame. length: the length in its header; None: the payload's length."""
    if isinstance(payload, str):
        payload = payload.encode()
    claimed = len(payload) if length is None else length
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = mask << 7
    if claimed < 126:
        head += bytes([bit | claimed])
    elif claimed < 1 << 16:
        head += struct.pack(">BH", bit | 126, claimed)
    else:
        head += struct.pack(">BQ", bit | 127, claimed)
    if not mask:
        return head + payload
    key = os.urandom(4)
    whole = key * (len(payload) // 4 + 1)
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(whole[:len(payload)], "big")).to_bytes(len(payload), "big")


def close_frame(code, reason=""):
    return frame(CLOSE, struct.pack(">H", code) + reason.encode())


class WebSocket(Raw):
    def __init__(self, address, path="/ws", headers="", more=b"", **options):
        super().__init__(address, **options)
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n".encode() + more)
        self.status, self.headers, _ = self.answer()
        if self.status == 101:
            expected = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
            assert self.headers["sec-websocket-accept"] == expected, self.headers

    def receive(self):
        """The opcode and the payload of the next frame, which must be a whole, unmasked message."""
        first, second = self._exactly(2)
        assert first & 0xf0 == 0x80 and second < 128, (first, second)
        length = second
        if length >= 126:
            length = int.from_bytes(self._exactly(2 if length == 126 else 8), "big")
        return first & 15, self._exactly(length)

    def closing_code(self):
        """The code of the next frame, which must be a close frame; 0: the frame has no code."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload)
        return int.from_bytes(payload[:2], "big")
