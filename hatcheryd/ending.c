/* The end of a server: see ending.h. */
#include "hatcheryd/ending.h"

#include "proto/base/clock.h"
#include "proto/ipc/control.h"

enum { STOP_GRACE_MS = 10000 }; /* time for the end after the configured drain time */

void ending_kill_all(struct ending *x)
{
        x->part = ENDING_POOL;
        x->keeper->stopping = true;
        x->workers->draining = true;
        keeper_kill_all(x->keeper);
        workers_kill_all(x->workers);
}

static void drain_pool(struct ending *x, int64_t now)
{
        struct control c = { .kind = CONTROL_DRAIN };
        struct err e = { 0 };

        x->part = ENDING_POOL;
        x->keeper->stopping = true;
        workers_kill_all(x->workers); /* kills workers whose time is over */
        if (now < x->drain_by_ms)
                c.ms = (uint32_t)(x->drain_by_ms - now);
        if (keeper_tell(x->keeper, &c, -1, &e) < 0)
                keeper_kill_all(x->keeper);
}

void ending_go_on(struct ending *x)
{
        int64_t now = clock_ms();

        if (x->part == ENDING_NOTICE && now >= x->drain_at_ms) {
                log_info(x->log, "draining: runs may finish within %lld s", (long long)x->config->drain_us / 1000000);
                x->part = ENDING_GATEWAY;
                workers_drain(x->workers);
        }
        if (x->part == ENDING_GATEWAY && (workers_are_gone(x->workers) || now >= x->drain_by_ms))
                drain_pool(x, now);
        if (x->part != ENDING_NONE && now >= x->stop_by_ms)
                ending_kill_all(x);
}

/* The pool is told in any case: while the gateway drains, the pool answers those who ask whether the server is ready.
 */
static void give_notice(const struct ending *x, int64_t notice_us)
{
        struct control c = { .kind = CONTROL_NOTICE };
        struct err e = { 0 };

        if (notice_us > 0)
                log_info(x->log, "draining in %lld s: until then the server is not ready, and takes requests",
                         (long long)notice_us / 1000000);
        /* Without a notice, drain_pool meets the same error next. */
        if (keeper_tell(x->keeper, &c, -1, &e) < 0 && notice_us > 0)
                log_warn(x->log, "the pool does not know of the drain: %s", e.text);
}

void ending_begin(struct ending *x, bool has_notice)
{
        int64_t notice_us = has_notice ? x->config->drain_notice_us : 0;

        x->part = ENDING_NOTICE;
        x->drain_at_ms = clock_ms() + notice_us / 1000;
        x->drain_by_ms = x->drain_at_ms + x->config->drain_us / 1000;
        x->stop_by_ms = x->drain_by_ms + STOP_GRACE_MS;
        give_notice(x, notice_us);
        ending_go_on(x);
}

int64_t ending_next_ms(const struct ending *x)
{
        switch (x->part) {
        case ENDING_NOTICE:
                return x->drain_at_ms;
        case ENDING_GATEWAY:
                return x->drain_by_ms;
        case ENDING_POOL:
                return x->stop_by_ms;
        case ENDING_NONE:
                break;
        }
        return INT64_MAX;
}
