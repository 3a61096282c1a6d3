/* How many sandboxes of a language are kept warm: between its bounds by what was needed of late, and over all languages
 * within one budget of memory. Pure: numbers in, numbers out; time is handed in.
 *
 * What is needed. A request takes a warm sandbox, and a refill time later another is warm in its place. So those that
 * were taken and not yet replaced, and the requests that wait because there was none, are together as many as should
 * have been warm for nobody to wait: the requests of one refill time, counted instead of computed, so that it holds for
 * a refill that is slow today, or that comes in threes. The most that was needed is the level.
 * - It rises at once, to what is needed at this moment.
 * - It falls by half in each half-life, and to nothing from below one half.
 * What is wanted is the level, rounded up, and a little more (one, and one for each eight). Since needs are whole
 * numbers and the rounding is upwards, a steady demand wants a steady number: the next smaller one only after the level
 * has fallen by a whole sandbox, which takes some seconds of a half-life of minutes. That is all the damping it takes.
 *
 * Who gets what of the memory, in this order, and at each stage, where it does not suffice for all, in proportion:
 * first every language's least, then what languages want in which a request had to wait within the last half-life, then
 * what the others want. So an idle language's surplus goes before a busy one waits. A request that waits gets its
 * sandbox in any case: that is a run, and not a warm sandbox. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        SCALE_GUESS_BYTES = 2 << 20, /* of a sandbox, before one was weighed */
};

struct scale {
        unsigned min, max;
        int64_t half_life_us;
        unsigned target; /* to be kept warm */

        unsigned drawn;      /* taken and not yet replaced */
        unsigned unordered;  /* of them, those whose replacement is not even ordered */
        uint64_t level;      /* in 2^24ths of a sandbox */
        uint64_t run_level;  /* of runs at one time, likewise */
        int64_t faded_us;    /* until when the levels have fallen */
        bool grown;          /* it wants more, or wants it more, than when the memory was last shared */
        int64_t hurry_us;    /* until then it goes before languages in which nobody had to wait */
        uint64_t bytes;      /* of a sandbox, the recent ones weighing most; 0: not known */
        uint64_t bytes_kept; /* what the memory is divided by: follows bytes only where it is an eighth off */
};

/* min <= max. The target is brought within them at once; memory is for scale_share to see to. */
void scale_bounds(struct scale *s, unsigned min, unsigned max, int64_t half_life_us);

/* A warm sandbox was given to a request; so many are warm then. */
void scale_taken(struct scale *s, unsigned warm);

/* One is ordered. True: in place of one that was taken; else the set grows by it. */
bool scale_ordered(struct scale *s);

/* One has become warm, and replaces what scale_ordered said of it. */
void scale_refilled(struct scale *s, bool replaces, unsigned warm);

/* Another zygote serves, with a set of its own. */
void scale_replaced(struct scale *s);

/* So many requests wait that could run if a sandbox were warm. */
void scale_waits(struct scale *s, unsigned waiting, int64_t now_us);

/* So many slots have a run, or will at once. Of the slots that have neither a run nor a sandbox, so many are kept as
 * there were runs at one time of late, and a little more: an empty slot holds half as much memory as a warm sandbox of
 * Python does. */
void scale_runs(struct scale *s, unsigned busy);
unsigned scale_slots(const struct scale *s);

/* Another warm sandbox's memory; 0 is ignored. */
void scale_weighed(struct scale *s, uint64_t bytes);

/* Time passes. */
void scale_fade(struct scale *s, int64_t now_us);

/* How many it would have, were there memory enough. Within the bounds. */
unsigned scale_wants(const struct scale *s);

/* Sets all targets. Where the memory does not suffice for every least, these are cut in proportion too, but never from
 * something to nothing. O(n). */
void scale_share(struct scale *const *all, size_t n, uint64_t memory_bytes, int64_t now_us);
