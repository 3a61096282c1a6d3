/* Hands each message of the server to the call that it is about. A server may be faulty or taken over, so an impossible
 * message ends the connection: an answer to no request, output out of order or beyond its credit. A message for a call
 * that has ended is only late, and is ignored. */
#include "client/async_parts.h"
#include "proto/base/clock.h"
#include "proto/wire/wire.h"

#include <errno.h>

bool hatchery_refusal_of(const struct hatchery_answer *a, struct hatchery_refusal *r)
{
        const hatchery_v1_Error *error = &a->answer.m.answer.error;

        if (a->answer.m.which_answer != hatchery_v1_ServerMessage_error_tag)
                return false;
        *r = (struct hatchery_refusal){ .code = error->code,
                                        .retry_after_ms = error->retry_after_ms,
                                        .message = error->message };
        switch ((int)error->code) {
        case hatchery_v1_Error_Code_CANCELLED:
        case hatchery_v1_Error_Code_INVALID_ARGUMENT:
        case hatchery_v1_Error_Code_DEADLINE_EXCEEDED:
        case hatchery_v1_Error_Code_NOT_FOUND:
        case hatchery_v1_Error_Code_PERMISSION_DENIED:
        case hatchery_v1_Error_Code_ABORTED:
        case hatchery_v1_Error_Code_UNIMPLEMENTED:
        case hatchery_v1_Error_Code_UNAUTHENTICATED:
                r->may_have_run = false;
                break;
        case hatchery_v1_Error_Code_RESOURCE_EXHAUSTED:
                /* Without a retry time it may mean that the result is too large for an answer: then the program has
                 * run. */
                r->may_have_run = error->retry_after_ms == 0;
                break;
        default:
                r->may_have_run = true;
                break;
        }
        return true;
}

static void wrong(struct hatchery_client *c, const char *sentence)
{
        struct err why = { 0 };
        err_say(&why, EPROTO, "%s; is this Hatchery's protocol?", sentence);
        connection_lost(c, HATCHERY_PROTOCOL, &why, NULL);
}

/* ---------------------------------------------------------------- messages before the answer */

static void take_stage(struct hatchery_call *call, const struct answer *a)
{
        const hatchery_v1_Stage *stage = &a->m.answer.stage;

        if (!call->stream) {
                wrong(call->client, "the server told of a stage that was not asked for");
                return;
        }
        call->begun |= stage->kind == hatchery_v1_Stage_Kind_RUN;
        if (call->ops->stage)
                call->ops->stage(call->data, call, stage->kind, stage->at_us);
}

static void take_output(struct hatchery_client *c, struct hatchery_call *call, const struct answer *a)
{
        const hatchery_v1_Output *from = &a->m.answer.output;
        const struct hatchery_output output = { from->stream, a->out, from->offset, from->at_us };
        const uint64_t id = call->id;

        if (!call->stream ||
            (from->stream != hatchery_v1_Output_Stream_STDOUT && from->stream != hatchery_v1_Output_Stream_STDERR)) {
                wrong(c, "the server sent output that was not asked for");
                return;
        }
        if (from->offset != call->total[from->stream]) {
                wrong(c, "the server sent output that does not follow what came before it");
                return;
        }
        if (!stream_came(call, a->out.len)) {
                wrong(c, "the server sent more output than it had credit for");
                return;
        }
        call->total[from->stream] += a->out.len;
        call->begun = true;
        if (call->ops->output)
                call->ops->output(call->data, call, &output);
        if (c->freed || !(call = index_find(c, id)))
                return;
        if (!call->manual_credit)
                hatchery_call_consumed(call, call->unconsumed);
        else
                stream_give_credit(call);
}

static void take_credit(struct hatchery_client *c, const struct answer *a)
{
        const hatchery_v1_Credit *credit = &a->m.answer.credit;
        struct hatchery_call *call = index_find(c, credit->request_id);

        if (credit->request_id == 0 || credit->request_id > c->last_id) {
                wrong(c, "the server gave credit to a request that was not sent");
                return;
        }
        if (!call || !call->live_input || call->state != CALL_SENT)
                return;
        uint64_t most = WIRE_MAX_CREDIT - call->input_room;
        call->input_room += credit->bytes < most ? credit->bytes : most;
        if (!credit->closed) {
                stream_list_hungry(call);
                return;
        }
        const bool before = call->input_closed;
        call->input_closed = true;
        stream_not_hungry(call);
        if (!before && call->ops->input_closed)
                call->ops->input_closed(call->data, call);
}

/* ---------------------------------------------------------------- answers */

static bool fits(enum request_kind kind, pb_size_t which)
{
        switch (which) {
        case hatchery_v1_ServerMessage_error_tag:
                return true;
        case hatchery_v1_ServerMessage_result_tag:
                return kind == REQUEST_EXECUTE;
        case hatchery_v1_ServerMessage_pong_tag:
                return kind == REQUEST_PING;
        case hatchery_v1_ServerMessage_status_tag:
                return kind == REQUEST_STATUS;
        case hatchery_v1_ServerMessage_cancelled_tag:
                return kind == REQUEST_CANCEL || kind == REQUEST_CANCEL_RUN;
        case hatchery_v1_ServerMessage_signalled_tag:
                return kind == REQUEST_SIGNAL;
        default:
                return false;
        }
}

/* Tells a call what became of a signal that was sent to it. */
static void tell_signalled(struct hatchery_client *c, uint64_t id, const struct hatchery_answer *a)
{
        struct hatchery_call *call = index_find(c, id);
        struct hatchery_refusal refusal;

        if (!call || call->state != CALL_SENT || !call->ops->signalled)
                return;
        if (hatchery_refusal_of(a, &refusal))
                call->ops->signalled(call->data, call, false, &refusal);
        else
                call->ops->signalled(call->data, call, a->answer.m.answer.signalled.sent, NULL);
}

static void take_end(struct hatchery_client *c, struct hatchery_call *call, struct hatchery_answer *a)
{
        struct hatchery_refusal refusal;

        if (!fits(call->kind, a->answer.m.which_answer)) {
                wrong(c, "the server gave an answer of another kind than was asked for");
                return;
        }
        if (hatchery_refusal_of(a, &refusal) && end_retries(call, &refusal))
                return;
        call_leave(call);
        if (call->target != 0)
                tell_signalled(c, call->target, a);
        else if (call->ops->answered)
                call->ops->answered(call->data, call, a);
        call_free(call);
}

/* An answer that belongs to no request: an Error means that the server closes the connection. */
static void take_about_connection(struct hatchery_client *c, const struct hatchery_answer *a)
{
        struct hatchery_refusal refusal;
        struct err why = { 0 };

        if (!hatchery_refusal_of(a, &refusal)) {
                wrong(c, "the server sent an answer to no request");
                return;
        }
        refusal.may_have_run = true; /* true of at least one request on this connection */
        err_say(&why, ECONNRESET, "the server closed the connection: %s", refusal.message);
        connection_lost(c, HATCHERY_LOST, &why, &refusal);
}

void answers_take(struct hatchery_client *c, struct hatchery_answer *a)
{
        const struct answer *answer = &a->answer;
        const uint64_t id = answer->m.id;

        if (answer->m.which_answer == hatchery_v1_ServerMessage_credit_tag) {
                take_credit(c, answer);
                return;
        }
        if (id == 0) {
                take_about_connection(c, a);
                return;
        }
        c->proven = true;
        struct hatchery_call *call = index_find(c, id);
        if (id > c->last_id || (call && (call->state == CALL_QUEUED || call->state == CALL_RESTS))) {
                wrong(c, "the server answered a request that was not sent");
                return;
        }
        if (!call || call->state != CALL_SENT)
                return;
        if (answer->m.which_answer == hatchery_v1_ServerMessage_stage_tag)
                take_stage(call, answer);
        else if (answer->m.which_answer == hatchery_v1_ServerMessage_output_tag)
                take_output(c, call, answer);
        else
                take_end(c, call, a);
}

void answers_unreadable(struct hatchery_client *c, uint64_t id, const struct err *why)
{
        struct hatchery_call *call = id == 0 ? NULL : index_find(c, id);

        if (id == 0 || id > c->last_id) {
                connection_lost(c, HATCHERY_PROTOCOL, why, NULL);
                return;
        }
        if (!call || call->state != CALL_SENT)
                return;
        struct reason *reason = reason_new(why, NULL);
        end_fail(call, HATCHERY_PROTOCOL, call->kind == REQUEST_EXECUTE, reason);
        reason_drop(reason);
}
