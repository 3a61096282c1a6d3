/* The size of warm sets: see scale.h. */
#include "pool/sched/scale.h"

enum {
        LEVEL_BITS = 24, /* fine enough for one second of the longest half-life, a day */
        WEIGHT = 8,      /* weight of all earlier values against the newest, in averages */
        MAX_BYTES_BITS = 40,
};

#define LEVEL_ONE ((uint64_t)1 << LEVEL_BITS)

static unsigned within(const struct scale *s, unsigned n)
{
        return n < s->min ? s->min : n > s->max ? s->max : n;
}

void scale_bounds(struct scale *s, unsigned min, unsigned max, int64_t half_life_us)
{
        s->min = min;
        s->max = max;
        s->half_life_us = half_life_us;
        s->target = within(s, s->target);
}

/* ---------------------------------------------------------------- what is needed */

static bool raise_level(uint64_t *level, unsigned n)
{
        uint64_t at = (uint64_t)n << LEVEL_BITS;
        if (*level >= at)
                return false;
        *level = at;
        return true;
}

/* A little more than the level, unless the level is 0. */
static unsigned above(uint64_t level)
{
        unsigned n = (unsigned)((level + LEVEL_ONE - 1) >> LEVEL_BITS);
        return n == 0 ? 0 : n + 1 + n / 8;
}

static void need(struct scale *s, unsigned n)
{
        if (!raise_level(&s->level, n))
                return;
        s->grown = s->grown || scale_wants(s) > s->target;
}

/* If the set is to become smaller, or an order failed, taken sandboxes are not replaced. So that they do not count for
 * ever, drawn is never more than the number that is missing. */
static void bound(struct scale *s, unsigned warm)
{
        unsigned missing = s->target > warm ? s->target - warm : 0;
        if (s->drawn > missing)
                s->drawn = missing;
        if (s->unordered > s->drawn)
                s->unordered = s->drawn;
}

void scale_taken(struct scale *s, unsigned warm)
{
        s->drawn++;
        s->unordered++;
        bound(s, warm);
        need(s, s->drawn);
}

bool scale_ordered(struct scale *s)
{
        if (s->unordered == 0)
                return false;
        s->unordered--;
        return true;
}

void scale_refilled(struct scale *s, bool replaces, unsigned warm)
{
        if (replaces && s->drawn > 0)
                s->drawn--;
        bound(s, warm);
}

void scale_replaced(struct scale *s)
{
        s->drawn = s->unordered = 0;
}

void scale_waits(struct scale *s, unsigned waiting, int64_t now_us)
{
        if (waiting == 0)
                return;
        s->grown = s->grown || (s->hurry_us <= now_us && scale_wants(s) > s->target);
        s->hurry_us = now_us + s->half_life_us;
        need(s, s->drawn + waiting);
}

/* 1 - 2^-x for x = part / whole < 1, in 2^24ths, by the parabola that has the curve's ends and its slope at 0 (ln 2):
 * so many short steps give the same as a few long ones. The error is at most a hundredth. */
static uint64_t fall(uint64_t part, uint64_t whole)
{
        static const uint64_t ln2 = 45426, half = 32768; /* in 2^16ths */
        uint64_t x = (part << LEVEL_BITS) / whole;

        return x * (ln2 - ((ln2 - half) * x >> LEVEL_BITS)) >> 16;
}

static void fade(uint64_t *level, uint64_t ms, uint64_t half_ms)
{
        if (ms / half_ms >= 2 * LEVEL_BITS) {
                *level = 0;
                return;
        }
        *level >>= ms / half_ms;
        *level -= *level * fall(ms % half_ms, half_ms) >> LEVEL_BITS;
        if (*level < LEVEL_ONE / 2)
                *level = 0;
}

void scale_fade(struct scale *s, int64_t now_us)
{
        uint64_t half_ms = (uint64_t)s->half_life_us / 1000;
        uint64_t ms = now_us > s->faded_us ? (uint64_t)(now_us - s->faded_us) / 1000 : 0;

        if (half_ms == 0)
                half_ms = 1;
        s->faded_us += (int64_t)ms * 1000;
        fade(&s->level, ms, half_ms);
        fade(&s->run_level, ms, half_ms);
}

unsigned scale_wants(const struct scale *s)
{
        return within(s, above(s->level));
}

void scale_runs(struct scale *s, unsigned busy)
{
        raise_level(&s->run_level, busy);
}

unsigned scale_slots(const struct scale *s)
{
        return above(s->run_level);
}

/* ---------------------------------------------------------------- what it costs */

void scale_weighed(struct scale *s, uint64_t bytes)
{
        if (bytes == 0)
                return;
        if (bytes >> MAX_BYTES_BITS)
                bytes = (uint64_t)1 << MAX_BYTES_BITS;
        s->bytes = s->bytes == 0 ? bytes : s->bytes + bytes / WEIGHT - s->bytes / WEIGHT;

        uint64_t off = s->bytes > s->bytes_kept ? s->bytes - s->bytes_kept : s->bytes_kept - s->bytes;
        if (off > s->bytes_kept / 8)
                s->bytes_kept = s->bytes;
}

static uint64_t cost(const struct scale *s)
{
        return s->bytes_kept ? s->bytes_kept : SCALE_GUESS_BYTES;
}

/* Gives each language its least number. Returns the memory that is left. */
static uint64_t share_least(struct scale *const *all, size_t n, uint64_t memory)
{
        uint64_t sum = 0, used = 0;

        for (size_t i = 0; i < n; i++)
                sum += all[i]->min * cost(all[i]);
        for (size_t i = 0; i < n; i++) {
                struct scale *s = all[i];
                s->target = sum <= memory ? s->min : (unsigned)(s->min * memory / sum);
                if (s->target == 0 && s->min > 0)
                        s->target = 1;
                used += s->target * cost(s);
        }
        return used < memory ? memory - used : 0;
}

/* Gives the sandboxes that languages want beyond their least number: to languages in a hurry, or to the others. Returns
 * the memory that is left. */
static uint64_t share_more(struct scale *const *all, size_t n, uint64_t memory, bool hurry, int64_t now_us)
{
        uint64_t sum = 0, left = memory;

        for (size_t i = 0; i < n; i++)
                if ((all[i]->hurry_us > now_us) == hurry)
                        sum += (scale_wants(all[i]) - all[i]->target) * cost(all[i]);
        for (size_t i = 0; i < n; i++) {
                struct scale *s = all[i];
                unsigned more = scale_wants(s) - s->target;
                if ((s->hurry_us > now_us) != hurry)
                        continue;
                if (sum > memory)
                        more = (unsigned)(more * memory / sum);
                s->target += more;
                left -= more * cost(s);
        }
        /* Distributes the fractions that were rounded off. */
        for (size_t i = 0; i < n; i++) {
                struct scale *s = all[i];
                if ((s->hurry_us > now_us) != hurry || s->target >= scale_wants(s) || left < cost(s))
                        continue;
                s->target++;
                left -= cost(s);
        }
        return left;
}

void scale_share(struct scale *const *all, size_t n, uint64_t memory_bytes, int64_t now_us)
{
        uint64_t left = share_least(all, n, memory_bytes);
        left = share_more(all, n, left, true, now_us);
        share_more(all, n, left, false, now_us);
        for (size_t i = 0; i < n; i++)
                all[i]->grown = false;
}
