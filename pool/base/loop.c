/* The loop's order: see loop.h. */
#include "pool/base/loop.h"

#include <errno.h>

_Static_assert(LOOP_PRIORITIES / 2 == LOOP_CLIENTS, "an event has the priority LOOP_CLIENTS unless another one is set");

/* After this time of less urgent work the loop looks for more urgent work. libevent's clock may tick only every 4 ms.
 */
enum { SLICE_US = 2000 };

/* libevent's change list is not used. It would save calls by delaying epoll_ctl. But the delayed call might act on a
 * descriptor that was closed and reused meanwhile, and each run here closes five descriptors. */
int loop_new(struct event_base **base, struct err *e)
{
        const struct timeval slice = { .tv_usec = SLICE_US };
        struct event_config *c = event_config_new();

        *base = NULL;
        if (c && event_config_avoid_method(c, "select") == 0 && event_config_avoid_method(c, "poll") == 0 &&
            event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0 &&
            event_config_set_max_dispatch_interval(c, &slice, -1, LOOP_REPORTS) == 0)
                *base = event_base_new_with_config(c);
        if (c)
                event_config_free(c);
        if (*base && event_base_priority_init(*base, LOOP_PRIORITIES) == 0)
                return 0;
        if (*base)
                event_base_free(*base);
        *base = NULL;
        return err_say(e, EIO, "libevent can't be set up");
}

int loop_urgent(struct event *event, enum loop_priority priority)
{
        return event_priority_set(event, (int)priority) < 0 ? -EIO : 0;
}
