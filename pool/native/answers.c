/* Outcomes and refusals as messages: see answers.h. */
#include "pool/native/answers.h"

#include <stdio.h>

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours " has the same number as " #theirs)

SAME(OUTCOME_EXITED, hatchery_v1_Result_Status_EXITED);
SAME(OUTCOME_SIGNALED, hatchery_v1_Result_Status_SIGNALED);
SAME(OUTCOME_TIME_LIMIT, hatchery_v1_Result_Status_TIME_LIMIT);
SAME(OUTCOME_CPU_LIMIT, hatchery_v1_Result_Status_CPU_LIMIT);
SAME(OUTCOME_MEMORY_LIMIT, hatchery_v1_Result_Status_MEMORY_LIMIT);
SAME(OUTCOME_OUTPUT_LIMIT, hatchery_v1_Result_Status_OUTPUT_LIMIT);
SAME(OUTCOME_DISK_LIMIT, hatchery_v1_Result_Status_DISK_LIMIT);
SAME(OUTCOME_COMPILE_ERROR, hatchery_v1_Result_Status_COMPILE_ERROR);
SAME(OUTCOME_CANCELLED, hatchery_v1_Result_Status_CANCELLED);
SAME(OUTCOME_CANCELLED, _hatchery_v1_Result_Status_MAX);

SAME(REFUSAL_CANCELLED, hatchery_v1_Error_Code_CANCELLED);
SAME(REFUSAL_INVALID_ARGUMENT, hatchery_v1_Error_Code_INVALID_ARGUMENT);
SAME(REFUSAL_DEADLINE_EXCEEDED, hatchery_v1_Error_Code_DEADLINE_EXCEEDED);
SAME(REFUSAL_NOT_FOUND, hatchery_v1_Error_Code_NOT_FOUND);
SAME(REFUSAL_PERMISSION_DENIED, hatchery_v1_Error_Code_PERMISSION_DENIED);
SAME(REFUSAL_RESOURCE_EXHAUSTED, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED);
SAME(REFUSAL_ABORTED, hatchery_v1_Error_Code_ABORTED);
SAME(REFUSAL_INTERNAL, hatchery_v1_Error_Code_INTERNAL);
SAME(REFUSAL_UNAVAILABLE, hatchery_v1_Error_Code_UNAVAILABLE);

_Static_assert(STAGES_OF_RUN == 5, "the message Stages has a field for each stage of a run");
_Static_assert(sizeof((hatchery_v1_Error *)0)->message >= sizeof((struct refusal *)0)->text,
               "a refusal's sentence fits into its field");
_Static_assert(sizeof((hatchery_v1_Result *)0)->sandbox >= sizeof((struct outcome *)0)->sandbox,
               "a sandbox's name fits into its field");

static void fill_ending(hatchery_v1_Result *result, const struct ending *end)
{
        result->status = (hatchery_v1_Result_Status)end->status;
        result->exit_code = end->exit_code;
        result->signal = end->signal;
        result->wall_us = end->wall_us;
        result->cpu_us = end->cpu_us;
        result->cpu_user_us = end->cpu_user_us;
        result->cpu_system_us = end->cpu_system_us;
        result->memory_peak_bytes = end->memory_peak_bytes;
        result->oom_killed = end->oom_killed;
        result->processes_peak = end->processes_peak;
        result->disk_bytes = end->disk_bytes;
        result->pids_denied = end->pids_denied;
}

static void fill_output(struct answer *a, const struct output *output)
{
        hatchery_v1_Result *result = &a->m.answer.result;

        a->out = output->out;
        a->err = output->err;
        result->stdout_total = output->out_total;
        result->stderr_total = output->err_total;
        result->stdout_truncated = output->out_truncated;
        result->stderr_truncated = output->err_truncated;
}

static void fill_compile(struct answer *a, const struct compile_outcome *c)
{
        hatchery_v1_CompileStage *stage = &a->m.answer.result.compile;

        stage->cached = c->cached;
        stage->compile_us = c->compile_us;
        stage->status = (hatchery_v1_Result_Status)c->end.status;
        stage->exit_code = c->end.exit_code;
        stage->signal = c->end.signal;
        stage->stdout_truncated = c->output.out_truncated;
        stage->stderr_truncated = c->output.err_truncated;
        stage->wall_us = c->end.wall_us;
        stage->cpu_us = c->end.cpu_us;
        stage->memory_peak_bytes = c->end.memory_peak_bytes;
        a->m.answer.result.has_compile = true;
        a->compile_out = c->output.out;
        a->compile_err = c->output.err;
}

/* Fills in the waiting times, the stages' times, the sandbox's name, and the language. */
static void fill_way(hatchery_v1_Result *result, const struct outcome *o)
{
        result->queue_us = o->queue_us;
        result->warm_us = o->warm_us;
        result->has_stages = true;
        result->stages.queue_us = o->stage_us[STAGE_QUEUE];
        result->stages.dispatch_us = o->stage_us[STAGE_DISPATCH];
        result->stages.run_us = o->stage_us[STAGE_RUN];
        result->stages.drain_us = o->stage_us[STAGE_DRAIN];
        result->stages.collect_us = o->stage_us[STAGE_COLLECT];
        snprintf(result->sandbox, sizeof result->sandbox, "%s", o->sandbox);
        snprintf(result->language, sizeof result->language, "%s", o->language);
        snprintf(result->language_version, sizeof result->language_version, "%s", o->language_version);
}

void answers_result(struct answer *a, uint64_t id, const struct outcome *o)
{
        hatchery_v1_Result *result = &a->m.answer.result;

        *a = (struct answer){ .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_result_tag } };
        fill_ending(result, &o->end);
        fill_output(a, &o->output);
        fill_way(result, o);
        if (o->has_compile)
                fill_compile(a, &o->compile);
        a->files = o->files;
        a->n_files = o->n_files;
        result->files_incomplete = o->files_note != NULL;
        snprintf(result->files_note, sizeof result->files_note, "%s", o->files_note ? o->files_note : "");
}

void answers_refusal(struct answer *a, uint64_t id, const struct refusal *r)
{
        hatchery_v1_Error *error = &a->m.answer.error;

        *a = (struct answer){ .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_error_tag } };
        error->code = (hatchery_v1_Error_Code)r->code;
        error->retry_after_ms = r->retry_after_ms;
        snprintf(error->message, sizeof error->message, "%s", r->text);
}
