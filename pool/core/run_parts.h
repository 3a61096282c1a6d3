/* The interface between the parts of a run: private to run*.c. */
#pragma once

#include "pool/core/run.h"

/* Calls from the parts up to run.c. Each may free the run. */
struct run_life {
        void (*drained)(struct run *r);  /* the pipes are at their end, or count as such */
        void (*immortal)(struct run *r); /* the order to kill it has had no effect for very long */
};

/* ---------------------------------------------------------------- run_job.c */

int run_job_build(struct run *r, struct err *e);
void run_job_fini(struct run *r);

/* The files that the run finds in its work directory, in an array that the caller frees; the task owns their bytes.
 * NULL: no memory. */
struct file_span *run_job_files(const struct run *r, size_t *n);

uint64_t run_job_weight(const struct run *r);

/* ---------------------------------------------------------------- run_io.c */

/* Assigns the events to the slot's descriptors, and gives a terminal its size. */
int run_io_prepare(struct run *r, struct err *e);

/* Gives the terminal the task's size. */
void run_io_resize(struct run *r);

/* Writes what the sandbox takes at once, and leaves the rest to events. */
void run_io_start(struct run *r);

/* Everything in the sandbox is dead: nothing more is written. Returns the message on the job's socket; *failure is set
 * only for JOB_TOLD_FAILURE. */
enum job_told run_io_exited(struct run *r, struct job_failure *failure);

/* The run's program takes no input any more. */
void run_io_end_input(struct run *r);

/* Reads both streams as far as possible; true at the end of both, else events bring the rest. */
bool run_io_drain(struct run *r);

/* Stops all events. The slot owns the descriptors. Harmless before run_io_prepare. */
void run_io_stop(struct run *r);

/* ---------------------------------------------------------------- run_limits.c */

int run_limits_init(struct run *r);
void run_limits_start(struct run *r); /* the job was handed over */
void run_limits_drain(
        struct run *r); /* the sandbox is dead, but its pipes are not at their end; this may free the run */
void run_limits_stop(struct run *r);

/* True if excess output is thrown away and does not end the run. */
static inline bool run_truncates(const struct run *r)
{
        return r->task.truncates || r->untranslated;
}
