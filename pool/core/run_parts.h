/* What the parts of a run say to each other: private to run*.c. */
#pragma once

#include "pool/core/run.h"

/* ---------------------------------------------------------------- run.c */

/* Nobody is to be answered any more. */
void run_leave_session(struct run *r);

/* Tells the pool's budget how much memory it holds now. */
void run_weigh(struct run *r);

/* Its slot is none of its any more, and its program was not started: waits again, before the others of its client, but
 * only once. It may be freed by this. why: what its slot failed of. */
void run_wait_again(struct run *r, const char *why);

/* Its job was not handed over, and shall not be. */
void run_give_slot_back(struct run *r);

/* What a request is told whose deadline can't be kept. */
#define RUN_NO_DEADLINE "the server is out of memory and could not keep deadline_us; try again, and tell the operator"

/* INTERNAL. The failure is counted by whoever saw it first: each one once. */
void run_refuse_failed(struct run *r, const char *sentence);

/* ---------------------------------------------------------------- run_compile.c */

/* It has its slot: where the cache has the artifacts, it is in the run stage from here on. One whose language keeps
 * what comes again is in the compile stage from here on, if it comes for the second time. */
void run_compile_look(struct run *r);

/* It has been run, and translated in its own sandbox. */
void run_compile_remember(struct run *r);

/* Its compiler is dead and has said what it has to say. True: it did its work, and the artifacts are wanted. */
bool run_compile_succeeded(const struct run *r);

/* The artifacts are here, or what there was of them: the run waits for its second sandbox, or ends. */
void run_compile_collected(struct run *r);

/* The compile stage as the result tells it, from what is known of a stage that ended without artifacts. */
void run_compile_fill(struct run *r);

/* ---------------------------------------------------------------- run_limits.c */

int run_limits_init(struct run *r);
/* It waits: its deadline holds from here on, if it has one. Negative: it has one that can't be kept. */
int run_limits_wait(struct run *r);
void run_limits_start(struct run *r);       /* the job was handed over */
void run_limits_await_death(struct run *r); /* it was ordered killed */
void run_limits_drain(struct run *r);       /* it is dead, and its pipes are not at their end; it may be freed */
void run_limits_stop(struct run *r);

/* ---------------------------------------------------------------- run_kill.c */

/* Everything in its sandbox shall die. The first reason counts. */
void run_kill(struct run *r, enum kill_reason reason);

/* ---------------------------------------------------------------- run_end.c */

/* A stream may have come to its end. */
void run_output_ended(struct run *r);

/* The pipes are at their end, or taken to be. */
void run_drained(struct run *r);

/* Answers, and gives the slot on. */
void run_finish(struct run *r);

/* Too much output is thrown away, and no reason to kill. */
static inline bool run_truncates(const struct run *r)
{
        return r->request.execute.truncate_output || r->stage == JOB_COMPILE || r->refused;
}
