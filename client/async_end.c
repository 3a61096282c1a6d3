/* Ends calls that have no answer, and sends refused calls again. The code that finds a failure only notes it; the
 * dispatch reports it. So no function calls back before it returns. */
#include "client/async_parts.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_AGO_US = 0 }; /* the deadline in the frame is that of the first sending */

/* ---------------------------------------------------------------- reasons */

struct reason *reason_new(const struct err *why, const struct hatchery_refusal *refusal)
{
        struct reason *r = calloc(1, sizeof *r);
        if (!r)
                return NULL;
        r->holders = 1;
        r->error = *why;
        if (refusal) {
                r->has_refusal = true;
                r->refusal = *refusal;
                snprintf(r->message, sizeof r->message, "%s", refusal->message);
                r->refusal.message = r->message;
        }
        return r;
}

void reason_drop(struct reason *r)
{
        if (r && --r->holders == 0)
                free(r);
}

/* ---------------------------------------------------------------- failures */

void end_fail(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, struct reason *reason)
{
        struct hatchery_client *c = call->client;

        if (call->state == CALL_FAILED || call->state == CALL_OVER)
                return;
        call->may_have_run = may_have_run;
        if (queue_withdraw(c, call)) {
                /* The rest of the request is still sent, so its program would run although no caller waits. */
                call_send_cancel(call);
                call->may_have_run = call->kind == REQUEST_EXECUTE;
        }
        index_due(c, call, INT64_MAX);
        stream_not_hungry(call);
        call->state = CALL_FAILED;
        call->failure = kind;
        call->reason = reason;
        if (reason)
                reason->holders++;
        TAILQ_REMOVE(&c->calls, call, link);
        TAILQ_INSERT_TAIL(&c->failed, call, link);
        client_wake(c);
}

void end_fail_say(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, int code,
                  const char *sentence)
{
        struct err why = { 0 };
        err_say(&why, code, "%s", sentence);
        struct reason *reason = reason_new(&why, NULL);
        end_fail(call, kind, may_have_run, reason);
        reason_drop(reason);
}

static void tell(struct hatchery_call *call)
{
        struct hatchery_failure failure = { .kind = call->failure, .may_have_run = call->may_have_run };

        if (call->reason) {
                failure.error = call->reason->error;
                failure.has_refusal = call->reason->has_refusal;
                failure.refusal = call->reason->refusal;
        } else {
                err_say(&failure.error, ENOMEM, "the request failed, and there was no memory to say why");
        }
        call_leave(call);
        if (call->target == 0 && call->ops->failed)
                call->ops->failed(call->data, call, &failure);
        call_free(call);
}

/* Calls that fail during this loop join the list behind the last one, and the next dispatch reports them. Otherwise a
 * user who sends again at once could keep this dispatch busy for ever. */
void end_tell(struct hatchery_client *c)
{
        struct hatchery_call *call;
        size_t n = 0;

        TAILQ_FOREACH(call, &c->failed, link)
        n++;
        for (; n > 0 && !c->freed && (call = TAILQ_FIRST(&c->failed)); n--)
                tell(call);
}

/* ---------------------------------------------------------------- another sending */

/* Adds up to a quarter at random, so that calls that were refused together do not come back together. */
static int64_t spread(const struct hatchery_call *call, uint64_t ms)
{
        const uint64_t most_ms = 24ULL * 3600 * 1000;
        const uint64_t us = (ms < most_ms ? ms : most_ms) * 1000;
        const uint64_t part = (call->id * 2654435761U ^ (uint64_t)clock_us()) % 256;
        return (int64_t)(us + us / 1024 * part);
}

bool end_retries(struct hatchery_call *call, const struct hatchery_refusal *r)
{
        const bool refused = r->code == hatchery_v1_Error_Code_RESOURCE_EXHAUSTED;
        const bool lost = r->code == hatchery_v1_Error_Code_UNAVAILABLE;

        if (r->retry_after_ms == 0 || call->cancelled || call->begun || !call->kept)
                return false;
        if (!(refused && call->retry >= HATCHERY_RETRY_REFUSED) && !(lost && call->retry >= HATCHERY_RETRY_LOST))
                return false;
        int64_t retry_us = clock_us() + spread(call, r->retry_after_ms);
        if (call->deadline_us != 0 && retry_us >= call->deadline_us)
                return false; /* a second sending would come too late: this refusal is the answer */

        call->state = CALL_RESTS;
        call->retry_us = retry_us;
        call->ran |= lost;
        queue_withdraw(call->client, call);
        stream_unlist(call);
        stream_reset(call);
        end_schedule(call);
        return true;
}

static void send_again(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;

        if (call->only_connected && !connection_takes(c)) {
                end_fail_say(call, HATCHERY_NOT_CONNECTED, call->ran, ENOTCONN,
                             "there is no connection on which the request could be sent again");
                return;
        }
        uint8_t *frame = call->kept;
        call->kept = NULL;
        call->state = CALL_QUEUED;
        if (queue_put(c, call, true, frame, call->kept_len, LONG_AGO_US) < 0)
                end_fail_say(call, HATCHERY_NOT_CONNECTED, call->ran, ENOMEM,
                             "there was no memory to send the request again");
        else
                end_schedule(call);
        stream_list_hungry(call);
}

/* ---------------------------------------------------------------- times */

void end_schedule(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;
        int64_t due_us = call->deadline_us ? call->deadline_us : INT64_MAX;

        /* The server itself reports when an Execute's deadline has passed. */
        if (call->state == CALL_SENT && call->kind == REQUEST_EXECUTE && call->deadline_us)
                due_us += (int64_t)c->config.grace_ms * 1000;
        if (call->state == CALL_RESTS && call->retry_us < due_us)
                due_us = call->retry_us;
        index_due(c, call, due_us);
        client_wake(c);
}

/* A server that missed the deadline, and has sent nothing at all since then, counts as dead. */
static void expire_sent(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;
        const bool runs = call->kind == REQUEST_EXECUTE;
        const bool silent = runs && c->connection == CONNECTION_UP && c->heard_us < call->deadline_us;

        call_send_cancel(call);
        end_fail_say(call, HATCHERY_DEADLINE, runs, ETIMEDOUT,
                     "the deadline has passed, and the server has not answered");
        if (!silent)
                return;
        struct err why = { 0 };
        err_say(&why, ETIMEDOUT, "the server has said nothing since a request's deadline");
        connection_lost(c, HATCHERY_LOST, &why, NULL);
}

void end_expire(struct hatchery_client *c, int64_t now_us)
{
        struct hatchery_call *call;

        while (!c->freed && (call = index_first_due(c)) && call->due_us <= now_us) {
                if (call->state == CALL_SENT)
                        expire_sent(call);
                else if (call->deadline_us != 0 && call->deadline_us <= now_us)
                        end_fail_say(call, HATCHERY_DEADLINE, call->ran, ETIMEDOUT,
                                     "the deadline has passed before the request could be sent");
                else
                        send_again(call);
        }
}
