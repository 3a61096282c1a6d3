/* Calls: sent, cancelled, abandoned. See async.h. */
#include "client/async_parts.h"
#include "client/outframe.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <stdlib.h>

static const struct hatchery_call_ops no_ops = { 0 };
static const struct hatchery_call_options no_options = { 0 };

/* ---------------------------------------------------------------- the end of one */

void call_leave(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;

        queue_withdraw(c, call);
        stream_not_hungry(call);
        index_remove(c, call);
        TAILQ_REMOVE(call->state == CALL_FAILED ? &c->failed : &c->calls, call, link);
        call->state = CALL_OVER;
}

void call_free(struct hatchery_call *call)
{
        if (call->state != CALL_OVER)
                call_leave(call);
        reason_drop(call->reason);
        free(call->kept);
        free(call);
}

/* ---------------------------------------------------------------- sent */

static int check(struct hatchery_client *c, const struct request *q, const struct hatchery_call_options *options,
                 struct err *e)
{
        if (!request_is_answered(q->kind))
                return err_say(e, EINVAL,
                               "a request of a kind that has no answer is sent by the functions of its call");
        if (c->connection == CONNECTION_OVER || (options->only_connected && !connection_takes(c)))
                return err_say(e, ENOTCONN, "there is no connection to %s", c->address);
        if (c->n_calls < c->config.max_calls && c->unsent < c->config.max_unsent)
                return 0;
        c->told_full = true;
        return HATCHERY_FULL;
}

static struct hatchery_call *new_call(struct hatchery_client *c, const struct request *q,
                                      const struct hatchery_call_options *options, const struct hatchery_call_ops *ops,
                                      void *data)
{
        struct hatchery_call *call = calloc(1, sizeof *call);
        if (!call)
                return NULL;
        call->client = c;
        call->id = c->last_id + 1;
        call->kind = q->kind;
        call->ops = ops ? ops : &no_ops;
        call->data = data;
        call->retry = options->retry;
        call->only_connected = options->only_connected;
        call->manual_credit = options->manual_credit;
        call->window = options->window > WIRE_FIRST_CREDIT ? options->window : WIRE_FIRST_CREDIT;
        if (q->kind == REQUEST_EXECUTE) {
                call->stream = q->execute.stream;
                call->live_input = q->execute.live_input;
                call->has_terminal = q->execute.has_terminal;
        }
        stream_reset(call);
        LIST_INIT(&call->waiting);
        return call;
}

/* Puts the call into the lists, and its request into the queue. Takes ownership of frame. */
static int enter(struct hatchery_call *call, uint8_t *frame, size_t len, int64_t now_us)
{
        struct hatchery_client *c = call->client;
        int r = index_insert(c, call);
        if (r < 0) {
                free(frame);
                call->state = CALL_OVER;
                return r;
        }
        c->last_id = call->id;
        TAILQ_INSERT_TAIL(&c->calls, call, link);
        r = queue_put(c, call, true, frame, len, now_us);
        if (r == 0)
                end_schedule(call);
        return r;
}

/* The time at which a deadline that begins now has passed; 0: no deadline. */
static int64_t deadline_at(uint64_t deadline_us, int64_t now_us)
{
        const uint64_t most = INT64_MAX / 4;
        return deadline_us == 0 ? 0 : now_us + (int64_t)(deadline_us < most ? deadline_us : most);
}

/* Does what hatchery_client_send does, without its checks. target: see struct hatchery_call. */
static int submit(struct hatchery_client *c, const struct request *q, const struct hatchery_call_options *options,
                  const struct hatchery_call_ops *ops, void *data, uint64_t target, struct hatchery_call **out,
                  struct err *e)
{
        const int64_t now_us = clock_us();
        struct request asked = *q;
        uint8_t *frame = NULL;
        size_t len = 0;

        asked.id = c->last_id + 1;
        if (q->kind == REQUEST_EXECUTE && options->deadline_us)
                asked.execute.deadline_us = options->deadline_us;
        int r = outframe_encode(&asked, c->config.compress, &frame, &len, e);
        if (r < 0)
                return r;
        struct hatchery_call *call = new_call(c, &asked, options, ops, data);
        if (!call) {
                free(frame);
                return err_set(e, ENOMEM, "send a request");
        }
        uint64_t deadline_us = q->kind == REQUEST_EXECUTE ? asked.execute.deadline_us : options->deadline_us;
        call->deadline_us = deadline_at(deadline_us, now_us);
        call->target = target;
        r = enter(call, frame, len, now_us);
        if (r < 0) {
                call_free(call);
                return err_set(e, -r, "send a request");
        }
        if (out)
                *out = call;
        if (!c->dispatching)
                connection_flush(c);
        return HATCHERY_OK;
}

int hatchery_client_send(struct hatchery_client *c, const struct request *q,
                         const struct hatchery_call_options *options, const struct hatchery_call_ops *ops, void *data,
                         struct hatchery_call **call, struct err *e)
{
        if (!options)
                options = &no_options;
        int r = check(c, q, options, e);
        return r != 0 ? r : submit(c, q, options, ops, data, 0, call, e);
}

uint64_t hatchery_call_id(const struct hatchery_call *call)
{
        return call->id;
}

struct hatchery_client *hatchery_call_client(const struct hatchery_call *call)
{
        return call->client;
}

/* ---------------------------------------------------------------- about one */

/* The Cancel has no call of its own: its answer says nothing that the cancelled call's end does not say. */
int call_send_cancel(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;
        const struct request q = { .id = c->last_id + 1, .kind = REQUEST_CANCEL, .request_id = call->id };

        if (call->cancelled || call->kind != REQUEST_EXECUTE)
                return 0;
        int r = queue_message(c, NULL, &q);
        if (r < 0)
                return r;
        c->last_id++;
        call->cancelled = true;
        return 0;
}

/* True: the server has no byte of this request, so there is nothing to cancel there. */
static bool is_unsent(const struct hatchery_call *call)
{
        const struct outgoing *o;

        if (call->state != CALL_QUEUED)
                return call->state == CALL_RESTS;
        LIST_FOREACH(o, &call->waiting, in_call)
        if (o->opens)
                return o->done == 0;
        return false;
}

int hatchery_call_cancel(struct hatchery_call *call)
{
        int r = 0;

        if (call->state == CALL_FAILED || call->state == CALL_OVER)
                return 0;
        if (is_unsent(call))
                end_fail_say(call, HATCHERY_WITHDRAWN, call->ran, ECANCELED,
                             "the request was cancelled before it was sent");
        else
                r = call_send_cancel(call);
        if (!call->client->dispatching)
                connection_flush(call->client);
        return r;
}

void hatchery_call_abandon(struct hatchery_call *call)
{
        struct hatchery_client *c = call->client;

        if (call->state == CALL_OVER)
                return;
        if (call->state != CALL_FAILED && !is_unsent(call))
                call_send_cancel(call);
        call_leave(call);
        call_free(call);
        if (!c->dispatching)
                connection_flush(c);
}

int hatchery_call_signal(struct hatchery_call *call, uint32_t number)
{
        struct hatchery_client *c = call->client;
        const struct request q = { .kind = REQUEST_SIGNAL, .request_id = call->id, .signal = number };

        if (call->state == CALL_FAILED || call->state == CALL_OVER)
                return 0;
        int r = check(c, &q, &no_options, NULL);
        return r != 0 ? r : submit(c, &q, &no_options, NULL, NULL, call->id, NULL, NULL);
}

void hatchery_answer_move(struct hatchery_answer *to, struct hatchery_answer *from)
{
        *to = *from;
        *from = (struct hatchery_answer){ 0 };
}
