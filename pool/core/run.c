/* The life of a run: see run.h. */
#include "pool/core/run.h"

#include "pool/base/invariant.h"
#include "pool/core/run_parts.h"
#include "pool/link/slot.h"
#include "pool/link/zygote.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- its slot */

/* Lets the slot go; the run does not touch it afterwards. */
static struct slot *let_go(struct run *r)
{
        struct slot *slot = r->slot;

        run_io_stop(r);
        run_limits_stop(r);
        r->slot = NULL;
        r->state = RUN_NONE;
        return slot;
}

bool run_is_getting_ready(const struct run *r)
{
        return r->state == RUN_LIMITING || r->state == RUN_CLEARING || r->state == RUN_MAKING;
}

void run_give_back(struct run *r)
{
        bool replaces = r->state == RUN_CLEARING || r->state == RUN_MAKING;
        struct slot *slot = let_go(r);

        if (replaces) /* another sandbox is ordered already: it goes into an empty slot */
                slot_desert(slot);
        else
                slot_return(slot);
}

static void fail(struct run *r, enum run_failure failure, const char *why)
{
        let_go(r);
        r->ops->failed(r, failure, why);
}

/* ---------------------------------------------------------------- handing over */

/* If a program is usually translated in its own run, the compiler's output comes before the program's. So does the
 * compiler's output of a separate compile step. */
static int capture_said(struct run *r, struct err *e)
{
        const struct run_task *t = &r->task;

        int rc = capture_put(&r->out, t->said_out.data, t->said_out.len, e);
        return rc < 0 ? rc
                      : capture_put(t->submission.merge_stderr ? &r->out : &r->err, t->said_err.data, t->said_err.len,
                                    e);
}

static void hand_over(struct run *r)
{
        struct err e = { 0 };

        r->out.limit = r->err.limit = (size_t)r->task.limit[LIMIT_OUTPUT];
        int rc = run_job_build(r, &e);
        if (rc == 0 && !r->task.streams)
                rc = capture_said(r, &e);
        if (rc == 0)
                rc = run_io_prepare(r, &e);
        if (rc < 0) {
                log_error(r->host->log, "%s", e.text);
                slot_return(let_go(r));
                r->ops->failed(r, RUN_NO_MEMORY, e.text);
                return;
        }
        r->state = RUN_RUNNING;
        r->handed_us = clock_us();
        r->warm_us = r->handed_us - r->slot->warm_us;
        r->ops->weighs(r);
        r->ops->began(r);
        run_io_start(r);
        if (r->reason == KILL_NONE) /* otherwise the run is ending already */
                run_limits_start(r);
}

static void set_limits(struct slot *slot, const int64_t *limit)
{
        slot->memory_bytes = limit[LIMIT_MEMORY];
        slot->disk_bytes = limit[LIMIT_DISK];
        slot->pids = limit[LIMIT_PIDS];
}

void run_begin(struct run *r, struct slot *slot, const struct run_task *task)
{
        const int64_t *limit = task->limit;

        INVARIANT(r->state == RUN_NONE && !r->slot, "slot %u is given to a run that has one", slot->number);
        run_fini(r);
        r->task = *task;
        r->slot = slot;
        r->handed_us = r->fed_us = r->killed_us = r->exited_us = r->drained_us = r->over_us = 0;
        r->reason = KILL_NONE;
        r->untranslated = r->discard = r->full = r->said = false;
        slot_hold(slot, &r->holder);
        if (task->submission.has_terminal) {
                r->state = RUN_CLEARING;
                slot_order(slot, ORDER_KILL, -1);
                return;
        }
        if (slot->memory_bytes == limit[LIMIT_MEMORY] && slot->disk_bytes == limit[LIMIT_DISK] &&
            slot->pids == limit[LIMIT_PIDS]) {
                hand_over(r);
                return;
        }
        r->state = RUN_LIMITING;
        set_limits(slot, limit);
        slot_order(slot, ORDER_LIMIT, -1);
}

static void on_limited(struct slot_holder *h)
{
        struct run *r = (struct run *)h;

        INVARIANT(r->state == RUN_LIMITING, "a run in state %d has its limits set", (int)r->state);
        hand_over(r);
}

static void on_remade(struct slot_holder *h)
{
        struct run *r = (struct run *)h;

        INVARIANT(r->state == RUN_MAKING, "a run in state %d gets a sandbox", (int)r->state);
        hand_over(r);
}

/* ---------------------------------------------------------------- what is done to it */

void run_resize(struct run *r, const struct terminal_size *size)
{
        r->task.submission.terminal = *size;
        if (r->state == RUN_RUNNING)
                run_io_resize(r);
}

int run_signal(struct run *r, int number)
{
        if (r->state != RUN_RUNNING || r->reason != KILL_NONE || !feed_is_done(&r->job))
                return -ESRCH;
        r->slot->signal = number;
        slot_order(r->slot, ORDER_SIGNAL, -1);
        return 0;
}

static void give_up(struct run *r)
{
        log_error(r->host->log, "%s: the sandbox in slot %u does not die", r->task.language, r->slot->number);
        slot_desert(r->slot);
        fail(r, RUN_IMMORTAL, "it does not die");
}

/* ---------------------------------------------------------------- its end */

/* The owner answers first. The slot's teardown comes afterwards, since no request waits for it. */
static void end(struct run *r)
{
        bool discard = r->discard;

        r->over_us = r->collector ? clock_us() : r->drained_us;
        struct slot *slot = let_go(r);
        slot->freed_us = r->over_us;
        r->ops->ended(r);
        slot_recycle(slot, discard);
}

bool run_abandon(struct run *r)
{
        switch (r->state) {
        case RUN_NONE:
                return true;
        case RUN_LIMITING:
        case RUN_CLEARING:
        case RUN_MAKING:
                run_give_back(r);
                return true;
        case RUN_RUNNING:
                run_kill(r, KILL_GONE);
                return false;
        case RUN_ENDING:
                return false;
        case RUN_COLLECTING:
                break;
        }
        end(r); /* init still sends files; it finds the socket closed, and stops */
        return false;
}

static void on_collected(void *arg)
{
        struct run *r = arg;

        if (collector_is_broken(r->collector)) {
                log_warn(r->host->log, "%s: collecting files from slot %u failed", r->task.language, r->slot->number);
                r->discard = true;
        }
        end(r);
}

static int collect(struct run *r, struct collector_task *task, bool changed_only, struct err *e)
{
        OWN_MEM struct file_span *given = NULL;
        int theirs;

        if (changed_only) {
                task->given = given = run_job_files(r, &task->n_given);
                if (!given)
                        return err_say(e, ENOMEM, "no memory to tell files that have changed from others");
        }
        int rc = collector_new(&r->collector, r->host->base, task, on_collected, r, &theirs, e);
        if (rc < 0)
                return rc;
        r->state = RUN_COLLECTING;
        slot_order(r->slot, ORDER_COLLECT, theirs);
        close(theirs);
        return 0;
}

static void drained(struct run *r)
{
        struct collector_task task = { 0 };
        bool changed_only = false;
        struct err e = { 0 };

        r->drained_us = clock_us();
        run_limits_stop(r);
        /* The result must be the same whether the pool saw the excess before or after the program's end. */
        if (!run_truncates(r) && (run_is_over(r, false) || run_is_over(r, true)))
                run_kill(r, KILL_OUTPUT);
        if (r->reason != KILL_FAULT && r->ops->wants_files(r, &task, &changed_only) && !r->discard) {
                if (collect(r, &task, changed_only, &e) == 0)
                        return;
                log_error(r->host->log, "%s", e.text);
                r->reason = KILL_FAULT;
        }
        end(r);
}

static void unstarted(struct run *r, const char *why, const struct report *report)
{
        struct slot *slot = let_go(r);

        log_warn(r->host->log, "%s: the sandbox in slot %u died before it had its job (wait status 0x%x)",
                 r->task.language, slot->number, (unsigned)report->exited.wait_status);
        r->ops->unstarted(r, true, why);
        slot_recycle(slot, report->exited.unproved);
}

/* The unwanted sandbox is dead, so another one is made. */
static void make(struct run *r, const struct report *report)
{
        if (report->exited.unproved) {
                struct slot *slot = let_go(r);
                r->ops->unstarted(r, false, "the slot's last sandbox is not proved dead");
                slot_recycle(slot, true);
                return;
        }
        r->state = RUN_MAKING;
        set_limits(r->slot, r->task.limit);
        slot_remake(r->slot);
}

static void job_failed(struct run *r, const struct job_failure *failure)
{
        bool discard = r->discard;
        struct slot *slot = let_go(r);

        r->ops->job_failed(r, failure);
        slot_recycle(slot, discard);
}

static bool was_killed_from_outside(const struct run *r)
{
        const int ws = r->report.exited.wait_status;
        return r->discard && WIFSIGNALED(ws) && WTERMSIG(ws) == SIGKILL && r->report.exited.oom_kills == 0;
}

static void on_exited(struct slot_holder *h, const struct report *report)
{
        static const char early[] = "it died before it had its job";
        struct run *r = (struct run *)h;
        struct job_failure failure;

        if (r->state == RUN_CLEARING) {
                make(r, report);
                return;
        }
        if (run_is_getting_ready(r)) {
                unstarted(r, early, report);
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
        /* The status of a refusal is the main process's: without such a status there is no refusal, even if a sandbox
         * says so. */
        r->untranslated = told == JOB_TOLD_REFUSAL && r->reason == KILL_NONE && WIFEXITED(report->exited.wait_status) &&
                          WEXITSTATUS(report->exited.wait_status) != 0;
        if (r->reason == KILL_NONE && !feed_is_done(&r->job) && report->exited.oom_kills == 0) {
                unstarted(r, early, report);
                return;
        }
        run_io_end_input(r);
        if (r->reason == KILL_NONE && was_killed_from_outside(r))
                r->reason = KILL_FAULT; /* the run died with its init, not by the program */
        if (run_io_drain(r))
                drained(r);
        else
                run_limits_drain(r);
}

static void on_failed(struct slot_holder *h, const char *why)
{
        struct run *r = (struct run *)h;

        if (!run_is_getting_ready(r)) {
                fail(r, RUN_SLOT_FAILED, why);
                return;
        }
        let_go(r);
        r->ops->unstarted(r, false, why);
}

static void on_lost(struct slot_holder *h)
{
        fail((struct run *)h, RUN_ZYGOTE_LOST, "its zygote is gone");
}

static void on_goes_on(struct slot_holder *h)
{
        struct run *r = (struct run *)h;
        r->ops->goes_on(r);
}

/* ---------------------------------------------------------------- beginning and end of the struct */

static const struct slot_holder_ops holder_ops = {
        .limited = on_limited,
        .remade = on_remade,
        .exited = on_exited,
        .failed = on_failed,
        .lost = on_lost,
        .goes_on = on_goes_on,
};

int run_init(struct run *r, struct run_host *host, const struct run_ops *ops)
{
        static const struct run_life life = { .drained = drained, .immortal = give_up };

        r->holder.ops = &holder_ops;
        r->life = &life;
        r->ops = ops;
        r->host = host;
        return run_limits_init(r);
}

void run_fini(struct run *r)
{
        INVARIANT(r->state == RUN_NONE, "a run in state %d is freed", (int)r->state);
        run_limits_stop(r);
        collector_free(r->collector);
        r->collector = NULL;
        run_job_fini(r);
        capture_fini(&r->out);
        capture_fini(&r->err);
        r->told[0] = r->told[1] = 0;
}

void run_forget_job(struct run *r)
{
        run_job_fini(r);
        r->task.submission = (struct submission){ .merge_stderr = r->task.submission.merge_stderr };
        r->task.artifacts = NULL;
        r->task.n_artifacts = 0;
}

uint64_t run_weight(const struct run *r)
{
        return r->out.room + r->err.room + run_job_weight(r) + (r->collector ? collector_weight(r->collector) : 0);
}
