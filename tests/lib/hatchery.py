"""A client of Hatchery in Python, written from docs/protocol.md and proto/hatchery.proto alone.

It is what the tests speak through, and the proof that those two are enough: it shares no code with the C client. The
generated hatchery_pb2 comes from the build tree; tests/run.py puts it on the path.
"""

import socket
import struct

import lz4.frame

import hatchery_pb2 as pb

from lib.scale import patience

HEADER = struct.Struct(">BI")
PLAIN, LZ4 = 0, 1

Status = pb.Result.Status
Code = pb.Error.Code


class Refused(Exception):
    """The server answered with an Error."""

    def __init__(self, error):
        super().__init__(f"{Code.Name(error.code)}: {error.message}")
        self.error = error
        self.code = Code.Name(error.code)
        self.message = error.message


class Closed(Exception):
    """The server closed the connection."""


def connect(address, timeout, source=None):
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        sock.connect(address[len("unix:"):])
        return sock
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host.strip("[]"), int(port)), timeout, source and (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def execute_message(code=None, *, language="python", files=None, limits=None, compile_limits=None, env=None, collect=None,
                    **fields):
    """An Execute. files: a dict of name to content, or to (content, mode); limits, compile_limits: a dict; collect: a
    list of globs or a dict. All else goes by its name in the .proto."""
    message = pb.Execute(language=language, **fields)
    if code is not None:
        message.code = code.encode() if isinstance(code, str) else code
    for name, content in (files or {}).items():
        content, mode = content if isinstance(content, tuple) else (content, 0)
        message.files.add(name=name, content=content.encode() if isinstance(content, str) else content, mode=mode)
    for name, value in (limits or {}).items():
        setattr(message.limits, name, value)
    for name, value in (compile_limits or {}).items():
        setattr(message.compile_limits, name, value)
    for name, value in (env or {}).items():
        message.env[name] = value
    if collect is not None:
        collect = collect if isinstance(collect, dict) else {"globs": collect}
        message.collect.CopyFrom(pb.Collect(**collect))
    return message


class Client:
    """One connection, from the address `source` if one is given. Requests may be sent ahead; answers that nobody waited
    for yet are kept."""

    def __init__(self, address, timeout=120, compress=False, source=None):
        self.sock = connect(address, patience(timeout), source)
        self.compress = compress
        self.last_id = 0
        self.kept = {}
        self.order = []  # ids in the order in which their answers came
        self.compressed_answers = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # ------------------------------------------------------------ frames

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send_frame(self, message, flag=PLAIN):
        self.send_bytes(HEADER.pack(flag, len(message)) + message)

    def receive_bytes(self, size):
        parts = []
        while size:
            try:
                part = self.sock.recv(min(size, 1 << 20))
            except ConnectionResetError as error:
                raise Closed("connection reset by the server") from error
            if not part:
                raise Closed("end of file from the server")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def receive(self):
        """The next answer, whichever it is."""
        flag, length = HEADER.unpack(self.receive_bytes(HEADER.size))
        message = self.receive_bytes(length)
        if flag == LZ4:
            message = lz4.frame.decompress(message)
            self.compressed_answers += 1
        elif flag != PLAIN:
            raise ValueError(f"the server sent the flag {flag}")
        answer = pb.ServerMessage.FromString(message)
        self.order.append(answer.id)
        return answer

    # ------------------------------------------------------------ messages

    def send(self, **request):
        """Sends one ClientMessage, for instance send(ping=pb.Ping()); returns its id."""
        self.last_id += 1
        message = pb.ClientMessage(id=self.last_id, **request).SerializeToString()
        if self.compress:
            self.send_frame(lz4.frame.compress(message, store_size=True), LZ4)
        else:
            self.send_frame(message)
        return self.last_id

    def wait(self, request_id):
        """The answer to one request, as a ServerMessage."""
        while request_id not in self.kept:
            answer = self.receive()
            self.kept[answer.id] = answer
            if answer.id == 0:
                raise Refused(answer.error)
        return self.kept.pop(request_id)

    def take(self, request_id, kind):
        answer = self.wait(request_id)
        if answer.WhichOneof("answer") == "error":
            raise Refused(answer.error)
        if answer.WhichOneof("answer") != kind:
            raise ValueError(f"expected {kind}, the server answered {answer}")
        return getattr(answer, kind)

    def send_execute(self, code=None, **arguments):
        return self.send(execute=execute_message(code, **arguments))

    def result(self, request_id):
        return self.take(request_id, "result")

    def execute(self, code=None, **arguments):
        return self.result(self.send_execute(code, **arguments))

    def cancel(self, request_id):
        return self.take(self.send(cancel=pb.Cancel(request_id=request_id)), "cancelled").found

    def ping(self):
        return self.take(self.send(ping=pb.Ping()), "pong").server_version

    def status(self):
        return self.take(self.send(get_status=pb.GetStatus()), "status")
