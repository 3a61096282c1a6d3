/* A world around the core. Only the core, the scheduler and the link are real. The clock stands until it is moved,
 * timers run on that clock, zygotes act as a test tells them, and fronts record the calls to their sinks. Channels,
 * clock and timers of this folder take the place of pool/link/channel_end.c, proto/base/clock.c and pool/base/timer.c
 * in the link.
 *
 * A sandbox's streams are real pipes, so that the core's own code reads and writes them. */
#pragma once

#include "pool/config/config.h"
#include "pool/core/core.h"
#include "pool/core/core_parts.h"
#include "pool/core/outcome.h"
#include "pool/link/channel_end.h"
#include "proto/ipc/channel.h"
#include "proto/ipc/job.h"

#include <stdbool.h>
#include <stdint.h>

enum {
        WORLD_ZYGOTES = 24,
        WORLD_SLOTS = 64, /* of a zygote; a test that needs more fails */
        WORLD_FRONTS = 256,
        WORLD_PENDING = 256,
        WORLD_ALL = 0x7fffffff,
};

/* ---------------------------------------------------------------- clock and timers */

void world_advance(int64_t us); /* timers that become due fire in their order */
/* The n-th timer_set from now on fails; WORLD_ALL: each does; 0: none. */
void world_fail_timer(unsigned n);
/* Fails the test if a timer is set that is not one of these. */
void world_assert_no_timer_but(const struct timer *const *these, unsigned n);

/* ---------------------------------------------------------------- memory */

/* From now on only the n-th allocation of the project's and its libraries' code fails; 0: none does. */
void world_fail_allocation(unsigned n);
/* The number of allocations that were tried since the last call of world_fail_allocation. */
unsigned world_allocations(void);

/* ---------------------------------------------------------------- zygotes */

enum fake_state {
        FAKE_NONE,
        FAKE_MAKING,
        FAKE_WARM,
        FAKE_DEAD,
};

struct fake_slot {
        enum fake_state state;
        uint64_t sandbox;
        bool has_terminal;     /* in and out are its program's side, raw */
        int job, in, out, err; /* the sandbox's ends; -1: closed */
        int cpu;               /* the file behind WARM_CPU */
        int signal;            /* the last one that was ordered */
        uint64_t written[2];   /* bytes of each stream: the n-th is world_byte(n) */
};

struct fake_pending {
        struct order order;
        int fd; /* of ORDER_COLLECT; else -1 */
};

struct fake_zygote {
        struct world *world;
        struct channel_end *end; /* NULL: there is none */
        char language[32];
        uint32_t generation;
        bool greeted, told_to_end;
        bool loses_descriptors; /* the pool can have no more */
        struct fake_slot slot[WORLD_SLOTS];
        struct fake_pending pending[WORLD_PENDING];
        unsigned n_pending;
};

/* Answers the i-th pending order as a faultless zygote would. False: the zygote has ended by that. */
bool fake_answer(struct fake_zygote *z, unsigned i);
/* ... or by a failure, where the order can fail. */
bool fake_fail(struct fake_zygote *z, unsigned i);
/* The channel ends. */
void fake_die(struct fake_zygote *z);
void fake_adopt(struct world *w, const char *language);
void fake_greet(struct fake_zygote *z);

/* A warm sandbox that has been given a job: writes, ends with this wait status, or says that the job can't be laid out.
 */
bool fake_has_job(const struct fake_slot *s);
void fake_read_job(struct fake_slot *s); /* ..., and its input, as far as they have come */
uint8_t world_byte(uint64_t n);
void fake_write(struct fake_slot *s, bool is_stderr, size_t len);
void fake_close_output(struct fake_slot *s);
bool fake_exit(struct fake_zygote *z, unsigned slot, int wait_status, bool unproved);
/* The same, but another process still has the writing ends of its pipes. */
bool fake_exit_with_open_pipes(struct fake_zygote *z, unsigned slot);
bool fake_fail_slot(struct fake_zygote *z, unsigned slot);
void fake_tell_failure(struct fake_slot *s, const struct job_failure *failure);
void fake_use_cpu(struct fake_slot *s, int64_t us);

/* ---------------------------------------------------------------- fronts */

struct front {
        struct sink sink; /* the first member */
        struct world *world;
        struct execution *execution; /* NULL: it has ended, or was abandoned */
        bool used, abandoned;
        bool greedy;   /* it says that it takes more than it is told */
        bool bounded;  /* it takes so much output as its credit allows, else all */
        size_t credit; /* bytes */
        bool loses;    /* it may be told its end without the rest of the output; at its deadline each may */
        bool full;     /* it did not take all that it was told last */
        int64_t told_us;
        unsigned finished, refused;
        struct refusal refusal;
        enum outcome_status status;
        uint64_t told[2];
        uint64_t total[2];
        unsigned stages, wanted;
        bool streams;
        uint64_t said[2];       /* bytes that come before the program's own */
        enum stage stage[4];    /* the first that began */
        struct outcome outcome; /* its pointers no longer point to anything */

        /* Its action from within each call to its sink except the end, and its action at the end; NULL: none. */
        void (*deed)(struct front *f);
        void (*at_end)(struct front *f);
        unsigned depth, deepest; /* of calls within calls */
};

struct front_wish {
        const char *language;
        bool terminal, streams, live_input, truncates, collects, changed_only;
        int64_t deadline_us, memory_bytes, output_bytes, wall_us, cpu_us;
        size_t code; /* bytes; 0: a few */
        unsigned peer, priority;
        size_t input;
};

/* ---------------------------------------------------------------- the world */

struct world {
        struct event_base *base;
        struct log log;
        struct config config;
        struct budget memory;
        struct core *core;
        struct fake_zygote zygote[WORLD_ZYGOTES];
        struct front front[WORLD_FRONTS];
        char asked[WORLD_ZYGOTES][32]; /* languages that are to get a zygote */
        unsigned n_asked;
        uint32_t generations;
        unsigned ready, progress;
        uint64_t refused[REFUSAL_CODES]; /* submissions that were told so, by code */
        uint64_t finished;
        unsigned reloads;     /* that may have taken a language out */
        unsigned descriptors; /* before it was made */
};

/* fork: an interpreter; comp: compiled; pre: started ahead, and kept when it comes again. */
extern const char world_config[];

void world_make(struct world *w);
void world_end(struct world *w);

/* The loop goes round until nothing is left to do. */
void world_turn(struct world *w);

/* Makes the zygotes that were asked for come and say hello. */
void world_bring_zygotes(struct world *w);

/* Answers everything, until nothing is pending. */
void world_settle(struct world *w);

/* NULL: every front is in use. A front whose submission was refused counts as told. */
/* A test that counts calls may set hooks before: world_next_front returns the front that will be used. */
struct front *world_next_front(struct world *w);
struct front *world_submit(struct world *w, const struct front_wish *wish);
void world_abandon(struct front *f);
/* From now on it is bounded, and has so much credit more; resumes. */
void world_give(struct front *f, size_t credit);
/* It is bounded no more. */
void world_give_all(struct front *f);

/* A running sandbox whose job is f's; NULL: it has none. z is set, too. */
struct fake_slot *world_sandbox_of(struct world *w, const struct front *f, struct fake_zygote **z, unsigned *number);

/* Everything must have come to its end: each front was told once, and nothing is held or counted. */
void world_assert_clean(struct world *w);
