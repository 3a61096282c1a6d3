/* POST /execute: one run, and its answer when it has ended. */
#include "gateway/contracts/piston_parts.h"
#include "gateway/json.h"
#include "gateway/run.h"

#include <stdio.h>
#include <stdlib.h>

/* One run of an exchange, until its answer. */
struct execution {
        struct exchange *x;
        struct piston_output output;
        char language[32]; /* Piston's name */
};

static void execution_free(struct execution *e)
{
        piston_output_fini(&e->output);
        free(e);
}

static void fail_for_memory(struct exchange *x)
{
        struct failure why;

        failure_set(&why, 503, "RESOURCE_EXHAUSTED", "the server has no memory for this answer at present");
        why.retry_after_ms = 1000;
        exchange_fail(x, &why);
}

/* ---------------------------------------------------------------- the end */

static void run_output(void *data, const struct hatchery_output *output)
{
        struct execution *e = data;

        piston_output_take(&e->output, output->stream, output->bytes);
}

/* NULL: no memory. After a failed compile `run` is a copy of `compile`, for clients that look at nothing else. */
static json_t *answer_json(struct execution *e, const struct hatchery_answer *a)
{
        const hatchery_v1_Result *result = &a->answer.m.answer.result;
        const bool has_run = !result->has_compile || result->status != hatchery_v1_Result_Status_COMPILE_ERROR;
        char version[SEMVER_TEXT_SIZE];
        json_t *compile = NULL;

        piston_version(version, result->language_version);
        piston_output_end(&e->output, result->stdout_truncated, result->stderr_truncated);
        if (result->has_compile) {
                compile = piston_compile_json(a);
                if (!compile)
                        return NULL;
        }
        json_t *run = has_run ? piston_run_json(result, &e->output) : json_copy(compile);
        if (!compile)
                return json_pack("{s:o, s:s, s:s}", "run", run, "language", e->language, "version", version);
        return json_pack("{s:o, s:o, s:s, s:s}", "compile", compile, "run", run, "language", e->language, "version",
                         version);
}

static void run_finished(void *data, struct hatchery_answer *a)
{
        struct execution *e = data;
        struct exchange *x = e->x;
        json_t *json = answer_json(e, a);

        execution_free(e);
        if (json)
                exchange_reply_json(x, 200, json);
        else
                fail_for_memory(x);
}

static void run_failed(void *data, const struct failure *why)
{
        struct execution *e = data;
        struct exchange *x = e->x;

        struct failure ours = *why;

        execution_free(e);
        if (ours.status == 404) /* a language that is configured and not installed: Piston calls that a bad request */
                ours.status = 400;
        exchange_fail(x, &ours);
}

static void run_gone(void *data)
{
        execution_free(data);
}

static const struct run_ops ops = {
        .output = run_output,
        .finished = run_finished,
        .failed = run_failed,
        .gone = run_gone,
};

/* ---------------------------------------------------------------- the beginning */

/* 0, or -1 with why. */
static int start(struct exchange *x, struct piston_job *j, struct failure *why)
{
        struct run *run;
        struct execution *e = malloc(sizeof *e);

        if (!e) {
                failure_set(why, 503, "RESOURCE_EXHAUSTED", "the server has no memory for this request at present");
                why->retry_after_ms = 1000;
                return -1;
        }
        e->x = x;
        piston_output_init(&e->output);
        snprintf(e->language, sizeof e->language, "%s", j->runtime.name);
        if (run_start(&run, x, &j->request, &ops, e, why) < 0) {
                execution_free(e);
                return -1;
        }
        return 0;
}

static void with_status(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why)
{
        struct json_fault fault;
        struct failure ours;
        struct piston_job j = { 0 };

        (void)data;
        if (!status) {
                exchange_fail(x, why);
                return;
        }
        json_t *body = json_read(exchange_body(x), &fault);
        if (!body) {
                failure_set(&ours, 400, "INVALID_ARGUMENT", "%s", fault.text);
                exchange_fail(x, &ours);
                return;
        }
        int r = piston_job_read(&j, body, status, false, &ours);
        if (r == 0)
                r = start(x, &j, &ours);
        piston_job_fini(&j);
        json_decref(body);
        if (r < 0)
                exchange_fail(x, &ours);
}

void piston_execute(struct exchange *x)
{
        run_with_status(x, with_status, NULL);
}
