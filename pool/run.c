/* The life of a run: see run.h. */
#include "pool/run.h"

#include "pool/clock.h"
#include "pool/collector.h"
#include "pool/language.h"
#include "pool/run_answer.h"
#include "pool/run_io.h"
#include "pool/session.h"
#include "pool/state.h"
#include "proto/cpu.h"
#include "proto/own.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
        KILL_GUARD_US = 10000000, /* a killed sandbox is reported dead by then */
        DRAIN_GUARD_US = 1000000, /* a dead sandbox's pipes come to their end by then */
        RETRY_MS = 1000,
};

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_cpu_timer(evutil_socket_t fd, short what, void *arg);

/* ---------------------------------------------------------------- beginning and end */

int run_new(struct run **out, struct session *s, struct language *l, struct request *request, uint8_t **buffer,
            size_t buffer_len, const struct check_plan *plan, struct err *e)
{
        struct run *r = calloc(1, sizeof *r);
        if (!r)
                return err_set(e, ENOMEM, "a run");
        r->pool = s->pool;
        if (evtimer_assign(&r->timer, r->pool->base, on_timer, r) < 0 ||
            evtimer_assign(&r->cpu_timer, r->pool->base, on_cpu_timer, r) < 0) {
                free(r);
                return err_say(e, EIO, "a timer");
        }
        r->session = s;
        r->language = l;
        r->request = *request;
        request->execute = (struct execute){ 0 };
        r->buffer = own_steal_ptr(buffer);
        r->buffer_len = buffer_len;
        r->plan = *plan;
        r->arrived_us = clock_us();
        if (r->request.execute.deadline_us > 0) {
                uint64_t us = r->request.execute.deadline_us;
                r->deadline_us = r->arrived_us + (us > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)us);
        }
        LIST_INSERT_HEAD(&s->runs, r, of_session);
        s->in_flight++;
        r->pool->n_runs++;
        *out = r;
        return 0;
}

static void leave_session(struct run *r)
{
        if (!r->session)
                return;
        LIST_REMOVE(r, of_session);
        r->session->in_flight--;
        r->session = NULL;
}

void run_free(struct run *r)
{
        struct pool *p = r->pool;

        leave_session(r);
        queue_remove(&p->queue, &r->queued);
        event_del(&r->timer);
        event_del(&r->cpu_timer);
        collector_free(r->collector);
        run_io_fini(r);
        request_fini(&r->request);
        free(r->buffer);
        free(r);
        p->n_runs--;
        pool_progress(p);
}

void run_refuse(struct run *r, const struct refusal *refusal)
{
        if (r->session)
                session_refuse(r->session, r->request.id, refusal);
        run_free(r);
}

static void refuse_failed(struct run *r, const char *sentence)
{
        struct refusal refusal;
        refuse(&refusal, hatchery_v1_Error_Code_INTERNAL, "%s", sentence);
        r->language->stats.failures++;
        run_refuse(r, &refusal);
}

/* ---------------------------------------------------------------- waiting */

static void arm(struct run *r, int64_t delay_us)
{
        struct timeval delay = clock_delay(delay_us);
        event_add(&r->timer, &delay);
}

int run_enqueue(struct run *r)
{
        struct language *l = r->language;

        r->state = RUN_QUEUED;
        /* What can start at once passes by way of the queue, but does not wait, so its bounds are not asked. */
        if (language_has_room(l))
                queue_push_first(&r->pool->queue, &l->lane, &r->queued, r->buffer_len);
        else if (queue_push(&r->pool->queue, &l->lane, &r->queued, r->buffer_len) == QUEUE_FULL)
                return QUEUE_FULL;
        if (r->deadline_us)
                arm(r, r->deadline_us - clock_us());
        return QUEUE_OK;
}

/* The slot it was given is none: waits again, before all others, but only once. */
static void wait_again(struct run *r)
{
        r->slot = NULL;
        if (r->retried) {
                refuse_failed(
                        r,
                        "two sandboxes in a row failed before the program was started; try again, and tell the operator");
                return;
        }
        r->retried = true;
        r->state = RUN_QUEUED;
        queue_push_first(&r->pool->queue, &r->language->lane, &r->queued, r->buffer_len);
        if (r->deadline_us)
                arm(r, r->deadline_us - clock_us());
}

static void deadline_passed(struct run *r)
{
        struct refusal refusal;
        refuse(&refusal, hatchery_v1_Error_Code_DEADLINE_EXCEEDED,
               "no sandbox became free within deadline_us, which is %" PRIu64 "; try again later, or wait longer",
               r->request.execute.deadline_us);
        run_refuse(r, &refusal);
}

/* ---------------------------------------------------------------- handing over */

static void give_slot_back(struct run *r)
{
        struct slot *slot = r->slot;
        r->slot = NULL;
        language_return(r->language, slot);
}

static void arm_cpu(struct run *r, int64_t left_us)
{
        struct timeval delay = clock_delay(left_us / r->pool->cores);
        event_add(&r->cpu_timer, &delay);
}

static void hand_over(struct run *r)
{
        struct err e = { 0 };
        int64_t limit = r->plan.limit[LIMIT_CPU];

        if (run_io_prepare(r, &e) < 0) {
                log_error(&r->pool->log, "%s", e.text);
                give_slot_back(r);
                refuse_failed(r, "the server is out of memory; try again later");
                return;
        }
        r->state = RUN_RUNNING;
        r->handed_us = clock_us();
        r->warm_us = r->handed_us - r->slot->warm_us;
        r->end_us = r->handed_us + r->plan.limit[LIMIT_WALL];
        if (r->deadline_us && r->deadline_us < r->end_us)
                r->end_us = r->deadline_us;
        run_io_start(r);
        if (r->reason != KILL_NONE)
                return; /* its end is under way */
        arm(r, r->end_us - r->handed_us);
        if (limit / r->pool->cores < r->end_us - r->handed_us)
                arm_cpu(r, limit);
}

void run_start(struct run *r, struct slot *slot)
{
        const int64_t *limit = r->plan.limit;

        r->slot = slot;
        slot->run = r;
        if (slot->memory_bytes == limit[LIMIT_MEMORY] && slot->disk_bytes == limit[LIMIT_DISK] &&
            slot->pids == limit[LIMIT_PIDS]) {
                hand_over(r);
                return;
        }
        slot->memory_bytes = limit[LIMIT_MEMORY];
        slot->disk_bytes = limit[LIMIT_DISK];
        slot->pids = limit[LIMIT_PIDS];
        r->state = RUN_LIMITING;
        language_order(r->language, slot, ORDER_LIMIT, -1);
}

bool run_is_limiting(const struct run *r)
{
        return r->state == RUN_LIMITING;
}

void run_limited(struct run *r)
{
        hand_over(r);
}

/* ---------------------------------------------------------------- ending early */

void run_kill(struct run *r, enum kill_reason reason)
{
        if (r->reason != KILL_NONE)
                return; /* the first reason counts, and the order is on its way */
        r->reason = reason;
        if (r->state != RUN_RUNNING)
                return;
        event_del(&r->cpu_timer);
        language_order(r->language, r->slot, ORDER_KILL, -1);
        arm(r, KILL_GUARD_US);
}

void run_cancel(struct run *r)
{
        struct refusal refusal;

        if (r->state == RUN_RUNNING)
                run_kill(r, KILL_CANCELLED);
        if (r->state != RUN_QUEUED && r->state != RUN_LIMITING)
                return; /* its end has come already, and its answer is on its way */
        if (r->state == RUN_LIMITING)
                give_slot_back(r);
        refuse(&refusal, hatchery_v1_Error_Code_CANCELLED, "the request was cancelled before its program was started");
        run_refuse(r, &refusal);
}

static void finish(struct run *r);

void run_abandon(struct run *r)
{
        leave_session(r);
        switch (r->state) {
        case RUN_LIMITING:
                give_slot_back(r);
                run_free(r);
                break;
        case RUN_QUEUED:
                run_free(r);
                break;
        case RUN_RUNNING:
                run_kill(r, KILL_GONE);
                break;
        case RUN_ENDING:
                break;
        case RUN_COLLECTING:
                finish(r); /* init, still busy with its files, finds nobody who listens and stops */
                break;
        }
}

void run_shut_down(struct run *r)
{
        struct refusal refusal;

        if (r->state == RUN_RUNNING)
                run_kill(r, KILL_SHUTDOWN);
        if (r->state != RUN_QUEUED && r->state != RUN_LIMITING)
                return;
        if (r->state == RUN_LIMITING)
                give_slot_back(r);
        refuse(&refusal, hatchery_v1_Error_Code_UNAVAILABLE,
               "the server shuts down, and the request's turn did not come; send it again later");
        refusal.retry_after_ms = RETRY_MS;
        run_refuse(r, &refusal);
}

void run_zygote_lost(struct run *r)
{
        struct refusal refusal;

        if (r->state != RUN_LIMITING)
                run_io_stop(r);
        r->slot = NULL;
        r->language->stats.failures++;
        refuse(&refusal, hatchery_v1_Error_Code_UNAVAILABLE,
               "the language is being restarted, and the run was lost with it; send it again");
        refusal.retry_after_ms = RETRY_MS;
        run_refuse(r, &refusal);
}

void run_slot_failed(struct run *r)
{
        if (r->state == RUN_LIMITING) {
                wait_again(r);
                return;
        }
        run_io_stop(r);
        r->slot = NULL;
        refuse_failed(r, "the sandbox failed during the run; try again, and tell the operator");
}

/* ---------------------------------------------------------------- the end of a run */

/* The answer first, the slot's teardown afterwards: nobody waits for that. */
static void finish(struct run *r)
{
        struct language *l = r->language;
        struct slot *slot = r->slot;
        bool discard = r->discard;

        run_io_stop(r);
        if (r->session && (r->reason == KILL_SHUTDOWN || r->reason == KILL_FAULT))
                run_answer_lost(r);
        else if (r->session)
                run_answer_result(r);
        stats_run_ended(&l->stats, clock_us());
        run_free(r);
        language_recycle(l, slot, discard);
}

static void on_collected(void *arg)
{
        struct run *r = arg;
        if (collector_is_broken(r->collector)) {
                log_warn(&r->pool->log, "%s: collecting files from slot %u failed", r->language->name, r->slot->number);
                r->discard = true;
        }
        finish(r);
}

static void collect(struct run *r)
{
        const struct config *c = &r->pool->config;
        struct collector_task task = {
                .globs = r->request.execute.globs,
                .n_globs = r->request.execute.n_globs,
                .max_files = r->plan.collect_files,
                .max_bytes = r->plan.collect_bytes,
                .max_us = c->collect_us,
        };
        struct err e = { 0 };
        int theirs;

        if (collector_new(&r->collector, r->pool->base, &task, on_collected, r, &theirs, &e) < 0) {
                log_error(&r->pool->log, "%s", e.text);
                r->reason = KILL_FAULT;
                finish(r);
                return;
        }
        r->state = RUN_COLLECTING;
        language_order(r->language, r->slot, ORDER_COLLECT, theirs);
        close(theirs);
}

static void drained(struct run *r)
{
        event_del(&r->timer);
        /* Whether the pool saw the excess before or after the program's end must make no difference. */
        if (!r->request.execute.truncate_output && (capture_is_over(&r->out) || capture_is_over(&r->err)))
                run_kill(r, KILL_OUTPUT);

        bool answered = r->session && r->reason != KILL_CANCELLED && r->reason != KILL_SHUTDOWN;
        if (answered && r->request.execute.n_globs > 0 && !r->discard && r->reason != KILL_FAULT)
                collect(r);
        else
                finish(r);
}

void run_output_ended(struct run *r)
{
        if (r->state == RUN_ENDING && r->slot->fd[WARM_STDOUT] < 0 && r->slot->fd[WARM_STDERR] < 0)
                drained(r);
}

void run_exited(struct run *r, const struct report *report)
{
        struct job_failure failure;

        if (r->state == RUN_LIMITING) {
                /* It died before it got its job. The slot goes its way, the run waits for another. */
                struct slot *slot = r->slot;
                struct language *l = r->language;
                wait_again(r);
                language_recycle(l, slot, report->exited.unproved);
                return;
        }
        r->state = RUN_ENDING;
        r->exited_us = clock_us();
        r->report = *report;
        r->discard = report->exited.unproved;
        event_del(&r->timer);
        event_del(&r->cpu_timer);
        if (run_io_exited(r, &failure) && r->reason == KILL_NONE) {
                struct slot *slot = r->slot;
                struct language *l = r->language;
                bool discard = r->discard;

                run_io_stop(r);
                if (r->session)
                        run_answer_failure(r, &failure);
                run_free(r);
                language_recycle(l, slot, discard);
                return;
        }
        if (r->reason == KILL_NONE && r->discard && WIFSIGNALED(report->exited.wait_status) &&
            WTERMSIG(report->exited.wait_status) == SIGKILL && report->exited.oom_kills == 0)
                r->reason = KILL_FAULT; /* its init died and took it along: no deed of the program's */
        if (run_io_drain(r))
                drained(r);
        else
                arm(r, DRAIN_GUARD_US);
}

/* ---------------------------------------------------------------- time */

/* The order to kill has had no effect for very long. The client is told; the slot stays taken until the zygote speaks.
 */
static void give_up(struct run *r)
{
        log_error(&r->pool->log, "%s: the sandbox in slot %u does not die", r->language->name, r->slot->number);
        run_io_stop(r);
        r->slot->run = NULL;
        r->slot = NULL;
        refuse_failed(r, "the run could not be ended; try again, and tell the operator");
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
                if (now < r->deadline_us) { /* libevent's clock is coarse */
                        arm(r, r->deadline_us - now);
                        break;
                }
                if (r->state == RUN_LIMITING)
                        give_slot_back(r);
                deadline_passed(r);
                break;
        case RUN_RUNNING:
                if (r->reason != KILL_NONE)
                        give_up(r);
                else if (now < r->end_us)
                        arm(r, r->end_us - now);
                else
                        run_kill(r, KILL_WALL);
                break;
        case RUN_ENDING:
                log_warn(&r->pool->log, "%s: slot %u is dead, but its pipes are still open somewhere",
                         r->language->name, r->slot->number);
                r->discard = true;
                drained(r);
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
        int64_t limit = r->plan.limit[LIMIT_CPU];

        if (r->state != RUN_RUNNING)
                return;
        int64_t total = cpu_time_read(r->slot->fd[WARM_CPU]);
        if (total < 0) {
                log_error(&r->pool->log, "%s: reading the CPU time of slot %u: %s", r->language->name, r->slot->number,
                          strerror((int)-total));
                run_kill(r, KILL_FAULT);
                return;
        }
        int64_t used = total - (int64_t)r->slot->cpu_base_us;
        if (used >= limit)
                run_kill(r, KILL_CPU);
        else
                arm_cpu(r, limit - used);
}
