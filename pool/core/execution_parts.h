/* The interface between the parts of an execution: private to execution*.c. */
#pragma once

#include "pool/core/core_parts.h"
#include "pool/core/execution.h"

/* ---------------------------------------------------------------- execution_books.c */

/* Tells the budget how much memory the execution holds now. */
void execution_weigh(struct execution *x);

/* Frees the submission's content, which is no longer needed. */
void execution_forget_job(struct execution *x);

/* The execution begins to wait. If it has a deadline, a timer for it is set. Negative: the timer can't be set. */
int execution_await(struct execution *x);

/* The sentence for a deadline whose timer can't be set. */
#define EXECUTION_NO_DEADLINE                                                                                          \
        "the server is out of memory and could not keep deadline_us; try again, and tell the operator"

/* ---------------------------------------------------------------- execution_steps.c */

/* The execution has got a slot, and its step is chosen. If the cache has the artifacts, it is the run step. If the
 * language keeps the artifacts of programs that come again, and this program comes for the second time, it is the
 * compile step. */
void execution_look(struct execution *x, const struct slot *slot);

/* The task of the execution's run in the present step. */
struct run_task execution_task(const struct execution *x);

bool execution_wants_files(struct run *r, struct collector_task *task, bool *changed_only);

/* The run of the compile step has ended. True: the artifacts are here, and the execution has to wait for its second
 * sandbox. False: the whole execution is over. */
bool execution_compiled(struct execution *x);

/* Fills in the outcome's compile step, for a step that ended without artifacts. */
void execution_fill_compile(struct execution *x);

/* Remembers that the program was run without artifacts: it was translated in the sandbox that ran it. */
void execution_remember(struct execution *x);

/* ---------------------------------------------------------------- execution_end.c */

/* Its run has ended. Tells its sink, at once or after the sink has taken the remaining output. */
void execution_finish(struct execution *x);

/* For an execution that is DELIVERING: its sink can take more output. */
void execution_deliver(struct execution *x);

/* Stops waiting for the sink, because the server shuts down. */
void execution_deliver_no_more(struct execution *x);

/* Stops waiting for the sink, because the deadline is over: the outcome comes without the rest of the output. */
void execution_deliver_at_once(struct execution *x);

/* Refuses the execution with INTERNAL. Does not count the failure: the code that sees a failure first counts it. */
void execution_refuse_failed(struct execution *x, const char *sentence);

void execution_job_failed(struct execution *x, const struct job_failure *failure);
void execution_failed(struct execution *x, enum run_failure failure, const char *why);
void execution_refuse_deadline(struct execution *x);

/* Refuses it, because its language's ceilings have changed since the execution was admitted. */
void execution_refuse_outdated(struct execution *x);
