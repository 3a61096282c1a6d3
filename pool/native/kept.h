/* The answers that are kept for repeats: whose they are, how old they are, and which of them goes when all together
 * hold too much. The answers themselves are in idempotency.c. Private to idempotency.c.
 *
 * Each answer belongs to a peer, that is, to a scope. When something must go, it is the oldest answer of the peer whose
 * answers hold the most bytes. So a peer that repeats nothing, and asks for very much, evicts its own answers. */
#pragma once

#include "pool/base/heap.h"
#include "pool/native/scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct kept_peer;

/* Embedded in the structure of an answer. */
struct kept {
        struct kept_peer *peer;
        size_t cost;               /* bytes that the answer holds */
        TAILQ_ENTRY(kept) age;     /* among all answers, oldest first */
        TAILQ_ENTRY(kept) of_peer; /* among those of its peer, oldest first */
};

TAILQ_HEAD(kept_list, kept);

struct kept_answers {
        struct kept_list all;
        void *peers;          /* of tsearch */
        struct heap heaviest; /* peers; the one whose answers hold most is on top */
        size_t peer_bytes;    /* memory of the peers' structures */
        unsigned n;
};

void kept_init(struct kept_answers *all);

/* Adds the newest answer. False: there is no memory. */
bool kept_add(struct kept_answers *all, struct kept *k, const struct scope *scope, size_t cost);
void kept_remove(struct kept_answers *all, struct kept *k);

/* The oldest answer, of any peer. NULL: there is none. */
struct kept *kept_oldest(const struct kept_answers *all);

/* The oldest answer of the peer that holds most. NULL: there is none. */
struct kept *kept_next_to_go(const struct kept_answers *all);
