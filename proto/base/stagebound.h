/* Upper bounds of the buckets in which a stage's times are counted. The pool counts by them, and the metrics show
 * them. docs/protocol.md lists them. */
#pragma once

#include <stdint.h>

enum { STAGE_BOUNDS = 18 };

extern const uint64_t stage_bound_us[STAGE_BOUNDS];
