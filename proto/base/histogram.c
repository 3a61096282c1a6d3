/* The arithmetic of the buckets: see histogram.h. */
#include "proto/base/histogram.h"

enum { STEP_BITS = 7 };
_Static_assert(HISTOGRAM_STEPS == 1 << STEP_BITS, "the steps of an octave are counted in STEP_BITS bits");

/* A value of the exact part is the number of its bucket. A longer value is shifted right until its highest set bit is
 * bit STEP_BITS. The result is at least STEPS and below EXACT. Each shift by one bit skips one octave of buckets. */
static size_t bucket_of(uint64_t value)
{
        if (value < HISTOGRAM_EXACT)
                return (size_t)value;
        unsigned shift = 63 - (unsigned)__builtin_clzll(value) - STEP_BITS;
        if (shift > HISTOGRAM_OCTAVES)
                return HISTOGRAM_BUCKETS - 1;
        return shift * (size_t)HISTOGRAM_STEPS + (size_t)(value >> shift);
}

uint64_t histogram_bucket_start(size_t i)
{
        if (i < HISTOGRAM_EXACT)
                return i;
        size_t shift = i / HISTOGRAM_STEPS - 1;
        return (uint64_t)(i - shift * HISTOGRAM_STEPS) << shift;
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
        return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void histogram_add(struct histogram *h, uint64_t value)
{
        if (h->count == 0 || value < h->min)
                h->min = value;
        if (value > h->max)
                h->max = value;
        h->count++;
        h->sum = add_saturating(h->sum, value);
        h->bucket[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
        if (from->count == 0)
                return;
        if (into->count == 0 || from->min < into->min)
                into->min = from->min;
        if (from->max > into->max)
                into->max = from->max;
        into->count += from->count;
        into->sum = add_saturating(into->sum, from->sum);
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
                into->bucket[i] += from->bucket[i];
}

void histogram_cumulate(const struct histogram *h, const uint64_t *bound, size_t n, uint64_t *count)
{
        uint64_t seen = 0;
        size_t i = 0;

        for (size_t k = 0; k < n; k++) {
                /* The buckets after the largest value are empty. They are not read, because their pages may never have
                 * been touched. */
                for (size_t last = bucket_of(bound[k]); i <= last && seen < h->count; i++)
                        seen += h->bucket[i];
                count[k] = seen;
        }
}

/* The position of the wanted value among all values in order, from 1: q times count, rounded up. It does not use libm,
 * so that users of this file need not link libm. */
static uint64_t rank_of(uint64_t count, double q)
{
        double exact = q * (double)count;
        if (!(exact > 1))
                return 1;
        if (exact >= (double)count)
                return count;
        uint64_t rank = (uint64_t)exact;
        return (double)rank < exact ? rank + 1 : rank;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
        if (h->count == 0)
                return 0;
        uint64_t wanted = rank_of(h->count, q);
        if (wanted == h->count)
                return h->max;

        size_t i = 0;
        for (uint64_t seen = h->bucket[0]; seen < wanted; seen += h->bucket[i])
                i++;
        uint64_t start = histogram_bucket_start(i);
        uint64_t middle = start + (histogram_bucket_start(i + 1) - start) / 2;
        return middle < h->min ? h->min : middle > h->max ? h->max : middle;
}
