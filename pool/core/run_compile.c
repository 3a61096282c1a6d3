/* From the compile stage of a run to its run stage: the cache before, the artifacts behind. */
#include "pool/base/names.h"
#include "pool/cache/compile_key.h"
#include "pool/core/collector.h"
#include "pool/core/program.h"
#include "pool/core/run_io.h"
#include "pool/core/run_parts.h"
#include "pool/native/connection.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"

#include <stdio.h>

/* ---------------------------------------------------------------- over to the run stage */

/* The time until now, from when it had its slot, is the compile stage's: its stages go on as if that had not been. */
static void enter_run_stage(struct run *r)
{
        int64_t now = clock_us();

        r->compile.done = true;
        r->compile.stage.compile_us = (uint64_t)(now - r->started_us);
        r->began_us += now - r->started_us;
        r->stage = JOB_RUN;
        r->limit = r->plan.limit;
}

static bool look(struct run *r)
{
        const struct language *l = r->language;
        struct cache *cache = r->pool->cache;
        struct cache_content content;
        struct err e = { 0 };

        /* A zygote that is to be replaced may compile in another way than the configuration says by now. */
        r->compile.keyed = cache && r->session && l->compile.runtime && !r->slot->zygote->stale;
        if (!r->compile.keyed)
                return false;
        const struct compile_key_of of = {
                .language = l->name,
                .version = l->version,
                .runtime = l->compile.runtime,
                .peer = { r->session->peer.bytes, r->session->peer.len },
                .execute = &r->request.execute,
                .entry = r->plan.entry,
        };
        compile_key(&r->compile.key, &of);
        int rc = cache_get(cache, &r->compile.key, &r->compile.cached, &content, &e);
        if (rc < 0)
                log_warn(&r->pool->log, "the compile cache: %s", e.text);
        if (rc != CACHE_HIT)
                return false;
        r->compile.artifacts = content.files;
        r->compile.n_artifacts = content.n_files;
        r->compile.out = content.out;
        r->compile.err = content.err;
        r->compile.stage.cached = true;
        r->compile.stage.status = hatchery_v1_Result_Status_EXITED; /* nothing else is kept */
        r->compile.stage.stdout_truncated = content.out_truncated;
        r->compile.stage.stderr_truncated = content.err_truncated;
        enter_run_stage(r);
        r->started_us += (int64_t)r->compile.stage.compile_us;
        return true;
}

void run_compile_look(struct run *r)
{
        bool again = r->stage == JOB_RUN;

        if (!look(r) && again && r->compile.keyed && seen_take(&r->language->seen, &r->compile.key))
                r->stage = JOB_COMPILE; /* under the limits of the run, as the first time */
}

void run_compile_remember(struct run *r)
{
        if (language_keeps(r->language) && r->stage == JOB_RUN && r->compile.keyed && !r->compile.done && !r->refused &&
            r->reason == KILL_NONE)
                seen_add(&r->language->seen, &r->compile.key);
}

/* ---------------------------------------------------------------- what the compiler did */

bool run_compile_succeeded(const struct run *r)
{
        hatchery_v1_Result result = { 0 };

        outcome_fill(&result, r->reason, &r->report);
        return !r->refused && result.status == hatchery_v1_Result_Status_EXITED && result.exit_code == 0;
}

/* A sentence of ours at the end of what the compiler said, in whatever room is left for it. */
static void say(struct run *r, const char *what)
{
        struct err e = { 0 };
        char text[256];
        int n = snprintf(text, sizeof text, "hatchery: %s\n", what);

        r->err.limit = r->err.len + sizeof text;
        if (n > 0 && capture_put(&r->err, (const uint8_t *)text, (size_t)n, &e) < 0)
                log_error(&r->pool->log, "%s", e.text);
}

void run_compile_fill(struct run *r)
{
        hatchery_v1_CompileStage *stage = &r->compile.stage;
        hatchery_v1_Result result = { 0 };

        outcome_fill(&result, r->reason, &r->report);
        stage->status = r->refused ? hatchery_v1_Result_Status_EXITED : result.status;
        stage->exit_code = result.exit_code;
        stage->signal = result.signal;
        stage->cpu_us = result.cpu_us;
        stage->memory_peak_bytes = result.memory_peak_bytes;
        stage->wall_us = (uint64_t)(r->exited_us - r->handed_us);
        stage->stdout_truncated = capture_is_over(&r->out);
        stage->stderr_truncated = capture_is_over(&r->err);
        r->compile.out = capture_span(&r->out);
        r->compile.err = capture_span(&r->err);
}

/* ---------------------------------------------------------------- what it made */

/* What can't be used: it came from a sandbox, and is to be files of another. NULL: nothing. */
static const char *artifacts_fault(struct run *r, const struct file_span *files, size_t n)
{
        struct err e = { 0 };
        const char *note = collector_note(r->collector);

        if (note)
                return note;
        if (n == 0)
                return "the compiler ended well, but has not made what would be run";
        for (size_t i = 0; i < n; i++)
                if (files[i].raw_name.len > 0 || names_check(files[i].name, &e) < 0)
                        return "a file that it made has a name that can't be used";
        for (size_t i = 0; i < n; i++)
                if (compile_starts(&r->language->compile, files[i].name) && !program_can_start(files[i].content))
                        return "the compiler has made a library or the like, which can't be run; the sources need a main "
                               "program";
        return NULL;
}

/* Of what the compiler said, a limit of this very request may have left out something that the next one is to get. */
static void store(struct run *r)
{
        if (r->compile.stage.stdout_truncated || r->compile.stage.stderr_truncated)
                return;
        const struct cache_content content = {
                .files = r->compile.artifacts,
                .n_files = r->compile.n_artifacts,
                .out = r->compile.out,
                .err = r->compile.err,
                .out_truncated = r->compile.stage.stdout_truncated,
                .err_truncated = r->compile.stage.stderr_truncated,
        };
        struct err e = { 0 };

        if (r->compile.keyed && cache_put(r->pool->cache, &r->compile.key, &content, &e) < 0)
                log_warn(&r->pool->log, "the compile cache: %s", e.text);
}

/* What the first sandbox has left is kept, the rest is made ready for the second. */
static void keep_artifacts(struct run *r, struct file_span *files, size_t n)
{
        struct compile *c = &r->compile;

        run_compile_fill(r);
        c->captured_out = r->out;
        c->captured_err = r->err;
        r->out = r->err = (struct capture){ 0 };
        run_io_fini(r);
        c->collector = r->collector;
        r->collector = NULL;
        c->artifacts = files;
        c->n_artifacts = n;
        enter_run_stage(r);
        r->retried = false;
        r->killed_us = 0;
}

void run_compile_collected(struct run *r)
{
        struct language *l = r->language;
        struct slot *slot = r->slot;
        bool discard = r->discard;
        size_t n;
        struct file_span *files = collector_files(r->collector, &n);

        if (collector_is_broken(r->collector) && r->reason == KILL_NONE)
                r->reason = KILL_FAULT;
        if (r->reason != KILL_NONE || !r->session) {
                run_finish(r);
                return;
        }
        const char *fault = artifacts_fault(r, files, n);
        if (fault) {
                say(r, fault);
                run_finish(r);
                return;
        }
        run_io_stop(r);
        keep_artifacts(r, files, n);
        store(r);

        slot->freed_us = clock_us();
        r->slot = NULL;
        r->discard = false;
        r->state = RUN_QUEUED;
        run_weigh(r);
        if (run_limits_wait(r) < 0)
                run_refuse_failed(r, RUN_NO_DEADLINE);
        else
                queue_next_stage(&r->pool->queue, &r->queued, slot->freed_us - r->started_us, r->held);
        language_recycle(l, slot, discard);
}
