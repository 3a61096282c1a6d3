/* One timer of the loop. All of the pool's limits and guards use these timers, so that a test can replace this file and
 * proto/base/clock.c by a clock of its own. */
#pragma once

#include "pool/base/loop.h"

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct timer {
        struct event event;
        void (*fire)(void *owner);
        void *owner;
};

/* fire is called from the loop, once for each timer_set. 0 or -EIO. */
int timer_init(struct timer *t, struct event_base *base, enum loop_priority priority, void (*fire)(void *owner),
               void *owner);

/* Sets the timer anew, from now on. The least delay is 1 ms, because libevent rounds down and a delay must not become
 * 0. -ENOMEM: the timer is not set. */
int timer_set(struct timer *t, int64_t delay_us);

/* Harmless for a timer that is not set, or was never initialised. */
void timer_stop(struct timer *t);

bool timer_is_set(const struct timer *t);
