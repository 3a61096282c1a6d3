/* Whatever ends a run before its time: limits, Cancel, its client's end, the server's, the loss of its sandbox. */
#include "pool/core/run_io.h"
#include "pool/core/run_parts.h"
#include "pool/sched/language.h"
#include "pool/state.h"
#include "proto/base/clock.h"

enum { RETRY_MS = 1000 };

void run_kill(struct run *r, enum kill_reason reason)
{
        if (r->reason != KILL_NONE)
                return; /* the first reason counts, and the order is on its way */
        r->reason = reason;
        if (r->state != RUN_RUNNING)
                return;
        r->killed_us = clock_us();
        language_order(r->language, r->slot, ORDER_KILL, -1);
        run_limits_await_death(r);
}

/* Its program runs, or is yet to run: what the compile stage leaves is being looked at. */
static bool may_be_ended(const struct run *r)
{
        return r->state == RUN_RUNNING ||
               (r->stage == JOB_COMPILE && (r->state == RUN_ENDING || r->state == RUN_COLLECTING));
}

void run_cancel(struct run *r)
{
        struct refusal refusal;

        if (may_be_ended(r))
                run_kill(r, KILL_CANCELLED);
        if (r->state != RUN_QUEUED && r->state != RUN_LIMITING)
                return; /* its end has come already, and its answer is on its way */
        if (r->state == RUN_LIMITING)
                run_give_slot_back(r);
        refuse(&refusal, REFUSAL_CANCELLED, "the request was cancelled before its program was started");
        run_refuse(r, &refusal);
}

void run_abandon(struct run *r)
{
        run_leave_session(r);
        switch (r->state) {
        case RUN_LIMITING:
                run_give_slot_back(r);
                run_free(r);
                break;
        case RUN_QUEUED:
                run_free(r);
                break;
        case RUN_RUNNING:
                run_kill(r, KILL_GONE);
                break;
        case RUN_ENDING:
                break;
        case RUN_COLLECTING:
                run_finish(r); /* init, still busy with its files, finds nobody who listens and stops */
                break;
        }
}

void run_shut_down(struct run *r)
{
        struct refusal refusal;

        if (may_be_ended(r))
                run_kill(r, KILL_SHUTDOWN);
        if (r->state != RUN_QUEUED && r->state != RUN_LIMITING)
                return;
        if (r->state == RUN_LIMITING)
                run_give_slot_back(r);
        refuse(&refusal, REFUSAL_UNAVAILABLE,
               "the server shuts down, and the request's turn did not come; send it again later");
        refusal.retry_after_ms = RETRY_MS;
        run_refuse(r, &refusal);
}

void run_language_gone(struct run *r)
{
        struct refusal refusal;

        if (r->state != RUN_QUEUED)
                return;
        refuse(&refusal, REFUSAL_NOT_FOUND, "the language %s has just been taken out of this server",
               r->language->name);
        run_refuse(r, &refusal);
}

void run_zygote_lost(struct run *r)
{
        struct refusal refusal;

        if (r->state != RUN_LIMITING)
                run_io_stop(r);
        r->slot = NULL;
        r->language->stats.failures++;
        refuse(&refusal, REFUSAL_UNAVAILABLE,
               "the language is being restarted, and the run was lost with it; send it again");
        refusal.retry_after_ms = RETRY_MS;
        run_refuse(r, &refusal);
}

/* The language has counted this failure. */
void run_slot_failed(struct run *r, const char *why)
{
        struct refusal refusal;

        if (r->state == RUN_LIMITING) {
                run_wait_again(r, why);
                return;
        }
        run_io_stop(r);
        r->slot = NULL;
        refuse(&refusal, REFUSAL_INTERNAL, "the sandbox failed during the run: %s; try again, and tell the operator",
               why);
        run_refuse(r, &refusal);
}
