/* Answers: see http.h. evhttp writes the answers. This file adds the headers that all answers have. It also handles two
 * cases that evhttp gets wrong: bodies of HEAD, and streams to peers that speak HTTP/1.0. */
#include "gateway/http_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct evkeyvalq *headers_of(struct exchange *x)
{
        return evhttp_request_get_output_headers(x->req);
}

/* The reason phrases that evhttp lacks. */
static const char *reason_of(int status)
{
        switch (status) {
        case 408:
                return "Request Timeout";
        case 413:
                return "Content Too Large";
        case 422:
                return "Unprocessable Content";
        case 426:
                return "Upgrade Required";
        case 429:
                return "Too Many Requests";
        case 431:
                return "Request Header Fields Too Large";
        case 499:
                return "Client Closed Request";
        default:
                return NULL;
        }
}

void exchange_set_header(struct exchange *x, const char *name, const char *value)
{
        evhttp_remove_header(headers_of(x), name);
        evhttp_add_header(headers_of(x), name, value);
}

/* Lets a page read the answer if the configuration names the page's origin. */
static void allow_origin(struct exchange *x)
{
        const struct guard *g = &x->conn->listener->guard;
        const char *origin = exchange_header(x, "Origin");

        if (!g->origins || !g->origins[0])
                return;
        exchange_set_header(x, "Vary", "Origin");
        if (!origin || !guard_names_origin(g, span_of_text(origin)))
                return;
        exchange_set_header(x, "Access-Control-Allow-Origin", origin);
        exchange_set_header(x, "Access-Control-Expose-Headers", "Retry-After, X-Run-Id");
}

static void common_headers(struct exchange *x, const char *type)
{
        struct conn *c = x->conn;
        struct evkeyvalq *asked = evhttp_request_get_input_headers(x->req);

        if (type)
                exchange_set_header(x, "Content-Type", type);
        exchange_set_header(x, "X-Content-Type-Options", "nosniff");
        allow_origin(x);
        if (c->close || c->listener->server->draining) {
                /* evhttp also looks at the request's header Connection. */
                evhttp_remove_header(asked, "Connection");
                exchange_set_header(x, "Connection", "close");
        }
}

/* Writes now what the bufferevent would write on the loop's next turn. What the socket does not take now, and errors,
 * are left to that turn. The bufferevent freezes the front of its output, so that it alone takes bytes from there. */
static void write_now(struct conn *c)
{
        struct evbuffer *out = bufferevent_get_output(c->bev);

        evbuffer_unfreeze(out, 1);
        (void)evbuffer_write(out, bufferevent_getfd(c->bev));
        evbuffer_freeze(out, 1);
}

/* Writes a whole answer. If the socket takes all of it, evhttp is told so without waiting for the socket. */
static void write_answer(struct conn *c)
{
        write_now(c);
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
                return;
        bufferevent_disable(c->bev, EV_WRITE);
        bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* The exchange is over for its handler; evhttp still has the request until the answer is written. */
static void finish(struct exchange *x)
{
        struct evbuffer *body = evhttp_request_get_input_buffer(x->req);

        x->conn->phase = CONN_ANSWERED;
        evbuffer_drain(body, evbuffer_get_length(body));
        exchange_end(x);
}

void exchange_reply(struct exchange *x, int status, const char *type, struct evbuffer *body)
{
        struct evhttp_request *req = x->req;
        struct conn *c = x->conn;
        bool no_body = exchange_method(x) == METHOD_HEAD || status == 204 || status == 304;
        char length[24];

        common_headers(x, type);
        if (exchange_method(x) == METHOD_HEAD) {
                snprintf(length, sizeof length, "%zu", body ? evbuffer_get_length(body) : 0);
                exchange_set_header(x, "Content-Length", length);
        }
        if (no_body && body)
                evbuffer_drain(body, evbuffer_get_length(body));
        finish(x);
        evhttp_send_reply(req, status, reason_of(status), body);
        write_answer(c);
}

static void free_text(const void *bytes, size_t len, void *data)
{
        (void)bytes;
        (void)len;
        free(data);
}

void exchange_reply_json(struct exchange *x, int status, json_t *json)
{
        struct evbuffer *body = evbuffer_new();
        char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;

        json_decref(json);
        if (text && body && evbuffer_add_reference(body, text, strlen(text), free_text, text) == 0) {
                exchange_reply(x, status, "application/json", body);
        } else {
                free(text);
                exchange_reply(x, 503, NULL, NULL); /* there is no memory */
        }
        if (body)
                evbuffer_free(body);
}

void exchange_fail(struct exchange *x, const struct failure *why)
{
        char text[64];

        if (why->retry_after_ms > 0) {
                snprintf(text, sizeof text, "%llu", (unsigned long long)(why->retry_after_ms + 999) / 1000);
                exchange_set_header(x, "Retry-After", text);
        }
        if (why->status == 405) {
                route_allow(x->conn->listener, x->path, text);
                exchange_set_header(x, "Allow", text);
        }
        x->conn->contract->fail(x, why);
}

void reply_preflight(struct exchange *x)
{
        const char *wants = exchange_header(x, "Access-Control-Request-Headers");
        char allow[64];

        route_allow(x->conn->listener, x->path, allow);
        exchange_set_header(x, "Allow", allow);
        if (exchange_header(x, "Origin") && exchange_header(x, "Access-Control-Request-Method")) {
                exchange_set_header(x, "Access-Control-Allow-Methods", allow);
                if (wants)
                        exchange_set_header(x, "Access-Control-Allow-Headers", wants);
                exchange_set_header(x, "Access-Control-Max-Age", "600");
        }
        exchange_reply(x, 204, NULL, NULL);
}

/* ---------------------------------------------------------------- streams */

static void stream_written(struct evhttp_connection *evcon, void *data)
{
        struct exchange *x = data;

        (void)evcon;
        x->conn->full = false;
        if (x->drained)
                x->drained(x->drained_data);
}

int exchange_stream_begin(struct exchange *x, int status, const char *type)
{
        struct conn *c = x->conn;
        /* A stream has no Content-Length, and HTTP/1.0 has no chunks. So the end of the connection marks the stream's
         * end. */
        if (c->is_1_0)
                c->close = true;
        common_headers(x, type);
        x->streaming = true;
        evhttp_send_reply_start(x->req, status, reason_of(status));
        return 0;
}

int exchange_stream_write(struct exchange *x, const void *bytes, size_t len)
{
        struct evbuffer *scratch = x->conn->listener->server->scratch;

        if (evbuffer_add(scratch, bytes, len) < 0) {
                evbuffer_drain(scratch, evbuffer_get_length(scratch));
                return -ENOMEM;
        }
        evhttp_send_reply_chunk_with_cb(x->req, scratch, stream_written, x);
        evbuffer_drain(scratch, evbuffer_get_length(scratch)); /* after HEAD, evhttp has taken nothing */
        x->conn->full = exchange_unsent(x) > 0;
        write_now(x->conn);
        return 0;
}

void exchange_stream_end(struct exchange *x)
{
        struct evhttp_request *req = x->req;

        x->conn->full = false;
        finish(x);
        evhttp_send_reply_end(req); /* may free the connection at once */
}
