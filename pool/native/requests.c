/* Requests to their handlers: see dispatch.h. */
#include "pool/native/requests.h"

#include "pool/core/admission.h"
#include "pool/native/connection.h"
#include "pool/native/status.h"
#include "proto/base/own.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define INVALID REFUSAL_INVALID_ARGUMENT

static void answer_ping(struct session *s, uint64_t id)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_pong_tag } };
        snprintf(a.m.answer.pong.server_version, sizeof a.m.answer.pong.server_version, "%s", HATCHERY_VERSION);
        session_answer(s, &a);
}

static void cancel(struct session *s, uint64_t id, uint64_t wanted)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_cancelled_tag } };
        struct run *run = session_find(s, wanted);

        a.m.answer.cancelled.found = run != NULL;
        if (run)
                run_cancel(run);
        session_answer(s, &a);
}

static void in_flight_already(struct session *s, uint64_t id)
{
        char text[128];
        snprintf(text, sizeof text, "id %" PRIu64 " is already in flight; number the requests of a connection apart",
                 id);
        session_fail(s, INVALID, text);
}

static void malformed(struct session *s, uint64_t id, int r, const struct err *e)
{
        struct refusal refusal;

        if (id == 0) {
                session_fail(s, INVALID, e->text);
        } else if (session_find(s, id)) {
                in_flight_already(s, id);
        } else {
                refuse(&refusal, r == -ENOMEM ? REFUSAL_RESOURCE_EXHAUSTED : INVALID, "%s", e->text);
                session_refuse(s, id, &refusal);
        }
}

void dispatch_request(struct session *s, uint8_t *body, size_t len)
{
        OWN_MEM uint8_t *owned = body;
        struct request request;
        struct err e = { 0 };

        int r = request_decode(&request, owned, len, &e);
        s->compress = s->compress || request.lz4;
        if (r < 0) {
                malformed(s, request.id, r, &e);
        } else if (session_find(s, request.id)) {
                in_flight_already(s, request.id);
        } else {
                switch (request.kind) {
                case REQUEST_EXECUTE:
                        scheduler_execute(s, &request, &owned, len);
                        break;
                case REQUEST_CANCEL:
                        cancel(s, request.id, request.cancel_id);
                        break;
                case REQUEST_PING:
                        answer_ping(s, request.id);
                        break;
                case REQUEST_STATUS:
                        status_answer(s, request.id);
                        break;
                case REQUEST_NONE:
                        break; /* request_decode refuses it */
                }
        }
        request_fini(&request);
}
