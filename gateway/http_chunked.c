/* The chunked body of a request: see http_chunked.h. */
#include "gateway/http_chunked.h"

#include <errno.h>

enum { LINE_NONE = -2 };

/* Takes a line that ends with CR LF. Returns its length without the line end; LINE_NONE: the line isn't whole yet;
 * -EINVAL. */
static int take_line(struct chunked *c, struct evbuffer *from, char line[CHUNKED_MAX_LINE])
{
        size_t end_len;
        struct evbuffer_ptr limit;
        struct evbuffer_ptr end;
        size_t have = evbuffer_get_length(from);

        if (have == 0)
                return LINE_NONE;
        if (evbuffer_ptr_set(from, &limit, have < CHUNKED_MAX_LINE ? have : CHUNKED_MAX_LINE, EVBUFFER_PTR_SET) < 0)
                return -EINVAL;
        end = evbuffer_search_range(from, "\r\n", 2, NULL, &limit);
        end_len = end.pos < 0 ? 0 : (size_t)end.pos;
        if (end.pos < 0)
                return have >= CHUNKED_MAX_LINE ? -EINVAL : LINE_NONE;
        if (evbuffer_remove(from, line, end_len + 2) != (int)end_len + 2)
                return -EINVAL;
        c->framing += end_len;
        if (c->framing > CHUNKED_MAX_FRAMING)
                return -EINVAL;
        for (size_t i = 0; i < end_len; i++)
                if ((line[i] >= 0 && line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
                        return -EINVAL;
        line[end_len] = '\0';
        return (int)end_len;
}

static int digit_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* SIZE in hexadecimal digits, perhaps followed by extensions, which are ignored. */
static int read_size(struct chunked *c, const char *line, int len)
{
        enum { MOST_DIGITS = 15 };
        int i = 0;

        c->left = 0;
        while (i < len && digit_of(line[i]) >= 0) {
                if (i >= MOST_DIGITS)
                        return -EINVAL;
                c->left = c->left * 16 + (uint64_t)digit_of(line[i]);
                i++;
        }
        if (i == 0 || (i < len && line[i] != ';'))
                return -EINVAL;
        c->framing -= (size_t)i < c->framing ? (size_t)i : c->framing; /* the digits of the size don't count */
        c->state = c->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
        return 0;
}

static int take_data(struct chunked *c, struct evbuffer *from, struct evbuffer *body)
{
        size_t have = evbuffer_get_length(from);
        size_t n = have < c->left ? have : (size_t)c->left;

        if (n == 0)
                return CHUNKED_MORE;
        if (evbuffer_remove_buffer(from, body, n) != (int)n)
                return -ENOMEM;
        c->left -= n;
        if (c->left > 0)
                return CHUNKED_MORE;
        c->state = CHUNKED_DATA_END;
        return 0;
}

int chunked_read(struct chunked *c, struct evbuffer *from, struct evbuffer *body, uint64_t most)
{
        char line[CHUNKED_MAX_LINE + 2];

        for (;;) {
                int r;
                if (c->state == CHUNKED_DATA) {
                        r = take_data(c, from, body);
                        if (r != 0)
                                return r;
                        continue;
                }
                r = take_line(c, from, line);
                if (r < 0)
                        return r == LINE_NONE ? CHUNKED_MORE : r;
                if (c->state == CHUNKED_DATA_END) {
                        if (r != 0)
                                return -EINVAL;
                        c->state = CHUNKED_SIZE;
                } else if (c->state == CHUNKED_SIZE) {
                        if (read_size(c, line, r) < 0)
                                return -EINVAL;
                        if (c->left > most || evbuffer_get_length(body) > most - c->left)
                                return -EMSGSIZE;
                } else if (r == 0) {
                        return 0; /* the empty line after the trailer, whose headers are ignored */
                }
        }
}
