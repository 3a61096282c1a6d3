"""Wrong frames and messages: their answers, those that end the connection, and no effect on other clients."""

import random
import struct
import time

import lz4.block
import lz4.frame

from lib.case import Case, ServerModule
from lib.hatchery import LZ4, PLAIN, Closed, HEADER, execute_message, pb
from lib.server import HELD, HOLD

# A short time-out for a frame that has begun, so that its test is short.
SERVER = ServerModule(__name__, config='frame_timeout = "1s"\nlanguage python { }\n')
setUpModule, tearDownModule = SERVER.set_up, SERVER.tear_down

INVALID = "INVALID_ARGUMENT"
PING = pb.ClientMessage(id=7, ping=pb.Ping()).SerializeToString()


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def lz4_header(content_size):
    """The header of an LZ4 frame that announces this size, with its true checksum."""
    # The library writes a header with a size field. This function puts the wanted size in, and corrects the checksum.
    frame = bytearray(lz4.frame.compress(b"x", store_size=True))
    frame[6:14] = struct.pack("<Q", content_size)
    frame[14] = xxh32(bytes(frame[4:14])) >> 8 & 255
    return bytes(frame[:15])


def xxh32(data):
    """xxHash32 with seed 0 of less than 16 bytes: the checksum in an LZ4 frame's header."""
    prime = (2654435761, 2246822519, 3266489917, 668265263, 374761393)
    mask = 0xffffffff

    def rotate(value, by):
        return (value << by | value >> (32 - by)) & mask

    value = prime[4] + len(data) & mask
    while len(data) >= 4:
        value = rotate(value + int.from_bytes(data[:4], "little") * prime[2] & mask, 17) * prime[3] & mask
        data = data[4:]
    for byte in data:
        value = rotate(value + byte * prime[4] & mask, 11) * prime[0] & mask
    value = (value ^ value >> 15) * prime[1] & mask
    value = (value ^ value >> 13) * prime[2] & mask
    return value ^ value >> 16


class FatalCase(Case):
    SERVER = SERVER

    def assert_ends_connection(self, data, words, code=INVALID):
        """The server answers these bytes with an Error of id 0, and closes. Another client is not disturbed."""
        bystander = self.connect()
        bystander_run = bystander.send_execute(HOLD + "print('undisturbed')", limits=HELD)
        SERVER.wait_held()
        client = self.connect()
        client.send_bytes(data)
        answer = client.receive()
        self.assertEqual(0, answer.id)
        self.assert_error(answer.error, code, words)
        with self.assertRaises(Closed):
            client.receive()
        SERVER.let_go()
        self.assertEqual(b"undisturbed\n", bystander.result(bystander_run).stdout)
        self.assert_alive_on_new_connection()
        return answer.error


class Frames(FatalCase):
    def test_an_unknown_flag_ends_the_connection(self):
        for flag in (2, 0x80, 0xff):
            with self.subTest(flag):
                self.assert_ends_connection(HEADER.pack(flag, len(PING)) + PING, ["first byte", str(flag)])

    def test_a_length_over_the_limit_ends_the_connection_before_the_message_is_sent(self):
        for length in ((16 << 20) + 1, 0xffffffff):
            for flag in (PLAIN, LZ4):
                with self.subTest(f"flag {flag}, length {length}"):
                    self.assert_ends_connection(HEADER.pack(flag, length), [str(16 << 20), "16 MiB at most here", "send less"])

    def test_garbage_ends_the_connection(self):
        self.assert_ends_connection(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "")
        self.assert_ends_connection(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 500, "")

    def test_random_bytes_never_disturb_the_server(self):
        noise = random.Random(2)
        for _ in range(60):
            client = self.connect()
            client.send_bytes(noise.randbytes(noise.randrange(1, 2000)))
            client.close()
        self.assert_alive_on_new_connection()

    def test_half_a_frame_and_then_silence_ends_the_connection(self):
        for part in (b"\0", HEADER.pack(0, len(PING))[:4], HEADER.pack(0, len(PING)), HEADER.pack(0, 100) + PING):
            with self.subTest(part.hex()):
                client = self.connect()
                client.send_bytes(part)
                answer = client.receive()
                self.assertEqual(0, answer.id)
                self.assertTrue(answer.error.message)
                with self.assertRaises(Closed):
                    client.receive()
        self.assert_alive_on_new_connection()

    def test_silence_between_frames_is_no_error(self):
        self.client.ping()
        time.sleep(2.5)  # longer than frame_timeout
        self.assert_alive()

    def test_a_frame_that_comes_byte_by_byte_is_read(self):
        for byte in HEADER.pack(PLAIN, len(PING)) + PING:
            self.client.send_bytes(bytes([byte]))
            time.sleep(0.01)  # the pace, so that the server reads the pieces one by one
        self.assertEqual(7, self.client.receive().id)

    def test_many_frames_in_one_write_are_each_answered(self):
        frames = b"".join(HEADER.pack(PLAIN, len(m)) + m for m in
                          (pb.ClientMessage(id=i, ping=pb.Ping()).SerializeToString() for i in range(1, 51)))
        self.client.send_bytes(frames)
        self.assertEqual(list(range(1, 51)), sorted(self.client.receive().id for _ in range(50)))

    def test_half_a_frame_and_then_end_of_file_disturbs_nobody(self):
        for cut in range(1, HEADER.size + len(PING)):
            client = self.connect()
            client.send_bytes((HEADER.pack(PLAIN, len(PING)) + PING)[:cut])
            client.close()
        self.assert_alive_on_new_connection()

    def test_the_largest_frame_is_taken(self):
        limit = 16 << 20
        message = pb.ClientMessage(id=9, execute=execute_message("print(7)", stdin=b"x" * (limit - 200)))
        text = message.SerializeToString()
        message.execute.stdin += b"x" * (limit - len(text))
        text = message.SerializeToString()
        self.assertEqual(limit, len(text))
        self.client.send_frame(text)
        self.assertEqual(b"7\n", self.client.receive().result.stdout)


class Compressed(FatalCase):
    def frame(self, message):
        return HEADER.pack(LZ4, len(message)) + message

    def test_a_compressed_ping_is_answered(self):
        self.client.send_bytes(self.frame(lz4.frame.compress(PING, store_size=True)))
        self.assertEqual(7, self.client.receive().id)

    def test_every_kind_of_lz4_frame_is_read(self):
        message = pb.ClientMessage(id=7, execute=execute_message("print(1)" + "#" * 200_000)).SerializeToString()
        for options in ({"block_linked": False}, {"block_linked": True}, {"content_checksum": True},
                        {"block_checksum": True}, {"block_size": lz4.frame.BLOCKSIZE_MAX4MB}, {"compression_level": 12}):
            with self.subTest(options):
                self.client.send_bytes(self.frame(lz4.frame.compress(message, store_size=True, **options)))
                answer = self.client.receive()
                self.assertEqual((7, b"1\n"), (answer.id, answer.result.stdout))

    def test_the_example_of_the_protocol_page_is_answered(self):
        self.client.send_bytes(bytes.fromhex("00 0000 0004 0807 2200"))
        self.assertEqual(7, self.client.receive().id)
        self.client.send_bytes(bytes.fromhex("01 0000 001b 04224d18 6840 0400000000000000 cd 04000080 08072200 00000000"))
        self.assertEqual(7, self.client.receive().id)

    def test_an_announced_size_over_the_limit_ends_the_connection(self):
        for size in ((16 << 20) + 1, 1 << 40, 2 ** 64 - 1):
            with self.subTest(size):
                message = lz4_header(size) + b"\0" * 100
                self.assert_ends_connection(self.frame(message), str(16 << 20))

    def test_a_bomb_ends_the_connection(self):
        """A frame that unpacks to more than the limit ends the connection, whatever size it announces"""
        honest = lz4.frame.compress(b"\0" * (64 << 20), store_size=True)
        self.assert_ends_connection(self.frame(honest), str(16 << 20))
        body = honest[15:]
        for size in (1, 100, 16 << 20):
            with self.subTest(size):
                self.assert_ends_connection(self.frame(lz4_header(size) + body), "")

    def test_a_frame_without_its_content_size_ends_the_connection(self):
        self.assert_ends_connection(self.frame(lz4.frame.compress(PING, store_size=False)), "size")

    def test_a_damaged_frame_ends_the_connection(self):
        good = lz4.frame.compress(PING, store_size=True, content_checksum=True)
        for name, bad in {"empty": b"", "no magic": b"\0" * 20, "cut": good[:-6], "raw block": lz4.block.compress(PING),
                          "checksum": good[:-1] + bytes([good[-1] ^ 1]), "header": good[:14] + b"\0" + good[15:],
                          "followed": good + b"\0", "twice": good + good,
                          "too short": lz4_header(100) + good[15:]}.items():
            with self.subTest(name):
                self.assert_ends_connection(self.frame(bad), "")


class Messages(FatalCase):
    """Well-formed frames with a wrong message: the client gets an Error with its id, and the connection stays open."""

    def assert_refused_message(self, message, words, request_id=7):
        self.client.send_frame(message)
        answer = self.client.receive()
        self.assertEqual(request_id, answer.id, answer)
        self.assert_error(answer.error, INVALID, words)
        self.assert_alive()

    def test_a_message_without_a_request_is_refused(self):
        self.assert_refused_message(pb.ClientMessage(id=7).SerializeToString(), "request")

    def test_an_empty_message_ends_the_connection(self):
        self.assert_ends_connection(HEADER.pack(PLAIN, 0), "")

    def test_a_message_without_an_id_ends_the_connection(self):
        message = pb.ClientMessage(ping=pb.Ping()).SerializeToString()
        self.assert_ends_connection(HEADER.pack(PLAIN, len(message)) + message, "id")

    def test_two_requests_in_one_message_are_refused(self):
        both = PING + pb.ClientMessage(execute=execute_message("print(1)")).SerializeToString()
        self.assert_refused_message(both, "")
        self.assert_refused_message(PING + pb.ClientMessage(ping=pb.Ping()).SerializeToString(), "")

    def test_unknown_fields_are_ignored(self):
        unknown = varint(99 << 3 | 2) + varint(3) + b"abc" + varint(98 << 3) + varint(5)
        inner = execute_message("print('ok')").SerializeToString() + unknown
        message = varint(1 << 3) + varint(7) + unknown + varint(2 << 3 | 2) + varint(len(inner)) + inner + unknown
        self.client.send_frame(message)
        self.assertEqual(b"ok\n", self.client.receive().result.stdout)

    def test_a_request_cut_anywhere_is_refused(self):
        whole = pb.ClientMessage(id=7, execute=execute_message("print(1)", args=["a"], limits={"wall_us": 5_000_000},
                                                               files={"f": "x"})).SerializeToString()
        # All cuts are behind the id: a message that is cut before has no readable id, or no request.
        for cut in range(3, len(whole)):
            with self.subTest(cut):
                self.client.send_frame(whole[:cut])
                answer = self.client.receive()
                self.assertEqual(7, answer.id)
                self.assert_error(answer.error, INVALID, "")
        self.assert_alive()

    def test_a_text_that_is_not_utf8_is_refused(self):
        inner = varint(1 << 3 | 2) + varint(3) + b"p\xffy"
        self.assert_refused_message(varint(1 << 3) + varint(7) + varint(2 << 3 | 2) + varint(len(inner)) + inner,
                                    ["language", "utf-8"])

    def test_a_field_that_comes_twice_is_refused(self):
        inner = execute_message("1").SerializeToString() + execute_message("2").SerializeToString()
        self.assert_refused_message(varint(1 << 3) + varint(7) + varint(2 << 3 | 2) + varint(len(inner)) + inner, "")

    def test_an_id_that_is_in_flight_ends_the_connection(self):
        run = pb.ClientMessage(id=7, execute=execute_message("import time; time.sleep(30)")).SerializeToString()
        frame = HEADER.pack(PLAIN, len(run)) + run
        self.assert_ends_connection(frame + frame, ["7", "flight"])

    def test_flipped_bits_never_disturb_the_server(self):
        chance = random.Random(3)
        whole = pb.ClientMessage(id=7, execute=execute_message("print(1)", args=["a"], env={"A": "b"},
                                                               files={"f": "x"})).SerializeToString()
        for _ in range(200):
            client = self.connect()
            message = bytearray(whole)
            message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
            client.send_frame(bytes(message))
            # Every damaged message is answered.
            self.assertTrue(client.receive().WhichOneof("answer"))
            client.close()
        self.assert_alive_on_new_connection()
