/* Ends of executions, and the calls of their sinks. */
#include "pool/core/execution_parts.h"
#include "pool/link/slot.h"
#include "pool/sched/language.h"
#include "proto/base/clock.h"
#include "proto/base/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 1000 };

_Static_assert((int)OUTCOME_CANCELLED < (int)STATS_STATUSES, "each status is counted");

/* ---------------------------------------------------------------- refusals */

void execution_refuse(struct execution *x, const struct refusal *refusal)
{
        struct sink *sink = x->sink;
        struct refusal *at_once = x->at_once;
        struct core *c = x->core;

        execution_free(x);
        if (at_once) {
                *at_once = *refusal; /* core_execute counts it */
        } else if (sink) {
                core_refused(c, refusal->code);
                sink->ops->refused(sink, refusal);
        }
}

void execution_refuse_failed(struct execution *x, const char *sentence)
{
        struct refusal refusal;
        refuse(&refusal, REFUSAL_INTERNAL, "%s", sentence);
        execution_refuse(x, &refusal);
}

void execution_refuse_deadline(struct execution *x)
{
        struct refusal refusal;
        uint64_t us = x->submission.deadline_us;
        char deadline[LIMIT_TEXT_SIZE];

        limit_text(deadline, LIMIT_UNIT_US, us > INT64_MAX ? INT64_MAX : (int64_t)us);
        if (x->planned)
                refuse(&refusal, REFUSAL_DEADLINE_EXCEEDED,
                       "no sandbox became free within the deadline of %s (deadline_us); try again later, or wait longer",
                       deadline);
        else
                refuse(&refusal, REFUSAL_DEADLINE_EXCEEDED,
                       "the language %s is still starting, and the deadline of %s (deadline_us) is over; try again later, "
                       "or wait longer",
                       x->language->name, deadline);
        execution_refuse(x, &refusal);
}

/* A ceiling has changed since its admission, and the serving zygote has the other value. */
void execution_refuse_outdated(struct execution *x)
{
        struct refusal refusal;
        refuse(&refusal, REFUSAL_UNAVAILABLE,
               "the server's ceilings of limits have changed while the request waited; send it again");
        refusal.retry_after_ms = RETRY_MS;
        execution_refuse(x, &refusal);
}

void execution_language_gone(struct execution *x)
{
        struct refusal refusal;

        if (x->state != EXECUTION_WAITING)
                return;
        refuse(&refusal, REFUSAL_NOT_FOUND, "the language %s has just been taken out of this server",
               x->language->name);
        execution_refuse(x, &refusal);
}

void execution_job_failed(struct execution *x, const struct job_failure *f)
{
        struct refusal refusal;
        int error = err_told(f->error);
        const char *reason = strerror(error);
        char disk[LIMIT_TEXT_SIZE];

        if (f->step == JOB_STEP_FILE && error == ENOSPC)
                refuse(&refusal, REFUSAL_RESOURCE_EXHAUSTED,
                       "the file \"%s\" does not fit on the sandbox's disk of %s (limits.disk_bytes); raise that or send "
                       "less",
                       f->name, limit_text(disk, LIMIT_UNIT_BYTES, x->limit[LIMIT_DISK]));
        else if (f->step == JOB_STEP_FILE)
                refuse(&refusal, REFUSAL_INVALID_ARGUMENT,
                       "the file \"%s\" can't be made in the sandbox: %s; choose another name", f->name, reason);
        else
                refuse(&refusal, REFUSAL_INTERNAL,
                       "the sandbox could not set the job up: %s; try again, and tell the operator", reason);
        execution_refuse(x, &refusal);
}

void execution_failed(struct execution *x, enum run_failure failure, const char *why)
{
        struct language *l = x->language;
        struct refusal refusal;

        switch (failure) {
        case RUN_NO_MEMORY:
                l->stats.failures++;
                execution_refuse_failed(x, "the server is out of memory; try again later");
                break;
        case RUN_IMMORTAL:
                l->stats.failures++;
                execution_refuse_failed(x, "the run could not be ended; try again, and tell the operator");
                language_kick(l); /* the client may start another run now */
                break;
        case RUN_SLOT_FAILED: /* its language has counted the failure */
                refuse(&refusal, REFUSAL_INTERNAL,
                       "the sandbox failed during the run: %s; try again, and tell the operator", why);
                execution_refuse(x, &refusal);
                break;
        case RUN_ZYGOTE_LOST:
                l->stats.failures++;
                refuse(&refusal, REFUSAL_UNAVAILABLE,
                       "the language is being restarted, and the run was lost with it; send it again");
                refusal.retry_after_ms = RETRY_MS;
                execution_refuse(x, &refusal);
                break;
        }
}

/* Refuses an execution that the server's own trouble ended. */
static void refuse_lost(struct execution *x)
{
        struct refusal refusal;

        if (x->run.reason == KILL_SHUTDOWN) {
                refuse(&refusal, REFUSAL_UNAVAILABLE,
                       "the server shuts down, and the run was ended for it; send it again later");
                refusal.retry_after_ms = RETRY_MS;
        } else {
                refuse(&refusal, REFUSAL_INTERNAL,
                       "the server could not see the run to its end; try again, and tell the operator");
                x->language->stats.failures++;
        }
        execution_refuse(x, &refusal);
}

/* ---------------------------------------------------------------- outcomes */

/* The common part of all outcomes. */
static struct outcome common(const struct execution *x)
{
        const struct run *r = &x->run;
        struct outcome o = {
                .queue_us = (uint64_t)(r->handed_us - x->began_us),
                .warm_us = (uint64_t)r->warm_us,
                .language = x->language->name,
                .language_version = x->language->version,
        };

        memcpy(o.stage_us, x->took_us, sizeof o.stage_us);
        snprintf(o.sandbox, sizeof o.sandbox, "%s-%" PRIu64, x->core->instance, r->report.sandbox);
        return o;
}

/* The program could not be translated, or translating was ended early: there is only the compile step. */
static struct outcome untranslated(struct execution *x)
{
        struct outcome o;

        execution_fill_compile(x);
        o = common(x);
        o.has_compile = true;
        o.compile = x->compile.outcome;
        o.end.status = x->run.reason == KILL_CANCELLED ? OUTCOME_CANCELLED : OUTCOME_COMPILE_ERROR;
        o.end.exit_code = o.compile.end.exit_code;
        o.end.pids_denied = o.compile.end.pids_denied; /* the compiler's, which has no other place */
        return o;
}

static struct outcome seen_to_its_end(struct execution *x)
{
        struct run *r = &x->run;
        struct outcome o = common(x);

        o.end = ending_of(r->reason, &r->report);
        o.end.wall_us = (uint64_t)(r->exited_us - r->handed_us);
        o.output = (struct output){
                .out = r->task.streams ? (struct span){ 0 } : capture_span(&r->out),
                .err = r->task.streams ? (struct span){ 0 } : capture_span(&r->err),
                .out_total = r->out.total,
                .err_total = r->err.total,
                .out_truncated = run_is_over(r, false),
                .err_truncated = run_is_over(r, true),
        };
        if (r->collector) {
                o.files = collector_files(r->collector, &o.n_files);
                o.files_note = collector_note(r->collector);
        }
        o.has_compile = x->compile.done;
        if (o.has_compile)
                o.compile = x->compile.outcome;
        if (language_keeps(x->language)) /* the compiler's messages are in the run's own output */
                o.compile.output.out = o.compile.output.err = (struct span){ 0 };
        return o;
}

static bool is_lost(const struct execution *x)
{
        return x->run.reason == KILL_SHUTDOWN || x->run.reason == KILL_FAULT;
}

/* The execution has no slot, and nothing more to wait for. Tells its sink, whose memory may be gone afterwards. */
static void tell(struct execution *x)
{
        struct sink *sink = x->sink;

        if (!sink) {
                execution_free(x);
                return;
        }
        if (is_lost(x)) {
                refuse_lost(x);
                return;
        }
        const struct outcome o = x->step == STEP_COMPILE || x->run.untranslated ? untranslated(x) : seen_to_its_end(x);
        x->sink = NULL;
        x->language->stats.results[o.end.status]++;
        sink->ops->finished(sink, &o);
        execution_free(x);
}

/* ---------------------------------------------------------------- output that the sink has not taken yet */

/* True: the sink has taken everything, or there is no sink any more. */
static bool deliver_rest(struct execution *x)
{
        return run_tell_kept(&x->run) || !x->sink;
}

void execution_deliver(struct execution *x)
{
        x->run.full = false;
        if (deliver_rest(x))
                tell(x);
}

void execution_deliver_no_more(struct execution *x)
{
        x->run.reason = KILL_SHUTDOWN;
        tell(x);
}

void execution_deliver_at_once(struct execution *x)
{
        tell(x);
}

/* Waits until the sink has taken the rest of the output; after that only the end is reported. The execution has given
 * up its slot and its share. */
static void deliver_later(struct execution *x)
{
        x->state = EXECUTION_DELIVERING;
        queue_leave(&x->core->sched.queue, &x->queued, clock_us() - x->started_us);
        x->started_us = 0;
        execution_forget_job(x);
        execution_weigh(x);
        if (x->deadline_us == 0)
                return;
        const int64_t left_us = x->deadline_us - clock_us();
        if (timer_set(&x->deadline, left_us > 0 ? left_us : 0) < 0)
                execution_deliver_at_once(x);
}

/* ---------------------------------------------------------------- the end of its last run */

/* The program's end is the death of its main process, as the zygote saw it, or the order to kill it. */
static int64_t end_of_program(const struct run *r)
{
        int64_t ended_us = r->report.exited.ended_us;
        return r->killed_us && r->killed_us < ended_us ? r->killed_us : ended_us;
}

/* Counts the stages. An execution without a run step has only waiting times; the rest belongs to the compile step. */
static void count_stages(struct execution *x)
{
        const struct run *r = &x->run;
        struct compile_outcome *compile = &x->compile.outcome;
        struct stats *stats = &x->language->stats;
        const int64_t end_us[STAGES_OF_RUN] = {
                [STAGE_QUEUE] = x->started_us, [STAGE_DISPATCH] = r->fed_us, [STAGE_RUN] = end_of_program(r),
                [STAGE_DRAIN] = r->drained_us, [STAGE_COLLECT] = r->over_us,
        };

        if (x->step == STEP_COMPILE || r->untranslated) {
                if (x->step == STEP_COMPILE)
                        stats->cache_misses++;
                x->took_us[STAGE_QUEUE] = (uint64_t)(x->started_us - x->began_us);
                compile->compile_us = (uint64_t)(r->over_us - x->started_us);
                stats_compiled(stats, compile->compile_us);
                return;
        }
        if (x->compile.done && !compile->cached)
                stats_compiled(stats, compile->compile_us);
        stages_of_run(x->began_us, end_us, x->took_us);
        stats_run_stages(stats, x->took_us, r->collector != NULL);
}

void execution_finish(struct execution *x)
{
        struct language *l = x->language;

        count_stages(x);
        execution_remember(x);
        stats_run_ended(&l->stats, x->run.over_us, language_busy(l) > 1 || l->lane.count > 0);
        if (is_lost(x) || deliver_rest(x))
                tell(x);
        else
                deliver_later(x);
}
