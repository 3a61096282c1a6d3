/* One zygote as the pool knows it: its channel, its slots, and how far it is in its life. Its reports become moves of
 * slots and calls to their runs, and it is kept at as many warm sandboxes as its slots are to have. Which zygote of a
 * language serves, and when another takes its place, is the language's business (language.h). */
#pragma once

#include "pool/link/channel_end.h"
#include "pool/link/slot.h"
#include "proto/ipc/patience.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct language;

enum zygote_stage {
        ZYGOTE_COMING,   /* warms up beside the one that serves, and gets no job */
        ZYGOTE_CURRENT,  /* serves */
        ZYGOTE_RETIRING, /* makes no sandbox any more; what runs in it may finish, then it ends */
};

/* So many failures in a row are no accident: a zygote that is coming is given up, one that serves makes its language
 * not ready. */
enum { ZYGOTE_MAX_FAILURES = 3 };

/* After so many ticks one that is coming does not come any more. */
enum { ZYGOTE_COMING_TICKS = 120 };

struct zygote {
        struct language *language;
        TAILQ_ENTRY(zygote) link; /* of its language, the oldest foremost */
        struct channel_end end;
        struct slots slots;
        enum zygote_stage stage;
        uint32_t generation;      /* the supervisor's number for it, among those of its language */
        bool greeted;             /* it has said hello */
        bool stale;               /* it was started with what has changed since in the configuration */
        bool drained;             /* it has been told to end */
        struct ceilings ceilings; /* the most that it takes; known when it has greeted */
        uint64_t forks;           /* sandboxes ordered from it */
        int64_t born_us;

        /* Sandboxes that could not be made: the next one is ordered later and later. */
        unsigned failures; /* in a row */
        struct event backoff;
        int64_t backoff_us;    /* 0: they come as they should */
        int64_t not_before_us; /* when the next one may be ordered; the timer only wakes the pool for it */

        /* In ticks of the pool, so that a pool that was stopped itself does not take its own sleep for theirs. */
        bool heard; /* a report came since the last tick */
        unsigned silent_ticks;
        struct patience silence; /* what it was given meanwhile */
        int load;                /* for patience_read; -1: not known */
        unsigned coming_ticks;
};

/* Takes sock over, whatever comes of it. */
int zygote_new(struct zygote **out, struct language *l, uint32_t generation, int sock, struct err *e);

/* Closes the channel, tells all runs that they are lost, and frees. The zygote is in no list any more. */
void zygote_free(struct zygote *z);

/* Orders what should be ordered: sandboxes that are missing, the end of those that are too many. */
void zygote_kick(struct zygote *z);

/* It has served: no new sandbox any more, and the end when all that runs has ended. */
void zygote_retire(struct zygote *z);

/* The order to end, now. */
void zygote_drain(struct zygote *z);

/* To be called each second or so. Gives up a slot that the zygote does not answer for. Returns why the zygote as a
 * whole must go, or NULL. */
const char *zygote_tick(struct zygote *z);

/* Of a slot that a run was given; see language.h, which hands these on. */
void zygote_order(struct zygote *z, struct slot *slot, enum order_kind kind, int fd);
void zygote_return(struct zygote *z, struct slot *slot);
void zygote_recycle(struct zygote *z, struct slot *slot, bool discard);
