/* The contract of SandboxFusion (docs/http-sandboxfusion.md): its routes, its errors, and the course of one run.
 * sandboxfusion_request.c reads bodies; sandboxfusion_answer.c and sandboxfusion_cells.c make answers. */
#include "gateway/contracts/sandboxfusion_answer.h"
#include "gateway/contracts/sandboxfusion_request.h"
#include "gateway/http.h"
#include "gateway/json.h"
#include "gateway/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* One run of an exchange: from its start to its answer. */
struct fusion_run {
        struct exchange *x;
        struct fusion_request request;
};

static void fusion_run_free(struct fusion_run *f)
{
        fusion_request_fini(&f->request);
        free(f);
}

/* ---------------------------------------------------------------- errors */

/* text: a constant. */
static void reply_text(struct exchange *x, int status, const char *text)
{
        struct evbuffer *body = evbuffer_new();

        if (body)
                (void)evbuffer_add_reference(body, text, strlen(text), NULL, NULL);
        exchange_reply(x, status, "application/json", body);
        if (body)
                evbuffer_free(body);
}

static void reply(struct exchange *x, int status, json_t *answer)
{
        if (answer)
                exchange_reply_json(x, status, answer);
        else
                reply_text(x, 503, "{\"detail\":\"the gateway has no memory for the answer\"}");
}

/* Answers in FastAPI's form. */
static void fail(struct exchange *x, const struct failure *why)
{
        reply(x, why->status, json_pack("{s:o}", "detail", json_text(span_of_text(why->message), true)));
}

/* A body that does not fit. fault is a reference that is taken over. */
static void refuse(struct exchange *x, json_t *fault)
{
        reply(x, 422, fault ? json_pack("{s:[o]}", "detail", fault) : NULL);
}

static void refuse_as(struct exchange *x, const char *type, const char *field, const char *message)
{
        struct fusion_fields f = { 0 };

        fusion_fault(&f, type, field, NULL, "%s", message);
        refuse(x, json_incref(f.fault));
        fusion_fields_fini(&f);
}

/* ---------------------------------------------------------------- runs */

static void on_finished(void *data, struct hatchery_answer *a)
{
        struct fusion_run *f = data;
        struct exchange *x = f->x;
        json_t *answer = f->request.is_jupyter ? fusion_answer_jupyter(&f->request, &a->answer)
                                               : fusion_answer_code(&f->request, &a->answer);

        fusion_run_free(f);
        reply(x, 200, answer);
}

/* A refusal of the body's content is answered by 422. If the server can't take the run for a while, the answer is 504,
 * after which trainers' clients send the request again. Other statuses from 400 to 499 stay as they are. Everything
 * else is the server's own fault. */
static void answer_failure(struct exchange *x, const struct fusion_request *r, const struct failure *why)
{
        bool for_a_while = why->retry_after_ms > 0 || strcmp(why->code, "RESOURCE_EXHAUSTED") == 0 ||
                           strcmp(why->code, "UNAVAILABLE") == 0 || strcmp(why->code, "DEADLINE_EXCEEDED") == 0;

        if (strcmp(why->code, "INVALID_ARGUMENT") == 0) {
                refuse_as(x, "value_error", fusion_request_field(r, why->message), why->message);
        } else if (strcmp(why->code, "NOT_FOUND") == 0) {
                refuse_as(x, "literal_error", r->is_jupyter ? NULL : "language", why->message);
        } else if (why->status >= 400 && why->status < 500 && !for_a_while) {
                exchange_fail(x, why);
        } else {
                if (why->retry_after_ms > 0) {
                        char seconds[24];
                        snprintf(seconds, sizeof seconds, "%" PRIu64, (why->retry_after_ms + 999) / 1000);
                        exchange_set_header(x, "Retry-After", seconds);
                }
                reply(x, for_a_while ? 504 : 200, fusion_answer_fault(r, why->message));
        }
}

static void on_failed(void *data, const struct failure *why)
{
        struct fusion_run *f = data;

        answer_failure(f->x, &f->request, why);
        fusion_run_free(f);
}

static void on_gone(void *data)
{
        fusion_run_free(data);
}

static const struct run_ops run_ops = { .finished = on_finished, .failed = on_failed, .gone = on_gone };

static void start(struct fusion_run *f)
{
        struct failure why;
        struct run *run;

        if (run_start(&run, f->x, &f->request.q, &run_ops, f, &why) < 0)
                on_failed(f, &why);
        else
                fusion_request_forget_input(&f->request);
}

/* ---------------------------------------------------------------- routes */

/* Whether the body is JSON. Without a media type it counts as JSON, as FastAPI does it. */
static bool is_json(const char *type)
{
        size_t n = strlen(type);
        return n == 0 || strcmp(type, "application/json") == 0 || (n > 5 && strcmp(type + n - 5, "+json") == 0);
}

static void refuse_text(struct exchange *x, const struct json_fault *fault)
{
        struct fusion_fields f = { 0 };

        fusion_fault(&f, "json_invalid", NULL, json_integer((json_int_t)fault->at), "the body is not valid JSON: %s",
                     fault->text);
        refuse(x, json_incref(f.fault));
        fusion_fields_fini(&f);
}

static int make_mark(char mark[FUSION_MARK_SIZE])
{
        uint8_t random[(FUSION_MARK_SIZE - 1) / 2];

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
                return -1;
        for (size_t i = 0; i < sizeof random; i++)
                snprintf(mark + 2 * i, 3, "%02x", random[i]);
        return 0;
}

static bool read_request(struct fusion_run *f, json_t *body, bool is_jupyter, struct fusion_fields *fields)
{
        char mark[FUSION_MARK_SIZE];

        if (!is_jupyter)
                return fusion_request_code(&f->request, body, fields);
        if (make_mark(mark) == 0)
                return fusion_request_jupyter(&f->request, body, mark, fields);
        json_decref(body);
        return false;
}

static void handle(struct exchange *x, bool is_jupyter)
{
        struct json_fault fault;
        struct fusion_fields fields = { 0 };

        if (!is_json(exchange_media_type(x))) {
                refuse_as(x, "model_attributes_type", NULL,
                          "the body is not JSON: Content-Type must be application/json");
                return;
        }
        json_t *body = json_read(exchange_body(x), &fault);
        if (!body) {
                refuse_text(x, &fault);
                return;
        }
        struct fusion_run *f = calloc(1, sizeof *f);
        if (!f) {
                json_decref(body);
                reply(x, 503, NULL);
                return;
        }
        f->x = x;
        if (read_request(f, body, is_jupyter, &fields)) {
                start(f);
        } else {
                fusion_run_free(f);
                refuse(x, json_incref(fields.fault));
        }
        fusion_fields_fini(&fields);
}

static void run_code(struct exchange *x)
{
        handle(x, false);
}

static void run_jupyter(struct exchange *x)
{
        handle(x, true);
}

static void ping(struct exchange *x)
{
        reply_text(x, 200, "\"pong\"");
}

static const struct route routes[] = {
        { .path = "/run_code", .methods = METHOD_POST, .has_body = true, .handle = run_code },
        { .path = "/run_jupyter", .methods = METHOD_POST, .has_body = true, .handle = run_jupyter },
        { .path = "/v1/ping", .methods = METHOD_GET, .handle = ping },
};

const struct contract contract_sandboxfusion = {
        .name = "sandboxfusion",
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .fail = fail,
};
