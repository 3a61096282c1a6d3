/* Requests to their handlers: see requests.h. */
#include "pool/native/requests.h"

#include "pool/core/core.h"
#include "pool/native/call.h"
#include "pool/native/connection_parts.h"
#include "pool/native/status.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define INVALID REFUSAL_INVALID_ARGUMENT

static void answer_ping(struct connection *c, uint64_t id)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_pong_tag } };
        snprintf(a.m.answer.pong.server_version, sizeof a.m.answer.pong.server_version, "%s", HATCHERY_VERSION);
        connection_answer(c, &a);
}

static void answer_cancelled(struct connection *c, uint64_t id, bool found)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_cancelled_tag } };

        a.m.answer.cancelled.found = found;
        connection_answer(c, &a);
}

static void cancel(struct connection *c, uint64_t id, uint64_t wanted)
{
        struct call *call = call_find(c, wanted);

        if (call)
                call_cancel(call);
        answer_cancelled(c, id, call != NULL);
}

static void cancel_run(struct connection *c, const struct request *r)
{
        const struct scope scope = call_scope(c, r);

        answer_cancelled(c, r->id, call_cancel_run(c->native, &scope, r->run_id));
}

static void send_signal(struct connection *c, uint64_t id, uint64_t wanted, uint32_t number)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_signalled_tag } };
        struct refusal refusal;

        if (call_signal(call_find(c, wanted), number, &a.m.answer.signalled.sent, &refusal) == 0)
                connection_answer(c, &a);
        else
                connection_refuse(c, id, &refusal);
}

/* Handles messages that have no answer. A message about a request that was answered, or never sent, is ignored. */
static void go_on(struct connection *c, const struct request *r)
{
        struct call *call = call_find(c, r->request_id);

        if (!call)
                return;
        if (r->kind == REQUEST_STDIN)
                call_input(call, r->bytes, r->eof);
        else if (r->kind == REQUEST_RESIZE)
                call_resize(call, &r->terminal);
        else
                call_credit(call, r->credit_bytes);
}

static void refuse_request(struct connection *c, const struct request *r, const struct refusal *refusal)
{
        if (r->kind == REQUEST_EXECUTE)
                core_refused(c->native->core, refusal->code);
        connection_refuse(c, r->id, refusal);
}

static void in_flight_already(struct connection *c, uint64_t id)
{
        char text[128];
        snprintf(text, sizeof text, "id %" PRIu64 " is already in flight; number the requests of a connection apart",
                 id);
        connection_fail(c, INVALID, text);
}

static void malformed(struct connection *c, const struct request *request, int r, const struct err *e)
{
        const uint64_t id = request->id;
        struct refusal refusal;

        if (id == 0) {
                connection_fail(c, INVALID, e->text);
        } else if (call_find(c, id)) {
                in_flight_already(c, id);
        } else {
                refuse(&refusal, r == -ENOMEM ? REFUSAL_RESOURCE_EXHAUSTED : INVALID, "%s", e->text);
                refuse_request(c, request, &refusal);
        }
}

/* Only a gateway may speak for others, and it must say for whom. */
static int check_on_behalf(const struct connection *c, const struct request *r, struct refusal *refusal)
{
        if (r->has_on_behalf && !c->trusted)
                return refuse(
                        refusal, REFUSAL_PERMISSION_DENIED,
                        "on_behalf is for this server's own gateway, on a socket of its own; leave it out, and name "
                        "your users in client");
        if (c->trusted && !r->has_on_behalf && (r->kind == REQUEST_EXECUTE || r->kind == REQUEST_CANCEL_RUN))
                return refuse(refusal, INVALID,
                              "a gateway's request comes without on_behalf; say for which caller it is");
        return 0;
}

void requests_take(struct connection *c, uint8_t *body, size_t len)
{
        OWN_MEM uint8_t *owned = body;
        struct request request;
        struct refusal refusal;
        struct err e = { 0 };

        int r = request_decode(&request, owned, len, &e);
        c->compress = c->compress || request.lz4;
        if (r < 0) {
                malformed(c, &request, r, &e);
        } else if (request.id != 0 && call_find(c, request.id)) {
                in_flight_already(c, request.id);
        } else if (check_on_behalf(c, &request, &refusal) != 0) {
                refuse_request(c, &request, &refusal);
        } else {
                switch (request.kind) {
                case REQUEST_EXECUTE:
                        call_begin(c, &request, &owned, len);
                        break;
                case REQUEST_CANCEL:
                        cancel(c, request.id, request.request_id);
                        break;
                case REQUEST_CANCEL_RUN:
                        cancel_run(c, &request);
                        break;
                case REQUEST_PING:
                        answer_ping(c, request.id);
                        break;
                case REQUEST_STATUS:
                        status_answer(c, request.id);
                        break;
                case REQUEST_SIGNAL:
                        send_signal(c, request.id, request.request_id, request.signal);
                        break;
                case REQUEST_STDIN:
                case REQUEST_RESIZE:
                case REQUEST_CREDIT:
                        go_on(c, &request);
                        break;
                case REQUEST_NONE:
                        break; /* request_decode refuses it */
                }
        }
        request_fini(&request);
}
