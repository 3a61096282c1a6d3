/* Fuzzes the frames of a WebSocket's client: gateway/websocket.c and wslay, behind the handshake of a whole server.
 * Input: a byte for the sizes of the pieces, then the frames. Frames that come in pieces must give the same messages,
 * the same closing code and the same answers as frames that come at once. */
#include "gateway/websocket.h"
#include "proto/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/http_peer.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 700 }; /* bytes of a message */

/* What a conversation came to. */
struct talk {
        struct gateway gateway;
        struct websocket *ws; /* NULL: it is closed */
        size_t messages;
        uint64_t digest; /* of all messages */
        uint16_t code;
        bool held, was_held, hangs_up;
};

static void add(struct talk *t, uint64_t number)
{
        t->digest = (t->digest ^ number) * 1099511628211U;
}

/* The first byte of a message is a command. */
static void message(void *data, bool text, struct span bytes)
{
        static const uint16_t codes[] = { 1000, 1001, 1008, 1011 };
        struct talk *t = data;
        const uint8_t first = bytes.len > 0 ? bytes.data[0] : 0, second = bytes.len > 1 ? bytes.data[1] : 0;

        FUZZ_CHECK(t->ws && bytes.data && bytes.len <= MOST && !t->held);
        FUZZ_CHECK(!text || utf8_prefix(bytes.data, bytes.len) == bytes.len);
        t->messages++;
        add(t, bytes.len << 1 | text);
        for (size_t i = 0; i < bytes.len; i++)
                add(t, bytes.data[i]);
        if (first == 'h') {
                t->held = t->was_held = true;
                websocket_hold(t->ws, true);
        } else if (first == 'c') {
                websocket_close(t->ws, codes[second % 4], second & 4 ? "because" : NULL);
                FUZZ_CHECK(websocket_send(t->ws, true, "x", 1) < 0);
        } else if (first == 'p') {
                FUZZ_CHECK(websocket_ping(t->ws) == 0);
        } else {
                FUZZ_CHECK(websocket_send(t->ws, text, bytes.data, bytes.len) == 0);
        }
}

static bool is_code(uint16_t code)
{
        return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
               (code >= 3000 && code < 5000);
}

static void closed(void *data, uint16_t code)
{
        struct talk *t = data;

        FUZZ_CHECK(t->ws && (code == 0 || code == WEBSOCKET_GONE || is_code(code)));
        t->ws = NULL;
        t->code = code;
}

static void handle(struct exchange *x)
{
        static const struct websocket_ops ops = { .message = message, .closed = closed };
        struct talk *t = (struct talk *)exchange_gateway(x);
        struct failure why;

        FUZZ_CHECK(websocket_accept(&t->ws, x, MOST, &ops, t, &why) == 0);
}

static void fail(struct exchange *x, const struct failure *why)
{
        exchange_reply(x, why->status, NULL, NULL);
}

/* ---------------------------------------------------------------- the server's frames */

static void check_frame(uint8_t opcode, struct span payload, bool *is_last)
{
        FUZZ_CHECK(opcode == 1 || opcode == 2 || opcode == 8 || opcode == 9 || opcode == 10);
        FUZZ_CHECK(opcode < 8 || payload.len <= 125);
        FUZZ_CHECK(opcode != 1 || utf8_prefix(payload.data, payload.len) == payload.len);
        if (opcode != 8)
                return;
        *is_last = true;
        FUZZ_CHECK(payload.len == 0 ||
                   (payload.len >= 2 && is_code((uint16_t)(payload.data[0] << 8 | payload.data[1]))));
}

/* Checks that there are whole, unmasked frames that end with a close frame or with the connection. Removes the pongs,
 * because the server need not answer a ping that comes together with a close frame. Returns the place of the close
 * frame, or the length of all frames. */
static size_t check_frames(struct http_talk *t)
{
        uint8_t *at = memmem(t->got, t->len, "\r\n\r\n", 4);

        FUZZ_CHECK(at && t->len > 12 && memcmp(t->got, "HTTP/1.1 101", 12) == 0);
        for (at += 4; at < t->got + t->len;) {
                size_t left = t->len - (size_t)(at - t->got), len, skip = 2;
                bool is_last = false;
                FUZZ_CHECK(left >= 2 && (at[0] & 0xf0) == 0x80 && at[1] <= 126);
                len = at[1];
                if (len == 126) {
                        FUZZ_CHECK(left >= 4);
                        len = (size_t)(at[2] << 8 | at[3]);
                        skip = 4;
                }
                FUZZ_CHECK(left >= skip + len);
                check_frame(at[0] & 15, (struct span){ at + skip, len }, &is_last);
                FUZZ_CHECK(!is_last || left == skip + len);
                if (is_last)
                        break;
                if ((at[0] & 15) == 10) {
                        memmove(at, at + skip + len, left - skip - len);
                        t->len -= skip + len;
                } else {
                        at += skip + len;
                }
        }
        return (size_t)(at - t->got);
}

/* The code of the close frame there; 0: there is none, or it has no code. */
static uint16_t code_at(const struct http_talk *t, size_t at)
{
        return (uint16_t)(at + 4 <= t->len ? t->got[at + 2] << 8 | t->got[at + 3] : 0);
}

/* wslay checks the reason in a client's close frame wrongly if the frame comes in pieces. So either of two
 * conversations may end with the code for bytes that are not UTF-8. */
static void check_ends(const struct http_talk *a, size_t a_end, uint16_t a_code, const struct http_talk *b,
                       size_t b_end, uint16_t b_code)
{
        enum { NOT_UTF8 = 1007 };

        FUZZ_CHECK(a_end == b_end && memcmp(a->got, b->got, a_end) == 0);
        if (code_at(a, a_end) == NOT_UTF8 || code_at(b, b_end) == NOT_UTF8)
                return;
        FUZZ_CHECK(a_code == b_code && a->len == b->len && memcmp(a->got + a_end, b->got + b_end, a->len - a_end) == 0);
}

/* ---------------------------------------------------------------- conversations */

static const struct route routes[] = { { "/ws", METHOD_GET, false, true, handle } };
static const struct contract contract = { "fuzz", routes, 1, fail };
static const char handshake[] = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

static size_t converse(struct http_talk *h, struct talk *t, const uint8_t *bytes, size_t len, uint8_t seed)
{
        t->messages = 0;
        t->digest = 0;
        t->code = 1;
        t->held = t->was_held = false;
        http_talk_begin(h, &t->gateway);
        http_talk_send(h, bytes, len, seed);
        while (t->held) {
                t->held = false;
                if (t->ws)
                        websocket_hold(t->ws, false);
                http_talk_pump(h);
        }
        http_talk_end(h);
        FUZZ_CHECK(!t->ws && t->code != 1);
        return check_frames(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct talk t;
        struct fuzz_input in = { data, size };
        const uint8_t seed = fuzz_byte(&in);
        struct http_talk whole, parts;
        const size_t len = sizeof handshake - 1 + in.len;
        uint8_t *bytes = malloc(len);

        FUZZ_CHECK(bytes);
        memcpy(bytes, handshake, sizeof handshake - 1);
        if (in.len > 0)
                memcpy(bytes + sizeof handshake - 1, in.data, in.len);
        if (!t.gateway.server)
                http_peer_start(&t.gateway, &contract);
        const size_t whole_end = converse(&whole, &t, bytes, len, 0);
        const struct talk first = t;
        const size_t parts_end = converse(&parts, &t, bytes, len, seed ? seed : 1);
        /* While the WebSocket is held, pongs may overtake messages, and a close frame may overtake them, too. */
        FUZZ_CHECK(t.was_held == first.was_held);
        if (!t.was_held) {
                FUZZ_CHECK(t.messages == first.messages && t.digest == first.digest);
                check_ends(&whole, whole_end, first.code, &parts, parts_end, t.code);
        }
        http_talk_fini(&whole);
        http_talk_fini(&parts);
        free(bytes);
        return 0;
}
