/* A world around the core. Only the core, the scheduler and the link are real. The clock stands still until a test
 * moves it, and timers run on that clock. Zygotes act as a test tells them, and fronts record the calls to their sinks.
 * The channels, clock and timers of this folder replace pool/link/channel_end.c, proto/base/clock.c and
 * pool/base/timer.c.
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
        WORLD_SLOTS = 64, /* slots of one zygote; a test that needs more slots fails */
        WORLD_FRONTS = 256,
        WORLD_PENDING = 256,
        WORLD_ALL = 0x7fffffff,
};

/* ---------------------------------------------------------------- clock and timers */

void world_advance(int64_t us); /* timers that become due fire in their order */
/* The n-th call of timer_set from now on fails. WORLD_ALL: each call fails; 0: no call fails. */
void world_fail_timer(unsigned n);
/* Fails the test if a timer is set that is not one of these. */
void world_assert_no_timer_but(const struct timer *const *these, unsigned n);

/* ---------------------------------------------------------------- memory */

/* From now on only the n-th allocation fails, in the project's code or in its libraries. 0: no allocation fails. */
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
        bool has_terminal;     /* in and out are the program's side of a terminal in raw mode */
        int job, in, out, err; /* the sandbox's ends; -1: closed */
        int cpu;               /* the file behind WARM_CPU */
        int signal;            /* the last signal that the pool ordered */
        uint64_t written[2];   /* bytes of each stream: the n-th is world_byte(n) */
};

struct fake_pending {
        struct order order;
        int fd; /* of ORDER_COLLECT; else -1 */
};

struct fake_zygote {
        struct world *world;
        struct channel_end *end; /* NULL: this zygote does not exist */
        char language[32];
        uint32_t generation;
        bool greeted, told_to_end;
        bool loses_descriptors; /* its reports reach the pool without descriptors */
        struct fake_slot slot[WORLD_SLOTS];
        struct fake_pending pending[WORLD_PENDING];
        unsigned n_pending;
};

/* Answers the i-th pending order as a faultless zygote would. Returns false if this has ended the zygote. */
bool fake_answer(struct fake_zygote *z, unsigned i);
/* Answers the i-th pending order by a failure if the order can fail, otherwise as fake_answer does. */
bool fake_fail(struct fake_zygote *z, unsigned i);
/* The zygote's channel ends. */
void fake_die(struct fake_zygote *z);
void fake_adopt(struct world *w, const char *language);
void fake_greet(struct fake_zygote *z);

/* These functions act as a warm sandbox that has a job: it writes, ends with this wait status, or reports that the job
 * can't be laid out. */
bool fake_has_job(const struct fake_slot *s);
void fake_read_job(struct fake_slot *s); /* reads the job and the input, as far as they have come */
uint8_t world_byte(uint64_t n);
void fake_write(struct fake_slot *s, bool is_stderr, size_t len);
void fake_close_output(struct fake_slot *s);
bool fake_exit(struct fake_zygote *z, unsigned slot, int wait_status, bool unproved);
/* The sandbox ends with wait status 0, but another process still has the writing ends of its pipes. */
bool fake_exit_with_open_pipes(struct fake_zygote *z, unsigned slot);
bool fake_fail_slot(struct fake_zygote *z, unsigned slot);
void fake_tell_failure(struct fake_slot *s, const struct job_failure *failure);
void fake_use_cpu(struct fake_slot *s, int64_t us);

/* ---------------------------------------------------------------- fronts */

struct front {
        struct sink sink; /* must be the first member */
        struct world *world;
        struct execution *execution; /* NULL: the execution has ended, or was abandoned */
        bool used, abandoned;
        bool greedy;   /* its sink returns more bytes than it was given */
        bool bounded;  /* it takes only as much output as its credit allows; otherwise it takes all */
        size_t credit; /* bytes */
        bool loses;    /* it may be told its end without the rest of the output; every front may after its deadline */
        bool full;     /* it did not take all of the last output */
        int64_t told_us;
        unsigned finished, refused;
        struct refusal refusal;
        enum outcome_status status;
        uint64_t told[2];
        uint64_t total[2];
        unsigned stages, wanted;
        bool streams;
        uint64_t said[2];       /* bytes of output before the program's own */
        enum stage stage[4];    /* the first stages that began */
        struct outcome outcome; /* its pointers are no longer valid */

        /* deed is called from each call to the sink except the end; at_end is called from the end. NULL: no call. */
        void (*deed)(struct front *f);
        void (*at_end)(struct front *f);
        unsigned depth, deepest; /* nesting of the calls: now, and the largest */
};

struct front_wish {
        const char *language;
        bool terminal, streams, live_input, truncates, collects, changed_only;
        int64_t deadline_us, memory_bytes, output_bytes, wall_us, cpu_us;
        size_t code; /* size in bytes; 0: a few bytes */
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
        char asked[WORLD_ZYGOTES][32]; /* languages for which the core asked for a zygote */
        unsigned n_asked;
        uint32_t generations;
        unsigned ready, progress;
        uint64_t refused[REFUSAL_CODES]; /* refusals that fronts got, by code */
        uint64_t finished;
        unsigned reloads;     /* number of reloads that may have removed a language */
        unsigned descriptors; /* number of open descriptors before the world was made */
};

/* Three languages. fork: forked; comp: compiled; pre: prestarted, and the cache keeps its artifacts. */
extern const char world_config[];

void world_make(struct world *w);
void world_end(struct world *w);

/* Runs the event loop until nothing is left to do. */
void world_turn(struct world *w);

/* Makes the zygotes that the core asked for. Each zygote that has not said hello says it now. */
void world_bring_zygotes(struct world *w);

/* Answers everything, until nothing is pending. */
void world_settle(struct world *w);

/* world_submit returns NULL if every front is in use. A front whose submission was refused counts as told of the end.
 * world_next_front returns the front that world_submit will use, so that a test can set its hooks first. */
struct front *world_next_front(struct world *w);
struct front *world_submit(struct world *w, const struct front_wish *wish);
void world_abandon(struct front *f);
/* Makes the front bounded, gives it this much more credit, and resumes its output. */
void world_give(struct front *f, size_t credit);
/* Makes the front take all output, and resumes its output. */
void world_give_all(struct front *f);

/* Returns the sandbox of f's run, and sets *z and *number. NULL: f has no run in a sandbox. */
struct fake_slot *world_sandbox_of(struct world *w, const struct front *f, struct fake_zygote **z, unsigned *number);

/* Checks that everything has ended: each front was told its end once, and nothing is held or counted any more. */
void world_assert_clean(struct world *w);
