/* Requests to the pool that are no runs: its status, and cancelling a run by its id. See run.h. */
#include "gateway/run_parts.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>

static const struct hatchery_call_options ask_options = { .deadline_us = RUN_ASK_US };

static void lacks_memory(struct failure *why)
{
        failure_set(why, 503, "RESOURCE_EXHAUSTED", "this server has no memory for the request; send it again later");
        why->retry_after_ms = RUN_RETRY_MS;
}

/* ---------------------------------------------------------------- status */

static void asker_gone(void *data)
{
        struct asker *asker = data;

        TAILQ_REMOVE(&asker->all->askers, asker, link);
        free(asker);
}

/* Tells only the exchanges that wait now. If `told` asks anew, its exchange joins the end of the list, and waits. */
static void tell_all(struct runs *all, const struct hatchery_answer *status, const struct failure *why)
{
        struct asker *asker;
        size_t n = 0;

        TAILQ_FOREACH(asker, &all->askers, link)
        n++;
        for (; n > 0 && (asker = TAILQ_FIRST(&all->askers)); n--) {
                struct asker told = *asker;
                asker_gone(asker);
                exchange_on_gone(told.x, NULL, NULL);
                told.told(told.x, told.data, status, why);
        }
}

static void status_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct runs *all = data;
        struct hatchery_refusal refusal;
        struct failure why;

        (void)call;
        all->is_asking = false;
        ask_leave(&all->status_ask);
        if (a->answer.m.which_answer == hatchery_v1_ServerMessage_status_tag) {
                hatchery_answer_fini(&all->status);
                hatchery_answer_move(&all->status, a);
                all->has_status = true;
                all->status_at_us = clock_us();
                tell_all(all, &all->status, NULL);
                return;
        }
        if (hatchery_refusal_of(a, &refusal))
                failure_of_refusal(&why, &refusal);
        else
                failure_of_oddity(&why);
        tell_all(all, NULL, &why);
}

static void status_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct runs *all = data;
        struct failure why;

        (void)call;
        all->is_asking = false;
        ask_leave(&all->status_ask);
        failure_of_loss(&why, f);
        tell_all(all, NULL, &why);
}

static int ask_status(struct runs *all, struct failure *why)
{
        static const struct hatchery_call_ops ops = { .answered = status_answered, .failed = status_failed };
        const struct request q = { .kind = REQUEST_STATUS };

        if (all->is_asking)
                return 0;
        struct line *line = line_for(all, 0, why);
        int r = line ? line_send(line, &all->status_ask, &q, &ask_options, &ops, all, why) : -ENOTCONN;
        all->is_asking = r == 0;
        return r;
}

void run_with_status(struct exchange *x,
                     void (*told)(struct exchange *x, void *data, const struct hatchery_answer *status,
                                  const struct failure *why),
                     void *data)
{
        struct runs *all = gateway_runs(exchange_gateway(x));
        struct failure why;

        if (all->has_status && clock_us() - all->status_at_us < RUN_STATUS_US) {
                told(x, data, &all->status, NULL);
                return;
        }
        struct asker *asker = calloc(1, sizeof *asker);
        if (!asker)
                lacks_memory(&why);
        if (!asker || ask_status(all, &why) < 0) {
                free(asker);
                told(x, data, NULL, &why);
                return;
        }
        *asker = (struct asker){ .all = all, .x = x, .told = told, .data = data };
        TAILQ_INSERT_TAIL(&all->askers, asker, link);
        exchange_on_gone(x, asker_gone, asker);
}

void status_fini(struct runs *all)
{
        struct asker *asker;

        while ((asker = TAILQ_FIRST(&all->askers))) {
                TAILQ_REMOVE(&all->askers, asker, link);
                free(asker);
        }
        hatchery_answer_fini(&all->status);
}

/* ---------------------------------------------------------------- cancelling */

struct cancelling {
        struct ask ask;
        struct exchange *x;
        void (*told)(struct exchange *x, bool found, const struct failure *why);
};

/* The request is not cancelled, because the run must end all the same. The request's answer will be dropped. */
static void canceller_gone(void *data)
{
        struct cancelling *c = data;
        c->x = NULL;
}

static void cancelling_drop(struct ask *a)
{
        free((char *)a - offsetof(struct cancelling, ask));
}

static void end_cancelling(struct cancelling *c, bool found, const struct failure *why)
{
        struct cancelling ended = *c;

        ask_leave(&c->ask);
        free(c);
        if (!ended.x)
                return;
        exchange_on_gone(ended.x, NULL, NULL);
        ended.told(ended.x, found, why);
}

static void cancel_answered(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct hatchery_refusal refusal;
        struct failure why;

        (void)call;
        if (a->answer.m.which_answer == hatchery_v1_ServerMessage_cancelled_tag) {
                end_cancelling(data, a->answer.m.answer.cancelled.found, NULL);
                return;
        }
        if (hatchery_refusal_of(a, &refusal))
                failure_of_refusal(&why, &refusal);
        else
                failure_of_oddity(&why);
        end_cancelling(data, false, &why);
}

static void cancel_failed(void *data, struct hatchery_call *call, const struct hatchery_failure *f)
{
        struct failure why;

        (void)call;
        failure_of_loss(&why, f);
        end_cancelling(data, false, &why);
}

int run_cancel_by_id(struct exchange *x, const char *id,
                     void (*told)(struct exchange *x, bool found, const struct failure *why), struct failure *why)
{
        static const struct hatchery_call_ops ops = { .answered = cancel_answered, .failed = cancel_failed };
        const struct request q = {
                .kind = REQUEST_CANCEL_RUN,
                .run_id = span_of_text(id),
                .has_on_behalf = true,
                .on_behalf = { .peer = exchange_peer(x), .trace = span_of_text(exchange_trace(x)) },
        };
        struct line *line = line_for(gateway_runs(exchange_gateway(x)), 0, why);
        if (!line)
                return -ENOTCONN;
        struct cancelling *c = calloc(1, sizeof *c);
        if (!c) {
                lacks_memory(why);
                return -ENOMEM;
        }
        c->ask.drop = cancelling_drop;
        c->x = x;
        c->told = told;
        int r = line_send(line, &c->ask, &q, &ask_options, &ops, c, why);
        if (r < 0) {
                free(c);
                return r;
        }
        exchange_on_gone(x, canceller_gone, c);
        return 0;
}
