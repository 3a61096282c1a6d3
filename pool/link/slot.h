/* Slots as the pool sees them: the state machine EMPTY -> PREPARING -> WARM -> RUNNING -> DYING -> EMPTY, and the
 * choices that follow from its counts: which slot gets the next sandbox, which sandbox gets the next job. A run that
 * needs another kind of sandbox than the warm one goes round: RUNNING -> DYING -> REMAKING -> RUNNING, and keeps its
 * slot. Pure: it sends no order and closes no descriptor. */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum slot_state {
        SLOT_EMPTY,     /* no sandbox, or a dead one that has been answered for */
        SLOT_PREPARING, /* ordered */
        SLOT_WARM,      /* waits for a job */
        SLOT_RUNNING,   /* has a job */
        SLOT_DYING,     /* its sandbox is dead or dying, its answer is not yet written, or its teardown is not proved */
        SLOT_REMAKING,  /* a sandbox with a terminal is ordered, for the run that took the slot */
        SLOT_STATES,
};

struct slot_holder;
struct zygote;

struct slot {
        struct zygote *zygote; /* its zygote */
        enum slot_state state;
        uint32_t number;
        bool alive;                 /* the zygote keeps something for it: an init, namespaces, a cgroup */
        bool dropping;              /* ORDER_DROP is on its way, and its report is waited for */
        bool recycled;              /* it was alive when its present sandbox was ordered */
        bool replaces;              /* its present sandbox was ordered in place of one that a request took */
        bool urgent;                /* a request waited for its present sandbox when that was ordered */
        bool busy;                  /* its sandbox has had a job: from RUNNING on, until it is EMPTY */
        bool owed;                  /* an order is out that the zygote must answer */
        unsigned owed_ticks;        /* for so many of the pool's ticks */
        uint64_t sandbox;           /* the present or last one's number */
        int64_t since_us;           /* when it came into this state */
        struct slot_holder *holder; /* who has its sandbox; NULL: none */
        bool limiting;              /* ORDER_LIMIT is on its way */

        /* Of the sandbox, from WARM on. The descriptors are the owner's to close; -1: none. */
        int fd[CHANNEL_WARM_FDS];
        int64_t warm_us;      /* when it became WARM */
        int64_t freed_us;     /* when the run of the sandbox before was answered; 0: there was none */
        uint64_t cpu_base_us; /* the cgroup's clock at that time */
        uint64_t cpu_end_us;  /* the cgroup's clock at the end of the sandbox before; 0: there was none */
        int64_t making_us;    /* CPU time for making it */
        int64_t memory_bytes; /* the limits it has now */
        int64_t disk_bytes;
        int64_t pids;
        int signal; /* the signal of ORDER_SIGNAL */

        TAILQ_ENTRY(slot) link; /* among the empty, or among the warm */
};

struct slots {
        struct slot *slot; /* CHANNEL_MAX_SLOTS of them */
        unsigned warm;     /* number to be kept warm */
        unsigned demand;   /* requests that wait for one: so many are made, even if fewer are to be kept */
        unsigned at_once;  /* number prepared at one time, as many as the cores can use */
        unsigned running;  /* number that may run at one time */
        unsigned kept;     /* slots that are kept for runs, beside one for each that is to be warm; at most running */
        unsigned count[SLOT_STATES];
        unsigned alive;
        unsigned busy;              /* slots with a run; a DYING one that never had a job does not count */
        TAILQ_HEAD(, slot) empty;   /* those alive first, the last used in front: its caches are still hot */
        TAILQ_HEAD(, slot) waiting; /* warm, the longest waiting in front */
};

int slots_init(struct slots *s, struct zygote *zygote, struct err *e);
void slots_fini(struct slots *s);

/* Moves a slot on, as a report of the zygote says. -EPROTO with a sentence if the machine has no such arrow. */
int slots_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us, struct err *e);

/* The same for a move that the pool itself has chosen: a missing arrow is a mistake in this program. */
void slots_must_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us);

/* The zygote has removed all that it kept for an EMPTY slot. */
void slots_gone(struct slots *s, struct slot *slot);

/* The slot that should get a new sandbox now, or NULL when there are enough. It is EMPTY. */
struct slot *slots_want(struct slots *s);

/* Sandboxes for the next requests: those that are warm, and those that are ordered. */
unsigned slots_coming(const struct slots *s);

/* The sandbox that should get the next job, or NULL. It is WARM. */
struct slot *slots_ready(struct slots *s);

/* The CPU time for making its sandbox, which is warm now, from the present time of the cgroup's clock. The clock may be
 * a new one. */
int64_t slot_making_us(const struct slot *slot, uint64_t cpu_base_us);

/* An order about the slot that must be answered went out; and it was answered. */
void slot_owe(struct slot *slot);
void slot_paid(struct slot *slot);

/* One tick of the pool's clock. Returns how many slots wait for an answer of the zygote. *stuck becomes the slot that
 * has waited longest, if it has waited for max ticks (for max_making if its sandbox is being made); else NULL. A slot
 * that is being dropped does not count: it may take long. */
unsigned slots_tick(struct slots *s, unsigned max, unsigned max_making, struct slot **stuck);

/* A slot too many, after the numbers went down: WARM (to be killed) or EMPTY and alive (to be dropped); or NULL. */
struct slot *slots_surplus(struct slots *s);
