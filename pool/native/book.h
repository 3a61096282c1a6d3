/* The callers of trusted connections. A book counts one caller's requests in flight over all of these connections,
 * since a gateway's workers share nothing. A book lives while its caller has an outbox. */
#pragma once

#include "pool/core/core.h"

#include <sys/queue.h>

struct outbox;

struct book {
        struct caller caller;
        unsigned in_flight;           /* requests on all trusted connections */
        LIST_HEAD(, outbox) outboxes; /* the caller's outboxes, at most one for each connection */
};

struct books {
        void *tree; /* the root for tsearch */
};

/* Finds or makes the book of this caller. NULL: no memory. */
struct book *books_find(struct books *all, const struct caller *caller);

/* Frees a book that has no outbox. */
void books_settle(struct books *all, struct book *book);
