/* Work of clients that is too long for one piece, such as the rest of many requests that were sent at once, or a large
 * request that has to be unpacked. Each turn does a piece; between two rounds of turns the loop handles everything
 * else.
 *
 * Short turns are taken in the order of arrival. Large ones are taken one at a time, since each needs memory while it
 * is under way, and the smaller ones first; but waiting counts, so that each has its turn. */
#pragma once

#include "pool/base/heap.h"
#include "proto/base/err.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

enum { TURN_US = 200 }; /* a piece lasts about so long */

struct turn {
        /* Does a piece. True: a large turn has more to do. It may put the turn in the line again, or free it.
         */
        bool (*take)(void *owner);
        void *owner;
        bool waits; /* in the line */
        TAILQ_ENTRY(turn) link;
        struct heap_node node; /* among the large ones */
};

struct turns {
        struct event event;
        TAILQ_HEAD(, turn) line;
        struct heap large;
        struct turn *begun; /* the large one that is under way; it is in no heap */
};

int turns_init(struct turns *t, struct event_base *base, struct err *e);
void turns_fini(struct turns *t);

/* Puts a turn at the end of the line. Nothing changes if it is there already. */
void turns_wait(struct turns *t, struct turn *turn);

/* Puts a turn among the large ones, likewise. bytes: its size. */
void turns_wait_large(struct turns *t, struct turn *turn, size_t bytes);

/* Harmless for a turn that does not wait. */
void turns_leave(struct turns *t, struct turn *turn);
