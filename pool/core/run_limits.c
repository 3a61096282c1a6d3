/* A run's limits that the kernel does not watch, the guards of its states, and the order to kill it. */
#include "pool/core/run_parts.h"
#include "pool/link/zygote.h"
#include "proto/base/clock.h"
#include "proto/ipc/cpu.h"

#include <errno.h>
#include <string.h>

enum {
        KILL_GUARD_US = 10000000, /* time within which a killed sandbox must be reported dead */
        DRAIN_GUARD_US = 1000000, /* time within which a dead sandbox's pipes must reach end of file */
};

/* Negative: there is no memory for the timer, so the limit could not be kept. The caller then ends the run. */
static int set(const struct run *r, struct timer *timer, int64_t delay_us)
{
        if (timer_set(timer, delay_us) == 0)
                return 0;
        log_error(r->host->log, "%s: a timer of a run can't be set", r->task.language);
        return -ENOMEM;
}

static int arm(struct run *r, int64_t delay_us)
{
        return set(r, &r->timer, delay_us);
}

static int arm_cpu(struct run *r, int64_t left_us)
{
        return set(r, &r->cpu_timer, left_us / r->host->cores);
}

static void await_death(struct run *r)
{
        timer_stop(&r->cpu_timer);
        arm(r, KILL_GUARD_US); /* if the timer can't be set, slots_tick finds the stuck slot some seconds later */
}

void run_kill(struct run *r, enum kill_reason reason)
{
        if (r->reason != KILL_NONE)
                return; /* the first reason counts, and the order is already sent */
        r->reason = reason;
        if (r->state != RUN_RUNNING)
                return;
        r->killed_us = clock_us();
        slot_order(r->slot, ORDER_KILL, -1);
        await_death(r);
}

static void on_timer(void *arg)
{
        struct run *r = arg;
        int64_t now = clock_us();

        switch (r->state) {
        case RUN_NONE:
        case RUN_LIMITING:
        case RUN_CLEARING:
        case RUN_MAKING:
                break; /* the owner of the run watches the deadline, if there is one */
        case RUN_RUNNING:
                if (r->reason != KILL_NONE)
                        r->life->immortal(r);
                else if (now >= r->end_us)
                        run_kill(r, KILL_WALL);
                else if (arm(r, r->end_us - now) < 0)
                        run_kill(r, KILL_FAULT);
                break;
        case RUN_ENDING:
                log_warn(r->host->log, "%s: the sandbox in slot %u is dead, but its pipes are still open somewhere",
                         r->task.language, r->slot->number);
                r->discard = true;
                r->life->drained(r);
                break;
        case RUN_COLLECTING:
                break; /* the collector has a guard of its own */
        }
}

static void on_cpu_timer(void *arg)
{
        struct run *r = arg;
        int64_t limit = r->task.limit[LIMIT_CPU];

        if (r->state != RUN_RUNNING)
                return;
        int64_t total = cpu_time_read(r->slot->fd[WARM_CPU]);
        if (total < 0) {
                log_error(r->host->log, "%s: reading the CPU time of slot %u: %s", r->task.language, r->slot->number,
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

/* ---------------------------------------------------------------- for the other parts */

int run_limits_init(struct run *r)
{
        return timer_init(&r->timer, r->host->base, LOOP_LIMITS, on_timer, r) < 0 ||
                               timer_init(&r->cpu_timer, r->host->base, LOOP_LIMITS, on_cpu_timer, r) < 0
                       ? -EIO
                       : 0;
}

void run_limits_start(struct run *r)
{
        const int64_t limit = r->task.limit[LIMIT_CPU], deadline = r->task.deadline_us;

        r->end_us = r->handed_us + r->task.limit[LIMIT_WALL];
        if (deadline && deadline < r->end_us)
                r->end_us = deadline;
        if (arm(r, r->end_us - r->handed_us) < 0 ||
            (limit / r->host->cores < r->end_us - r->handed_us && arm_cpu(r, limit) < 0))
                run_kill(r, KILL_FAULT);
}

void run_limits_drain(struct run *r)
{
        if (arm(r, DRAIN_GUARD_US) == 0)
                return;
        r->discard = true;
        r->life->drained(r);
}

void run_limits_stop(struct run *r)
{
        timer_stop(&r->timer);
        timer_stop(&r->cpu_timer);
}
