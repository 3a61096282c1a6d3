/* The number of steps of a computation of some length on this machine. It is chosen once, so that every row of every
 * round does the same work, even if the machine's speed changes. */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* The steps of WORKLOAD_COMPUTE that take a cold python3 this long: the best of a few tries, which other work disturbed
 * least. */
int calibrate_steps(uint64_t ns, uint32_t *steps, struct err *e);
