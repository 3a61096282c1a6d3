/* A log-linear histogram of durations, in the owner's unit. It is exact up to HISTOGRAM_EXACT. Above that, it has
 * HISTOGRAM_STEPS buckets for each power of two. So a value that it returns differs by at most 1/HISTOGRAM_STEPS from a
 * value that was added. Adding is O(1). A histogram has a fixed size (36 KiB) and no pointers, so it can be copied,
 * merged, and sent to another process of the same program. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        HISTOGRAM_STEPS = 128,
        HISTOGRAM_EXACT = 2 * HISTOGRAM_STEPS,
        /* Octaves beyond the exact part. They reach up to 2^41, which is 36 minutes in ns or 25 days in us. A larger
         * value counts as 2^41, except in max. */
        HISTOGRAM_OCTAVES = 33,
        HISTOGRAM_BUCKETS = HISTOGRAM_EXACT + HISTOGRAM_OCTAVES * HISTOGRAM_STEPS,
};

/* All zero is an empty histogram. */
struct histogram {
        uint64_t count;
        uint64_t sum; /* stops at UINT64_MAX */
        uint64_t min; /* exact, as is max */
        uint64_t max;
        uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The quantile q (0 to 1) of all values: the middle of the quantile's bucket, but not below min or above max. 0 for an
 * empty histogram. */
uint64_t histogram_quantile(const struct histogram *h, double q);

/* Sets count[i] to the number of values that are at most bound[i]. The bounds must rise. The bucket of a bound is
 * counted as a whole. So count[i] may also have some values that exceed bound[i], by at most 1/HISTOGRAM_STEPS. For
 * bounds up to HISTOGRAM_EXACT it is exact. */
void histogram_cumulate(const struct histogram *h, const uint64_t *bound, size_t n, uint64_t *count);

/* The smallest value that falls into bucket i; for i = HISTOGRAM_BUCKETS the first value that is too long for all
 * buckets. */
uint64_t histogram_bucket_start(size_t i);
