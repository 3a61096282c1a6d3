/* Replacements of the clock, the timers and the allocator: see world.h. */
#include "pool/base/timer.h"
#include "proto/base/clock.h"
#include "tests/core/world.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* One process tests one world, so the seams may keep static data. */
static int64_t now_us = 1000000000;
static unsigned fail_timer, timers_tried;

enum { MAX_TIMERS = 4096 };
static struct {
        struct timer *timer;
        int64_t due_us;
} set[MAX_TIMERS];
static unsigned n_set;

int64_t clock_us(void)
{
        return now_us;
}

int64_t clock_ms(void)
{
        return now_us / 1000;
}

static unsigned find(const struct timer *t)
{
        for (unsigned i = 0; i < n_set; i++)
                if (set[i].timer == t)
                        return i;
        return MAX_TIMERS;
}

int timer_init(struct timer *t, struct event_base *base, enum loop_priority priority, void (*fire)(void *owner),
               void *owner)
{
        (void)base;
        (void)priority;
        t->fire = fire;
        t->owner = owner;
        return 0;
}

int timer_set(struct timer *t, int64_t delay_us)
{
        if (++timers_tried == fail_timer || fail_timer == WORLD_ALL)
                return -ENOMEM;
        unsigned i = find(t);
        if (i == MAX_TIMERS) {
                assert_true(n_set < MAX_TIMERS);
                i = n_set++;
        }
        set[i].timer = t;
        set[i].due_us = now_us + (delay_us < 1000 ? 1000 : delay_us);
        return 0;
}

void timer_stop(struct timer *t)
{
        unsigned i = find(t);
        if (i < MAX_TIMERS)
                set[i] = set[--n_set];
}

bool timer_is_set(const struct timer *t)
{
        return find(t) < MAX_TIMERS;
}

void world_assert_no_timer_but(const struct timer *const *these, unsigned n)
{
        for (unsigned i = 0; i < n_set; i++) {
                unsigned k = 0;
                while (k < n && these[k] != set[i].timer)
                        k++;
                assert_true(k < n);
        }
}

void world_fail_timer(unsigned n)
{
        fail_timer = n;
        timers_tried = 0;
}

void world_advance(int64_t us)
{
        int64_t until = now_us + us;

        for (;;) {
                unsigned first = MAX_TIMERS;
                for (unsigned i = 0; i < n_set; i++)
                        if (set[i].due_us <= until && (first == MAX_TIMERS || set[i].due_us < set[first].due_us))
                                first = i;
                if (first == MAX_TIMERS)
                        break;
                struct timer *t = set[first].timer;
                if (set[first].due_us > now_us)
                        now_us = set[first].due_us;
                set[first] = set[--n_set];
                t->fire(t->owner);
        }
        now_us = until;
}

/* ---------------------------------------------------------------- the allocator */

static unsigned fail_at, tried;

void world_fail_allocation(unsigned n)
{
        fail_at = n;
        tried = 0;
}

unsigned world_allocations(void)
{
        return tried;
}

static bool fails(void)
{
        return ++tried == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
        return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return fails() ? NULL : __real_realloc(p, size);
}
