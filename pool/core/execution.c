/* The life of an execution: see execution.h. */
#include "pool/core/execution.h"

#include "pool/base/invariant.h"
#include "pool/core/execution_parts.h"
#include "pool/link/bounds.h"
#include "pool/link/zygote.h"
#include "pool/sched/language.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- beginning and end */

static void on_deadline(void *arg);
static const struct run_ops run_ops;

static int init(struct execution *x, const struct submission *s)
{
        if (timer_init(&x->deadline, x->core->host.base, LOOP_LIMITS, on_deadline, x) < 0 ||
            run_init(&x->run, &x->core->host, &run_ops) < 0)
                return -EIO;
        return s->live_input ? live_input_init(&x->live, s) : 0;
}

int execution_new(struct execution **out, struct core *c, struct language *l, const struct execution_parts *parts,
                  const struct check_plan *plan, struct err *e)
{
        struct execution *x = calloc(1, sizeof *x);
        if (!x)
                return err_set(e, ENOMEM, "a run");
        x->core = c;
        int rc = init(x, parts->submission);
        if (rc < 0) {
                free(x);
                return rc == -ENOMEM ? err_set(e, ENOMEM, "a run") : err_say(e, EIO, "a timer");
        }
        x->sink = parts->sink;
        x->language = l;
        x->caller = *parts->caller;
        x->submission = *parts->submission;
        *parts->submission = (struct submission){ 0 };
        x->payload = *parts->payload;
        *parts->payload = (struct payload){ 0 };
        if (plan)
                execution_plan(x, plan);
        x->arrived_us = x->began_us = clock_us();
        if (x->submission.deadline_us > 0) {
                uint64_t us = x->submission.deadline_us;
                x->deadline_us = x->arrived_us + (us > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)us);
        }
        TAILQ_INSERT_TAIL(&c->executions, x, link);
        c->host.running++;
        l->n_executions++;
        execution_weigh(x);
        *out = x;
        return 0;
}

void execution_plan(struct execution *x, const struct check_plan *plan)
{
        x->planned = true;
        x->plan = *plan;
        x->step = language_is_compiled(x->language) ? STEP_COMPILE : STEP_RUN;
        x->limit = x->step == STEP_COMPILE ? x->plan.compile_limit : x->plan.limit;
}

/* ---------------------------------------------------------------- waiting */

static void refuse_full(const struct execution *x, struct refusal *refusal)
{
        const struct language *l = x->language;
        refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED,
               "the queue is full: %u requests wait, and no other client has more of them than this client; try again "
               "later",
               x->core->sched.queue.count - 1);
        refusal->retry_after_ms = stats_retry_after_ms(&l->stats, l->lane.count, clock_us());
}

/* Executions of the client that fills most of the queue are refused until the bounds hold. x itself may be refused, and
 * is freed then. x may also be freed by the sink of another refused execution. */
static void make_room(struct execution *x)
{
        const struct refusal *gone = x->at_once;
        struct queue *q = &x->core->sched.queue;
        struct queue_entry *entry;
        struct refusal refusal;

        while (gone->text[0] == '\0' && (entry = queue_excess(q, &x->queued))) {
                struct execution *other = execution_of_entry(entry);
                refuse_full(other, &refusal);
                execution_refuse(other, &refusal);
        }
}

static int push(struct execution *x)
{
        const struct submission *s = &x->submission;
        const struct queue_who who = {
                .peer = { x->caller.bytes, x->caller.len },
                .name = s->client,
        };
        /* Live input that may be sent while the execution waits counts as if it had been sent. */
        const uint64_t input = s->live_input ? CORE_INPUT_ROOM : 0;
        return queue_push(&x->core->sched.queue, &x->language->lane, &x->queued, &who, s->priority, x->held + input);
}

void execution_enqueue(struct execution *x)
{
        struct language *l = x->language;
        struct refusal refusal;

        /* An execution that can start at once passes through the queue without waiting, so the bounds do not apply. */
        bool has_room = language_has_room(l);
        if (l->lane.count == 0 && language_busy(l) == 0)
                stats_work_begins(&l->stats);
        if (execution_await(x) < 0) {
                execution_refuse_failed(x, EXECUTION_NO_DEADLINE);
        } else if (push(x) < 0) {
                refuse(&refusal, REFUSAL_RESOURCE_EXHAUSTED, "the server is out of memory; try again later");
                execution_refuse(x, &refusal);
        } else if (!(has_room && queue_first(&l->lane) == &x->queued)) {
                make_room(x);
        }
}

int execution_move(struct execution *x, struct language *l)
{
        queue_leave(&x->core->sched.queue, &x->queued, 0);
        x->language->n_executions--;
        x->language = l;
        l->n_executions++;
        return push(x);
}

/* Lets the execution wait for another slot, once only: an execution that failed twice might fail for ever. This may
 * free the execution. why: the reason of its slot's failure. */
static void wait_again(struct execution *x, const char *why)
{
        if (x->retried) {
                struct refusal refusal;
                refuse(&refusal, REFUSAL_INTERNAL,
                       "two sandboxes in a row failed before the program was started, the second one: %s; try again, "
                       "and tell the operator",
                       why);
                execution_refuse(x, &refusal);
                return;
        }
        x->retried = true;
        run_fini(&x->run);
        execution_weigh(x);
        if (execution_await(x) < 0)
                execution_refuse_failed(x, EXECUTION_NO_DEADLINE);
        else
                queue_again(&x->core->sched.queue, &x->queued);
}

static void on_deadline(void *arg)
{
        struct execution *x = arg;
        int64_t now = clock_us();

        if (now < x->deadline_us && timer_set(&x->deadline, x->deadline_us - now) == 0)
                return; /* libevent's clock is coarse, so the timer may fire early */
        if (x->state == EXECUTION_DELIVERING) {
                execution_deliver_at_once(x);
                return;
        }
        if (x->state == EXECUTION_RUNNING)
                run_give_back(&x->run);
        execution_refuse_deadline(x);
}

/* ---------------------------------------------------------------- the execution's run */

void execution_start(struct execution *x, struct slot *slot)
{
        INVARIANT(x->state == EXECUTION_WAITING && x->planned, "slot %u is given to an execution that does not wait",
                  slot->number);
        x->state = EXECUTION_RUNNING;
        x->started_us = clock_us();
        queue_start(&x->core->sched.queue, &x->queued, slot->making_us);
        execution_look(x, slot);
        if (!bounds_hold(x->limit, &slot->zygote->ceilings)) {
                slot_return(slot);
                execution_refuse_outdated(x);
                return;
        }
        const struct run_task task = execution_task(x);
        run_begin(&x->run, slot, &task);
}

static struct execution *execution_of(struct run *r)
{
        return (struct execution *)(void *)((char *)r - offsetof(struct execution, run));
}

static void on_began(struct run *r)
{
        struct execution *x = execution_of(r);

        timer_stop(&x->deadline);
        if (x->sink && x->sink->ops->stage)
                x->sink->ops->stage(x->sink, x->step == STEP_COMPILE ? STAGE_COMPILE : STAGE_RUN, r->handed_us);
}

/* The execution waits for its second sandbox, before all other executions of its client. */
static void wait_for_run_step(struct execution *x, int64_t held_us)
{
        execution_weigh(x);
        if (execution_await(x) < 0)
                execution_refuse_failed(x, EXECUTION_NO_DEADLINE);
        else
                queue_next_step(&x->core->sched.queue, &x->queued, held_us, x->held);
}

static void on_ended(struct run *r)
{
        struct execution *x = execution_of(r);
        const int64_t held_us = r->over_us - x->started_us;

        if (x->step == STEP_COMPILE && execution_compiled(x))
                wait_for_run_step(x, held_us);
        else
                execution_finish(x);
}

static void on_unstarted(struct run *r, bool died, const char *why)
{
        struct execution *x = execution_of(r);

        if (died) /* a slot that failed was counted by its language already */
                x->language->stats.failures++;
        wait_again(x, why);
}

static void on_job_failed(struct run *r, const struct job_failure *failure)
{
        execution_job_failed(execution_of(r), failure);
}

static void on_failed(struct run *r, enum run_failure failure, const char *why)
{
        execution_failed(execution_of(r), failure, why);
}

static size_t on_output(struct run *r, bool is_stderr, struct span bytes, uint64_t offset)
{
        struct execution *x = execution_of(r);

        if (!x->sink)
                return bytes.len;
        return x->sink->ops->output(x->sink, is_stderr ? STREAM_STDERR : STREAM_STDOUT, bytes, offset, clock_us());
}

static void on_input_moved(struct run *r)
{
        struct execution *x = execution_of(r);

        execution_weigh(x);
        if (x->asking || r->state != RUN_RUNNING)
                return; /* input_wanted below may bring input that is written at once: the loop then asks again */
        x->asking = true;
        while (x->sink && x->sink->ops->input_wanted && live_input_wants(&x->live))
                x->sink->ops->input_wanted(x->sink);
        x->asking = false;
}

static void on_weighs(struct run *r)
{
        execution_weigh(execution_of(r));
}

static void on_goes_on(struct run *r)
{
        struct execution *x = execution_of(r);
        queue_goes_on(&x->core->sched.queue, &x->queued, clock_us() - x->started_us);
}

static const struct run_ops run_ops = {
        .began = on_began,
        .ended = on_ended,
        .unstarted = on_unstarted,
        .job_failed = on_job_failed,
        .failed = on_failed,
        .wants_files = execution_wants_files,
        .output = on_output,
        .input_moved = on_input_moved,
        .weighs = on_weighs,
        .goes_on = on_goes_on,
};

/* ---------------------------------------------------------------- what a front may do */

int execution_input(struct execution *x, struct span bytes, bool end)
{
        int rc = live_input_put(&x->live, bytes, end);

        if (rc < 0)
                return rc;
        execution_weigh(x);
        if (x->state == EXECUTION_RUNNING && x->step == STEP_RUN)
                run_input(&x->run);
        return 0;
}

int execution_input_room(const struct execution *x)
{
        return live_input_room(&x->live);
}

void execution_resume(struct execution *x)
{
        if (x->run.telling)
                return;
        if (x->state == EXECUTION_DELIVERING)
                execution_deliver(x);
        else
                run_resume(&x->run);
}

int execution_resize(struct execution *x, const struct terminal_size *size)
{
        if (!x->submission.has_terminal || size->rows < 1 || size->rows > TERMINAL_MAX || size->columns < 1 ||
            size->columns > TERMINAL_MAX)
                return -EINVAL;
        x->submission.terminal = *size;
        if (x->state == EXECUTION_RUNNING && x->step == STEP_RUN)
                run_resize(&x->run, size);
        return 0;
}

int execution_signal(struct execution *x, int number)
{
        if (number < 1 || number > CORE_MAX_SIGNAL)
                return -EINVAL;
        if (x->state != EXECUTION_RUNNING || x->step != STEP_RUN)
                return -ESRCH;
        return run_signal(&x->run, number);
}

void execution_abandon(struct execution *x)
{
        x->sink = NULL;
        if (x->run.telling && x->run.state == RUN_NONE)
                return; /* the function that called the sink finds that the sink is gone */
        if (x->state != EXECUTION_RUNNING || run_abandon(&x->run))
                execution_free(x);
}

/* True while its program runs. True also while the compile step's files are collected, since the program is still to
 * run. */
static bool may_be_ended(const struct execution *x)
{
        enum run_state state = x->run.state;

        return x->state == EXECUTION_RUNNING &&
               (state == RUN_RUNNING || (x->step == STEP_COMPILE && (state == RUN_ENDING || state == RUN_COLLECTING)));
}

/* True: its program was not started, and its slot, if any, is given back. The caller then refuses the execution. */
static bool end_early(struct execution *x, enum kill_reason reason)
{
        if (may_be_ended(x))
                run_kill(&x->run, reason);
        if (x->state == EXECUTION_RUNNING && run_is_getting_ready(&x->run)) {
                run_give_back(&x->run);
                return true;
        }
        return x->state == EXECUTION_WAITING; /* false: its end will come by itself */
}

void execution_cancel(struct execution *x)
{
        struct refusal refusal;

        if (!end_early(x, KILL_CANCELLED))
                return;
        refuse(&refusal, REFUSAL_CANCELLED, "the request was cancelled before its program was started");
        execution_refuse(x, &refusal);
}

void execution_give_way(struct execution *x)
{
        struct refusal refusal;

        if (x->state != EXECUTION_DELIVERING)
                return;
        refuse(&refusal, REFUSAL_RESOURCE_EXHAUSTED,
               "all clients together make this server hold as much memory as it may, and the output of this run, which has "
               "ended, was not taken; read it as it comes");
        execution_refuse(x, &refusal);
}

void execution_shut_down(struct execution *x)
{
        enum { RETRY_MS = 1000 };
        struct refusal refusal;

        if (x->state == EXECUTION_DELIVERING) {
                execution_deliver_no_more(x);
                return;
        }
        if (!end_early(x, KILL_SHUTDOWN))
                return;
        refuse(&refusal, REFUSAL_UNAVAILABLE,
               "the server shuts down, and the request's turn did not come; send it again later");
        refusal.retry_after_ms = RETRY_MS;
        execution_refuse(x, &refusal);
}
