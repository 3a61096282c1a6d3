/* Writing into a sandbox: see feed.h. */
#include "pool/base/feed.h"

#include "pool/base/invariant.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

int feed_init(struct feed *f, size_t n, struct err *e)
{
        *f = (struct feed){ .piece = calloc(n ? n : 1, sizeof *f->piece), .room = n };
        return f->piece ? 0 : err_set(e, ENOMEM, "a job of %zu pieces", n);
}

void feed_add(struct feed *f, const void *data, size_t len)
{
        if (len == 0)
                return;
        INVARIANT(f->n < f->room, "a feed of %zu pieces gets one more", f->room);
        f->piece[f->n++] = (struct iovec){ .iov_base = (void *)data, .iov_len = len };
}

static void advance(struct feed *f, size_t written)
{
        while (written > 0) {
                struct iovec *p = &f->piece[f->at];
                if (written < p->iov_len) {
                        p->iov_base = (char *)p->iov_base + written;
                        p->iov_len -= written;
                        return;
                }
                written -= p->iov_len;
                f->at++;
        }
}

int feed_write(struct feed *f, int fd, struct err *e)
{
        while (f->at < f->n) {
                size_t n = f->n - f->at < IOV_MAX ? f->n - f->at : IOV_MAX;
                ssize_t written = writev(fd, f->piece + f->at, (int)n);
                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0 && errno == EAGAIN)
                        return FEED_MORE;
                if (written < 0)
                        return err_set(e, errno, "writing into a sandbox");
                advance(f, (size_t)written);
        }
        return FEED_DONE;
}

void feed_fini(struct feed *f)
{
        free(f->piece);
        *f = (struct feed){ 0 };
}
