/* Fuzzes a connection with HTTP requests, from the socket to the handlers: gateway/http_*.c, gateway/guard.c and
 * evhttp. Input: a byte for the sizes of the pieces, then the bytes that a client sends.
 *
 * Each handler compares the request that evhttp parsed with the head that http_head.c parsed: the method, the target,
 * and each header must be the same. So no request can hide in another one. Requests that come in pieces must have the
 * same answers as requests that come at once. */
#include "gateway/websocket.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/http_peer.h"

#include <stdlib.h>
#include <string.h>

/* What the client has sent, and how far its requests were handled. */
struct expected {
        struct gateway gateway;
        const uint8_t *bytes;
        size_t len, at;
        bool over; /* the request before was the connection's last one */
};

static struct expected *expected_of(const struct exchange *x)
{
        return (struct expected *)exchange_gateway(x);
}

static bool is_same(struct span a, const char *b)
{
        return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

/* Are evhttp's headers those of the head? http_intake.c replaces chunks by a length. */
static bool has_headers(const struct exchange *x, const struct head *h)
{
        struct evkeyval *pair = TAILQ_FIRST(evhttp_request_get_input_headers(x->req));
        struct span rest = h->fields, line, name, value;

        while (head_next(&rest, &line, &name, &value)) {
                if (h->chunked && (head_is(name, "Transfer-Encoding") || head_is(name, "Expect")))
                        continue;
                if (!pair || !is_same(name, pair->key) || !is_same(value, pair->value + strspn(pair->value, " \t")))
                        return false;
                pair = TAILQ_NEXT(pair, next);
        }
        if (h->chunked && pair && strcmp(pair->key, "Content-Length") == 0)
                pair = TAILQ_NEXT(pair, next);
        return !pair;
}

static bool is_request(const struct exchange *x, const struct head *h)
{
        return h->verb == exchange_method(x) && is_same(h->target, evhttp_request_get_uri(x->req)) && has_headers(x, h);
}

/* Finds the head of the exchange. Preflights before it are skipped, because no handler sees them. Returns head_read's
 * result. */
static int find_head(const struct exchange *x, struct head *h)
{
        struct expected *e = expected_of(x);
        struct failure why;

        FUZZ_CHECK(!e->over);
        for (;;) {
                size_t scanned = 0, left;
                while (e->len - e->at >= 2 && memcmp(e->bytes + e->at, "\r\n", 2) == 0)
                        e->at += 2;
                left = e->len - e->at;
                int r = head_read(h, (struct span){ e->bytes + e->at, left < HEAD_MAX + 1 ? left : HEAD_MAX + 1 },
                                  &scanned, &why);
                FUZZ_CHECK(r != HEAD_MORE);
                bool is_preflight = r == 0 && h->verb == METHOD_OPTIONS && !h->chunked && h->length == 0;
                if (!is_preflight || is_request(x, h))
                        return r;
                FUZZ_CHECK(!h->closes);
                e->at += h->size;
        }
}

static void check_body(const struct exchange *x, const struct head *h)
{
        struct expected *e = expected_of(x);
        struct span body = exchange_body(x);
        size_t size = (size_t)h->length;

        if (h->chunked) {
                struct evbuffer *from = evbuffer_new(), *to = evbuffer_new();
                struct chunked state = { 0 };
                FUZZ_CHECK(evbuffer_add(from, e->bytes + e->at + h->size, e->len - e->at - h->size) == 0);
                FUZZ_CHECK(chunked_read(&state, from, to, 3000) == 0);
                FUZZ_CHECK(evbuffer_get_length(to) == body.len);
                FUZZ_CHECK(body.len == 0 || memcmp(evbuffer_pullup(to, -1), body.data, body.len) == 0);
                size = e->len - e->at - h->size - evbuffer_get_length(from);
                evbuffer_free(from);
                evbuffer_free(to);
        } else {
                FUZZ_CHECK(body.len == size && size <= e->len - e->at - h->size);
                FUZZ_CHECK(size == 0 || memcmp(body.data, e->bytes + e->at + h->size, size) == 0);
        }
        e->at += h->size + size;
}

/* The exchange must be the client's next request. */
static void check_request(const struct exchange *x)
{
        struct head h;

        FUZZ_CHECK(find_head(x, &h) == 0 && is_request(x, &h));
        check_body(x, &h);
        expected_of(x)->over = h.closes;
}

static void reply(struct exchange *x, int status, size_t number)
{
        struct evbuffer *body = evbuffer_new();

        FUZZ_CHECK(body && evbuffer_add_printf(body, "%zu\n", number) > 0);
        exchange_set_header(x, "Date", "now"); /* the answers of two runs must be the same */
        exchange_reply(x, status, "text/plain", body);
        evbuffer_free(body);
}

static void fail(struct exchange *x, const struct failure *why)
{
        struct expected *e = expected_of(x);
        struct head h;

        FUZZ_CHECK(why->status >= 400 && why->status < 600 && why->code && why->message[0]);
        if (find_head(x, &h) < 0 || h.chunked || h.length > 0) {
                e->over = true; /* where the next request begins is not known */
        } else {
                FUZZ_CHECK(is_request(x, &h));
                e->over = h.closes;
                e->at += h.size;
        }
        reply(x, why->status, strlen(why->message));
}

static void handle_echo(struct exchange *x)
{
        check_request(x);
        FUZZ_CHECK(exchange_path(x)[0] == '/' && exchange_media_type(x) && exchange_peer(x).len > 0);
        const char *q = exchange_query(x, "q");
        reply(x, 200, exchange_body(x).len + (q ? strlen(q) : 0) + strlen(exchange_segment(x)));
}

static void stream_more(void *data)
{
        exchange_stream_end(data);
}

static void handle_stream(struct exchange *x)
{
        check_request(x);
        exchange_set_header(x, "Date", "now");
        exchange_on_drained(x, stream_more, x);
        FUZZ_CHECK(exchange_stream_begin(x, 200, "text/plain") == 0 && exchange_stream_write(x, "piece", 5) == 0);
        if (exchange_method(x) == METHOD_HEAD)
                exchange_stream_end(x);
}

static void handle_ws(struct exchange *x)
{
        static const struct websocket_ops ops = { 0 };
        struct websocket *ws;
        struct failure why;

        check_request(x);
        expected_of(x)->over = true;
        if (websocket_accept(&ws, x, 1000, &ops, NULL, &why) < 0) {
                expected_of(x)->over = x->conn->close;
                reply(x, why.status, strlen(why.message));
        }
}

static const struct route routes[] = {
        { "/e", METHOD_POST | METHOD_PUT | METHOD_DELETE, true, false, handle_echo },
        { "/g", METHOD_GET, false, false, handle_echo },
        { "/i/*", METHOD_GET, false, false, handle_echo },
        { "/s", METHOD_GET, false, false, handle_stream },
        { "/ws", METHOD_GET, false, true, handle_ws },
};

static const struct contract contract = { "fuzz", routes, sizeof routes / sizeof routes[0], fail };

/* 100 Continue comes only if the body is not there yet. Removes these lines from the answers. */
static void remove_continues(struct http_talk *t)
{
        static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
        uint8_t *found;

        while (t->len > 0 && (found = memmem(t->got, t->len, line, sizeof line - 1))) {
                size_t at = (size_t)(found - t->got) + sizeof line - 1;
                memmove(found, t->got + at, t->len - at);
                t->len -= sizeof line - 1;
        }
}

/* Removes the frames of a WebSocket, which the fuzzer `websocket` compares. */
static void remove_frames(struct http_talk *t)
{
        static const char line[] = "HTTP/1.1 101 ";
        uint8_t *found = t->len > 0 ? memmem(t->got, t->len, line, sizeof line - 1) : NULL;
        uint8_t *end = found ? memmem(found, t->len - (size_t)(found - t->got), "\r\n\r\n", 4) : NULL;

        FUZZ_CHECK(!found || end);
        if (end)
                t->len = (size_t)(end - t->got);
}

static void talk(struct http_talk *t, struct expected *e, uint8_t seed)
{
        e->at = 0;
        e->over = false;
        http_talk_begin(t, &e->gateway);
        http_talk_send(t, e->bytes, e->len, seed);
        http_talk_end(t);
        remove_continues(t);
        remove_frames(t);
}

/* A preflight's answer has evhttp's own date. */
static void blank_dates(struct http_talk *t)
{
        static const char name[] = "\r\nDate: ";
        uint8_t *at = t->got, *end = t->len > 0 ? t->got + t->len : t->got;

        while (at && at < end && (at = memmem(at, (size_t)(end - at), name, sizeof name - 1)))
                for (at += sizeof name - 1; at < end && *at != '\r'; at++)
                        *at = '-';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct expected e;
        struct fuzz_input in = { data, size };
        const uint8_t seed = fuzz_byte(&in);
        struct http_talk whole, parts;

        if (!e.gateway.server)
                http_peer_start(&e.gateway, &contract);
        e.bytes = fuzz_copy(in.data, in.len);
        e.len = in.len;
        talk(&whole, &e, 0);
        talk(&parts, &e, seed ? seed : 1);
        blank_dates(&whole);
        blank_dates(&parts);
        FUZZ_CHECK(whole.len == parts.len && (whole.len == 0 || memcmp(whole.got, parts.got, whole.len) == 0));
        http_talk_fini(&whole);
        http_talk_fini(&parts);
        free((void *)e.bytes);
        return 0;
}
