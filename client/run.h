/* `hatchery run`. */
#pragma once

#include "client/options.h"

/* Returns the exit code; what there is to say was printed. Or -N: the command is to end by signal N, since that is what
 * ended the run. */
int run(const struct options *o);
