/* Fuzzes the chunked body of an HTTP request: gateway/http_chunked.c. Input: two bytes for the longest body, two bytes
 * for the sizes of the pieces, then the body. A body that comes in pieces must give the same result as the same body at
 * once: the same code, the same data, and the same bytes left over. */
#include "gateway/http_chunked.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CUTS = 200 }; /* a body up to this length is cut into two pieces at every place */

struct reading {
        struct chunked state;
        struct evbuffer *from, *body;
        uint64_t most;
        int code;
};

static void reading_init(struct reading *r, uint64_t most)
{
        *r = (struct reading){ .from = evbuffer_new(), .body = evbuffer_new(), .most = most, .code = CHUNKED_MORE };
        FUZZ_CHECK(r->from && r->body);
}

static void reading_fini(struct reading *r)
{
        evbuffer_free(r->from);
        evbuffer_free(r->body);
}

/* Bytes that come after the result are what the connection would have found behind the body. */
static void feed(struct reading *r, const uint8_t *data, size_t len)
{
        FUZZ_CHECK(evbuffer_add(r->from, data, len) == 0);
        if (r->code != CHUNKED_MORE)
                return;
        r->code = chunked_read(&r->state, r->from, r->body, r->most);
        FUZZ_CHECK(r->code == 0 || r->code == CHUNKED_MORE || r->code == -EINVAL || r->code == -EMSGSIZE);
        FUZZ_CHECK(evbuffer_get_length(r->body) <= r->most);
        FUZZ_CHECK(r->code != CHUNKED_MORE || evbuffer_get_length(r->from) < CHUNKED_MAX_LINE);
        FUZZ_CHECK(r->state.framing <= CHUNKED_MAX_FRAMING || r->code == -EINVAL);
}

static bool same_bytes(struct evbuffer *a, struct evbuffer *b)
{
        size_t len = evbuffer_get_length(a);
        return len == evbuffer_get_length(b) &&
               (len == 0 || memcmp(evbuffer_pullup(a, -1), evbuffer_pullup(b, -1), len) == 0);
}

static void check_same(struct reading *whole, struct reading *parts)
{
        FUZZ_CHECK(whole->code == parts->code && same_bytes(whole->body, parts->body));
        if (whole->code == 0)
                FUZZ_CHECK(same_bytes(whole->from, parts->from));
}

static void check_piece(struct reading *whole, const uint8_t *data, size_t len, size_t first, size_t then)
{
        struct reading parts;

        reading_init(&parts, whole->most);
        for (size_t at = 0, n = first; at < len; at += n, n = then) {
                n = n < len - at ? n : len - at;
                feed(&parts, data + at, n);
        }
        check_same(whole, &parts);
        reading_fini(&parts);
}

/* Encodes the data again as one chunk, and reads it back. */
static void check_again(struct reading *whole)
{
        struct reading again;
        size_t len = evbuffer_get_length(whole->body);
        struct evbuffer *text = evbuffer_new();

        FUZZ_CHECK(text && (len == 0 || evbuffer_add_printf(text, "%zx;x=y\r\n", len) > 0));
        FUZZ_CHECK(evbuffer_add(text, evbuffer_pullup(whole->body, -1), len) == 0);
        FUZZ_CHECK(evbuffer_add_printf(text, "%s0\r\nA: b\r\n\r\nnext", len ? "\r\n" : "") > 0);
        reading_init(&again, whole->most);
        feed(&again, evbuffer_pullup(text, -1), evbuffer_get_length(text));
        FUZZ_CHECK(again.code == 0 && same_bytes(again.body, whole->body) && evbuffer_get_length(again.from) == 4);
        reading_fini(&again);
        evbuffer_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input in = { data, size };
        const uint64_t most = (uint64_t)(fuzz_byte(&in) << 8 | fuzz_byte(&in));
        const size_t first = 1 + (size_t)fuzz_byte(&in), then = 1 + (size_t)fuzz_byte(&in);
        struct reading whole;

        reading_init(&whole, most);
        feed(&whole, in.data, in.len);
        check_piece(&whole, in.data, in.len, first, then);
        check_piece(&whole, in.data, in.len, 1, 1);
        for (size_t cut = 1; in.len <= MOST_CUTS && cut < in.len; cut++)
                check_piece(&whole, in.data, in.len, cut, in.len);
        if (whole.code == 0)
                check_again(&whole);
        reading_fini(&whole);
        return 0;
}
