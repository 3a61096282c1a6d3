/* Fuzzes the head of an HTTP request: gateway/http_head.c. Input: two bytes for how often the letter "x" is repeated
 * (times 64), two bytes for the place where these letters are put, one byte for the sizes of the pieces, then the
 * request. A head that comes in pieces must give the same result as the same head at once. */
#include "gateway/http_head.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CUTS = 300 }; /* a head up to this length is cut into two pieces at every place */

struct result {
        int code;
        struct head head;
        struct failure why;
};

/* The connection shows at most so many bytes to the parser. */
static struct span shown(const uint8_t *data, size_t len)
{
        return (struct span){ data, len < HEAD_MAX + 1 ? len : HEAD_MAX + 1 };
}

static struct result read_part(const uint8_t *data, size_t len, size_t *scanned)
{
        struct result r = { 0 };
        r.code = head_read(&r.head, shown(data, len), scanned, &r.why);
        FUZZ_CHECK(r.code == 0 || r.code == HEAD_MORE || r.code == -EINVAL);
        FUZZ_CHECK(r.code != -EINVAL || (r.why.status >= 400 && r.why.status < 600 && r.why.message[0]));
        return r;
}

static bool same_span(struct span a, struct span b)
{
        return a.data == b.data && a.len == b.len;
}

static void check_same(const struct result *a, const struct result *b)
{
        const struct head *x = &a->head, *y = &b->head;

        FUZZ_CHECK(a->code == b->code);
        if (a->code == -EINVAL)
                FUZZ_CHECK(a->why.status == b->why.status && strcmp(a->why.message, b->why.message) == 0);
        if (a->code != 0)
                return;
        FUZZ_CHECK(x->size == y->size && same_span(x->method, y->method) && same_span(x->target, y->target));
        FUZZ_CHECK(same_span(x->fields, y->fields) && same_span(x->host, y->host) && same_span(x->origin, y->origin));
        FUZZ_CHECK(x->verb == y->verb && x->is_1_0 == y->is_1_0 && x->length == y->length);
        FUZZ_CHECK(x->has_length == y->has_length && x->chunked == y->chunked && x->expects == y->expects);
        FUZZ_CHECK(x->closes == y->closes && x->preflight == y->preflight);
}

/* Reads the head as a connection does whose bytes come in pieces of these sizes. 0: sizes that grow. */
static struct result read_in_pieces(const uint8_t *data, size_t len, size_t size)
{
        struct result r = { .code = HEAD_MORE };
        size_t scanned = 0, grown = 0;

        for (size_t have = 0; r.code == HEAD_MORE && have < len;) {
                have += size ? size : ++grown;
                r = read_part(data, have < len ? have : len, &scanned);
        }
        return r;
}

static void check_pieces(const uint8_t *data, size_t len, uint8_t size, const struct result *whole)
{
        struct result r = read_in_pieces(data, len, size);
        check_same(whole, &r);
        for (size_t cut = 1; len <= MOST_CUTS && cut < len; cut++) {
                size_t scanned = 0;
                r = read_part(data, cut, &scanned);
                if (r.code == HEAD_MORE)
                        r = read_part(data, len, &scanned);
                check_same(whole, &r);
        }
}

static bool is_within(struct span inner, struct span outer)
{
        return inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len;
}

static void check_fields(const struct head *h, struct span all)
{
        struct span rest = h->fields, line, name, value;
        unsigned hosts = 0, lengths = 0, encodings = 0, n = 0;

        while (head_next(&rest, &line, &name, &value)) {
                FUZZ_CHECK(is_within(line, all) && is_within(name, line) && is_within(value, line));
                FUZZ_CHECK(name.len > 0 && line.data[line.len - 2] == '\r' && line.data[line.len - 1] == '\n');
                FUZZ_CHECK(!memchr(value.data, '\r', value.len) && !memchr(value.data, 0, value.len));
                hosts += head_is(name, "Host");
                lengths += head_is(name, "Content-Length");
                encodings += head_is(name, "Transfer-Encoding");
                n++;
        }
        FUZZ_CHECK(rest.len == 0 && n <= HEAD_MAX_FIELDS);
        FUZZ_CHECK(hosts <= 1 && lengths + encodings <= 1 && (hosts == 1 || h->is_1_0));
        FUZZ_CHECK(h->has_length == (lengths == 1) && h->chunked == (encodings == 1) && !(h->chunked && h->is_1_0));
}

static void check_head(const struct head *h, const uint8_t *data, size_t len)
{
        const struct span all = { data, h->size };

        FUZZ_CHECK(h->size >= 4 && h->size <= len && h->size <= HEAD_MAX);
        FUZZ_CHECK(memcmp(data + h->size - 4, "\r\n\r\n", 4) == 0);
        FUZZ_CHECK(is_within(h->method, all) && is_within(h->target, all) && is_within(h->fields, all));
        FUZZ_CHECK(h->verb && h->method.len > 0 && h->target.len > 0 && h->target.len <= HEAD_MAX_TARGET);
        FUZZ_CHECK(h->target.data[0] == '/' && (h->target.len == 1 || h->target.data[1] != '/'));
        for (size_t i = 0; i < h->target.len; i++)
                FUZZ_CHECK(h->target.data[i] > ' ' && h->target.data[i] < 0x7f);
        FUZZ_CHECK(h->has_length || h->length == 0);
        check_fields(h, all);
        (void)head_has_token(h->target, "close");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct fuzz_input in = { data, size };
        const size_t more = (size_t)(fuzz_byte(&in) << 8 | fuzz_byte(&in)) % 1024 * 64;
        size_t place = (size_t)(fuzz_byte(&in) << 8 | fuzz_byte(&in));
        const uint8_t piece = fuzz_byte(&in);
        const size_t len = in.len + more;
        uint8_t *bytes = malloc(len ? len : 1);

        FUZZ_CHECK(bytes);
        place = place < in.len ? place : in.len;
        if (place > 0)
                memcpy(bytes, in.data, place);
        memset(bytes + place, 'x', more);
        if (place < in.len)
                memcpy(bytes + place + more, in.data + place, in.len - place);
        if (len > 0) {
                size_t scanned = 0;
                struct result whole = read_part(bytes, len, &scanned);
                FUZZ_CHECK(whole.code != HEAD_MORE || len <= HEAD_MAX);
                if (whole.code == 0)
                        check_head(&whole.head, bytes, len);
                check_pieces(bytes, len, piece, &whole);
        }
        free(bytes);
        return 0;
}
