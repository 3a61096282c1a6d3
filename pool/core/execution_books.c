/* The books of executions: their memory and counts, the list of all, the deadline of a waiting one. */
#include "pool/base/invariant.h"
#include "pool/core/execution_parts.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- one */

static void free_submission(struct submission *s)
{
        free(s->files);
        free(s->args);
        free(s->env);
        free(s->globs);
        free(s->compile_flags);
        free(s->interpreter_args);
        *s = (struct submission){ 0 };
}

/* Takes the execution off the list, so that no walk reaches it. */
static void leave_list(struct execution *x)
{
        for (struct walk *w = x->core->walks; w; w = w->outer)
                if (w->next == x)
                        w->next = TAILQ_NEXT(x, link);
        TAILQ_REMOVE(&x->core->executions, x, link);
}

void execution_free(struct execution *x)
{
        struct core *c = x->core;

        leave_list(x);
        queue_leave(&c->sched.queue, &x->queued, x->started_us ? clock_us() - x->started_us : 0);
        timer_stop(&x->deadline);
        run_fini(&x->run);
        compile_fini(&x->compile);
        live_input_fini(&x->live);
        free_submission(&x->submission);
        free(x->payload.buffer);
        budget_set(c->memory, &x->held, 0);
        INVARIANT(x->language->n_executions > 0 && c->host.running > 0,
                  "an execution ends, but the count of executions is 0");
        x->language->n_executions--;
        free(x);
        c->host.running--;
        if (c->draining)
                c->ops->progress(c->owner);
}

void execution_forget_job(struct execution *x)
{
        const uint64_t deadline_us = x->submission.deadline_us;

        run_forget_job(&x->run);
        free_submission(&x->submission);
        x->submission.deadline_us = deadline_us;
        free(x->payload.buffer);
        x->payload = (struct payload){ 0 };
}

void execution_weigh(struct execution *x)
{
        const struct submission *s = &x->submission;
        uint64_t bytes = sizeof *x + x->payload.len + s->n_files * sizeof *s->files + s->n_args * sizeof *s->args +
                         s->n_env * sizeof *s->env +
                         (s->n_globs + s->n_compile_flags + s->n_interpreter_args) * sizeof *s->globs;

        bytes += run_weight(&x->run) + compile_weight(&x->compile) + live_input_held(&x->live);
        budget_set(x->core->memory, &x->held, bytes);
}

int execution_await(struct execution *x)
{
        x->state = EXECUTION_WAITING;
        if (!x->deadline_us)
                return 0;
        if (timer_set(&x->deadline, x->deadline_us - clock_us()) == 0)
                return 0;
        log_error(x->core->host.log, "%s: a timer of a run can't be set", x->language->name);
        return -ENOMEM;
}

/* ---------------------------------------------------------------- all of them */

void walk_begin(struct walk *w, struct core *c)
{
        *w = (struct walk){ .core = c, .next = TAILQ_FIRST(&c->executions), .outer = c->walks };
        c->walks = w;
}

struct execution *walk_next(struct walk *w)
{
        struct execution *x = w->next;
        if (x)
                w->next = TAILQ_NEXT(x, link);
        return x;
}

void walk_end(struct walk *w)
{
        w->core->walks = w->outer;
}
