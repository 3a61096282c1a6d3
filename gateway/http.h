/* HTTP as the contracts see it. Only the files http*.c use evhttp. They accept connections, bound and check requests,
 * find the route, and answer. Everything runs in the worker's one thread, on its loop.
 *
 * An exchange is one HTTP request and its answer. An exchange begins when the whole body is there. It ends with the
 * last byte of the answer, or when the peer's connection closes. A handler must answer each exchange exactly once. */
#pragma once

#include "proto/base/span.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;
struct gateway;

enum method {
        METHOD_GET = 1,
        METHOD_HEAD = 2,
        METHOD_POST = 4,
        METHOD_PUT = 8,
        METHOD_DELETE = 16,
        METHOD_OPTIONS = 32,
};

/* Why there is no ordinary answer. message is a sentence in the user's terms. Code that keeps a failure copies it. */
struct failure {
        int status;       /* HTTP's status: 400, 404, 405, 413, 415, 422, 429, 503, 504, ... */
        const char *code; /* the name of the canonical code: "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", ... */
        char message[512];
        uint64_t retry_after_ms; /* 0: the answer names no time. Else it has Retry-After, in seconds, rounded up */
};

struct route {
        const char *path;  /* the whole path. A "*" stands for one segment that is not empty: exchange_segment */
        unsigned methods;  /* enum method; others get 405 with Allow */
        bool has_body;     /* false: a body is refused with 413 before it is read */
        bool is_websocket; /* the handler answers the exchange with an upgrade; see websocket.h */
        void (*handle)(struct exchange *x);
};

/* One contract: a table of routes, and its shape of errors. */
struct contract {
        const char *name; /* as in the configuration: "v1", "snekbox", "piston", "sandboxfusion", "metrics", "health" */
        const struct route *routes;
        size_t n_routes;
        /* Answers in the contract's own shape. Also called for refusals that come before a handler: 404, 405, 413, 415,
         * a refused Host or Origin. */
        void (*fail)(struct exchange *x, const struct failure *why);
};

extern const struct contract contract_v1, contract_snekbox, contract_piston, contract_sandboxfusion, contract_metrics,
        contract_health;

/* ---------------------------------------------------------------- the request */

struct gateway *exchange_gateway(const struct exchange *x);
const struct contract *exchange_contract(const struct exchange *x);
bool exchange_is_alone(const struct exchange *x); /* its listener serves no other contract, besides health */
enum method exchange_method(const struct exchange *x);
const char *exchange_path(const struct exchange *x);                     /* decoded, without the query */
const char *exchange_segment(const struct exchange *x);                  /* what the route's "*" stands for, or "" */
const char *exchange_query(const struct exchange *x, const char *name);  /* NULL: there is no such name; "": no value */
const char *exchange_header(const struct exchange *x, const char *name); /* NULL: there is none */
struct span exchange_body(const struct exchange *x);                     /* valid until the exchange ends */

/* The media type of Content-Type, in small letters, without parameters; "" if the header is missing. */
const char *exchange_media_type(const struct exchange *x);

/* The caller's identity in the pool's form (proto/base/peer.h): fairness, caches and limits are counted by it. */
struct span exchange_peer(const struct exchange *x);

/* A W3C traceparent, if a valid one came; else "". */
const char *exchange_trace(const struct exchange *x);

/* ---------------------------------------------------------------- the answer */

/* To be called before the answer begins. Copies both. */
void exchange_set_header(struct exchange *x, const char *name, const char *value);

/* Whole answers: the exchange ends. The content of body is moved out of it; body may be NULL. The reference json is
 * taken over. */
void exchange_reply(struct exchange *x, int status, const char *type, struct evbuffer *body);
void exchange_reply_json(struct exchange *x, int status, json_t *json);

/* Answers by the contract's `fail`. */
void exchange_fail(struct exchange *x, const struct failure *why);

/* An answer in pieces (chunked in HTTP/1.1). -ENOMEM. After exchange_stream_end the exchange ends. */
int exchange_stream_begin(struct exchange *x, int status, const char *type);
int exchange_stream_write(struct exchange *x, const void *bytes, size_t len);
void exchange_stream_end(struct exchange *x);

/* Bytes of the stream that the socket has not taken yet. drained is called when the socket has taken all of them. */
size_t exchange_unsent(const struct exchange *x);
void exchange_on_drained(struct exchange *x, void (*drained)(void *data), void *data);

/* gone is called once if the peer's connection closes, or the worker ends, before the exchange has ended. The exchange
 * must not be used afterwards. NULL: nothing is called any more. */
void exchange_on_gone(struct exchange *x, void (*gone)(void *data), void *data);

/* ---------------------------------------------------------------- failures */

/* Fills why. The formatted text is cut at the size of message. */
__attribute__((format(printf, 4, 5))) void failure_set(struct failure *why, int status, const char *code,
                                                       const char *format, ...);
