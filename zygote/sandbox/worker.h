/* The last stretch of our own code in a sandbox: wait for a job, lay it out, hand over to the language. It runs with no
 * privilege left, inside all walls. */
#pragma once

#include "lang/lang.h"

/* Returns the exit status of the process. Closes job_sock before the program's first byte runs, so that what was said
 * on it can't have come from the program. A pool that goes away before sending a job is a normal end. */
int worker_run(int job_sock, const struct lang *lang, void *state);
