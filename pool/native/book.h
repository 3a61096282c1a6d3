/* The callers of trusted connections. A book counts one caller's requests in flight over all of these connections,
 * since a gateway's workers share nothing. It lives while its caller has an outbox. */
#pragma once

#include "pool/core/core.h"

#include <sys/queue.h>

struct outbox;

struct book {
        struct caller caller;
        unsigned in_flight;           /* requests on all trusted connections */
        LIST_HEAD(, outbox) outboxes; /* one for each connection where the caller is at present */
};

struct books {
        void *tree; /* of tsearch */
};

/* Finds or makes the book of this caller. NULL: no memory. */
struct book *books_find(struct books *all, const struct caller *caller);

/* Frees a book that has no outbox. */
void books_settle(struct books *all, struct book *book);
