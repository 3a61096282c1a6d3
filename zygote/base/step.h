/* Set-up as a table: each row has a name and a function, and the order is the argument's point. The same table is run
 * in every new sandbox, names the place in an error, and is walked by `hatcheryd --check-host`. */
#pragma once

#include "zygote/base/fault.h"

#include <stddef.h>

struct step {
        const char *name;          /* shorter than CHANNEL_STEP_SIZE */
        int (*run)(void *context); /* 0 or a negative errno */
        const char *remedy;        /* what an operator can do where it fails; may be NULL */
};

/* Runs the steps in order up to the first that fails. Returns n, or the failing row's index with *error set (negative
 * errno). Calls nothing but the rows: safe between fork and exec. faults may be NULL. */
size_t step_run(const struct step *steps, size_t n, void *context, const struct faults *faults, int *error);
