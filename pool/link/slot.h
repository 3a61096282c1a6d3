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
        SLOT_DYING,     /* its sandbox is dead or about to be, its answer not yet written, or its teardown not proved */
        SLOT_REMAKING,  /* a sandbox with a terminal is ordered, for the run that took the slot */
        SLOT_STATES,
};

struct slot_holder;
struct zygote;

struct slot {
        struct zygote *zygote; /* whose it is */
        enum slot_state state;
        uint32_t number;
        bool alive;                 /* the zygote keeps something for it: an init, namespaces, a cgroup */
        bool dropping;              /* ORDER_DROP is on its way, and its report is waited for */
        bool recycled;              /* it was alive when its present sandbox was ordered */
        bool replaces;              /* its present sandbox was ordered in place of one that a request took */
        bool urgent;                /* a request waited for its present sandbox when that was ordered */
        bool busy;                  /* its sandbox has had a job: from RUNNING on, until it is EMPTY */
        bool owed;                  /* an order is out that the zygote must answer */
        unsigned owed_ticks;        /* for how many of the pool's ticks */
        uint64_t sandbox;           /* the present or last one's number */
        int64_t since_us;           /* when it came into this state */
        struct slot_holder *holder; /* who has its sandbox; NULL: none */
        bool limiting;              /* ORDER_LIMIT is on its way */

        /* Of the sandbox, from WARM on. The descriptors are the owner's to close; -1: none. */
        int fd[CHANNEL_WARM_FDS];
        int64_t warm_us;      /* when it became WARM */
        int64_t freed_us;     /* when the run of the sandbox before was answered; 0: there was none */
        uint64_t cpu_base_us; /* what the cgroup's clock showed then */
        uint64_t cpu_end_us;  /* ... at the end of the sandbox before; 0: there was none */
        int64_t making_us;    /* CPU time that making it took */
        int64_t memory_bytes; /* the limits it has now */
        int64_t disk_bytes;
        int64_t pids;
        int signal; /* that ORDER_SIGNAL is about */

        TAILQ_ENTRY(slot) link; /* among the empty, or among the warm */
};

struct slots {
        struct slot *slot; /* CHANNEL_MAX_SLOTS of them */
        unsigned warm;     /* how many are to be kept warm */
        unsigned demand;   /* how many requests wait for one: so many are made, however few are to be kept */
        unsigned at_once;  /* how many are prepared at one time, which is what the cores can use */
        unsigned running;  /* how many may run at one time */
        unsigned kept; /* how many slots are kept for runs, beside one for each that is to be warm; at most running */
        unsigned count[SLOT_STATES];
        unsigned alive;
        unsigned busy; /* of them, those with a run; one that is DYING without ever having had a job is none */
        TAILQ_HEAD(, slot) empty;   /* those alive first, the last used foremost: its caches are still hot */
        TAILQ_HEAD(, slot) waiting; /* warm, the longest waiting foremost */
};

int slots_init(struct slots *s, struct zygote *zygote, struct err *e);
void slots_fini(struct slots *s);

/* Moves a slot on, as a report of the zygote says. -EPROTO with a sentence where the machine has no such arrow. */
int slots_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us, struct err *e);

/* The same where the pool itself has chosen the move: an arrow that is missing is a mistake in this program. */
void slots_must_move(struct slots *s, struct slot *slot, enum slot_state to, int64_t now_us);

/* What the zygote keeps for an EMPTY slot is gone. */
void slots_gone(struct slots *s, struct slot *slot);

/* The slot that should get a new sandbox now, or NULL when there are enough. It is EMPTY. */
struct slot *slots_want(struct slots *s);

/* Sandboxes that will serve what comes next: those that are warm, and those that are ordered. */
unsigned slots_coming(const struct slots *s);

/* The sandbox that should get the next job, or NULL. It is WARM. */
struct slot *slots_ready(struct slots *s);

/* Its sandbox is warm, and the cgroup's clock shows so much: what did it take to make? The clock may be a new one. */
int64_t slot_making_us(const struct slot *slot, uint64_t cpu_base_us);

/* An order about the slot went out that must be answered, and it was. */
void slot_owe(struct slot *slot);
void slot_paid(struct slot *slot);

/* One tick of the pool's clock: how many slots wait for an answer of the zygote. *stuck becomes one that has waited for
 * max ticks, or for max_making where its sandbox is being made; the one that has waited longest; or NULL. Not one that
 * is being dropped, which may take its time. */
unsigned slots_tick(struct slots *s, unsigned max, unsigned max_making, struct slot **stuck);

/* A slot too many, after the numbers went down: WARM (to be killed) or EMPTY and alive (to be dropped); or NULL. */
struct slot *slots_surplus(struct slots *s);
