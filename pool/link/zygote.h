/* One zygote as the pool knows it: its channel, its slots, and its phase. Its reports become moves of slots, calls to
 * their holders, and news for its owner. The code here orders sandboxes, so that the wanted number is warm. The owner
 * (pool/sched/language.h) decides which zygote of a language serves, and when another takes its place.
 *
 * zygote.c is its life and its pulse; zygote_slots.c gives orders about slots and serves their holders;
 * zygote_reports.c takes reports from the channel. zygote_parts.h is the interface between these files. */
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

/* News of a zygote for its owner. The owner may call the functions below from within, but zygote_free only from ended.
 */
struct zygote_ops {
        void (*greeted)(struct zygote *z, const struct report *hello);
        void (*preloaded)(struct zygote *z, const struct report *preload);
        /* A sandbox is about to be ordered. The owner writes its number into the slot. Unless the slot is REMAKING, the
         * owner also writes its limits, whether it replaces one that was taken, and whether it is urgent. */
        void (*making)(struct zygote *z, struct slot *slot);
        /* Its sandbox is WARM; ordered_us: when it was ordered. */
        void (*warmed)(struct zygote *z, struct slot *slot, int64_t ordered_us, const struct report *warm);
        /* A sandbox could not be made, or was lost while it waited. z->failures counts such failures in a row. */
        void (*failed)(struct zygote *z);
        /* A slot failed whose sandbox had a job. Its holder is told separately. */
        void (*failed_holder)(struct zygote *z);
        /* A slot is thrown away, because its teardown is not proved. */
        void (*discarded)(struct zygote *z);
        /* Something has changed: waiting requests may be served, and missing sandboxes ordered. */
        void (*changed)(struct zygote *z);
        /* The zygote's channel has ended, or can't be trusted any more: the owner frees the zygote. */
        void (*ended)(struct zygote *z, const char *why);
};

struct zygote_options {
        const struct zygote_ops *ops;
        void *owner;
        struct event_base *base;
        struct log *log;
        const char *name; /* the language's, for sentences; outlives the zygote */
        uint32_t generation;
};

enum zygote_phase {
        ZYGOTE_COMING,   /* warms up beside the one that serves, and gets no job */
        ZYGOTE_CURRENT,  /* serves */
        ZYGOTE_RETIRING, /* makes no more sandboxes; its runs may finish, then it ends */
};

/* After so many failures in a row a COMING zygote is given up, and the language of a serving one is no longer ready. */
enum { ZYGOTE_MAX_FAILURES = 3 };

/* After so many ticks a COMING zygote is given up. */
enum { ZYGOTE_COMING_TICKS = 120 };

struct zygote {
        const struct zygote_ops *ops;
        void *owner;
        struct event_base *base;
        struct log *log;
        const char *name;
        TAILQ_ENTRY(zygote) link; /* in its language, the oldest in front */
        struct channel_end end;
        struct slots slots;
        enum zygote_phase phase;
        uint32_t generation; /* the supervisor's number for it, among those of its language */
        bool greeted;        /* it has said hello */
        bool stale;          /* the configuration that it was started with has changed since */
        bool drained;        /* it has been told to end */
        bool prestarted;     /* set by its owner: a program is started ahead in each sandbox, which may take long */
        bool idle;           /* set by its owner: no sandbox is to be ordered at present */
        struct ceilings ceilings; /* the highest limits that it accepts; known when it has said hello */
        uint64_t forks;           /* sandboxes ordered from it */
        int64_t born_us;

        /* Sandboxes that could not be made: the next one is ordered later and later. */
        unsigned failures; /* in a row */
        struct timer backoff;
        int64_t backoff_us;    /* 0: sandboxes come as they should */
        int64_t not_before_us; /* when the next one may be ordered; the timer only wakes the pool for it */

        /* In ticks of the pool, so that a pool that was stopped itself does not count its own sleep as the zygote's. */
        bool heard; /* a report came since the last tick */
        unsigned silent_ticks;
        struct patience silence; /* how much processor time it was given while silent */
        int load;                /* the descriptor for patience_read, see REPORT_HELLO; -1: there is none */
        unsigned coming_ticks;
};

/* Takes sock over, even if it fails. */
int zygote_new(struct zygote **out, const struct zygote_options *options, int sock, struct err *e);

/* Closes the channel, tells all holders that they are lost, and frees. The zygote must be in no list. */
void zygote_free(struct zygote *z);

/* Orders missing sandboxes, and the end of surplus ones. */
void zygote_kick(struct zygote *z);

/* Ends the zygote's service: it makes no more sandboxes, and ends when all its runs have ended. */
void zygote_retire(struct zygote *z);

/* Orders it to end now. */
void zygote_drain(struct zygote *z);

/* To be called about every second. Gives up slots about which the zygote does not answer. Returns the reason why the
 * zygote as a whole must end, or NULL. */
const char *zygote_tick(struct zygote *z);

/* ---------------------------------------------------------------- a slot that a holder has */

/* From here on h holds the present sandbox. The slot is RUNNING. */
void slot_hold(struct slot *slot, struct slot_holder *h);

/* An order about its present sandbox: LIMIT, KILL, SIGNAL or COLLECT. The slot says the limits and the signal. fd:
 * borrowed, or -1. */
void slot_order(struct slot *slot, enum order_kind kind, int fd);

/* Gives the slot back before the job was handed over: the sandbox is killed unused. */
void slot_return(struct slot *slot);

/* Gives the slot back after its sandbox died. discard: the slot may not be clean. */
void slot_recycle(struct slot *slot, bool discard);

/* The slot's sandbox is proved dead, and its holder was told. Orders another sandbox for the holder, with a terminal
 * and the slot's limits. */
void slot_remake(struct slot *slot);

/* The holder gives up waiting for the zygote. The slot stays taken until the zygote reports. */
void slot_desert(struct slot *slot);
