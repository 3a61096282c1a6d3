"""Three gateways and two native clients send random requests to a server that has little memory: runs, streams,
repeats, and cancels by id and by name. They leave connections unread for a while, and close connections. Each request
on an open connection gets one answer. In the end the server holds no run."""

import random
import select

import hatchery_pb2 as pb

from lib import gateway_socket
from lib.case import Case, ServerModule
from lib.hatchery import execute_message
from lib.server import wait_until

CONFIG = """
caller_in_flight = 32
max_memory = "16M"
http {
        listen = { "127.0.0.1:0" }
}

language python {
        warm = 4
        running = 4
}
"""

SERVER = ServerModule(__name__, config=CONFIG)
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

STEPS = 400
CALLERS = [b"a", b"b", b"4\x7f\0\0\1"]
PROGRAMS = ["print(6 * 7)", "import time; time.sleep(0.3)", "print('x' * 3_000_000)", "raise SystemExit(3)",
            "import os; print(os.urandom(8).hex())", "while True: pass"]
CODES = {pb.Error.CANCELLED, pb.Error.INVALID_ARGUMENT, pb.Error.RESOURCE_EXHAUSTED, pb.Error.ABORTED}


class Peer:
    """One connection, and the answers that it still waits for."""

    def __init__(self, client, is_gateway):
        self.client, self.is_gateway = client, is_gateway
        self.wanted = {}  # id: the kind of answer
        self.offsets = {}  # id: bytes of output so far

    def send(self, chance, kind, **request):
        if self.is_gateway:
            request["on_behalf"] = pb.OnBehalf(peer=chance.choice(CALLERS), trace=chance.choice(["", "00-ab-cd-01"]))
        self.wanted[self.client.send(**request)] = kind

    def execute(self, chance):
        fields = {"limits": {"wall_us": 1_000_000, "cpu_us": 300_000, "output_bytes": 4 << 20}}
        if chance.random() < 0.5:
            fields["run_id"] = f"run-{chance.randrange(12)}"
        if chance.random() < 0.4:
            fields["idempotency_key"] = f"key-{chance.randrange(8)}"
        if chance.random() < 0.3:
            fields["stream"] = True
        self.send(chance, "result", execute=execute_message(chance.choice(PROGRAMS), **fields))

    def cancel(self, chance):
        if self.wanted:
            self.send(chance, "cancelled", cancel=pb.Cancel(request_id=chance.choice(list(self.wanted))))

    def cancel_run(self, chance):
        self.send(chance, "cancelled", cancel_run=pb.CancelRun(run_id=f"run-{chance.randrange(12)}"))

    def credit(self, chance):
        if self.wanted:
            self.client.send_unanswered(credit=pb.Credit(request_id=chance.choice(list(self.wanted)), bytes=1 << 20))

    def read(self, case, most=1000, timeout=0):
        """Takes the messages that have come."""
        while most and self.wanted and select.select([self.client.sock], [], [], timeout)[0]:
            most -= 1
            message = self.client.receive_message()
            kind = message.WhichOneof("answer")
            case.assertIn(message.id, self.wanted, f"{kind} for no request")
            if kind == "output":
                at = self.offsets.setdefault((message.id, message.output.stream), 0)
                case.assertEqual(at, message.output.offset)
                self.offsets[message.id, message.output.stream] += len(message.output.bytes)
            elif kind not in ("stage", "credit"):
                wanted = self.wanted.pop(message.id)
                if kind == "error":
                    case.assertIn(message.error.code, CODES, message.error.message)
                    case.assertEqual("result", wanted)
                else:
                    case.assertEqual(wanted, kind)


class Random(Case):
    SERVER = SERVER

    def connect_any(self, is_gateway):
        client = gateway_socket.connect(SERVER) if is_gateway else SERVER.connect()
        self.addCleanup(client.close)
        return Peer(client, is_gateway)

    def round(self, seed):
        chance = random.Random(seed)
        peers = [self.connect_any(i < 3) for i in range(5)]
        doing = [(Peer.execute, 10), (Peer.cancel, 2), (Peer.cancel_run, 3), (Peer.credit, 2)]
        for _ in range(STEPS):
            at = chance.randrange(len(peers))
            what = chance.choices([what for what, _ in doing], [weight for _, weight in doing])[0]
            what(peers[at], chance)
            if chance.random() < 0.3:
                chance.choice(peers).read(self, most=10)
            if chance.random() < 0.01:
                peers[at].client.close()
                peers[at] = self.connect_any(at < 3)
        for peer in peers:
            for request in [request for request, kind in peer.wanted.items() if kind == "result"]:
                peer.client.send_unanswered(credit=pb.Credit(request_id=request, bytes=1 << 24))
        wait_until(lambda: [peer.read(self, timeout=0.05) for peer in peers] and not any(peer.wanted for peer in peers),
                   what="the answer to each request")
        for peer in peers:
            peer.client.close()

    def test_each_request_has_one_answer_whatever_the_others_do(self):
        for seed in range(3):
            with self.subTest(seed=seed):
                self.round(seed)
                self.assert_alive()
        wait_until(lambda: not any(row.running or row.queued for row in self.client.status().languages),
                   what="the end of all runs")
