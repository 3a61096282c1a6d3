/* What the server says about itself after a row. */
#pragma once

#include "bench/sample.h"
#include "proto/err.h"

/* How many runs the server's figures about recycling are about. */
enum { STATUS_RECYCLED = 512 };

/* runs is how many ended since what they shall tell about began: where they are too few, or the server says nothing, r
 * has the reason. */
void status_recycle(const char *address, const char *language, uint64_t runs, struct sample_recycle *r);
