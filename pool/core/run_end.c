/* The end of a run: what its pipes still hold, its files, its answer, its slot. */
#include "pool/base/invariant.h"
#include "pool/core/collector.h"
#include "pool/core/run_answer.h"
#include "pool/core/run_io.h"
#include "pool/core/run_parts.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program's end is the death of its main process, as the zygote saw it, or the order to kill it. */
static int64_t end_of_program(const struct run *r)
{
        int64_t ended_us = r->report.exited.ended_us;
        return r->killed_us && r->killed_us < ended_us ? r->killed_us : ended_us;
}

/* Of what was not run there is only the waiting: the rest is the compile stage's. */
static void count_stages(struct run *r, int64_t now_us)
{
        const int64_t end_us[STAGES_OF_RUN] = {
                [STAGE_QUEUE] = r->started_us, [STAGE_DISPATCH] = r->fed_us, [STAGE_RUN] = end_of_program(r),
                [STAGE_DRAIN] = r->drained_us, [STAGE_COLLECT] = now_us,
        };
        struct stats *stats = &r->language->stats;
        if (r->stage == JOB_COMPILE || r->refused) {
                r->took_us[STAGE_QUEUE] = (uint64_t)(r->started_us - r->began_us);
                r->compile.stage.compile_us = (uint64_t)(now_us - r->started_us);
                stats_compiled(stats, r->compile.stage.compile_us);
                return;
        }
        if (r->compile.done && !r->compile.stage.cached)
                stats_compiled(stats, r->compile.stage.compile_us);
        stages_of_run(r->began_us, end_us, r->took_us);
        stats_run_stages(stats, r->took_us, r->collector != NULL);
}

/* The answer first, the slot's teardown afterwards: nobody waits for that. */
void run_finish(struct run *r)
{
        struct language *l = r->language;
        struct slot *slot = r->slot;
        bool discard = r->discard;

        int64_t now = r->collector ? clock_us() : r->drained_us;

        run_io_stop(r);
        count_stages(r, now);
        slot->freed_us = now;
        if (r->session && (r->reason == KILL_SHUTDOWN || r->reason == KILL_FAULT))
                run_answer_lost(r);
        else if (r->session && (r->stage == JOB_COMPILE || r->refused))
                run_answer_untranslated(r);
        else if (r->session)
                run_answer_result(r);
        run_compile_remember(r);
        stats_run_ended(&l->stats, now, language_busy(l) > 1 || l->lane.count > 0);
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
        if (r->stage == JOB_COMPILE)
                run_compile_collected(r);
        else
                run_finish(r);
}

static void collect(struct run *r)
{
        const struct config *c = &r->pool->config;
        struct span artifacts[COMPILE_MAX_PATTERNS];
        struct collector_task task = {
                .globs = r->request.execute.globs,
                .n_globs = r->request.execute.n_globs,
                .max_files = r->plan.collect_files,
                .max_bytes = r->plan.collect_bytes,
                .max_us = c->collect_us,
        };
        if (r->stage == JOB_COMPILE) {
                task.globs = artifacts;
                task.n_globs = compile_patterns(&r->language->compile, artifacts);
                task.max_files = COMPILE_MAX_ARTIFACTS;
                task.max_bytes = COMPILE_MAX_BYTES;
        }
        OWN_MEM struct file_span *given = NULL;
        struct err e = { 0 };
        int theirs;

        bool changed_only = r->stage != JOB_COMPILE && r->request.execute.collect_changed_only;
        if (changed_only)
                task.given = given = run_io_given(r, &task.n_given);
        if (changed_only && !given) {
                log_error(&r->pool->log, "no memory to tell files that have changed from others");
                r->reason = KILL_FAULT;
                run_finish(r);
                return;
        }
        if (collector_new(&r->collector, r->pool->base, &task, on_collected, r, &theirs, &e) < 0) {
                log_error(&r->pool->log, "%s", e.text);
                r->reason = KILL_FAULT;
                run_finish(r);
                return;
        }
        r->state = RUN_COLLECTING;
        language_order(r->language, r->slot, ORDER_COLLECT, theirs);
        close(theirs);
}

void run_drained(struct run *r)
{
        r->drained_us = clock_us();
        run_limits_stop(r);
        /* Whether the pool saw the excess before or after the program's end must make no difference. */
        if (!run_truncates(r) && (capture_is_over(&r->out) || capture_is_over(&r->err)))
                run_kill(r, KILL_OUTPUT);

        bool answered = r->session && r->reason != KILL_CANCELLED && r->reason != KILL_SHUTDOWN;
        bool wanted =
                r->stage == JOB_COMPILE ? run_compile_succeeded(r) : r->request.execute.n_globs > 0 && !r->refused;
        if (answered && wanted && !r->discard && r->reason != KILL_FAULT) {
                collect(r);
                return;
        }
        if (r->stage == JOB_COMPILE && wanted && r->discard && r->reason == KILL_NONE)
                r->reason = KILL_FAULT; /* its artifacts are out of reach */
        run_finish(r);
}

void run_output_ended(struct run *r)
{
        if (r->state == RUN_ENDING && r->slot->fd[WARM_STDOUT] < 0 && r->slot->fd[WARM_STDERR] < 0)
                run_drained(r);
}

/* It died before it had its whole job, so no program was started. The slot goes its way, the run waits for another. */
static void died_without_job(struct run *r, const struct report *report)
{
        struct slot *slot = r->slot;
        struct language *l = r->language;

        log_warn(&r->pool->log, "%s: the sandbox in slot %u died before it had its job (wait status 0x%x)", l->name,
                 slot->number, (unsigned)report->exited.wait_status);
        l->stats.failures++;
        run_wait_again(r, "it died before it had its job");
        language_recycle(l, slot, report->exited.unproved);
}

/* The sandbox says that it could not lay out its job. */
static void job_failed(struct run *r, const struct job_failure *failure)
{
        struct slot *slot = r->slot;
        struct language *l = r->language;
        bool discard = r->discard;

        run_io_stop(r);
        if (r->session)
                run_answer_failure(r, failure);
        run_free(r);
        language_recycle(l, slot, discard);
}

void run_exited(struct run *r, const struct report *report)
{
        struct job_failure failure;

        if (r->state == RUN_LIMITING) {
                died_without_job(r, report);
                return;
        }
        INVARIANT(r->state == RUN_RUNNING, "a run in state %d ends", (int)r->state);
        r->state = RUN_ENDING;
        r->exited_us = clock_us();
        r->report = *report;
        r->discard = report->exited.unproved;
        run_limits_stop(r);
        enum job_told told = run_io_exited(r, &failure);
        if (told == JOB_TOLD_FAILURE && r->reason == KILL_NONE) {
                job_failed(r, &failure);
                return;
        }
        /* Its status is that of the main process: without one there is no refusal, whatever was told. */
        r->refused = told == JOB_TOLD_REFUSAL && r->reason == KILL_NONE && WIFEXITED(report->exited.wait_status) &&
                     WEXITSTATUS(report->exited.wait_status) != 0;
        if (r->reason == KILL_NONE && !feed_is_done(&r->job) && report->exited.oom_kills == 0) {
                run_io_stop(r);
                run_io_fini(r);
                died_without_job(r, report);
                return;
        }
        if (r->reason == KILL_NONE && r->discard && WIFSIGNALED(report->exited.wait_status) &&
            WTERMSIG(report->exited.wait_status) == SIGKILL && report->exited.oom_kills == 0)
                r->reason = KILL_FAULT; /* its init died and took it along: no deed of the program's */
        if (run_io_drain(r))
                run_drained(r);
        else
                run_limits_drain(r);
}
