/* A run's descriptors: job and input in, output back. Private to run*.c. */
#pragma once

#include "pool/core/run_parts.h"

/* Assigns the events to the slot's descriptors and builds the job. */
int run_io_prepare(struct run *r, struct err *e);

/* Writes what the sandbox takes at once, and leaves the rest to events. */
void run_io_start(struct run *r);

/* The files that the run stage finds in its work directory, in an array that the caller frees; their bytes are the
 * run's. NULL: no memory. */
struct file_span *run_io_given(const struct run *r, size_t *n);

/* Everything in the sandbox is dead: nothing more is written. What came back on the job's socket; *failure is only that
 * of JOB_TOLD_FAILURE. */
enum job_told run_io_exited(struct run *r, struct job_failure *failure);

/* Reads both streams as far as they go; true at the end of both, else events bring the rest. */
bool run_io_drain(struct run *r);

/* No event fires any more. The descriptors are the slot's. */
void run_io_stop(struct run *r);
/* Frees the job and the output, and is harmless twice: a run that waits again gets new ones. */
void run_io_fini(struct run *r);
