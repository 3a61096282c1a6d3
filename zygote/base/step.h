/* Set-up as a table. Each row has a name and a function, and the order of the rows matters. Every new sandbox runs the
 * table, and so does `hatcheryd --check-host`. An error names the row that failed. */
#pragma once

#include "zygote/base/fault.h"

#include <stddef.h>

struct step {
        const char *name;          /* shorter than CHANNEL_STEP_SIZE */
        int (*run)(void *context); /* 0 or a negative errno */
        const char *remedy;        /* what an operator can do if the step fails; may be NULL */
};

/* Runs the steps in order up to the first that fails. Returns n, or the failing row's index with *error set (negative
 * errno). It calls only the rows' functions, so it is safe between fork and exec. faults may be NULL. */
size_t step_run(const struct step *steps, size_t n, void *context, const struct faults *faults, int *error);
