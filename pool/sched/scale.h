/* The number of warm sandboxes of a language: between its bounds by recent need, and over all languages within one
 * budget of memory. Pure: numbers in, numbers out; the caller gives the time.
 *
 * The need. A request takes a warm sandbox, and one refill time later another is warm in its place. Count the sandboxes
 * that were taken and not yet replaced, and the requests that wait because there was none. Their sum is the need: with
 * as many warm sandboxes, no request would have waited. The need is the number of requests in one refill time, counted
 * instead of computed. So it is right even if refills are slow today, or if requests come in threes. The highest need
 * is the level.
 * - The level rises at once, to the present need.
 * - The level falls by half in each half-life; below one half it falls to 0.
 * The wanted number is the level, rounded up, and a little more (one, and one for each eight). Needs are whole numbers
 * and the rounding is upwards, so a steady demand wants a steady number. The next smaller number comes only after the
 * level has fallen by a whole sandbox, which takes some seconds of a half-life of minutes. No other damping is needed.
 *
 * The memory is shared in this order, and in proportion at each stage where it does not suffice: first every language's
 * least number; then the wishes of languages in which a request had to wait within the last half-life; then the wishes
 * of the others. So an idle language gives up its surplus before a busy one waits. A request that waits gets its
 * sandbox in any case: that is a run, not a warm sandbox. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        SCALE_GUESS_BYTES = 2 << 20, /* memory of a sandbox, until one was weighed */
};

struct scale {
        unsigned min, max;
        int64_t half_life_us;
        unsigned target; /* sandboxes to keep warm */

        unsigned drawn;      /* sandboxes taken and not yet replaced */
        unsigned unordered;  /* of these, those whose replacement is not yet ordered */
        uint64_t level;      /* in 2^24ths of a sandbox */
        uint64_t run_level;  /* the level of runs at one time, in the same unit */
        int64_t faded_us;    /* time up to which the fall of the levels was applied */
        bool grown;          /* the language wants more, or more urgently, than when the memory was last shared */
        int64_t hurry_us;    /* until then the language goes before those in which no request had to wait */
        uint64_t bytes;      /* memory of a sandbox, with most weight on recent ones; 0: not known */
        uint64_t bytes_kept; /* the value by which memory is divided; becomes bytes when they differ by an eighth */
};

/* min <= max. The target is brought within them at once; scale_share handles the memory. */
void scale_bounds(struct scale *s, unsigned min, unsigned max, int64_t half_life_us);

/* A warm sandbox was given to a request. warm: the number that is warm afterwards. */
void scale_taken(struct scale *s, unsigned warm);

/* A sandbox is ordered. True: it replaces one that was taken. False: the set grows by it. */
bool scale_ordered(struct scale *s);

/* A sandbox has become warm; replaces: the result of scale_ordered. */
void scale_refilled(struct scale *s, bool replaces, unsigned warm);

/* Another zygote serves, with a set of its own. */
void scale_replaced(struct scale *s);

/* So many requests wait that could run if a sandbox were warm. */
void scale_waits(struct scale *s, unsigned waiting, int64_t now_us);

/* So many slots have a run, or will have one at once. Slots without a run or a sandbox are kept according to the recent
 * number of runs at one time, and a little more: an empty slot holds half as much memory as a warm sandbox of
 * Python. */
void scale_runs(struct scale *s, unsigned busy);
unsigned scale_slots(const struct scale *s);

/* A warm sandbox was weighed: it has this many bytes of memory. 0 is ignored. */
void scale_weighed(struct scale *s, uint64_t bytes);

/* Time passes. */
void scale_fade(struct scale *s, int64_t now_us);

/* The number of warm sandboxes that the language would have with enough memory, within the bounds. */
unsigned scale_wants(const struct scale *s);

/* Sets all targets. If the memory does not suffice for every least number, these are cut in proportion too, but never
 * to 0. O(n). */
void scale_share(struct scale *const *all, size_t n, uint64_t memory_bytes, int64_t now_us);
