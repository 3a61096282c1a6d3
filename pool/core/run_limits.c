/* The time limits of a run: its deadline while it waits, wall and CPU time while it runs, and guards for what must not
 * last: its death after the order to kill, the end of its pipes after its death. */
#include "pool/base/loop.h"
#include "pool/core/run_io.h"
#include "pool/core/run_parts.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/ipc/cpu.h"

#include <errno.h>
#include <string.h>

enum {
        KILL_GUARD_US = 10000000, /* a killed sandbox is reported dead by then */
        DRAIN_GUARD_US = 1000000, /* a dead sandbox's pipes come to their end by then */
};

/* Negative: there is no memory for it, and the limit would not exist. The caller lets nothing run without. */
static int set(const struct run *r, struct event *timer, int64_t delay_us)
{
        struct timeval delay = clock_delay(delay_us);
        if (event_add(timer, &delay) == 0)
                return 0;
        log_error(&r->pool->log, "%s: a timer of a run can't be set", r->language->name);
        return -ENOMEM;
}

static int arm(struct run *r, int64_t delay_us)
{
        return set(r, &r->timer, delay_us);
}

static int arm_cpu(struct run *r, int64_t left_us)
{
        return set(r, &r->cpu_timer, left_us / r->pool->cores);
}

static void deadline_passed(struct run *r)
{
        struct refusal refusal;
        uint64_t us = r->request.execute.deadline_us;
        char deadline[LIMIT_TEXT_SIZE];

        limit_text(deadline, LIMIT_UNIT_US, us > INT64_MAX ? INT64_MAX : (int64_t)us);
        if (r->planned)
                refuse(&refusal, REFUSAL_DEADLINE_EXCEEDED,
                       "no sandbox became free within the deadline of %s (deadline_us); try again later, or wait longer",
                       deadline);
        else
                refuse(&refusal, REFUSAL_DEADLINE_EXCEEDED,
                       "the language %s is still starting, and the deadline of %s (deadline_us) is over; try again later, "
                       "or wait longer",
                       r->language->name, deadline);
        run_refuse(r, &refusal);
}

/* The order to kill has had no effect for very long. The client is told; the slot stays taken until the zygote speaks.
 */
static void give_up(struct run *r)
{
        log_error(&r->pool->log, "%s: the sandbox in slot %u does not die", r->language->name, r->slot->number);
        run_io_stop(r);
        r->slot->run = NULL;
        r->slot = NULL;
        r->language->stats.failures++;
        struct language *l = r->language;
        run_refuse_failed(r, "the run could not be ended; try again, and tell the operator");
        language_kick(l); /* its client may have another one now */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;
        int64_t now = clock_us();

        switch (r->state) {
        case RUN_QUEUED:
        case RUN_LIMITING:
                if (now < r->deadline_us && arm(r, r->deadline_us - now) == 0)
                        break; /* libevent's clock is coarse */
                if (r->state == RUN_LIMITING)
                        run_give_slot_back(r);
                deadline_passed(r);
                break;
        case RUN_RUNNING:
                if (r->reason != KILL_NONE)
                        give_up(r);
                else if (now >= r->end_us)
                        run_kill(r, KILL_WALL);
                else if (arm(r, r->end_us - now) < 0)
                        run_kill(r, KILL_FAULT);
                break;
        case RUN_ENDING:
                log_warn(&r->pool->log, "%s: slot %u is dead, but its pipes are still open somewhere",
                         r->language->name, r->slot->number);
                r->discard = true;
                run_drained(r);
                break;
        case RUN_COLLECTING:
                break; /* the collector has a guard of its own */
        }
}

static void on_cpu_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct run *r = arg;
        int64_t limit = r->limit[LIMIT_CPU];

        if (r->state != RUN_RUNNING)
                return;
        int64_t total = cpu_time_read(r->slot->fd[WARM_CPU]);
        if (total < 0) {
                log_error(&r->pool->log, "%s: reading the CPU time of slot %u: %s", r->language->name, r->slot->number,
                          strerror((int)-total));
                run_kill(r, KILL_FAULT);
                return;
        }
        uint64_t base = r->slot->cpu_base_us;
        int64_t used = (uint64_t)total > base ? (int64_t)((uint64_t)total - base) : 0;
        if (used >= limit)
                run_kill(r, KILL_CPU);
        else if (arm_cpu(r, limit - used) < 0)
                run_kill(r, KILL_FAULT);
}

/* ---------------------------------------------------------------- what the other parts say */

int run_limits_init(struct run *r)
{
        return evtimer_assign(&r->timer, r->pool->base, on_timer, r) < 0 || loop_urgent(&r->timer, LOOP_LIMITS) < 0 ||
                               evtimer_assign(&r->cpu_timer, r->pool->base, on_cpu_timer, r) < 0 ||
                               loop_urgent(&r->cpu_timer, LOOP_LIMITS) < 0
                       ? -EIO
                       : 0;
}

int run_limits_wait(struct run *r)
{
        return r->deadline_us ? arm(r, r->deadline_us - clock_us()) : 0;
}

void run_limits_start(struct run *r)
{
        int64_t limit = r->limit[LIMIT_CPU];

        r->end_us = r->handed_us + r->limit[LIMIT_WALL];
        if (r->deadline_us && r->deadline_us < r->end_us)
                r->end_us = r->deadline_us;
        if (arm(r, r->end_us - r->handed_us) < 0 ||
            (limit / r->pool->cores < r->end_us - r->handed_us && arm_cpu(r, limit) < 0))
                run_kill(r, KILL_FAULT);
}

void run_limits_await_death(struct run *r)
{
        event_del(&r->cpu_timer);
        arm(r, KILL_GUARD_US); /* where it can't be set, the zygote's slot is given up some seconds later */
}

void run_limits_drain(struct run *r)
{
        if (arm(r, DRAIN_GUARD_US) == 0)
                return;
        r->discard = true;
        run_drained(r);
}

void run_limits_stop(struct run *r)
{
        event_del(&r->timer);
        event_del(&r->cpu_timer);
}
