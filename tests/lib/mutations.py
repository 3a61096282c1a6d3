"""Raw requests of each contract, and mutations of their bytes: flipped bits, cuts, repeats, splices, other numbers."""

import json
import re

from lib.websocket import BINARY, PING, TEXT, close_frame, frame

HOST = "Host: localhost\r\n"
CODE = "print('hi')"


def get(path, headers="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\n{HOST}{headers}\r\n".encode()


def post(path, body, headers=""):
    text = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n{headers}Content-Length: {len(text)}\r\n\r\n".encode() + text


def chunked(path, body, size=20):
    text = json.dumps(body).encode()
    pieces = [text[at:at + size] for at in range(0, len(text), size)]
    return (f"POST {path} HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n")


def upgrade(path, *frames):
    return get(path, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n") + b"".join(frames)


def message(value):
    return frame(TEXT, json.dumps(value))


def requests():
    """Good requests: one, or several of one connection."""
    run = {"language": "python", "code": CODE}
    echo = {"language": "python", "code": "print(input())", "live_stdin": True}
    stage = {"language": "python", "version": "*", "files": [{"name": "a.py", "content": CODE}], "stdin": "x", "args": ["1"],
             "run_timeout": 1000, "run_memory_limit": -1}
    fusion = {"code": CODE, "language": "python", "run_timeout": 1, "stdin": "in", "files": {"a/b": "aGk=", "c": None}, "fetch_files": ["a/b"]}
    return (
        post("/v1/run", run),
        post("/v1/run", {**run, "files": {"a.py": "x = 1", "b": {"content_base64": "/w=="}}, "stdin": "in", "args": ["a"], "env": {"A": "1"},
                         "limits": {"wall_us": 500000}, "collect": {"globs": ["*"]}}),
        post("/v1/run?stream=sse", run),
        post("/v1/run", run, "Accept: application/x-ndjson\r\n"),
        post("/v1/run", {**run, "run_id": "run-1"}, "Idempotency-Key: one\r\nExpect: 100-continue\r\n"),
        chunked("/v1/run", run),
        get("/v1/languages") + get("/v1/status") + get("/openapi.json", method="HEAD"),
        get("/v1/run", "Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n", "OPTIONS"),
        post("/v1/runs/run-1/cancel", {}),
        upgrade("/v1/ws", message(echo), message({"stdin": "hi\n"}), frame(PING, b"p"), message({"eof": True}), close_frame(1000)),
        upgrade("/v1/ws", message({**echo, "terminal": {"rows": 24, "columns": 80}}), message({"resize": {"rows": 30, "columns": 90}}),
                frame(BINARY, b"hi\n"), message({"signal": "SIGINT"}), message({"cancel": True})),
        post("/eval", {"input": CODE, "args": ["-I", "-c"]}),
        chunked("/eval", {"args": ["main.py"], "files": [{"path": "main.py", "content": "cHJpbnQoMSk="}, {"path": "d/e"}]}, 33),
        post("/api/v2/execute", stage),
        post("/api/v2/piston/execute", {**stage, "files": [{"content": "cHJpbnQoMSk=", "encoding": "base64"}]}) + get("/api/v2/runtimes"),
        upgrade("/api/v2/connect", message({"type": "init", "language": "python", "version": "*", "files": [{"content": "print(input())"}]}),
                message({"type": "data", "stream": "stdin", "data": "hi\n"}), message({"type": "signal", "signal": "SIGTERM"}), message({"type": "eof"})),
        post("/run_code", fusion) + get("/v1/ping"),
        post("/run_jupyter", {"cells": ["1", "print(2)"], "cell_timeout": 1, "total_timeout": 1}),
    )


TOKENS = (b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\xff", b":", b";", b",", b'"', b"{", b"[" * 70, b"}", b"\\u0000", b"\\ud800",
          b"\xed\xa0\x80", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\n",
          b"Expect: 100-continue\r\n", b"Content-Encoding: gzip\r\n", b"Host: example.org\r\n", b"Origin: null\r\n", b"0\r\n\r\n", b"5\r\n",
          b"?stream=sse", b"?stream=ndjson", b"%00", b"%2f", b"null", b"true", b"-1", b"\x81\x80\0\0\0\0", b"\x88\x80\0\0\0\0", b"\x89\x80\0\0\0\0",
          b"\x01\x81\0\0\0\0x", b"\x80\x80\0\0\0\0", b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", b"x" * 9000)
NUMBERS = (b"0", b"1", b"-1", b"00", b"127", b"65536", b"2147483648", b"4294967296", b"9223372036854775807", b"18446744073709551616", b"1e9", b"0x10", b"1.5")


def span(chance, data):
    """A random part of the data, often a short one."""
    at = chance.randrange(len(data) + 1)
    most = chance.choice((1, 4, 16, 64, len(data) or 1))
    return at, min(len(data), at + chance.randint(1, most))


def change_number(chance, data):
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return data
    one = chance.choice(found)
    return data[:one.start()] + chance.choice(NUMBERS) + data[one.end():]


def mutate_once(chance, data, others):
    begin, end = span(chance, data)
    kind = chance.randrange(9)
    if kind == 0 and begin < len(data):
        return data[:begin] + bytes([data[begin] ^ 1 << chance.randrange(8)]) + data[begin + 1:]
    if kind == 1 and begin < len(data):
        return data[:begin] + bytes([chance.randrange(256)]) + data[begin + 1:]
    if kind == 2:
        return data[:begin] + data[end:]
    if kind == 3:
        return data[:end] + data[begin:]
    if kind == 4:
        return data[:begin] + chance.choice(TOKENS) + data[begin:]
    if kind == 5:
        return change_number(chance, data)
    if kind == 6:
        other = chance.choice(others)
        return data[:begin] + other[chance.randrange(len(other)):]
    if kind == 7:
        return data[:begin]
    other = chance.choice(others)
    first, last = span(chance, other)
    return data[:begin] + other[first:last] + data[end:]


def mutate(chance, others):
    """A request of `others`, mutated once or a few times, or not at all."""
    data = chance.choice(others)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        data = mutate_once(chance, data, others)
    return data


def pieces(chance, data):
    """Cuts the data into pieces, which are sent one by one."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 2, 5, 20))))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)]) if begin < end]
