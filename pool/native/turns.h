/* Divides long work for clients into short pieces. Such work is the rest of many requests that were sent at once, or a
 * large request that has to be unpacked. Each turn does one piece. Between two rounds of turns the loop handles
 * everything else.
 *
 * Short turns are taken in the order of arrival. Large turns are taken one at a time, since each needs memory while it
 * is under way. Smaller ones among them go first, but the time of waiting counts too, so that each has its turn. */
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
        /* Does a piece. True: a large turn has more to do. The function may put the turn in the line again, or free it.
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
        struct turn *begun; /* the large turn that is under way; it is not in the heap */
};

int turns_init(struct turns *t, struct event_base *base, struct err *e);
void turns_fini(struct turns *t);

/* Puts a turn at the end of the line of short turns. Does nothing if the turn waits already. */
void turns_wait(struct turns *t, struct turn *turn);

/* Puts a turn among the large turns. Does nothing if the turn waits already. bytes: its size. */
void turns_wait_large(struct turns *t, struct turn *turn, size_t bytes);

/* Harmless for a turn that does not wait. */
void turns_leave(struct turns *t, struct turn *turn);
