"""A client of Hatchery in Python, written from docs/protocol.md and proto/hatchery.proto alone.

All tests use this client. It proves that those two documents are enough: it shares no code with the
C client. The generated hatchery_pb2 comes from the build tree; tests/run.py puts it on the path.
"""

import socket
import struct

import lz4.frame

import hatchery_pb2 as pb

from lib.scale import patience

HEADER = struct.Struct(">BI")
PLAIN, LZ4 = 0, 1

FIRST_CREDIT = 256 << 10  # in each direction, for a request with stream or live_stdin
EVENTS = "output", "stage", "credit"  # the messages about a request that come before its answer

Status = pb.Result.Status
Code = pb.Error.Code
STDOUT, STDERR = pb.Output.STDOUT, pb.Output.STDERR
COMPILE, RUN = pb.Stage.COMPILE, pb.Stage.RUN


class Refused(Exception):
    """The server answered with an Error."""

    def __init__(self, error):
        super().__init__(f"{Code.Name(error.code)}: {error.message}")
        self.error = error
        self.code = Code.Name(error.code)
        self.message = error.message


class Closed(Exception):
    """The server closed the connection."""


class Broken(Exception):
    """The server did something that docs/protocol.md excludes."""


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
                    terminal=None, **fields):
    """An Execute. files: a dict of name to content, or to (content, mode); limits, compile_limits: a dict; collect: a
    list of globs or a dict; terminal: (rows, columns). All other arguments are fields of the .proto, under the same
    names."""
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
    if terminal is not None:
        message.terminal.rows, message.terminal.columns = terminal
    return message


def caller_message(caller):
    peer, trace = caller if isinstance(caller, tuple) else (caller, "")
    return pb.OnBehalf(peer=peer, trace=trace)


class Client:
    """One connection, from the address `source` if one is given. A test may send several requests before it
    reads an answer. Each answer is kept until the test asks for it."""

    def __init__(self, address, timeout=120, compress=False, source=None, on_behalf=None):
        """on_behalf: for the trusted socket, the caller of every request with an answer, or (caller, trace)."""
        self.sock = connect(address, patience(timeout), source)
        self.compress = compress
        self.on_behalf = on_behalf
        self.last_id = 0
        self.kept = {}
        self.order = []  # ids in the order in which their answers came
        self.streams = {}  # open streams by id; a stream is removed when its answer comes
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

    def receive_message(self):
        flag, length = HEADER.unpack(self.receive_bytes(HEADER.size))
        message = self.receive_bytes(length)
        if flag == LZ4:
            message = lz4.frame.decompress(message)
            self.compressed_answers += 1
        elif flag != PLAIN:
            raise ValueError(f"the server sent the flag {flag}")
        return pb.ServerMessage.FromString(message)

    def receive_some(self):
        """Receives one message, and returns it if it is an answer. None: the message belongs to a stream, and was given
        to its Stream."""
        message = self.receive_message()
        if message.WhichOneof("answer") not in EVENTS:
            self.order.append(message.id)
            self.streams.pop(message.id, None)
            return message
        if message.id not in self.streams:
            raise Broken(f"no stream is open under the id of {message}")
        self.streams[message.id].take(message)
        return None

    def receive(self):
        """Receives the next answer to any request."""
        while (answer := self.receive_some()) is None:
            pass
        return answer

    # ------------------------------------------------------------ messages

    def send_message(self, request_id, request):
        if self.on_behalf is not None and request_id:
            request = {"on_behalf": caller_message(self.on_behalf), **request}
        message = pb.ClientMessage(id=request_id, **request).SerializeToString()
        if self.compress:
            self.send_frame(lz4.frame.compress(message, store_size=True), LZ4)
        else:
            self.send_frame(message)

    def send(self, **request):
        """Sends one ClientMessage, for instance send(ping=pb.Ping()); returns its id."""
        self.last_id += 1
        self.send_message(self.last_id, request)
        return self.last_id

    def send_unanswered(self, **request):
        """Sends a message that has no answer, and so no id."""
        self.send_message(0, request)

    def wait(self, request_id):
        """Waits for the answer to one request, a ServerMessage."""
        while request_id not in self.kept:
            self.keep(self.receive())
        return self.kept.pop(request_id)

    def keep(self, answer):
        self.kept[answer.id] = answer
        if answer.id == 0:
            raise Refused(answer.error)

    def go_on(self):
        """Receives one message, and keeps it for its request or stream."""
        answer = self.receive_some()
        if answer is not None:
            self.keep(answer)

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

    def open(self, code=None, *, stream=True, live_stdin=True, gives_back=True, **arguments):
        """Starts a run with streams, and returns its Stream. gives_back: the Stream grants credit for received output,
        whenever this output is half of FIRST_CREDIT or more."""
        message = execute_message(code, stream=stream, live_stdin=live_stdin, **arguments)
        opened = Stream(self, self.last_id + 1, gives_back)
        self.streams[opened.id] = opened
        self.send(execute=message)
        return opened

    def signal(self, request_id, number):
        return self.take(self.send(signal=pb.Signal(request_id=request_id, number=number)), "signalled").sent

    def cancel(self, request_id):
        return self.take(self.send(cancel=pb.Cancel(request_id=request_id)), "cancelled").found

    def cancel_run(self, run_id):
        return self.take(self.send(cancel_run=pb.CancelRun(run_id=run_id)), "cancelled").found

    def ping(self):
        return self.take(self.send(ping=pb.Ping()), "pong").server_version

    def status(self):
        return self.take(self.send(get_status=pb.GetStatus()), "status")


class Stream:
    """A request with stream, live_stdin or both. `outputs`, `out`, `err` and `stages` hold what has
    come so far. client.go_on waits for more; the methods below call it."""

    def __init__(self, client, request_id, gives_back):
        self.client = client
        self.id = request_id
        self.gives_back = gives_back
        self.outputs, self.stages = [], []
        self.data = {STDOUT: bytearray(), STDERR: bytearray()}
        self.read_so_far = 0  # bytes of standard output that read and read_until returned
        self.credit = FIRST_CREDIT  # the server's credit: how many bytes it may still send
        self.owed = 0  # bytes received, for which no credit was given back
        self.room = FIRST_CREDIT  # our credit: how many bytes we may still send
        self.closed = False  # the program takes no more input
        self.answer = None

    @property
    def out(self):
        return bytes(self.data[STDOUT])

    @property
    def err(self):
        return bytes(self.data[STDERR])

    # ------------------------------------------------------------ from the server

    def take(self, message):
        getattr(self, "take_" + message.WhichOneof("answer"))(getattr(message, message.WhichOneof("answer")))

    def take_output(self, output):
        data = self.data[output.stream]
        if output.offset != len(data):
            raise Broken(f"an Output at {output.offset}, where {len(data)} bytes came before")
        if not output.bytes:
            raise Broken("an Output of no bytes")
        if self.outputs and output.at_us < self.outputs[-1].at_us:
            raise Broken(f"an Output at {output.at_us} us, after one at {self.outputs[-1].at_us}")
        self.credit -= len(output.bytes)
        if self.credit < 0:
            raise Broken(f"{-self.credit} bytes of output without credit")
        data += output.bytes
        self.outputs.append(output)
        self.owed += len(output.bytes)
        if self.gives_back and self.owed >= FIRST_CREDIT // 2:
            self.give(self.owed)

    def take_stage(self, stage):
        self.stages.append(stage)

    def take_credit(self, credit):
        self.room += credit.bytes
        self.closed = self.closed or credit.closed

    @property
    def is_over(self):
        return self.id not in self.client.streams

    def wait(self, condition):
        """Waits until the condition holds; False: the answer came first."""
        while not condition():
            if self.is_over:
                return condition()
            self.client.go_on()
        return True

    def read(self, size):
        """Reads the next `size` bytes of standard output, or fewer if the output ends."""
        self.wait(lambda: len(self.data[STDOUT]) >= self.read_so_far + size)
        part = bytes(self.data[STDOUT][self.read_so_far:self.read_so_far + size])
        self.read_so_far += len(part)
        return part

    def read_until(self, needle):
        """Reads standard output up to and including the needle. If the needle does not come, reads all output to the
        end."""
        found = self.wait(lambda: self.data[STDOUT].find(needle, self.read_so_far) >= 0)
        end = self.data[STDOUT].find(needle, self.read_so_far) + len(needle) if found else len(self.data[STDOUT])
        part = bytes(self.data[STDOUT][self.read_so_far:end])
        self.read_so_far = end
        return part

    def line(self):
        return self.read_until(b"\n")

    def result(self):
        """Returns the Result. Raises Refused if the answer is an Error."""
        if self.answer is None:
            self.answer = self.client.wait(self.id)
        if self.answer.WhichOneof("answer") == "error":
            raise Refused(self.answer.error)
        return self.answer.result

    # ------------------------------------------------------------ to the server

    def give(self, size):
        """Grants the server credit for `size` more bytes."""
        self.credit += size
        self.owed -= min(size, self.owed)
        self.client.send_unanswered(credit=pb.Credit(request_id=self.id, bytes=size))

    def chunk(self, data=b"", eof=False):
        """Sends one StdinChunk, whether there is credit for it or not."""
        self.room -= len(data)
        self.client.send_unanswered(stdin_chunk=pb.StdinChunk(request_id=self.id, bytes=data, eof=eof))

    def write(self, data, eof=False):
        """Sends standard input as the server grants credit. False: the program takes no more, or the run is over."""
        data = data.encode() if isinstance(data, str) else data
        while data:
            if not self.wait(lambda: self.room > 0 or self.closed) or self.closed or self.is_over:
                return False
            part, data = data[:self.room], data[self.room:]
            self.chunk(part, eof and not data)
            eof = eof and bool(data)
        if eof:
            self.chunk(eof=True)
        return True

    def end(self):
        self.chunk(eof=True)

    def signal(self, number):
        return self.client.signal(self.id, number)

    def resize(self, rows, columns):
        self.client.send_unanswered(resize=pb.Resize(request_id=self.id, rows=rows, columns=columns))

    def cancel(self):
        return self.client.cancel(self.id)
