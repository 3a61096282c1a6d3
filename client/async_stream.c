/* Output, input and credit of a call. The server may send `window` bytes of output ahead of the user. At any time
 *
 *     allowed + unconsumed + owed == window
 *
 * so the window bounds the unconsumed bytes, and no credit is lost. */
#include "client/async_parts.h"
#include "client/outframe.h"
#include "proto/wire/wire.h"

#include <errno.h>

enum {
        CHUNK = 64 << 10
}; /* most bytes of input in one message, so that other calls' messages are not late behind it */

/* ---------------------------------------------------------------- output */

void stream_reset(struct hatchery_call *call)
{
        call->allowed = WIRE_FIRST_CREDIT;
        call->owed = call->window - WIRE_FIRST_CREDIT;
        call->unconsumed = 0;
        call->total[0] = call->total[1] = 0;
        call->input_room = call->live_input ? WIRE_FIRST_CREDIT : 0;
        call->input_closed = false;
}

bool stream_came(struct hatchery_call *call, uint64_t bytes)
{
        if (bytes > call->allowed)
                return false;
        call->allowed -= bytes;
        call->unconsumed += bytes;
        return true;
}

/* Credit for a quarter of the window is worth a message. Smaller credit is, too, when the server has little left: the
 * user may consume no more until more output comes. */
int stream_give_credit(struct hatchery_call *call)
{
        if (call->owed == 0 || call->state != CALL_SENT)
                return 0;
        if (call->owed < call->window / 4 && call->allowed >= call->window / 4)
                return 0;
        const struct request q = { .kind = REQUEST_CREDIT, .request_id = call->id, .credit_bytes = call->owed };
        int r = queue_message(call->client, call, &q);
        if (r < 0)
                return r; /* the bytes stay owed: the next message gives them */
        call->allowed += call->owed;
        call->owed = 0;
        return 0;
}

int hatchery_call_consumed(struct hatchery_call *call, uint64_t bytes)
{
        if (call->state == CALL_OVER || call->state == CALL_FAILED)
                return 0;
        if (bytes > call->unconsumed)
                return -EINVAL;
        call->unconsumed -= bytes;
        call->owed += bytes;
        int r = stream_give_credit(call);
        if (!call->client->dispatching)
                connection_flush(call->client);
        return r;
}

uint64_t hatchery_call_unconsumed(const struct hatchery_call *call)
{
        return call->unconsumed;
}

/* ---------------------------------------------------------------- input */

static bool takes_input(const struct hatchery_call *call)
{
        return (call->state == CALL_QUEUED || call->state == CALL_SENT) && !call->input_closed && !call->input_ended;
}

size_t hatchery_call_room(const struct hatchery_call *call)
{
        const struct hatchery_client *c = call->client;
        if (!takes_input(call) || c->unsent >= c->config.max_unsent)
                return 0;
        size_t left = c->config.max_unsent - c->unsent;
        return call->input_room < left ? (size_t)call->input_room : left;
}

/* The list holds only calls for which the server has room; a call without room joins when its credit comes. */
void stream_list_hungry(struct hatchery_call *call)
{
        if (!call->hungry || call->listed || call->input_room == 0 || !takes_input(call))
                return;
        call->listed = true;
        TAILQ_INSERT_TAIL(&call->client->hungry, call, hungry_link);
}

void stream_not_hungry(struct hatchery_call *call)
{
        call->hungry = false;
        stream_unlist(call);
}

void stream_unlist(struct hatchery_call *call)
{
        if (call->listed)
                TAILQ_REMOVE(&call->client->hungry, call, hungry_link);
        call->listed = false;
}

bool stream_can_feed(const struct hatchery_client *c)
{
        return !TAILQ_EMPTY(&c->hungry) && c->unsent <= c->config.max_unsent / 2;
}

/* This loop ends. A user who goes on writing uses up the call's room, or fills the queue; the call of any other user
 * leaves the list. */
void stream_feed(struct hatchery_client *c)
{
        while (!c->freed && stream_can_feed(c)) {
                struct hatchery_call *call = TAILQ_FIRST(&c->hungry);
                stream_not_hungry(call);
                if (call->ops->input_room)
                        call->ops->input_room(call->data, call, hatchery_call_room(call));
        }
}

/* 0: the call has live input, and takes more of it. */
static int check_input(const struct hatchery_call *call)
{
        if (!call->live_input)
                return -EINVAL;
        return call->input_closed || call->input_ended || call->state == CALL_FAILED || call->state == CALL_OVER
                       ? -EPIPE
                       : 0;
}

ssize_t hatchery_call_write(struct hatchery_call *call, const void *bytes, size_t len)
{
        size_t taken = 0;
        int r = check_input(call);

        if (r < 0)
                return r;
        while (taken < len) {
                size_t n = hatchery_call_room(call);
                if (n == 0)
                        break;
                if (n > CHUNK)
                        n = CHUNK;
                if (n > len - taken)
                        n = len - taken;
                struct request q = { .kind = REQUEST_STDIN, .request_id = call->id };
                q.bytes = (struct span){ (const uint8_t *)bytes + taken, n };
                r = queue_message(call->client, call, &q);
                if (r < 0)
                        break;
                call->input_room -= n;
                call->begun = true;
                taken += n;
        }
        call->hungry |= taken < len && r == 0;
        stream_list_hungry(call);
        if (!call->client->dispatching)
                connection_flush(call->client);
        return taken == 0 && r < 0 ? r : (ssize_t)taken;
}

int hatchery_call_eof(struct hatchery_call *call)
{
        int r = check_input(call);
        if (r < 0)
                return r;
        const struct request q = { .kind = REQUEST_STDIN, .request_id = call->id, .eof = true };
        r = queue_message(call->client, call, &q);
        if (r < 0)
                return r;
        call->begun = true;
        call->input_ended = true;
        stream_not_hungry(call);
        if (!call->client->dispatching)
                connection_flush(call->client);
        return 0;
}

/* ---------------------------------------------------------------- terminal */

int hatchery_call_resize(struct hatchery_call *call, uint32_t rows, uint32_t columns)
{
        const struct hatchery_client *c = call->client;
        if (call->state == CALL_OVER || call->state == CALL_FAILED)
                return 0;
        if (!call->has_terminal || rows == 0 || rows > TERMINAL_MAX || columns == 0 || columns > TERMINAL_MAX)
                return -EINVAL;
        if (c->unsent >= c->config.max_unsent)
                return HATCHERY_FULL;
        struct request q = { .kind = REQUEST_RESIZE, .request_id = call->id };
        q.terminal = (struct terminal_size){ rows, columns };
        int r = queue_message(call->client, call, &q);
        if (!call->client->dispatching)
                connection_flush(call->client);
        return r;
}
