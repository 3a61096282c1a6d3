/* The last stretch of our own code in a sandbox: wait for a job, lay it out, hand over to the language. It runs with no
 * privilege left, inside all walls. */
#pragma once

#include "lang/lang.h"

/* Returns the exit status of the process. Closes job_sock before the program's first byte runs, so no message on it can
 * come from the program. It is a normal end if the pool goes away without sending a job. */
int worker_run(int job_sock, const struct lang *lang, void *state);
