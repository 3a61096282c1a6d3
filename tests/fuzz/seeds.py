#!/usr/bin/python3
"""Writes the seeds of the fuzzers: one good input of each kind, made by independent encoders (python3-protobuf,
python3-lz4). When a message gets a new field, a corpus starts from these seeds. `./dev fuzz --merge` then keeps each
seed and each found input that reaches code which the others do not reach.

Usage: seeds.py FOLDER, with hatchery_pb2 on PYTHONPATH; makes FOLDER/NAME/seed-N."""

import struct
import sys
from pathlib import Path

import lz4.frame
from hatchery_pb2 import ClientMessage, Error, Execute, Result, ServerMessage

import seeds_http

JOB_MAGIC = 0x48544A31


def requests():
    full = ClientMessage(id=2**64 - 1, lz4=True)
    x = full.execute
    x.language, x.entry, x.client, x.stdin, x.deadline_us = "python", "d/a.py", "guild 42", b"in\0put", 12345678
    x.files.add(name="d/a.py", content=b"print(1)", mode=0o755)
    x.files.add(name="d/\u00e4", content=b"\0\xff")
    x.args.extend(["one", "", "three"])
    x.env["A"], x.env["B"] = "1", ""
    x.merge_stderr, x.on_output_limit = True, Execute.TRUNCATE
    x.collect.globs.extend(["*.txt", "**/out"])
    x.collect.max_files, x.collect.max_bytes = 5, 4096
    for number, field in enumerate(x.limits.DESCRIPTOR.fields):
        setattr(x.limits, field.name, 1000 + number)
    x.stream = x.live_stdin = True
    x.terminal.rows, x.terminal.columns = 24, 80
    x.interpreter_args.extend(["-I", "-c"])
    x.interpreter = "python3"
    x.run_id, x.idempotency_key = "run-7_A", "order:7"
    full.on_behalf.peer, full.on_behalf.trace = b"4\x7f\0\0\1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    yield full
    small = ClientMessage(id=1)
    small.execute.code = b"print(6*7)"
    yield small
    yield ClientMessage(id=2, cancel={"request_id": 1})
    yield ClientMessage(id=3, ping={})
    yield ClientMessage(id=3, cancel_run={"run_id": "run-7_A"}, on_behalf={"peer": b"u\0"})
    yield ClientMessage(id=4, get_status={})
    yield ClientMessage(stdin_chunk={"request_id": 1, "bytes": b"in\0put", "eof": True})
    yield ClientMessage(id=5, signal={"request_id": 1, "number": 2})
    yield ClientMessage(resize={"request_id": 1, "rows": 24, "columns": 80})
    yield ClientMessage(credit={"request_id": 1, "bytes": 2**64 - 1})


def answers():
    full = ServerMessage(id=2**64 - 1)
    r = full.result
    r.status, r.exit_code, r.signal = Result.MEMORY_LIMIT, -1, 9
    r.stdout, r.stderr = b"o\0ut", b"\xff"
    r.files.add(name="out.txt", content=b"42\n", mode=0o644)
    r.files.add(name="bad\ufffd", raw_name=b"bad\xff", mode=0o600)
    for field in r.DESCRIPTOR.fields:
        if field.type == field.TYPE_BOOL:
            setattr(r, field.name, True)
        elif field.type in (field.TYPE_UINT64, field.TYPE_UINT32):
            setattr(r, field.name, field.number * 1000)
        elif field.type == field.TYPE_STRING:
            setattr(r, field.name, field.name)
    for field in r.stages.DESCRIPTOR.fields:
        setattr(r.stages, field.name, field.number * 100)
    yield full
    yield ServerMessage(id=1, result={"status": Result.EXITED, "stdout": b"42\n"})
    yield ServerMessage(id=1, result={"stdout": b"large enough to be packed\n" * 60})
    yield ServerMessage(id=1, error={"code": Error.RESOURCE_EXHAUSTED, "message": "full", "retry_after_ms": 5})
    yield ServerMessage(id=1, pong={"server_version": "0.1.0"})
    yield ServerMessage(id=1, cancelled={"found": True})
    yield ServerMessage(id=1, output={"stream": 1, "bytes": b"o\0ut", "offset": 2**40, "at_us": 5})
    yield ServerMessage(id=1, stage={"kind": 2, "at_us": 300})
    yield ServerMessage(id=1, credit={"request_id": 1, "bytes": 65536, "closed": True})
    yield ServerMessage(id=1, signalled={"sent": True})
    status = ServerMessage(id=1)
    status.status.server_version, status.status.ready, status.status.connections = "0.1.0", True, 3
    language = status.status.languages.add(name="python", version="3.11.2", warm=4, runs=10)
    language.stages.add(name="queue", count=10, sum_us=1000, p50_us=90, p90_us=100, p99_us=300, max_us=301)
    language.stages.add(name="refill", max_us=2**64 - 1).buckets.add(le_us=100, count=3)
    language.results.add(status=Result.EXITED, count=9)
    language.cache_hits, language.cache_misses, language.prompts = 1, 2, True
    language.default_limits.wall_us = language.max_limits.wall_us = 6_000_000
    yield status


def streams():
    """What a server says to the six calls of the fuzzer `async`."""
    def message(id, **what):
        return frame(ServerMessage(id=id, **what).SerializeToString())

    output = (message(1, stage={"kind": 2, "at_us": 9}) + message(1, output={"bytes": b"a\xe2\x82", "at_us": 1})
              + message(5, output={"stream": 1, "bytes": b"x" * 300}) + message(1, output={"bytes": b"\xac", "offset": 3}))
    yield output + message(1, credit={"request_id": 1, "bytes": 9}) + message(1, credit={"request_id": 1, "closed": True})
    yield output + message(1, result={"status": Result.EXITED}) + message(6, signalled={"sent": True})
    yield (message(3, pong={}) + message(4, status={}) + message(2, error={"code": Error.UNAVAILABLE, "retry_after_ms": 1})
           + message(5, error={"code": Error.INTERNAL}))
    yield message(0, error={"code": Error.RESOURCE_EXHAUSTED, "message": "full", "retry_after_ms": 1})
    yield message(7, pong={})
    yield message(1, output={"bytes": b"x", "offset": 1})
    yield message(2, output={"bytes": b"x"})
    yield frame(ServerMessage(id=1, output={"bytes": b"long" * 70000}).SerializeToString(), True)
    yield message(2, result={})[:-1]


def packed(message):
    return lz4.frame.compress(message, store_size=True)


def frame(message, compressed=False):
    body = packed(message) if compressed else message
    return struct.pack(">BI", compressed, len(body)) + body


def record(kind, mode=0, size=0, name=b"", reason=0):
    return struct.pack("=IIQII", kind, mode, size, len(name), reason) + name


def job(args, env, strings, flags=0):
    return struct.pack("=12I2Q", JOB_MAGIC, args, env, 0, 64, 8 << 20, 0, 0, 1, flags, 1, 0, 256 << 20, len(strings)) + strings


def walk(globs, max_files=10, max_bytes=1000, max_us=1000000):
    patterns = b"".join(glob + b"\0" for glob in globs)
    return struct.pack("=IIQQ", max_files, len(patterns), max_bytes, max_us) + patterns


CONFIG = b"""listen = { "127.0.0.1:7070", unix:/run/x }
log_level = debug # comment
max_request_bytes = 1M
drain = 500ms
language python { warm = 3
 running = 5
 preload = { json, re } limits { wall = 2s memory = 64M } ceilings { wall = 1m pids = 9 } }
language 'other' { preload = {} }
"""


def seeds():
    client, server = [list(map(lambda m: m.SerializeToString(), kind())) for kind in (requests, answers)]
    yield "request", client
    yield "answer", server
    yield "async", list(streams())
    yield "client", [frame(server[0]) + frame(server[3]), b"".join(map(frame, server[6:10])) + frame(server[1]), frame(server[0] * 3, True), frame(server[1], True)]
    yield "inbox", [frame(client[1]) + frame(client[3], True) + b"\7", frame(b"x" * 3000) * 3 + b"\1", frame(b"") + b"\0"]
    yield "lz4", [packed(b"a" * 5000), packed(b""), packed(bytes(range(256))), b"b" * 300,
                  lz4.frame.compress(b"abc" * 100, store_size=True, content_checksum=True, block_checksum=True,
                                     block_linked=False)]
    yield "job", [job(0, 0, b"main.py\0"), job(2, 1, b"a/b.py\0one\0\0A=1\0-O2\0-lm\0", flags=2)]
    yield "collector", [record(1, 0o644, 3, b"a.txt") + b"42\n" + record(1, 0o600, 0, b"d/\xff") + record(2),
                        record(2, reason=3)]
    yield "walk", [walk([b"**/*"]), walk([b"*.txt", b"d/?.txt"]), walk([b"**"], 1, 2)]
    yield "config", [CONFIG, b"", b"language python { limits { cpu = 9s } }", b'listen = "${HOME}" /* c */',
                     b"runtime x { kind = compiled main_file = m.c extensions = { c } version = { v } compile = { c, '{sources}' } artifacts = { a } run = { ./a }"
                     b" aliases = { y } env = { 'A=\\'b\\\\' } limits { cpu = 9s } compile_limits { wall = 1s } }",
                     b"runtime w { kind = prestarted main_file = m version = { v } run = { r } warm = { w } echoes = true links = { '/n=/m' } } absent v { reason = 'r' }"
                     b" language v { } language z { runtime = w packages = /p }",
                     *seeds_http.CONFIG]
    yield "glob", [b"**/*.tx?\0a/b/c.txt", b"*\0a", b"a/**\0a/b", b"**/**/x*y**z\0x"]
    yield "names", [b"a.py\nd/a\nd/b", b"a\na/b", b"..\n/x\nx/\n./a\n" + b"n" * 260, b"\xc3\xa4/\x01\x7f"]
    yield "utf8", ["a\u00e4\u20ac\U0001f600".encode(), b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", b"\x1b[31m\t\n\xc2\x85"]
    yield "limit", [b"500ms", b"9223372036854", b"64M", b"8G", b"0", b"2m", b"12us", b"9B", b"7K"]
    yield "options", [b"\0-e\nprint(1)\n--wall=2s\n--\nx", b"\0a.py\n--file\nn=p\n--collect=*\n--out\nd\n--json",
                      b"\1--addr\n[::1]:7070", b"\2unix:/run/x\nlocalhost:1\n--help", b"\0--env=A=1\n--truncate\n-lpython"]
    yield from seeds_http.seeds()


def main():
    for name, inputs in seeds():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs, 1):
            (folder / f"seed-{number}").write_bytes(data)


if __name__ == "__main__":
    main()
