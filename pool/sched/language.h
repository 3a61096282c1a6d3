/* One language at run time: the requests that wait for it, and its zygotes. One zygote serves; it is renewed from time
 * to time, so that no memory layout and no hash seed serves for ever. The next one warms up beside it, and takes its
 * place when its full warm set is there. The old one ends when its last run has ended.
 *
 * language.c chooses the requests that are served, and knows readiness; language_zygotes.c handles zygotes.
 * language_parts.h is the interface between these files, and of the scheduler to its languages. */
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

enum { LANGUAGE_MAX_PRELOADS = 32 }; /* more are loaded, but not reported */

/* The configuration of a language's compile step. The pointers belong to the configuration. */
struct compile_rules {
        const struct config_runtime *runtime; /* NULL: the language is not data, and has no such step */
        int64_t standard[LIMIT_COUNT];        /* default values of the step's limits */
        int64_t ceiling[LIMIT_COUNT];
};

struct language {
        struct sched *sched;
        char name[WIRE_MAX_LANGUAGE + 1];
        int64_t standard[LIMIT_COUNT];
        int64_t ceiling[LIMIT_COUNT];
        struct compile_rules compile; /* for KIND_COMPILED, and if language_keeps() */
        struct seen seen;             /* programs that ran once: if one comes again, its artifacts are kept */
        struct scale scale;           /* the number that is kept warm */
        unsigned running;             /* of all its zygotes together */
        uint64_t generation_forks;
        int64_t generation_us;

        /* The facts of its first zygote. A later zygote may correct them. */
        bool known;
        char version[64];
        char main_file[32];
        char aliases[96];
        char extensions[64]; /* only if its runtime is a plug-in; a language that is data has its own list */
        enum kind kind;      /* 0: not known yet */
        bool echoes;         /* echo_last_expression has an effect */
        bool prompts;        /* it has a prompt of its own */
        bool starts_fresh;   /* its interpreter can be started anew for a job */
        struct preload_fact preloads[LANGUAGE_MAX_PRELOADS]; /* those that its last zygote reported */
        size_t n_preloads;

        TAILQ_HEAD(language_zygotes, zygote) zygotes;
        bool asked;          /* the supervisor owes a zygote */
        unsigned renew_wait; /* ticks until the next try to renew, after a failed one */
        unsigned renew_next; /* the same after another failure */
        struct queue_lane lane;
        struct stats stats;
        bool is_profile;        /* its runtime has another name */
        unsigned n_executions;  /* executions that point here */
        unsigned failed_starts; /* zygotes, in a row, that ended before they could serve */
        bool broken;            /* several zygotes in a row failed so: no request waits for the language */
        bool leaving;           /* it is no longer configured */
        LIST_ENTRY(language) leaving_link;
        struct config_runtime kept; /* of a leaving language: its last configuration */
        bool was_full;              /* it has had its least number of warm sandboxes */
        bool ready;                 /* was_full, and there is a zygote that makes sandboxes */
        const char *fault;          /* why it is not ready; "" if it is ready */
};

/* Its programs are translated in the process that runs them, but the artifacts can be kept for a program that comes
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

/* Gives warm sandboxes to waiting requests, and orders missing sandboxes. */
void language_kick(struct language *l);

/* Could a request be started at once? */
bool language_has_room(const struct language *l);

/* The number of slots with a run, including runs that are being answered. */
unsigned language_busy(const struct language *l);

/* The zygote that serves, or NULL. */
const struct zygote *language_current(const struct language *l);

/* Sandboxes of all its zygotes together. */
struct language_count {
        unsigned warm, running, preparing, zygotes;
};

void language_count(const struct language *l, struct language_count *count);

/* It is a profile: its aliases and extensions belong to the language that has its runtime's name. */
bool language_names_are_others(const struct language *l);
