/* A log-linear histogram of durations, in the owner's unit. It is exact up to HISTOGRAM_EXACT. Above, it has
 * HISTOGRAM_STEPS buckets in each power of two, so a value that it returns is within 1/HISTOGRAM_STEPS of one that was
 * added. Adding is O(1), and its size is fixed (36 KiB): it is a plain value without pointers, and can be copied,
 * merged, and sent to another process of the same program. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        HISTOGRAM_STEPS = 128,
        HISTOGRAM_EXACT = 2 * HISTOGRAM_STEPS,
        /* Beyond the exact part: up to 2^41, which is 36 minutes of ns or 25 days of us. A longer value counts as that
         * long, except in max. */
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

/* The value that a share q (0 to 1) of all values does not exceed: the middle of its bucket, never outside min and max.
 * 0 for an empty histogram. */
uint64_t histogram_quantile(const struct histogram *h, double q);

/* How many values are at most bound[0], bound[1], ..., which rise: count[i] for each. The bucket in which a bound lies
 * is counted whole, so count[i] has each value up to bound[i], and may have some that exceed it by up to
 * 1/HISTOGRAM_STEPS. From HISTOGRAM_EXACT down it is exact. */
void histogram_cumulate(const struct histogram *h, const uint64_t *bound, size_t n, uint64_t *count);

/* The smallest value that falls into bucket i; for i = HISTOGRAM_BUCKETS the first value that is too long for all
 * buckets. */
uint64_t histogram_bucket_start(size_t i);
