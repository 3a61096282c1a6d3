/* From step to step: the task of a run, the cache before the compile step, and the artifacts after it. */
#include "pool/base/names.h"
#include "pool/cache/compile_key.h"
#include "pool/core/execution_parts.h"
#include "pool/core/program.h"
#include "pool/link/zygote.h"
#include "proto/base/clock.h"

#include <stdio.h>

/* ---------------------------------------------------------------- what a run is given */

/* A compiler gets only the submission's files. Arguments and environment are for the program. The result of the compile
 * step is kept, and must not depend on them. */
static struct submission submission_for_step(const struct execution *x)
{
        struct submission s = x->submission;

        if (x->step == STEP_RUN)
                s.n_compile_flags = 0;
        if (x->step == STEP_COMPILE) {
                s.n_args = s.n_env = 0;
                s.merge_stderr = s.echo_last_expression = s.unbuffered = s.live_input = s.has_terminal = false;
                s.standard_input = (struct span){ 0 };
        }
        return s;
}

struct run_task execution_task(const struct execution *x)
{
        const struct compile *c = &x->compile;
        bool runs = x->step == STEP_RUN;
        struct run_task task = {
                .language = x->language->name,
                .submission = submission_for_step(x),
                .entry = x->plan.entry,
                .purpose = !runs     ? JOB_COMPILE
                           : c->done ? JOB_RUN_COMPILED
                                     : JOB_RUN,
                .limit = x->limit,
                .artifacts = c->artifacts,
                .n_artifacts = c->n_artifacts,
                .deadline_us = x->deadline_us,
                .truncates = x->submission.truncate_output || !runs,
                .streams = runs && x->sink && x->sink->ops->output,
                .live = runs && x->live.bytes ? (struct live_input *)&x->live : NULL,
        };
        if (runs && c->done && language_keeps(x->language)) {
                task.said_out = c->outcome.output.out;
                task.said_err = c->outcome.output.err;
        }
        return task;
}

static bool compiler_did_its_work(const struct run *r)
{
        const struct ending end = ending_of(r->reason, &r->report);
        return !r->untranslated && end.status == OUTCOME_EXITED && end.exit_code == 0;
}

static struct execution *execution_of(struct run *r)
{
        return (struct execution *)(void *)((char *)r - offsetof(struct execution, run));
}

bool execution_wants_files(struct run *r, struct collector_task *task, bool *changed_only)
{
        struct execution *x = execution_of(r);
        const struct submission *s = &x->submission;
        const struct config *config = x->core->config;

        if (!x->sink || r->reason == KILL_CANCELLED || r->reason == KILL_SHUTDOWN)
                return false;
        task->max_us = config->collect_us;
        if (x->step == STEP_COMPILE) {
                task->globs = x->artifact_globs;
                task->n_globs = compile_patterns(&x->language->compile, x->artifact_globs);
                task->max_files = COMPILE_MAX_ARTIFACTS;
                task->max_bytes = COMPILE_MAX_BYTES;
                return compiler_did_its_work(r);
        }
        task->globs = s->globs;
        task->n_globs = s->n_globs;
        task->max_files = x->plan.collect_files;
        task->max_bytes = x->plan.collect_bytes;
        *changed_only = s->collect_changed_only;
        return s->n_globs > 0 && !r->untranslated;
}

/* ---------------------------------------------------------------- over to the run step */

/* The time since the execution got its slot belongs to the compile stage. The other stages do not count this time. */
static void enter_run_step(struct execution *x)
{
        int64_t now = clock_us();

        x->compile.done = true;
        x->compile.outcome.compile_us = (uint64_t)(now - x->started_us);
        x->began_us += now - x->started_us;
        x->step = STEP_RUN;
        x->limit = x->plan.limit;
}

static bool find_in_cache(struct execution *x, const struct slot *slot)
{
        const struct language *l = x->language;
        struct cache *cache = x->core->cache;
        struct compile *c = &x->compile;
        struct cache_content content;
        struct err e = { 0 };

        /* A zygote that is to be replaced may compile differently from the present configuration. */
        c->keyed = cache && l->compile.runtime && !slot->zygote->stale;
        if (!c->keyed)
                return false;
        const struct compile_key_of of = {
                .language = l->name,
                .version = l->version,
                .runtime = l->compile.runtime,
                .peer = { x->caller.bytes, x->caller.len },
                .execute = &x->submission,
                .entry = x->plan.entry,
        };
        compile_key(&c->key, &of);
        int rc = cache_get(cache, &c->key, &c->cached, &content, &e);
        if (rc < 0)
                log_warn(x->core->host.log, "the compile cache: %s", e.text);
        if (rc != CACHE_HIT)
                return false;
        c->artifacts = content.files;
        c->n_artifacts = content.n_files;
        c->outcome = (struct compile_outcome){
                .cached = true,
                .end.status = OUTCOME_EXITED, /* only results with this status are kept */
                .output = { .out = content.out,
                            .err = content.err,
                            .out_truncated = content.out_truncated,
                            .err_truncated = content.err_truncated },
        };
        enter_run_step(x);
        x->language->stats.cache_hits++;
        x->started_us += (int64_t)c->outcome.compile_us;
        return true;
}

void execution_look(struct execution *x, const struct slot *slot)
{
        bool again = x->step == STEP_RUN;

        /* A fresh interpreter is started with its own command line, so it can't use the kept artifacts. */
        if (again && (!language_keeps(x->language) || x->compile.done || submission_is_fresh(&x->submission)))
                return;
        if (!find_in_cache(x, slot) && again && x->compile.keyed && seen_take(&x->language->seen, &x->compile.key))
                x->step = STEP_COMPILE; /* x->limit stays: the first run also compiled within the run step's limits */
}

void execution_remember(struct execution *x)
{
        const struct run *r = &x->run;

        if (language_keeps(x->language) && x->step == STEP_RUN && x->compile.keyed && !x->compile.done &&
            !r->untranslated && r->reason == KILL_NONE)
                seen_add(&x->language->seen, &x->compile.key);
}

/* ---------------------------------------------------------------- the compiler's output and artifacts */

/* Adds a sentence at the end of the compiler's standard error, even beyond the output limit. */
static void say(struct execution *x, const char *what)
{
        struct capture *said = &x->run.err;
        struct err e = { 0 };
        char text[256];
        int n = snprintf(text, sizeof text, "hatchery: %s\n", what);

        said->limit = said->len + sizeof text;
        if (n > 0 && capture_put(said, (const uint8_t *)text, (size_t)n, &e) < 0)
                log_error(x->core->host.log, "%s", e.text);
}

void execution_fill_compile(struct execution *x)
{
        const struct run *r = &x->run;
        struct compile_outcome *o = &x->compile.outcome;

        o->end = ending_of(r->reason, &r->report);
        if (r->untranslated)
                o->end.status = OUTCOME_EXITED;
        o->end.wall_us = (uint64_t)(r->exited_us - r->handed_us);
        o->output = (struct output){
                .out = capture_span(&r->out),
                .err = capture_span(&r->err),
                .out_total = r->out.total,
                .err_total = r->err.total,
                .out_truncated = capture_is_over(&r->out),
                .err_truncated = capture_is_over(&r->err),
        };
}

/* Checks the artifacts, which come from one sandbox and are to be files of another one. Returns their fault as a
 * sentence; NULL: they have none. */
static const char *artifacts_fault(const struct execution *x, const struct file_span *files, size_t n)
{
        struct err e = { 0 };
        const char *note = collector_note(x->run.collector);

        if (note)
                return note;
        if (n == 0)
                return "the compiler succeeded, but made no file that can be run";
        for (size_t i = 0; i < n; i++)
                if (files[i].raw_name.len > 0 || names_check(files[i].name, &e) < 0)
                        return "the compiler has made a file whose name can't be used";
        for (size_t i = 0; i < n; i++)
                if (compile_starts(&x->language->compile, files[i].name) && !program_can_start(files[i].content))
                        return "the compiler has made a library or the like, which can't be run; the sources need a main "
                               "program";
        return NULL;
}

/* Puts the result into the cache, unless the compiler's output was cut by a limit of this submission: the next
 * submission is to get the whole output. */
static void store(struct execution *x)
{
        const struct compile *c = &x->compile;
        const struct output *said = &c->outcome.output;
        struct err e = { 0 };

        if (!c->keyed || said->out_truncated || said->err_truncated)
                return;
        const struct cache_content content = {
                .files = c->artifacts,
                .n_files = c->n_artifacts,
                .out = said->out,
                .err = said->err,
                .out_truncated = said->out_truncated,
                .err_truncated = said->err_truncated,
        };
        if (cache_put(x->core->cache, &c->key, &content, &e) < 0)
                log_warn(x->core->host.log, "the compile cache: %s", e.text);
}

/* Keeps the artifacts of the first sandbox, and prepares the execution for its second sandbox. */
static void keep_artifacts(struct execution *x, struct file_span *files, size_t n)
{
        struct compile *c = &x->compile;
        struct run *r = &x->run;

        execution_fill_compile(x);
        c->captured_out = r->out;
        c->captured_err = r->err;
        r->out = r->err = (struct capture){ 0 };
        c->collector = r->collector;
        r->collector = NULL;
        run_fini(r);
        c->artifacts = files;
        c->n_artifacts = n;
        enter_run_step(x);
        x->language->stats.cache_misses++;
        x->retried = false;
}

bool execution_compiled(struct execution *x)
{
        struct run *r = &x->run;
        size_t n;

        if (r->reason == KILL_NONE && compiler_did_its_work(r) && (!r->collector || collector_is_broken(r->collector)))
                r->reason = KILL_FAULT; /* its artifacts can't be collected */
        if (r->reason != KILL_NONE || !x->sink || !r->collector)
                return false;
        struct file_span *files = collector_files(r->collector, &n);
        const char *fault = artifacts_fault(x, files, n);
        if (fault) {
                say(x, fault);
                return false;
        }
        keep_artifacts(x, files, n);
        store(x);
        return true;
}
