/* Hatchery's own HTTP contract, /v1 (docs/http.md): its routes, its shape of errors, and the requests that get one
 * whole answer. */
#include "client/json.h"
#include "client/json_value.h"
#include "gateway/contracts/v1_parts.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

static void fail(struct exchange *x, const struct failure *why)
{
        exchange_reply_json(x, why->status, v1_error_json(why));
}

/* ---------------------------------------------------------------- POST /v1/run */

/* A run that is answered whole. */
struct whole {
        struct exchange *x;
        struct run *run;
        uint64_t deadline_us;
};

static void whole_finished(void *data, struct hatchery_answer *a)
{
        struct whole *w = data;
        struct failure why;
        json_t *result = v1_result_json(a, run_id(w->run), w->deadline_us, false);

        if (result) {
                exchange_reply_json(w->x, 200, result);
        } else {
                v1_lacks_memory(&why);
                exchange_fail(w->x, &why);
        }
        free(w);
}

static void whole_failed(void *data, const struct failure *why)
{
        struct whole *w = data;

        exchange_fail(w->x, why);
        free(w);
}

static void whole_gone(void *data)
{
        free(data);
}

static void run_whole(struct exchange *x, struct v1_request *q)
{
        static const struct run_ops ops = {
                .finished = whole_finished,
                .failed = whole_failed,
                .gone = whole_gone,
        };
        struct whole *w = calloc(1, sizeof *w);
        struct failure why;

        if (w) {
                w->x = x;
                w->deadline_us = q->request.execute.deadline_us;
                if (run_start(&w->run, x, &q->request, &ops, w, &why) == 0)
                        return;
        } else {
                v1_lacks_memory(&why);
        }
        free(w);
        exchange_fail(x, &why);
}

enum shape { SHAPE_WHOLE, SHAPE_SSE, SHAPE_NDJSON };

/* The query decides, then the header Accept, then `stream` of the body. An Accept that also takes plain JSON asks for
 * no stream, unless the body does. */
static int choose_shape(struct exchange *x, bool wants_stream, enum shape *shape, struct failure *why)
{
        const char *query = exchange_query(x, "stream");
        const char *accept = exchange_header(x, "Accept");

        *shape = wants_stream ? SHAPE_SSE : SHAPE_WHOLE;
        if (query && strcmp(query, "sse") != 0 && strcmp(query, "ndjson") != 0) {
                failure_set(why, 400, "INVALID_ARGUMENT", "stream=%.64s is not known; sse and ndjson are", query);
                return -EINVAL;
        }
        if (query)
                *shape = query[0] == 's' ? SHAPE_SSE : SHAPE_NDJSON;
        else if (accept && !wants_stream && strcasestr(accept, "application/json"))
                *shape = SHAPE_WHOLE;
        else if (accept && strcasestr(accept, "text/event-stream"))
                *shape = SHAPE_SSE;
        else if (accept && strcasestr(accept, "application/x-ndjson"))
                *shape = SHAPE_NDJSON;
        return 0;
}

/* Idempotency-Key, or the body's idempotency_key. */
static int take_key(struct exchange *x, struct submission *s, struct failure *why)
{
        const char *key = exchange_header(x, "Idempotency-Key");

        if (!key)
                return 0;
        const struct span header = span_of_text(key);
        if (header.len == 0 || header.len > WIRE_MAX_IDEMPOTENCY_KEY) {
                failure_set(why, 400, "INVALID_ARGUMENT", "Idempotency-Key needs 1 to %d characters",
                            WIRE_MAX_IDEMPOTENCY_KEY);
                return -EINVAL;
        }
        if (s->idempotency_key.len > 0 &&
            (s->idempotency_key.len != header.len || memcmp(s->idempotency_key.data, header.data, header.len) != 0)) {
                failure_set(why, 400, "INVALID_ARGUMENT",
                            "Idempotency-Key and the body's idempotency_key are different; send one of them");
                return -EINVAL;
        }
        s->idempotency_key = header;
        return 0;
}

/* Only JSON is accepted, because a web page may send other types to this server without asking it first. */
static int check_type(struct exchange *x, struct failure *why)
{
        if (strcmp(exchange_media_type(x), "application/json") == 0)
                return 0;
        failure_set(why, 415, "INVALID_ARGUMENT",
                    "the body must be JSON, and the request must say so: Content-Type: application/json");
        return -EINVAL;
}

static void run(struct exchange *x)
{
        struct v1_request q = { 0 };
        enum shape shape = SHAPE_WHOLE;
        struct failure why;

        if (check_type(x, &why) < 0 || v1_request_read(&q, exchange_body(x), false, &why) < 0 ||
            choose_shape(x, q.request.execute.stream, &shape, &why) < 0 || take_key(x, &q.request.execute, &why) < 0)
                exchange_fail(x, &why);
        else if (shape == SHAPE_WHOLE)
                run_whole(x, &q);
        else
                v1_stream(x, &q, shape == SHAPE_SSE ? V1_SSE : V1_NDJSON);
        v1_request_fini(&q);
}

/* ---------------------------------------------------------------- POST /v1/runs/ID/cancel */

static void cancel_told(struct exchange *x, bool found, const struct failure *why)
{
        struct failure ours;

        if (why) {
                exchange_fail(x, why);
        } else if (found) {
                exchange_reply_json(x, 200, json_pack("{s:b}", "cancelled", 1));
        } else {
                failure_set(&ours, 404, "NOT_FOUND", "you have no run with this id in flight; it may have ended");
                exchange_fail(x, &ours);
        }
}

static void cancel(struct exchange *x)
{
        struct failure why;

        if (run_cancel_by_id(x, exchange_segment(x), cancel_told, &why) < 0)
                exchange_fail(x, &why);
}

/* ---------------------------------------------------------------- GET */

static void reply_status(struct exchange *x, json_t *json)
{
        struct failure why;

        if (json) {
                exchange_set_header(x, "Cache-Control", "no-store");
                exchange_reply_json(x, 200, json);
                return;
        }
        v1_lacks_memory(&why);
        exchange_fail(x, &why);
}

static void languages_told(struct exchange *x, void *data, const struct hatchery_answer *status,
                           const struct failure *why)
{
        (void)data;
        if (!status) {
                exchange_fail(x, why);
                return;
        }
        const struct json_member members[] = { { "languages", json_of_languages(&status->answer, true) } };
        reply_status(x, JSON_OBJECT(members));
}

static void languages(struct exchange *x)
{
        run_with_status(x, languages_told, NULL);
}

static void status_told(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *why)
{
        (void)data;
        if (status)
                reply_status(x, json_of_status(&status->answer));
        else
                exchange_fail(x, why);
}

static void status(struct exchange *x)
{
        run_with_status(x, status_told, NULL);
}

static void openapi(struct exchange *x)
{
        struct evbuffer *body = evbuffer_new();
        struct failure why;

        if (body && evbuffer_add_reference(body, v1_openapi, v1_openapi_len, NULL, NULL) == 0) {
                exchange_reply(x, 200, "application/json", body);
        } else {
                v1_lacks_memory(&why);
                exchange_fail(x, &why);
        }
        if (body)
                evbuffer_free(body);
}

/* ---------------------------------------------------------------- routes */

enum { READ = METHOD_GET | METHOD_HEAD };

static const struct route routes[] = {
        { .path = "/v1/run", .methods = METHOD_POST, .has_body = true, .handle = run },
        { .path = "/v1/ws", .methods = METHOD_GET, .is_websocket = true, .handle = v1_ws },
        { .path = "/v1/runs/*/cancel", .methods = METHOD_POST, .handle = cancel },
        { .path = "/v1/languages", .methods = READ, .handle = languages },
        { .path = "/v1/status", .methods = READ, .handle = status },
        { .path = "/openapi.json", .methods = READ, .handle = openapi },
};

const struct contract contract_v1 = {
        .name = "v1",
        .routes = routes,
        .n_routes = sizeof routes / sizeof *routes,
        .fail = fail,
};
