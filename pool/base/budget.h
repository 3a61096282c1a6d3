/* Counts the memory that clients make the pool hold: unsent answers, unfinished frames, requests that wait or run,
 * captured output. Each holder reports how much it holds whenever that changes. The sum is compared with a bound. */
#pragma once

#include "pool/base/invariant.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
        uint64_t max;
        uint64_t used;
};

/* mine is the holder's last report. */
static inline void budget_set(struct budget *b, uint64_t *mine, uint64_t bytes)
{
        INVARIANT(b->used >= *mine, "a holder gives back %" PRIu64 " bytes, but only %" PRIu64 " bytes are counted",
                  *mine, b->used);
        b->used += bytes - *mine;
        *mine = bytes;
}

/* True if the sum exceeds the bound by more than a margin. The margin lets work that has begun end in good order. */
static inline bool budget_is_far_over(const struct budget *b)
{
        return b->used > b->max + b->max / 8;
}

static inline bool budget_is_over(const struct budget *b)
{
        return b->used > b->max;
}
