/* Answers of runs: see run_answer.h. */
#include "pool/core/run_answer.h"

#include "pool/core/collector.h"
#include "pool/core/run_parts.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 1000 };

void run_answer_failure(struct run *r, const struct job_failure *f)
{
        struct refusal refusal;
        int error = err_told(f->error);
        const char *reason = strerror(error);
        char disk[LIMIT_TEXT_SIZE];

        if (f->step == JOB_STEP_FILE && error == ENOSPC)
                refuse(&refusal, REFUSAL_RESOURCE_EXHAUSTED,
                       "the file \"%s\" does not fit on the sandbox's disk of %s (limits.disk_bytes); raise that or send "
                       "less",
                       f->name, limit_text(disk, LIMIT_UNIT_BYTES, r->limit[LIMIT_DISK]));
        else if (f->step == JOB_STEP_FILE)
                refuse(&refusal, REFUSAL_INVALID_ARGUMENT,
                       "the file \"%s\" can't be made in the sandbox: %s; choose another name", f->name, reason);
        else
                refuse(&refusal, REFUSAL_INTERNAL,
                       "the sandbox could not set the job up: %s; try again, and tell the operator", reason);
        session_refuse(r->session, r->request.id, &refusal);
}

/* What there is to tell of every run that was seen to its end. */
static void fill_common(struct answer *a, const struct run *r)
{
        const struct language *l = r->language;
        hatchery_v1_Result *result = &a->m.answer.result;

        *a = (struct answer){ .m = { .id = r->request.id, .which_answer = hatchery_v1_ServerMessage_result_tag } };
        result->queue_us = (uint64_t)(r->handed_us - r->began_us);
        result->warm_us = (uint64_t)r->warm_us;
        result->has_stages = true;
        result->stages.queue_us = r->took_us[STAGE_QUEUE];
        result->stages.dispatch_us = r->took_us[STAGE_DISPATCH];
        result->stages.run_us = r->took_us[STAGE_RUN];
        result->stages.drain_us = r->took_us[STAGE_DRAIN];
        result->stages.collect_us = r->took_us[STAGE_COLLECT];
        snprintf(result->sandbox, sizeof result->sandbox, "%s-%" PRIu64, r->pool->instance, r->report.sandbox);
        snprintf(result->language, sizeof result->language, "%s", l->name);
        snprintf(result->language_version, sizeof result->language_version, "%s", l->version);
}

static void fill_compile(struct answer *a, const struct run *r)
{
        a->m.answer.result.has_compile = true;
        a->m.answer.result.compile = r->compile.stage;
        a->compile_out = r->compile.out;
        a->compile_err = r->compile.err;
}

void run_answer_result(struct run *r)
{
        struct answer a;
        hatchery_v1_Result *result = &a.m.answer.result;

        fill_common(&a, r);
        outcome_fill(result, r->reason, &r->report);
        a.out = capture_span(&r->out);
        a.err = capture_span(&r->err);
        result->stdout_total = r->out.total;
        result->stderr_total = r->err.total;
        result->stdout_truncated = capture_is_over(&r->out);
        result->stderr_truncated = capture_is_over(&r->err);
        if (r->collector) {
                const char *note = collector_note(r->collector);
                a.files = collector_files(r->collector, &a.n_files);
                result->files_incomplete = note != NULL;
                snprintf(result->files_note, sizeof result->files_note, "%s", note ? note : "");
        }
        if (r->compile.done)
                fill_compile(&a, r);
        if (language_keeps(r->language))
                a.compile_out = a.compile_err = (struct span){ 0 }; /* they are in the run's own */
        result->wall_us = (uint64_t)(r->exited_us - r->handed_us);
        session_answer(r->session, &a);
}

void run_answer_untranslated(struct run *r)
{
        struct answer a;
        hatchery_v1_Result *result = &a.m.answer.result;

        run_compile_fill(r);
        fill_common(&a, r);
        fill_compile(&a, r);
        result->status = r->reason == KILL_CANCELLED ? hatchery_v1_Result_Status_CANCELLED
                                                     : hatchery_v1_Result_Status_COMPILE_ERROR;
        result->exit_code = result->compile.exit_code;
        result->pids_denied = r->report.exited.pids_denied; /* a compiler's, which has no other place */
        session_answer(r->session, &a);
}

void run_answer_lost(struct run *r)
{
        struct refusal refusal;

        if (r->reason == KILL_SHUTDOWN) {
                refuse(&refusal, REFUSAL_UNAVAILABLE,
                       "the server shuts down, and the run was ended for it; send it again later");
                refusal.retry_after_ms = RETRY_MS;
        } else {
                refuse(&refusal, REFUSAL_INTERNAL,
                       "the server could not see the run to its end; try again, and tell the operator");
                r->language->stats.failures++;
        }
        session_refuse(r->session, r->request.id, &refusal);
}
