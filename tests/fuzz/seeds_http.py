"""The seeds of the fuzzers of HTTP: the table of raw requests (tests/lib/http_rules.py), frames of WebSockets, and
bodies of each contract. See seeds.py."""

import base64
import json
import struct
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from lib.http_rules import ROWS, request  # noqa: E402

MOST = 3000  # bytes of a seed; longer requests of the table test bounds that a fuzzer reaches in its own way
UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
SOCKET_FRAMES = {"text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}


def frame(kind, payload=b"", fin=True, masked=True, claimed=None, rsv=0):
    """A frame whose mask is four zeros, so that the payload can be read in it."""
    size = len(payload) if claimed is None else claimed
    head = bytes([fin << 7 | rsv << 4 | SOCKET_FRAMES.get(kind, 0)])
    bit = masked << 7
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack(">BH", bit | 126, size)
    else:
        head += struct.pack(">BQ", bit | 127, size)
    return head + bytes(4 * masked) + payload


def requests():
    """Requests of a connection, with the paths of the fuzzer `http`."""
    for _, text, _, _ in ROWS:
        whole = request(text, "/g", "/e", "abc")
        if len(whole) <= MOST:
            yield whole
    yield b"GET /i/a%2fb?q=x&q=y HTTP/1.1\r\nHost: 127.0.0.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
    yield b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /s HTTP/1.1\r\nHost: localhost\r\n\r\nGET /s HTTP/1.0\r\n\r\n"
    yield b"HEAD /g HTTP/1.1\r\nHost:\tlocalhost\r\n\r\nDELETE /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
    yield (b"OPTIONS /e HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n"
           b"Access-Control-Request-Headers: content-type\r\n\r\n") * 2
    yield (b"POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Type: Text/Plain ; charset=x\r\nExpect: 100-continue\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\na;b=c\r\n0123456789\r\n0\r\nA: b\r\n\r\n")
    yield UPGRADE + frame("text", b"hello") + frame("ping", b"p") + frame("close", b"\x03\xe8bye")
    yield UPGRADE.replace(b": 13", b": 8") + UPGRADE.replace(b"Upgrade:", b"Up:") + UPGRADE.replace(b"AA==", b"A===")


def chunks():
    def seed(body, most=100, first=1, then=1):
        return struct.pack(">HBB", most, first - 1, then - 1) + body
    yield seed(b"3\r\nabc\r\n0\r\n\r\nGET /")
    yield seed(b"3;a=\"b\"\r\nabc\r\nA\r\n0123456789\r\n000\r\nSum: 1\r\nB:\tc\r\n\r\n", first=7, then=3)
    yield seed(b"65\r\n" + b"x" * 101)
    yield seed(b"+3\r\nabc\r\n0\r\n\r\n")
    yield seed(b"1\r\nxy0\r\n\r\n")
    yield seed(b"ffffffffffffffff\r\n", 65535)
    yield seed(b"1;" + b"x" * 1020 + b"\r\ny\r\n0\r\n\r\n")
    yield seed(b"1;" + b"x" * 1021 + b"\r\ny\r\n0\r\n\r\n", first=256, then=256)
    yield seed(b"1;x\r\ny\r\n" * 90 + b"0\r\n\r\n")


def heads():
    def seed(head, more=0, place=0, piece=1):
        return struct.pack(">HHB", more, place, piece) + head
    for number, (_, text, _, _) in enumerate(ROWS):
        head = request(text, "/get", "/echo", "abc")
        if len(head) <= MOST:
            yield seed(head, piece=number % 7)
    plain = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
    yield seed(plain, 160, 5)
    yield seed(plain, 600, 5, 255)
    yield seed(plain, 500, 28, 100)
    yield seed(plain, 512, 28, 100)
    yield seed(b"G", 640, 1, 0)
    yield seed(plain[:-2] + b"Connection: close, keep-alive\r\nOrigin: null\r\nContent-Encoding: identity\r\n"
               b"Access-Control-Request-Method: PUT\r\nExpect: 100-Continue\r\nContent-Length: 12\r\n\r\n")


def frames():
    def seed(frames, piece=1):
        return bytes([piece]) + frames
    long = b"\xe2\x82\xac" * 90
    yield seed(frame("text", b"hello") + frame("binary", b"\0\xff") + frame("close", b"\x03\xe8"))
    yield seed(frame("text", long) + frame("ping", b"123") + frame("pong") + frame("close", b"\x0f\xa0\xc3\xa4"), 9)
    yield seed(frame("text", b"\xe2\x82", fin=False) + frame("ping", b"x") + frame("continue", b"\xac"), 3)
    yield seed(frame("binary", b"x" * 400, fin=False) + frame("continue", b"x" * 301))
    yield seed(frame("binary", b"x", claimed=701))
    yield seed(frame("binary", b"x", claimed=1 << 62))
    yield seed(frame("text", b"hold") + frame("text", b"behind") + frame("ping") + frame("text", b"h2") + frame("text", b"z"), 5)
    for number in range(8):
        yield seed(frame("text", b"c" + bytes([number])) + frame("text", b"late") + frame("close", b"\x03\xe9"), number)
    yield seed(frame("text", b"p") + frame("pong") + frame("text", b""))
    yield seed(frame("text", b"x", masked=False))
    yield seed(frame("text", b"x", rsv=4))
    yield seed(frame("text", b"\xff"))
    yield seed(frame("continue", b"x"))
    yield seed(frame("ping", b"x" * 126))
    yield seed(frame("ping", b"x", fin=False))
    yield seed(frame("close", b"\x03"))
    yield seed(frame("close", b"\x03\xed"))
    yield seed(frame("close", b"\x03\xe8\xff"))
    yield seed(b"\x83\x80\0\0\0\0")
    yield seed(b"\x81\xfe\0\x01\0\0\0\0x" + b"\x81\xff" + bytes(7) + b"\x01" + bytes(4) + b"x")
    yield seed(b"\x81\x85\x01\x02\x03\x04" + bytes(c ^ m for c, m in zip(b"hello", b"\1\2\3\4\1")))


def b64(data):
    return base64.b64encode(data).decode()


def compact(value):
    """Without spaces, so that long lists fit into an input."""
    return json.dumps(value, separators=(",", ":"))


def texts():
    """JSON, base64 and bytes for the fuzzer `json`."""
    yield b"\0" + compact({"a": [1, -2.5e3, True, None, "\u00e4\U0001f600\0"], "b": {}, "": []}).encode()
    yield b'\0"\\ud83d\\ude00\\u0000\\n"'
    yield b"\0" + b"[" * 64 + b"]" * 64
    yield b"\0" + b"[" * 65 + b"]" * 65
    yield from (b"\0" + text for text in (b'{"a":1,"a":2}', b'"\\ud800"', b"1e999", b"[1,]", b"1 2", b'"\xff"', b'"a', b'"\\\\"', b""))
    yield from (b"\1" + text for text in (b"", b"YQ==", b"YWI=", b"YWJj", b"+/+/", b"YR==", b"Y Q=", b"YQ=", b"===="))
    yield from (b"\2" + text for text in (b"", "a\u00e4\u20ac\U0001f600".encode(), b"a\xffb", b"\xe2\x82"))


LIMITS = ("wall_us", "cpu_us", "memory_bytes", "pids", "output_bytes")


def v1():
    full = {"language": "python", "files": {"d/a.py": "print(1)", "b": {"content": "x", "mode": "0755"},
                                            "c": {"content_base64": b64(b"\0\xff")}},
            "entry": "d/a.py", "args": ["one", "", "\u00e4"], "env": {"A": "1", "B": ""}, "stdin": "in\0put",
            "limits": {name: 1000000 for name in LIMITS}, "compile_limits": {name: 1000000 for name in LIMITS},
            "merge_stderr": True, "on_output_limit": "TRUNCATE", "deadline_us": 10 ** 7, "client": "guild 42", "priority": 3,
            "collect": {"globs": ["*.txt", "**/out"], "max_files": 5, "max_bytes": 4096, "changed_only": True},
            "echo_last_expression": True, "unbuffered": True, "compile_flags": ["-O2"], "stream": True,
            "interpreter_args": ["-I"], "interpreter": "python3", "run_id": "run-7_A", "idempotency_key": "order:7"}
    yield compact(full).encode()
    yield compact({"language": "c", "code_base64": b64(b"int main(){}"), "stdin_base64": b64(b"\xff"), "limits": None}).encode()
    yield compact({"language": "python", "code": "", "live_stdin": True, "terminal": {"rows": 24, "columns": 80}}).encode() + b"\n"
    wrong = {"language": [1, "", "x" * 70, "a\0b"], "code": [1.5, {}], "code_base64": ["*", "YQ=", 1], "entry": ["\0", [], "n" * 1100],
             "files": [[], {"a": 1}, {"a": {}}, {"a": {"content": "", "mode": "0888"}}, {"a": {"content": "", "mode": "77777"}}, {"a": {"contend": 1}},
                       {"a": {"content": "", "content_base64": ""}}, {f"f{i}": "" for i in range(70)}],
             "args": ["x", ["a", 1], ["a\0"], [""] * 70], "env": [[], {"A": 1}, {"A": "\0"}, {f"V{i}": "" for i in range(70)}],
             "stdin": [False], "limits": [[], {"wall": 1}, {"wall_us": -1}, {"wall_us": 2 ** 63 - 1}, {"wall_us": "1"}], "merge_stderr": [1],
             "on_output_limit": ["STOP", 1], "collect": [[], {"globs": "x"}, {"globs": ["*"] * 65}, {"max_files": -1}, {"globs": ["a", None]}],
             "deadline_us": [-1, "x", 1.5], "priority": [-1, 2 ** 32, True], "live_stdin": [True, 1], "terminal": [{"rows": 1}, {"rows": 0, "columns": 70000}, 1],
             "nothing": [1], "interpreter_args": [["x"] * 65], "compile_flags": [["x"] * 33, ["f" * 256]], "client": ["c" * 256],
             "run_id": ["", "x" * 80], "idempotency_key": ["x" * 300], "compile_limits": [{"pids": 1.5}]}
    for name, values in wrong.items():
        for value in values:
            yield compact({"language": "python", "code": "1", name: value}).encode()
    yield compact({"language": "python", "code": "1", "code_base64": "", "stdin": "", "stdin_base64": ""}).encode()
    yield from (b"{}", b"[]", b"null", b"{", b'{"language":"python","langauge":1}')


def piston():
    body = {"language": "python", "version": "3.11.2", "files": [{"name": "a.py", "content": "print(1)"}]}
    wrong = {"language": ["py", "c++", 1, "p\0"], "version": ["*", "3", "~3.11", "^3.0.0", ">=3 <4", "1.x || 3.x", "1 - 3.11", "v3.11.2-a+b", "=3", "x\0", ""],
             "files": [[], [1], [{"content": 1}], [{"content": "zz", "encoding": "hex"}], [{"content": "*", "encoding": "base64"}],
                       [{"content": "", "encoding": "rot"}], [{"name": "\0", "content": ""}], [{"name": "../../x", "content": ""}],
                       [{"name": "/", "content": ""}], [{"name": "n" * 1100, "content": ""}], [{"content": ""}] * 70, [{"name": 1, "content": ""}],
                       [{"name": "a", "content": "00FF", "encoding": "hex"}, {"name": "b", "content": ""}]],
             "stdin": ["in\n", "", 1, "in"], "args": ["x", [1], ["\0"], [""] * 70, ["x" * 3000], ["a", "b"]],
             "run_timeout": [1, 0, -1, 10 ** 9, "1", 1.5], "compile_timeout": [1, 10 ** 9], "run_cpu_time": [5], "compile_cpu_time": [5],
             "run_memory_limit": [-1, 0, 10 ** 8, 2 ** 62], "compile_memory_limit": [-1, 5]}
    for kind in (b"\0", b"\1"):
        yield kind + compact(body).encode()
        for name, values in wrong.items():
            for value in values:
                yield kind + compact({**body, name: value}).encode()
        yield from (kind + text for text in (b"{}", b"[]", b"{"))
        yield kind + compact({**body, "language": "cpp", "version": "12.2.0", "compile_timeout": 1000}).encode()
        yield kind + compact({**body, "language": "bc", "version": "1.7.1"}).encode()


def snekbox():
    def main(*more, **fields):
        return {"args": ["main.py"], "files": [{"path": "main.py", "content": b64(b"1")}, *more], **fields}
    yield from (compact(body).encode() for body in (
        {"input": "print(1)"}, {"input": "print(1)", "args": ["-c"]}, {"args": []}, {"input": ""}, {"args": ["-m", "this"]},
        {"args": ["-c", "1", "x"]}, {"args": ["a\0"]},
        {"input": "1", "args": ["x"] * 70}, {"args": "x"}, {"args": [1]}, {"input": 1}, {"files": 1}, {"files": [1]},
        main(), main({"path": "a/b"}), main({"path": "a", "content": ""}, {"path": "a/b"}), main({"path": "a/b"}, {"path": "a"}),
        main({"path": "/x"}), main({"path": "../x"}), main({"path": "a/../../home/x"}), main({"path": ""}), main({"path": "."}), main({"path": "a\0"}),
        main({"path": "n" * 256}), main({"path": 1}), main({"content": ""}), main({"path": "a", "content": "*"}),
        main({"path": "a", "content": 1}), main({"path": "a", "x": 1}),
        main(*({"path": f"f{i}"} for i in range(70))), main(executable_path="/usr/bin/python3"),
        main(executable_path="/bin/none"), main(executable_path=1),
        main(executable_path="x"), main(executable_path=""), main(other=1), [], {}, 1, "x", {"input": "1", "args": [True, None, 1.5, {"a": [1, "'"]}, "\u00e4\n"]}))


def sandboxfusion():
    def code(**fields):
        return b"\0" + compact({"code": "print(1)", "language": "python", **fields}).encode()
    def cells(**fields):
        return b"\1" + compact({"cells": ["1", "2"], **fields}).encode()
    files = [{"a": "YQ=="}, {"a": "Y Q\n=="}, {"a": None}, {"a": 1}, {"a": "*"}, {"../a": ""}, {"/x": ""}, {"": ""}, {"a\0": ""}, {"a/": ""}, [], 1,
             {f"f{i}": "" for i in range(70)}, {"main.py": "", "main.cpp": ""}, {"/home/sandbox/x": ""}, {"n" * 1100: ""}]
    names = ("python", "cpp", "go", "go_test", "java", "junit", "nodejs", "ts", "jest", "pytest", "rust", "csharp", "bash", "php", "perl", "lua", "R", "ruby",
             "D_ut", "kotlin_script", "scala", "julia", "verilog", "lean", "swift", "racket", "cuda", "sql", "", 1, None, "x" * 100, "a\0")
    for name in names:
        yield code(language=name, files={"main.py": "YQ==", "main.cpp": "YQ==", "main.rs": ""})
    for name, values in {"files": files, "fetch_files": [["a"], ["a", "../b"], "a", [1], ["x"] * 70, None], "args": [["-q"], ["\0"], "x", [1], ["x"] * 70],
                         "stdin": ["in", None, 1], "run_timeout": [1, 1.5, -1, "3", "x", 1e9, None, 0], "compile_timeout": [10, "1.5"],
                         "memory_limit_MB": [64, -1, 2 ** 40, "5", 1.5, None], "code": [1, None, ""], "other": [1]}.items():
        for value in values:
            yield code(**{name: value})
            yield code(**{name: value, "language": "cpp"})
    for name, values in {"cells": [[], "x", [1], None, ["x"] * 200], "cell_timeout": [1, "1", -1], "total_timeout": [1, -1, "x"], "kernel": ["python3", "x", 1], "files": files,
                         "fetch_files": [["a"]]}.items():
        for value in values:
            yield cells(**{name: value})
    yield from (kind + text for kind in (b"\0", b"\1") for text in (b"[]", b"{}", b"{", b"1"))
    mark = b"0123456789abcdef" * 2
    rest = compact({"display": [{"text/plain": "1"}], "error": [{"ename": "E", "evalue": "v", "traceback": ["t"]}], "cut": True}).encode()
    notebook = b"pre" + mark + b"B0\nout" + mark + b"R" + rest + b"\n" + mark + b"F0\n" + mark + b"B1\n\xff" + mark + b"End"
    yield b"\2" + notebook
    yield b"\2" + notebook.replace(b"R{", b"R[")


CONFIG = (b"gateway_workers = 2\nhttp { listen = { '127.0.0.1:80', '[::1]:0' } contracts = { v1, piston } hosts = { a.b, '[::1]' } origins = { 'https://a.b:1' } }"
          b" http { listen = { '1.2.3.4:5' } }\nlanguage python { }",
          b"http { listen = { '127.0.0.1:80' } }\nhttp { listen = { '127.0.0.1:80' } }\nlanguage python { }",
          b"http { listen = { '127.0.0.1:99999' } }", b"http { contracts = { judge0 } }", b"http { hosts = { 'a:1' } }", b"http { hosts = { '[x]' } }",
          b"http { origins = { 'https://a/' } }", b"http { origins = { '://a', a } }", b"http { listen = { } }\nlanguage python { }", b"http { listen = { :1, '[::1', a } }",
          b"http { listen = { " + b", ".join(b"'127.0.0.1:%d'" % n for n in range(1, 70)) + b" } }\nlanguage python { }",
          b"http { hosts = { " + b", ".join(b"h%d" % n for n in range(70)) + b" } }", b"".join(b"http { listen = { '127.0.0.1:%d' } }\n" % n for n in range(1, 40)),
          b"gateway_workers = 0", b"gateway_workers = 1000")


def seeds():
    yield "http", [bytes([number % 5]) + text for number, text in enumerate(requests())]
    yield "http_chunked", list(chunks())
    yield "http_head", list(heads())
    yield "json", list(texts())
    yield "websocket", list(frames())
    for kind in (v1, piston, snekbox, sandboxfusion):
        yield kind.__name__, list(kind())
