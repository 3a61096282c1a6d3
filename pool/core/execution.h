/* One accepted submission, from its admission to the call of its sink. It waits in the queue, and has a run for each of
 * its steps. In a compiled language the first run leaves artifacts, which are collected. Then the execution waits in
 * the queue again, and its second run finds the artifacts among its files. If the cache has the artifacts, no compile
 * step is needed. The cache is asked when the execution gets a slot.
 *
 * execution.c has the life of an execution. Below it, execution_end.c has the ends, execution_steps.c has the change
 * from step to step, and execution_books.c has the counts. execution_parts.h is the interface of these three lower
 * files. */
#pragma once

#include "pool/core/check.h"
#include "pool/core/compile.h"
#include "pool/core/core.h"
#include "pool/core/live_input.h"
#include "pool/core/run.h"
#include "pool/sched/queue.h"

#include <sys/queue.h>

struct core;
struct language;
struct slot;
struct walk;

enum step { STEP_COMPILE, STEP_RUN };

enum execution_state {
        EXECUTION_WAITING,    /* in the queue */
        EXECUTION_RUNNING,    /* its run has a slot */
        EXECUTION_DELIVERING, /* its run is over, but its sink takes no output at present */
};

struct execution {
        enum execution_state state;
        struct core *core;
        struct language *language;
        struct sink *sink;       /* NULL: it was abandoned */
        struct refusal *at_once; /* during core_execute: gets a refusal, in place of the sink */
        TAILQ_ENTRY(execution) link;
        struct queue_entry queued;
        struct caller caller;
        struct submission submission; /* its spans point into the payload */
        struct payload payload;
        struct live_input live;
        uint64_t held; /* bytes of memory that the budget counts for it */
        struct check_plan plan;
        bool planned; /* false: it came before its language was known, and was not examined yet: see early.h */
        enum step step;
        const int64_t *limit;                             /* the plan's limits of this step */
        struct span artifact_globs[COMPILE_MAX_PATTERNS]; /* patterns of the compile step's artifacts */
        struct compile compile;
        bool retried; /* it was started before, in a slot that failed */
        bool asking;  /* its sink is being asked for input */

        int64_t arrived_us;
        int64_t began_us;    /* when its stages begin: its arrival, plus the time of the compile step */
        int64_t deadline_us; /* on the clock; 0: none */
        int64_t started_us;  /* when it got its slot */
        uint64_t took_us[STAGES_OF_RUN];
        struct timer deadline; /* runs until its job is handed over, and again while it is DELIVERING */
        struct run run;
};

static inline struct execution *execution_of_entry(struct queue_entry *entry)
{
        return (struct execution *)(void *)((char *)entry - offsetof(struct execution, queued));
}

/* The parts that an execution is made from. execution_new takes them over on success. */
struct execution_parts {
        const struct caller *caller;
        struct submission *submission;
        struct payload *payload;
        struct sink *sink;
};

/* plan may be NULL if execution_plan is called before the execution is started. */
int execution_new(struct execution **out, struct core *c, struct language *l, const struct execution_parts *parts,
                  const struct check_plan *plan, struct err *e);

/* Sets the plan, once it is known. */
void execution_plan(struct execution *x, const struct check_plan *plan);

/* Puts the execution into the queue; at_once must be set. If the queue is full, another execution or this one is
 * refused. This one may also be refused for another reason. If this one is refused, *at_once gets the refusal, and the
 * execution is freed. */
void execution_enqueue(struct execution *x);

/* Makes it wait for this language. -ENOMEM: it waits for no language, and the caller refuses it. */
int execution_move(struct execution *x, struct language *l);

/* Starts it in a warm slot that was just moved to RUNNING. */
void execution_start(struct execution *x, struct slot *slot);

/* Gives the refusal to its sink, or to core_execute, and frees the execution. */
void execution_refuse(struct execution *x, const struct refusal *refusal);

/* Frees the execution without a call of its sink. It must not have a slot. */
void execution_free(struct execution *x);

/* Its language is no longer configured: the execution is refused if it waits. */
void execution_language_gone(struct execution *x);

/* Memory is short: the execution is refused if it is DELIVERING, that is, if its sink takes no output. */
void execution_give_way(struct execution *x);

/* The drain took too long: the execution is killed, or refused. */
void execution_shut_down(struct execution *x);

/* Walks over all executions in the order of arrival: begin, then next until NULL, then end. */
void walk_begin(struct walk *w, struct core *c);
struct execution *walk_next(struct walk *w);
void walk_end(struct walk *w);
