/* How much a computation of some length is on this machine: chosen once, so that every row of every round does the same
 * work, however fast the machine is by then. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* The steps of WORKLOAD_COMPUTE that take a cold python3 this long: the best of a few tries, which is the one that
 * least else got in the way of. */
int calibrate_steps(uint64_t ns, uint32_t *steps, struct err *e);
