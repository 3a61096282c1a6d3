/* One language at run time: the requests that wait for it, and its zygotes. One zygote serves; it is renewed from time
 * to time, so that no memory layout and no hash seed serves for ever. The next one warms up beside it, takes its place
 * when as many of its sandboxes are warm as are to be, and the old one ends when its last run has ended.
 *
 * language.c is who is served, and readiness; language_zygotes.c is how zygotes come and go. language_parts.h is what
 * these say to each other, and what the scheduler tells its languages. */
#pragma once

#include "pool/base/preload_fact.h"
#include "pool/cache/seen.h"
#include "pool/config/config.h"
#include "pool/link/zygote.h"
#include "pool/sched/queue.h"
#include "pool/sched/scale.h"
#include "pool/sched/stats.h"
#include "proto/ipc/kind.h"
#include "proto/wire/wire.h"

#include <sys/queue.h>

struct sched;

enum { LANGUAGE_MAX_PRELOADS = 32 }; /* more are loaded, but not told */

/* What the configuration says of a language's compile step. What it points to is the configuration's. */
struct compile_rules {
        const struct config_runtime *runtime; /* NULL: it is no data, and has no such step */
        int64_t standard[LIMIT_COUNT];        /* of the limits of the step */
        int64_t ceiling[LIMIT_COUNT];
};

struct language {
        struct sched *sched;
        char name[WIRE_MAX_LANGUAGE + 1];
        int64_t standard[LIMIT_COUNT];
        int64_t ceiling[LIMIT_COUNT];
        struct compile_rules compile; /* of KIND_COMPILED, and where language_keeps() */
        struct seen seen;             /* programs that were run once: those that come again are kept */
        struct scale scale;           /* how many are kept warm */
        unsigned running;             /* of all its zygotes together */
        uint64_t generation_forks;
        int64_t generation_us;

        /* What its first zygote said. A later one may correct it. */
        bool known;
        char version[64];
        char main_file[32];
        char aliases[96];
        char extensions[64];                                 /* where its runtime is no data, which has a list */
        enum kind kind;                                      /* 0: not known yet */
        bool echoes;                                         /* it knows echo_last_expression */
        bool prompts;                                        /* it has a prompt of its own */
        bool starts_fresh;                                   /* its interpreter can be started anew for a job */
        struct preload_fact preloads[LANGUAGE_MAX_PRELOADS]; /* those that its last zygote spoke of */
        size_t n_preloads;

        TAILQ_HEAD(language_zygotes, zygote) zygotes;
        bool asked;          /* the supervisor owes a zygote */
        unsigned renew_wait; /* ticks until the next try to renew, after one that failed */
        unsigned renew_next; /* and how many after another failure */
        struct queue_lane lane;
        struct stats stats;
        bool is_profile;        /* of a runtime of another name */
        unsigned n_executions;  /* that point here */
        unsigned failed_starts; /* zygotes in a row that ended before they could serve */
        bool broken;            /* several did: nobody waits for it */
        bool leaving;           /* it is configured no more */
        LIST_ENTRY(language) leaving_link;
        struct config_runtime kept; /* of one that is leaving: what it was configured with */
        bool was_full;              /* has had the warm sandboxes that it is to have at least */
        bool ready;                 /* since then: there is a zygote, and sandboxes come from it */
};

/* Its programs are translated in the process that runs them, but what that makes can be kept for a program that comes
 * again. */
static inline bool language_keeps(const struct language *l)
{
        const struct config_runtime *r = l->compile.runtime;
        return r && r->kind == KIND_PRESTARTED && r->artifacts && !r->run;
}

/* Its programs have a compile step before they run. */
static inline bool language_is_compiled(const struct language *l)
{
        return l->kind == KIND_COMPILED;
}

/* Gives warm sandboxes to waiting requests, and orders what should be ordered. */
void language_kick(struct language *l);

/* Could a request be started at once? */
bool language_has_room(const struct language *l);

/* How many slots have a run, that of one which is being answered included. */
unsigned language_busy(const struct language *l);

/* The zygote that serves, or NULL. */
const struct zygote *language_current(const struct language *l);

/* Sandboxes of all its zygotes together. */
struct language_count {
        unsigned warm, running, preparing, zygotes;
};

void language_count(const struct language *l, struct language_count *count);

/* It is a profile, and its aliases and extensions are those of the language that is called as its runtime is. */
bool language_names_are_others(const struct language *l);
