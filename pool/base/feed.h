/* Bytes on their way into a sandbox, as borrowed pieces. Each call writes as much as the descriptor takes, without
 * copying. Jobs and standard input go this way. */
#pragma once

#include "proto/base/err.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum { FEED_MORE = 0, FEED_DONE = 1 };

struct feed {
        struct iovec *piece; /* parts that were written are cut off */
        size_t room, n, at;
};

/* Makes room for n pieces; feed_add fills it. */
int feed_init(struct feed *f, size_t n, struct err *e);
void feed_add(struct feed *f, const void *data, size_t len);

/* FEED_DONE: all is written. FEED_MORE: the descriptor takes no more now. -EPIPE: the reader is gone. */
int feed_write(struct feed *f, int fd, struct err *e);

static inline bool feed_is_done(const struct feed *f)
{
        return f->at == f->n;
}

void feed_fini(struct feed *f);
