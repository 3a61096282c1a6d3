/* Timers: see timer.h. */
#include "pool/base/timer.h"

#include "proto/base/clock.h"

#include <errno.h>
#include <event2/event.h>

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct timer *t = arg;
        t->fire(t->owner);
}

int timer_init(struct timer *t, struct event_base *base, enum loop_priority priority, void (*fire)(void *owner),
               void *owner)
{
        t->fire = fire;
        t->owner = owner;
        if (evtimer_assign(&t->event, base, on_timeout, t) < 0 ||
            (priority != LOOP_CLIENTS && loop_urgent(&t->event, priority) < 0))
                return -EIO;
        return 0;
}

int timer_set(struct timer *t, int64_t delay_us)
{
        struct timeval delay = clock_delay(delay_us);
        return event_add(&t->event, &delay) < 0 ? -ENOMEM : 0;
}

void timer_stop(struct timer *t)
{
        if (event_initialized(&t->event))
                event_del(&t->event);
}

bool timer_is_set(const struct timer *t)
{
        return event_initialized(&t->event) && event_pending(&t->event, EV_TIMEOUT, NULL);
}
