/* One zygote as the pool knows it: its channel, its slots, and how far it is in its life. Its reports become moves of
 * slots, calls to their holders, and news for its owner; it is kept at as many warm sandboxes as its slots are to have.
 * Which zygote of a language serves, and when another takes its place, is its owner's business (pool/sched/language.h).
 *
 * zygote.c is its life and its pulse; zygote_slots.c gives orders about slots and serves their holders;
 * zygote_reports.c takes what comes from the channel. zygote_parts.h is what these say to each other. */
#pragma once

#include "pool/base/timer.h"
#include "pool/link/channel_end.h"
#include "pool/link/holder.h"
#include "pool/link/slot.h"
#include "proto/base/log.h"
#include "proto/ipc/patience.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct zygote;

/* News of a zygote for its owner. The owner may call the functions below from within, but zygote_free from ended alone.
 */
struct zygote_ops {
        void (*greeted)(struct zygote *z, const struct report *hello);
        void (*preloaded)(struct zygote *z, const struct report *preload);
        /* A sandbox is about to be ordered: its number, its limits, whether it replaces one that was taken, and whether
         * it is urgent are to be set in the slot. Where that is REMAKING, its number alone. */
        void (*making)(struct zygote *z, struct slot *slot);
        /* Its sandbox is WARM; ordered_us: when it was ordered. */
        void (*warmed)(struct zygote *z, struct slot *slot, int64_t ordered_us, const struct report *warm);
        /* A sandbox could not be made, or was lost while it waited: z->failures in a row. */
        void (*failed)(struct zygote *z);
        /* A slot failed whose sandbox had a job. Its holder is told for itself. */
        void (*failed_holder)(struct zygote *z);
        /* A slot is thrown away, because its teardown is not proved. */
        void (*discarded)(struct zygote *z);
        /* Something has changed: what waits may be served, and what is missing ordered. */
        void (*changed)(struct zygote *z);
        /* Its channel has ended, or is not to be trusted: the owner frees it. */
        void (*ended)(struct zygote *z, const char *why);
};

struct zygote_options {
        const struct zygote_ops *ops;
        void *owner;
        struct event_base *base;
        struct log *log;
        const char *name; /* of its language, for sentences; outlives it */
        uint32_t generation;
};

enum zygote_phase {
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
        const struct zygote_ops *ops;
        void *owner;
        struct event_base *base;
        struct log *log;
        const char *name;
        TAILQ_ENTRY(zygote) link; /* of its language, the oldest foremost */
        struct channel_end end;
        struct slots slots;
        enum zygote_phase phase;
        uint32_t generation; /* the supervisor's number for it, among those of its language */
        bool greeted;        /* it has said hello */
        bool stale;          /* it was started with what has changed since in the configuration */
        bool drained;        /* it has been told to end */
        bool prestarted;     /* set by its owner: a program is started ahead in each sandbox, which may take long */
        bool idle;           /* set by its owner: no sandbox is to be ordered at present */
        struct ceilings ceilings; /* the most that it takes; known when it has greeted */
        uint64_t forks;           /* sandboxes ordered from it */
        int64_t born_us;

        /* Sandboxes that could not be made: the next one is ordered later and later. */
        unsigned failures; /* in a row */
        struct timer backoff;
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
int zygote_new(struct zygote **out, const struct zygote_options *options, int sock, struct err *e);

/* Closes the channel, tells all holders that they are lost, and frees. The zygote is in no list any more. */
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

/* ---------------------------------------------------------------- a slot that somebody holds */

/* Its present sandbox is h's from here on. It is RUNNING. */
void slot_hold(struct slot *slot, struct slot_holder *h);

/* An order about its present sandbox: LIMIT, KILL, SIGNAL or COLLECT. The slot says the limits and the signal. fd:
 * borrowed, or -1. */
void slot_order(struct slot *slot, enum order_kind kind, int fd);

/* Given back before its job was handed over: it is killed unused. */
void slot_return(struct slot *slot);

/* Given back after its sandbox died. discard: it can't be trusted to be clean. */
void slot_recycle(struct slot *slot, bool discard);

/* Its sandbox is dead, as the holder was told, and proved to be. Another one is ordered for the holder, with a terminal
 * and the slot's limits. */
void slot_remake(struct slot *slot);

/* Its holder gives up waiting for the zygote: the slot stays taken until that speaks. */
void slot_desert(struct slot *slot);
