/* snekbox's HTTP contract (docs/http-snekbox.md): POST /eval, its shape of errors, and the course of one run.
 * snekbox_request.c reads bodies, and snekbox_answer.c makes answers. */
#include "gateway/contracts/snekbox_parts.h"
#include "gateway/http.h"
#include "gateway/json.h"
#include "gateway/run.h"
#include "proto/base/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- errors */

static void reply(struct exchange *x, int status, json_t *answer)
{
        static const char none[] = "{\"title\": \"503 Service Unavailable\"}";

        if (answer) {
                exchange_reply_json(x, status, answer);
                return;
        }
        struct evbuffer *body = evbuffer_new();
        if (body)
                (void)evbuffer_add_reference(body, none, sizeof none - 1, NULL, NULL);
        exchange_reply(x, 503, "application/json", body);
        if (body)
                evbuffer_free(body);
}

/* A status with the words that Python's http module has for it. */
static const char *title_of(int status)
{
        static const struct {
                int status;
                const char *title;
        } titles[] = {
                { 400, "400 Bad Request" },
                { 403, "403 Forbidden" },
                { 404, "404 Not Found" },
                { 405, "405 Method Not Allowed" },
                { 408, "408 Request Timeout" },
                { 411, "411 Length Required" },
                { 413, "413 Payload Too Large" },
                { 414, "414 Request-URI Too Long" },
                { 415, "415 Unsupported Media Type" },
                { 417, "417 Expectation Failed" },
                { 422, "422 Unprocessable Entity" },
                { 429, "429 Too Many Requests" },
                { 431, "431 Request Header Fields Too Large" },
                { 499, "499 Client Closed Request" },
                { 501, "501 Not Implemented" },
                { 503, "503 Service Unavailable" },
                { 504, "504 Gateway Timeout" },
                { 505, "505 HTTP Version Not Supported" },
        };

        for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
                if (titles[i].status == status)
                        return titles[i].title;
        return "500 Internal Server Error";
}

/* An unknown path and a wrong method need no description, and a fault of the server's own gets none. */
static void fail(struct exchange *x, const struct failure *why)
{
        bool is_plain = why->status == 404 || why->status == 405 || why->status == 500;
        json_t *body = is_plain ? json_pack("{s:s}", "title", title_of(why->status))
                                : json_pack("{s:s,s:o}", "title", title_of(why->status), "description",
                                            json_text(span_of_text(why->message), true));
        reply(x, why->status, body);
}

static void refuse(struct exchange *x, const char *title, json_t *description)
{
        reply(x, 400,
              description ? json_pack("{s:s,s:o}", "title", title, "description", description)
                          : json_pack("{s:s}", "title", title));
}

static void refuse_text(struct exchange *x, const char *before, const char *text)
{
        char sentence[512];
        snprintf(sentence, sizeof sentence, "%s%s", before, text);
        refuse(x, "Invalid JSON", json_text(span_of_text(sentence), true));
}

/* ---------------------------------------------------------------- one run */

/* From the request to its answer. */
struct evaluation {
        struct exchange *x;
        struct snekbox_eval request; /* until it is sent */
        char *interpreter;           /* that the request names; owned. NULL: the language's own */
};

static void evaluation_free(struct evaluation *v)
{
        snekbox_eval_fini(&v->request);
        free(v->interpreter);
        free(v);
}

static void on_finished(void *data, struct hatchery_answer *a)
{
        struct evaluation *v = data;
        struct exchange *x = v->x;
        const char *fault = v->interpreter ? snekbox_interpreter_fault(v->interpreter, &a->answer) : NULL;

        evaluation_free(v);
        if (fault)
                refuse(x, fault, NULL);
        else
                reply(x, 200, snekbox_answer(&a->answer));
}

static void on_failed(void *data, const struct failure *why)
{
        struct evaluation *v = data;
        struct exchange *x = v->x;

        evaluation_free(v);
        exchange_fail(x, why);
}

static void on_gone(void *data)
{
        evaluation_free(data);
}

static const struct run_ops run_ops = { .finished = on_finished, .failed = on_failed, .gone = on_gone };

static const hatchery_v1_LanguageStatus *find_language(const struct hatchery_answer *status)
{
        for (size_t i = 0; i < status->answer.n_languages; i++)
                if (strcmp(status->answer.languages[i].name, "python") == 0)
                        return &status->answer.languages[i];
        return NULL;
}

/* A pool that can't tell its ceilings at present may still take the run. */
static void start(struct exchange *x, void *data, const struct hatchery_answer *status, const struct failure *unknown)
{
        struct evaluation *v = data;
        struct failure why;
        struct run *run;
        (void)unknown;

        exchange_on_gone(x, NULL, NULL);
        snekbox_eval_limits(&v->request, status ? find_language(status) : NULL);
        if (run_start(&run, x, &v->request.q, &run_ops, v, &why) < 0) {
                on_failed(v, &why);
                return;
        }
        v->interpreter = own_steal_ptr(&v->request.interpreter);
        snekbox_eval_fini(&v->request);
}

/* ---------------------------------------------------------------- the route */

/* Without a type the body counts as JSON. */
static bool is_json(struct exchange *x)
{
        const char *type = exchange_media_type(x), *whole = exchange_header(x, "Content-Type");
        struct failure why;

        if (*type == '\0' || strcmp(type, "application/json") == 0)
                return true;
        failure_set(&why, 415, "INVALID_ARGUMENT", "%s is an unsupported media type.", whole ? whole : type);
        exchange_fail(x, &why);
        return false;
}

static json_t *read_body(struct exchange *x)
{
        struct span text = exchange_body(x);
        struct json_fault fault;

        if (text.len == 0) {
                refuse_text(x, "Could not parse an empty JSON body", "");
                return NULL;
        }
        json_t *body = json_read(text, &fault);
        if (!body)
                refuse_text(x, "Could not parse JSON body - ", fault.text);
        return body;
}

static void evaluate(struct exchange *x, struct evaluation *v, json_t *body)
{
        struct snekbox_fault fault = { 0 };
        char *message = NULL;
        int r = snekbox_eval_read(&v->request, body, &fault, &message);

        if (r == SNEKBOX_RUN) {
                exchange_on_gone(x, on_gone, v);
                run_with_status(x, start, v);
                return;
        }
        evaluation_free(v);
        if (r == SNEKBOX_FAULT)
                refuse(x, fault.title, fault.description);
        else
                reply(x, 200, r == SNEKBOX_ANSWERED ? snekbox_answer_message(message) : NULL);
        free(message);
}

static void eval(struct exchange *x)
{
        if (exchange_method(x) == METHOD_OPTIONS) {
                exchange_set_header(x, "Allow", "POST");
                exchange_reply(x, 200, "text/plain", NULL);
                return;
        }
        json_t *body = is_json(x) ? read_body(x) : NULL;
        if (!body)
                return;
        struct evaluation *v = calloc(1, sizeof *v);
        if (!v) {
                json_decref(body);
                reply(x, 503, NULL);
                return;
        }
        v->x = x;
        evaluate(x, v, body);
}

static const struct route routes[] = {
        { .path = "/eval", .methods = METHOD_POST | METHOD_OPTIONS, .has_body = true, .handle = eval },
};

const struct contract contract_snekbox = {
        .name = "snekbox",
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .fail = fail,
};
