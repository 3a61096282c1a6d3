/* The beginning of a run, up to the hand-over of its job: see run.h. */
#include "pool/core/run.h"

#include "pool/base/invariant.h"
#include "pool/core/collector.h"
#include "pool/core/run_io.h"
#include "pool/core/run_parts.h"
#include "pool/link/bounds.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>

enum { RETRY_MS = 1000 };

/* ---------------------------------------------------------------- beginning and end */

int run_new(struct run **out, struct session *s, struct language *l, struct request *request, uint8_t **buffer,
            size_t buffer_len, const struct check_plan *plan, struct err *e)
{
        struct run *r = calloc(1, sizeof *r);
        if (!r)
                return err_set(e, ENOMEM, "a run");
        r->pool = s->pool;
        if (run_limits_init(r) < 0) {
                free(r);
                return err_say(e, EIO, "a timer");
        }
        r->session = s;
        r->language = l;
        r->request = *request;
        request->execute = (struct submission){ 0 };
        r->buffer = own_steal_ptr(buffer);
        r->buffer_len = buffer_len;
        if (plan)
                run_plan(r, plan);
        r->arrived_us = r->began_us = clock_us();
        if (r->request.execute.deadline_us > 0) {
                uint64_t us = r->request.execute.deadline_us;
                r->deadline_us = r->arrived_us + (us > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)us);
        }
        LIST_INSERT_HEAD(&s->runs, r, of_session);
        s->in_flight++;
        r->pool->n_runs++;
        l->n_runs++;
        run_weigh(r);
        *out = r;
        return 0;
}

void run_plan(struct run *r, const struct check_plan *plan)
{
        r->planned = true;
        r->plan = *plan;
        r->stage = language_is_compiled(r->language) ? JOB_COMPILE : JOB_RUN;
        r->limit = r->stage == JOB_COMPILE ? r->plan.compile_limit : r->plan.limit;
}

void run_leave_session(struct run *r)
{
        if (!r->session)
                return;
        LIST_REMOVE(r, of_session);
        INVARIANT(r->session->in_flight > 0, "a run leaves a connection that has none");
        r->session->in_flight--;
        r->session = NULL;
}

void run_free(struct run *r)
{
        struct pool *p = r->pool;

        run_leave_session(r);
        queue_leave(&p->queue, &r->queued, r->started_us ? clock_us() - r->started_us : 0);
        run_limits_stop(r);
        collector_free(r->collector);
        run_io_fini(r);
        compile_fini(&r->compile);
        request_fini(&r->request);
        free(r->buffer);
        budget_set(&p->memory, &r->held, 0);
        INVARIANT(r->language->n_runs > 0 && p->n_runs > 0, "a run ends, and none is counted");
        r->language->n_runs--;
        free(r);
        p->n_runs--;
        pool_progress(p);
}

void run_refuse(struct run *r, const struct refusal *refusal)
{
        if (r->session) {
                r->session->seen_results = ++r->pool->n_results;
                session_refuse(r->session, r->request.id, refusal);
        }
        run_free(r);
}

void run_refuse_failed(struct run *r, const char *sentence)
{
        struct refusal refusal;
        refuse(&refusal, REFUSAL_INTERNAL, "%s", sentence);
        run_refuse(r, &refusal);
}

void run_weigh(struct run *r)
{
        const struct submission *x = &r->request.execute;
        uint64_t bytes = sizeof *r + r->buffer_len + x->n_files * sizeof *x->files + x->n_args * sizeof *x->args +
                         x->n_env * sizeof *x->env + (x->n_globs + x->n_compile_flags) * sizeof *x->globs;

        bytes += r->out.room + r->err.room + compile_weight(&r->compile);
        if (r->job_files) /* each has three pieces in the feed */
                bytes += (x->n_files + x->has_code + r->compile.n_artifacts) *
                         (sizeof *r->job_files + 3 * sizeof *r->job.piece);
        budget_set(&r->pool->memory, &r->held, bytes);
}

/* ---------------------------------------------------------------- waiting */

static void refuse_full(struct run *r, struct refusal *refusal)
{
        const struct language *l = r->language;
        refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED,
               "%u requests wait, which is what the queue holds, and nobody has more of them there than this client; try again later",
               r->pool->queue.count - 1);
        refusal->retry_after_ms = stats_retry_after_ms(&l->stats, l->lane.count, clock_us());
}

/* Whoever fills most of the queue gives way until the bounds hold. False: that is r. */
static bool make_room(struct run *r, struct refusal *refusal)
{
        struct queue *q = &r->pool->queue;
        struct queue_entry *entry;

        while ((entry = queue_excess(q, &r->queued))) {
                struct run *other = run_of_entry(entry);
                refuse_full(other, refusal);
                if (other == r) {
                        queue_remove(q, entry);
                        return false;
                }
                run_refuse(other, refusal);
        }
        return true;
}

static int push(struct run *r)
{
        const struct submission *x = &r->request.execute;
        const struct queue_who who = {
                .peer = { r->session->peer.bytes, r->session->peer.len },
                .name = x->client,
        };
        return queue_push(&r->pool->queue, &r->language->lane, &r->queued, &who, x->priority, r->held);
}

int run_enqueue(struct run *r, struct refusal *refusal)
{
        struct language *l = r->language;

        /* What can start at once passes by way of the queue, but does not wait, so its bounds are not asked. */
        bool has_room = language_has_room(l);
        if (l->lane.count == 0 && language_busy(l) == 0)
                stats_work_begins(&l->stats);
        r->state = RUN_QUEUED;
        if (run_limits_wait(r) < 0)
                return refuse(refusal, REFUSAL_INTERNAL, RUN_NO_DEADLINE);
        if (push(r) < 0)
                return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "the server is out of memory; try again later");
        if (!(has_room && queue_first(&l->lane) == &r->queued) && !make_room(r, refusal))
                return REFUSED;
        return 0;
}

int run_move(struct run *r, struct language *l)
{
        queue_leave(&r->pool->queue, &r->queued, 0);
        r->language->n_runs--;
        r->language = l;
        l->n_runs++;
        return push(r);
}

/* Slots come and go, and a run that failed twice would fail for ever. */
void run_wait_again(struct run *r, const char *why)
{
        r->slot = NULL;
        if (r->retried) {
                struct refusal refusal;
                refuse(&refusal, REFUSAL_INTERNAL,
                       "two sandboxes in a row failed before the program was started, the second one: %s; try again, "
                       "and tell the operator",
                       why);
                run_refuse(r, &refusal);
                return;
        }
        r->retried = true;
        r->state = RUN_QUEUED;
        run_limits_stop(r);
        if (run_limits_wait(r) < 0)
                run_refuse_failed(r, RUN_NO_DEADLINE);
        else
                queue_again(&r->pool->queue, &r->queued);
}

void run_goes_on(struct run *r)
{
        queue_goes_on(&r->pool->queue, &r->queued, clock_us() - r->started_us);
}

/* ---------------------------------------------------------------- handing over */

void run_give_slot_back(struct run *r)
{
        struct slot *slot = r->slot;
        r->slot = NULL;
        language_return(r->language, slot);
}

static void hand_over(struct run *r)
{
        struct err e = { 0 };

        if (run_io_prepare(r, &e) < 0) {
                log_error(&r->pool->log, "%s", e.text);
                run_give_slot_back(r);
                r->language->stats.failures++;
                run_refuse_failed(r, "the server is out of memory; try again later");
                return;
        }
        run_weigh(r);
        r->state = RUN_RUNNING;
        r->handed_us = clock_us();
        r->warm_us = r->handed_us - r->slot->warm_us;
        run_io_start(r);
        if (r->reason == KILL_NONE) /* else its end is under way */
                run_limits_start(r);
}

/* Since the request was taken, a ceiling has changed, and the zygote that serves does not have it, or not yet. */
static void refuse_outdated(struct run *r)
{
        struct refusal refusal;
        run_give_slot_back(r);
        refuse(&refusal, REFUSAL_UNAVAILABLE,
               "the server's ceilings of limits have changed while the request waited; send it again");
        refusal.retry_after_ms = RETRY_MS;
        run_refuse(r, &refusal);
}

void run_start(struct run *r, struct slot *slot)
{
        INVARIANT(r->state == RUN_QUEUED && r->planned && !r->slot && !slot->run,
                  "slot %u is given to a run that has one, or is taken", slot->number);
        r->slot = slot;
        slot->run = r;
        r->started_us = clock_us();
        r->fed_us = 0;
        queue_start(&r->pool->queue, &r->queued, slot->making_us);
        if (r->stage == JOB_COMPILE || (language_keeps(r->language) && !r->compile.done))
                run_compile_look(r);

        const int64_t *limit = r->limit;
        if (!bounds_hold(limit, &slot->zygote->ceilings)) {
                refuse_outdated(r);
                return;
        }
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
        INVARIANT(r->state == RUN_LIMITING, "a run in state %d has its limits set", (int)r->state);
        hand_over(r);
}
