/* `hatchery run`. */
#pragma once

#include "client/options.h"

/* Returns the exit code; what there is to say was printed. */
int run(const struct options *o);
