/* Output of a run: see capture.h. */
#include "pool/core/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { FIRST_ROOM = 256 };

static int grow(struct capture *c, size_t need, struct err *e)
{
        size_t room = c->room ? c->room * 2 : FIRST_ROOM;
        if (room < need)
                room = need;
        if (room > c->limit)
                room = c->limit;
        uint8_t *data = realloc(c->data, room);
        if (!data) {
                err_set(e, ENOMEM, "output of %zu bytes", room);
                return -ENOMEM;
        }
        c->data = data;
        c->room = room;
        return 0;
}

/* Moves the kept bytes to the start, over the bytes that were dropped. */
static void close_gap(struct capture *c)
{
        if (c->start == 0)
                return;
        c->len -= c->start;
        memmove(c->data, c->data + c->start, c->len);
        c->start = 0;
}

int capture_put(struct capture *c, const uint8_t *data, size_t len, struct err *e)
{
        size_t held = c->len - c->start, keep = c->limit - held < len ? c->limit - held : len;
        c->total += len;
        if (keep == 0)
                return 0;
        if (c->len + keep > c->room)
                close_gap(c);
        if (!c->data || c->len + keep > c->room) {
                int r = grow(c, c->len + keep, e);
                if (r < 0)
                        return r;
        }
        memcpy(c->data + c->len, data, keep);
        c->len += keep;
        return 0;
}

int capture_read(struct capture *c, int fd, uint8_t *scratch, size_t scratch_size, size_t *n, struct err *e)
{
        /* Reads first into the free room, then into scratch. So the bytes of large output are copied only once, and
         * small output needs no memory before its size is known. */
        size_t direct = c->room - c->len;
        struct iovec io[2] = {
                { .iov_base = c->data ? c->data + c->len : scratch, .iov_len = direct },
                { .iov_base = scratch, .iov_len = scratch_size },
        };
        ssize_t got = direct > 0 ? readv(fd, io, 2) : readv(fd, io + 1, 1);

        *n = 0;
        if (got < 0)
                return errno == EAGAIN || errno == EINTR ? CAPTURE_MORE : err_set(e, errno, "reading output");
        if (got == 0)
                return CAPTURE_END;
        *n = (size_t)got;

        size_t in_room = *n < direct ? *n : direct;
        c->len += in_room;
        c->total += in_room;
        return *n > in_room ? capture_put(c, scratch, *n - in_room, e) : CAPTURE_MORE;
}

void capture_drop(struct capture *c, size_t len)
{
        c->start += len;
        if (c->start < c->len)
                return;
        free(c->data);
        c->data = NULL;
        c->start = c->len = c->room = 0;
}

bool capture_is_over(const struct capture *c)
{
        return c->total > c->limit;
}

struct span capture_span(const struct capture *c)
{
        return c->data ? (struct span){ c->data + c->start, c->len - c->start } : (struct span){ 0 };
}

void capture_fini(struct capture *c)
{
        free(c->data);
        *c = (struct capture){ 0 };
}
