/* The head of a request: see http_head.h. */
#include "gateway/http_head.h"

#include <errno.h>
#include <strings.h>

/* The headers that may come only once, and whether they have come. */
struct once {
        bool length, encoding, host, origin, expect;
};

static int refuse(struct failure *why, int status, const char *code, const char *text)
{
        failure_set(why, status, code, "%s", text);
        return -EINVAL;
}

static int malformed(struct failure *why, const char *text)
{
        return refuse(why, 400, "INVALID_ARGUMENT", text);
}

bool head_is(struct span bytes, const char *word)
{
        return bytes.len == strlen(word) && strncasecmp((const char *)bytes.data, word, bytes.len) == 0;
}

static struct span trim(struct span s)
{
        while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
                s.data++;
                s.len--;
        }
        while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
                s.len--;
        return s;
}

bool head_has_token(struct span list, const char *word)
{
        while (list.len > 0) {
                const uint8_t *comma = memchr(list.data, ',', list.len);
                size_t n = comma ? (size_t)(comma - list.data) : list.len;
                if (head_is(trim((struct span){ list.data, n }), word))
                        return true;
                n += comma ? 1 : 0;
                list.data += n;
                list.len -= n;
        }
        return false;
}

static bool is_token(struct span s)
{
        static const char others[] = "!#$%&'*+-.^_`|~";

        for (size_t i = 0; i < s.len; i++) {
                uint8_t c = s.data[i];
                bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                if (!alnum && (c == 0 || !strchr(others, c)))
                        return false;
        }
        return s.len > 0;
}

/* Finds the empty line that ends the head. Each line must end with CR LF. */
static int find_end(struct head *h, struct span bytes, size_t *scanned, struct failure *why)
{
        size_t at = *scanned;
        const uint8_t *found;

        while (at < bytes.len && (found = memchr(bytes.data + at, '\n', bytes.len - at))) {
                size_t i = (size_t)(found - bytes.data);
                if (i == 0 || bytes.data[i - 1] != '\r')
                        return malformed(why, "each line of the request's head must end with CR LF");
                at = i + 1;
                if (i >= 3 && bytes.data[i - 2] == '\n') {
                        h->size = at;
                        break;
                }
        }
        *scanned = bytes.len;
        if (h->size > HEAD_MAX || (h->size == 0 && bytes.len > HEAD_MAX)) {
                if (!memchr(bytes.data, '\n', HEAD_MAX_TARGET))
                        return refuse(why, 414, "INVALID_ARGUMENT", "the path and the query are longer than 8 KiB");
                return refuse(why, 431, "INVALID_ARGUMENT", "the request's head is longer than 32 KiB");
        }
        return h->size > 0 ? 0 : HEAD_MORE;
}

static enum method verb_of(struct span word)
{
        static const struct {
                const char *word;
                enum method verb;
        } known[] = {
                { "GET", METHOD_GET }, { "HEAD", METHOD_HEAD },     { "POST", METHOD_POST },
                { "PUT", METHOD_PUT }, { "DELETE", METHOD_DELETE }, { "OPTIONS", METHOD_OPTIONS },
        };

        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
                if (word.len == strlen(known[i].word) && memcmp(word.data, known[i].word, word.len) == 0)
                        return known[i].verb;
        return 0;
}

static int read_target(struct head *h, struct failure *why)
{
        if (h->target.len > HEAD_MAX_TARGET)
                return refuse(why, 414, "INVALID_ARGUMENT", "the path and the query are longer than 8 KiB");
        if (h->target.len == 0 || h->target.data[0] != '/')
                return malformed(why, "the request must name a path that begins with \"/\", not a whole URL");
        if (h->target.len > 1 && h->target.data[1] == '/')
                return malformed(why, "the path must not begin with \"//\"");
        for (size_t i = 0; i < h->target.len; i++)
                if (h->target.data[i] <= ' ' || h->target.data[i] >= 0x7f || h->target.data[i] == '#')
                        return malformed(why, "the path and the query must be percent-encoded");
        return 0;
}

/* METHOD TARGET HTTP/1.x, with single spaces. */
static int read_request_line(struct head *h, struct span line, struct failure *why)
{
        const uint8_t *first = memchr(line.data, ' ', line.len);
        const uint8_t *last = memrchr(line.data, ' ', line.len);
        struct span version;

        if (!first || first == last)
                return malformed(why, "the first line must be: METHOD /path HTTP/1.1");
        h->method = (struct span){ line.data, (size_t)(first - line.data) };
        h->target = (struct span){ first + 1, (size_t)(last - first - 1) };
        version = (struct span){ last + 1, line.len - (size_t)(last + 1 - line.data) };
        if (!is_token(h->method))
                return malformed(why, "the method has characters that no method may have");
        if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0)
                return malformed(why, "the first line must be: METHOD /path HTTP/1.1");
        if (memcmp(version.data, "HTTP/1.", 7) != 0 || (version.data[7] != '0' && version.data[7] != '1'))
                return refuse(why, 505, "UNIMPLEMENTED", "this server speaks HTTP/1.1 and HTTP/1.0");
        h->is_1_0 = version.data[7] == '0';
        h->verb = verb_of(h->method);
        if (!h->verb)
                return refuse(why, 501, "UNIMPLEMENTED", "this server has no such method");
        return read_target(h, why);
}

bool head_next(struct span *fields, struct span *line, struct span *name, struct span *value)
{
        const uint8_t *end = fields->len ? memchr(fields->data, '\n', fields->len) : NULL;
        if (!end)
                return false;
        *line = (struct span){ fields->data, (size_t)(end + 1 - fields->data) };
        fields->data += line->len;
        fields->len -= line->len;

        const uint8_t *colon = memchr(line->data, ':', line->len);
        size_t n = colon ? (size_t)(colon - line->data) : 0;
        *name = (struct span){ line->data, n };
        *value = (struct span){ line->data, 0 };
        if (colon)
                *value = trim((struct span){ colon + 1, line->len - n - 3 }); /* the colon, CR and LF */
        return true;
}

static int read_length(struct head *h, struct span value, struct failure *why)
{
        if (value.len == 0 || value.len > 18)
                return malformed(why, "Content-Length must be a number of bytes");
        for (size_t i = 0; i < value.len; i++) {
                if (value.data[i] < '0' || value.data[i] > '9')
                        return malformed(why, "Content-Length must be a number of bytes");
                h->length = h->length * 10 + (uint64_t)(value.data[i] - '0');
        }
        h->has_length = true;
        return 0;
}

static int twice(struct failure *why, bool *seen, const char *text)
{
        if (*seen)
                return malformed(why, text);
        *seen = true;
        return 0;
}

/* Headers that decide where the request ends. */
static int read_framing(struct head *h, struct once *once, struct span name, struct span value, struct failure *why)
{
        int r = 0;

        if (head_is(name, "Content-Length")) {
                r = twice(why, &once->length, "there is more than one Content-Length");
                return r < 0 ? r : read_length(h, value, why);
        }
        if (head_is(name, "Transfer-Encoding")) {
                r = twice(why, &once->encoding, "there is more than one Transfer-Encoding");
                if (r == 0 && !head_is(value, "chunked"))
                        return refuse(why, 501, "UNIMPLEMENTED", "the only Transfer-Encoding is \"chunked\"");
                h->chunked = true;
                return r;
        }
        if (head_is(name, "Expect")) {
                r = twice(why, &once->expect, "there is more than one Expect");
                if (r == 0 && !head_is(value, "100-continue"))
                        return refuse(why, 417, "INVALID_ARGUMENT", "the only expectation is \"100-continue\"");
                h->expects = true;
        }
        return r;
}

static int read_field(struct head *h, struct once *once, struct span name, struct span value, struct failure *why)
{
        int r = read_framing(h, once, name, value, why);
        if (r < 0)
                return r;
        if (head_is(name, "Host")) {
                h->host = value;
                return twice(why, &once->host, "there is more than one Host");
        }
        if (head_is(name, "Origin")) {
                h->origin = value;
                return twice(why, &once->origin, "there is more than one Origin");
        }
        if (head_is(name, "Content-Encoding") && !head_is(value, "identity"))
                return refuse(why, 415, "INVALID_ARGUMENT", "a body may not be compressed: leave Content-Encoding out");
        if (head_is(name, "Connection")) {
                h->closes |= head_has_token(value, "close");
                if (h->is_1_0 && head_has_token(value, "keep-alive"))
                        h->closes = false;
        }
        if (head_is(name, "Access-Control-Request-Method"))
                h->preflight = true;
        return 0;
}

static int check_field(struct span line, struct span name, struct span value, struct failure *why)
{
        if (line.data[0] == ' ' || line.data[0] == '\t')
                return malformed(why, "a header may not be continued on a second line");
        if (!is_token(name))
                return malformed(why, "a header line must be: Name: value");
        for (size_t i = 0; i < value.len; i++)
                if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f)
                        return malformed(why, "a header's value has a control character");
        return 0;
}

static int read_fields(struct head *h, struct failure *why)
{
        struct once once = { 0 };
        struct span rest = h->fields, line, name, value;
        unsigned n = 0;

        while (head_next(&rest, &line, &name, &value)) {
                if (++n > HEAD_MAX_FIELDS)
                        return refuse(why, 431, "INVALID_ARGUMENT", "the request has more than 100 headers");
                int r = check_field(line, name, value, why);
                if (r == 0)
                        r = read_field(h, &once, name, value, why);
                if (r < 0)
                        return r;
        }
        if (h->has_length && h->chunked)
                return malformed(why, "there are both a Content-Length and a Transfer-Encoding");
        if (h->chunked && h->is_1_0)
                return malformed(why, "HTTP/1.0 has no Transfer-Encoding");
        if (!h->host.data && !h->is_1_0)
                return malformed(why, "the header Host is missing");
        return 0;
}

int head_read(struct head *h, struct span bytes, size_t *scanned, struct failure *why)
{
        *h = (struct head){ 0 };
        int r = find_end(h, bytes, scanned, why);
        if (r != 0)
                return r;

        const uint8_t *end = memchr(bytes.data, '\n', h->size);
        struct span line = { bytes.data, (size_t)(end - bytes.data) - 1 };
        if (memchr(line.data, '\r', line.len) || memchr(line.data, 0, line.len))
                return malformed(why, "the first line has a control character");
        r = read_request_line(h, line, why);
        if (r < 0)
                return r;
        h->closes = h->is_1_0;
        h->fields = (struct span){ end + 1, h->size - line.len - 4 };
        return read_fields(h, why);
}
