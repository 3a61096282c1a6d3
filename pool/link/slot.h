/* Slots as the pool sees them: the state machine EMPTY -> PREPARING -> WARM -> RUNNING -> DYING -> EMPTY, and the
 * choices that follow from the counts of slots in each state: which slot gets the next sandbox, and which sandbox gets
 * the next job. A run that needs another kind of sandbox than the warm one keeps its slot, which goes RUNNING -> DYING
 * -> REMAKING -> RUNNING. Pure: it sends no order and closes no descriptor. */
#pragma once

#include "proto/base/err.h"
#include "proto/ipc/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum slot_state {
        SLOT_EMPTY,     /* it has no sandbox, or a dead one whose run was answered */
        SLOT_PREPARING, /* a sandbox is ordered */
        SLOT_WARM,      /* its sandbox waits for a job */
        SLOT_RUNNING,   /* its sandbox has a job */
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
        bool alive;                 /* the zygote keeps parts of the slot: an init, namespaces, a cgroup */
        bool dropping;              /* ORDER_DROP was sent, and its report has not come yet */
        bool recycled;              /* the slot was alive when its present sandbox was ordered */
        bool replaces;              /* its present sandbox was ordered in place of one that a request took */
        bool urgent;                /* a request waited for its present sandbox when that was ordered */
        bool busy;                  /* its sandbox has had a job: from RUNNING on, until it is EMPTY */
        bool owed;                  /* an order was sent that the zygote has not answered yet */
        unsigned owed_ticks;        /* for how many of the pool's ticks it has been owed */
        uint64_t sandbox;           /* number of the present or last sandbox */
        int64_t since_us;           /* when it came into this state */
        struct slot_holder *holder; /* the holder of its sandbox; NULL: none */
        bool limiting;              /* ORDER_LIMIT was sent, and not answered yet */

        /* About the sandbox, from WARM on. The owner closes the descriptors; -1: none. */
        int fd[CHANNEL_WARM_FDS];
        int64_t warm_us;      /* when it became WARM */
        int64_t freed_us;     /* when the run in the previous sandbox was answered; 0: there was no run */
        uint64_t cpu_base_us; /* the CPU time of the slot's cgroup when the sandbox became WARM */
        uint64_t cpu_end_us;  /* the same at the end of the previous sandbox; 0: there was no sandbox */
        int64_t making_us;    /* CPU time for making the sandbox */
        int64_t memory_bytes; /* the limits that the sandbox has now */
        int64_t disk_bytes;
        int64_t pids;
        int signal; /* the signal of ORDER_SIGNAL */

        TAILQ_ENTRY(slot) link; /* in slots.empty or slots.waiting */
};

struct slots {
        struct slot *slot; /* CHANNEL_MAX_SLOTS of them */
        unsigned warm;     /* number to be kept warm */
        unsigned demand;   /* requests that wait for a sandbox: so many are made, even if fewer are to be kept warm */
        unsigned at_once;  /* number prepared at one time, as many as the cores can use */
        unsigned running;  /* number that may run at one time */
        unsigned kept;     /* slots that are kept for runs, besides those for warm sandboxes; at most running */
        unsigned count[SLOT_STATES];
        unsigned alive;
        unsigned busy;              /* slots with a run; a DYING one that never had a job does not count */
        TAILQ_HEAD(, slot) empty;   /* alive ones first; the last used one in front: its caches are still hot */
        TAILQ_HEAD(, slot) waiting; /* WARM slots, with the longest waiting one in front */
};

int slots_init(struct slots *s, struct zygote *zygote, struct err *e);
void slots_fini(struct slots *s);

/* Moves a slot to another state, as a report of the zygote says. -EPROTO with a sentence if the state machine has no
 * such arrow. */
int slots_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us, struct err *e);

/* The same for a move that the pool itself has chosen: a missing arrow is a mistake in this program. */
void slots_must_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us);

/* The zygote has removed all that it kept for an EMPTY slot. */
void slots_gone(struct slots *s, struct slot *slot);

/* The EMPTY slot that should get a new sandbox now, or NULL when there are enough. */
struct slot *slots_want(struct slots *s);

/* The number of sandboxes for the next requests: warm ones and ordered ones. */
unsigned slots_coming(const struct slots *s);

/* The WARM slot whose sandbox should get the next job, or NULL. */
struct slot *slots_ready(struct slots *s);

/* The CPU time for making the slot's sandbox, which has just become warm. cpu_base_us is the present CPU time of the
 * slot's cgroup. The cgroup may be a new one, which counts from 0. */
int64_t slot_making_us(const struct slot *slot, uint64_t cpu_base_us);

/* slot_owe: an order about the slot was sent, and the zygote must answer it. slot_paid: the zygote has answered. */
void slot_owe(struct slot *slot);
void slot_paid(struct slot *slot);

/* One tick of the pool's clock. Returns how many slots wait for an answer of the zygote. *stuck becomes the slot that
 * has waited longest, among those that have waited for max ticks (for max_making if a sandbox is being made); NULL if
 * there is none. A slot that is being dropped is never stuck, because dropping may take long. */
unsigned slots_tick(struct slots *s, unsigned max, unsigned max_making, struct slot **stuck);

/* A surplus slot, after the numbers to be kept were lowered: WARM (its sandbox is to be killed) or EMPTY and alive (to
 * be dropped). NULL: there is none. */
struct slot *slots_surplus(struct slots *s);
