/* The interface between the parts of an execution: private to execution*.c. */
#pragma once

#include "pool/core/core_parts.h"
#include "pool/core/execution.h"

/* ---------------------------------------------------------------- execution_books.c */

/* Tells the budget how much memory it holds now. */
void execution_weigh(struct execution *x);

/* What it was asked to run is needed no longer. */
void execution_forget_job(struct execution *x);

/* It waits: from here on its deadline is watched, if it has one. Negative: the deadline can't be watched. */
int execution_await(struct execution *x);

/* The sentence for a deadline that can't be watched. */
#define EXECUTION_NO_DEADLINE                                                                                          \
        "the server is out of memory and could not keep deadline_us; try again, and tell the operator"

/* ---------------------------------------------------------------- execution_steps.c */

/* It has its slot. If the cache has the artifacts, it goes on to the run step. If its language keeps programs that come
 * again, and this one comes for the second time, it goes on to the compile step. */
void execution_look(struct execution *x, const struct slot *slot);

/* The task of its run in the present step. */
struct run_task execution_task(const struct execution *x);

bool execution_wants_files(struct run *r, struct collector_task *task, bool *changed_only);

/* The compile step is over, and its artifacts are here. True: it waits for its second sandbox. False: the whole
 * execution is over.
 */
bool execution_compiled(struct execution *x);

/* Fills in the outcome's compile step, for a step that ended without artifacts. */
void execution_fill_compile(struct execution *x);

/* Remembers that the program was run, and translated in its own sandbox. */
void execution_remember(struct execution *x);

/* ---------------------------------------------------------------- execution_end.c */

/* Its run has ended. Tells its sink, at once or after the sink has taken the remaining output. */
void execution_finish(struct execution *x);

/* For an execution that is DELIVERING: its sink can take more. */
void execution_deliver(struct execution *x);

/* Stops waiting for the sink: the server shuts down. */
void execution_deliver_no_more(struct execution *x);

/* ... or its deadline is over: the answer comes without the rest. */
void execution_deliver_at_once(struct execution *x);

/* Refuses it with INTERNAL. The code that sees a failure first counts it, once. */
void execution_refuse_failed(struct execution *x, const char *sentence);

void execution_job_failed(struct execution *x, const struct job_failure *failure);
void execution_failed(struct execution *x, enum run_failure failure, const char *why);
void execution_refuse_deadline(struct execution *x);

/* Its language's ceilings have changed since it was admitted. */
void execution_refuse_outdated(struct execution *x);
