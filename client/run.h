/* `hatchery run`. */
#pragma once

#include "client/options.h"

/* Prints all messages, and returns the exit code. Or -N: signal N ended the run, so the command must end by signal N,
 * too. */
int run(const struct options *o);
