/* The load generators over HTTP: those of bench/load/load.h, with libcurl in place of libhatchery. Each has one thread,
 * whose CPU time is in the sample, and checks every answer. Latency counts from just before the request is given to
 * libcurl until the answer is decoded and checked. */
#pragma once

#include "bench/base/sample.h"
#include "bench/base/workload.h"
#include "bench/http/client.h"
#include "bench/http/contracts.h"
#include "bench/load/load.h"
#include "proto/base/err.h"

/* The body that is uploaded slowly. The gateway makes a request for the pool from it, and adds names and numbers. That
 * request must fit into the built-in max_request_bytes. So the body is a little smaller than 16 MiB. */
enum {
        HTTP_UPLOAD_BYTES = (16 << 20) - (1 << 10),
        HTTP_UPLOAD_PER_SECOND = 2 << 20,
        HTTP_UPLOAD_SECONDS = HTTP_UPLOAD_BYTES / HTTP_UPLOAD_PER_SECOND + 1,
};

struct http_asking {
        const struct http_client *client;
        const char *address; /* http://HOST:PORT */
        enum contract_id contract;
        const struct program *program;
};

/* One kept connection, one request at a time, with a pause before each. */
int http_paced(struct sample *s, const struct http_asking *a, const struct pace *pace, struct err *e);

/* A closed loop over so many connections. An answer that does not come is an error. */
struct http_closed {
        unsigned connections;
        bool fresh;   /* each request has a new connection */
        bool uploads; /* one more connection slowly uploads HTTP_UPLOAD_BYTES from the beginning of the window on; the
                       * answer must be right, and does not count as a run */
        struct load_span span;
};
int http_closed(struct sample *s, const struct http_asking *a, const struct http_closed *how, struct err *e);

/* One request on each of so many new connections, all at once. An answer that does not come is a wrong one. */
int http_once(struct sample *s, const struct http_asking *a, unsigned connections, struct err *e);

/* One kept connection, one stream of server-sent events at a time, with a pause before each. The program writes the
 * time of its write. Latency counts from that time until the event with it is decoded. Only for the contract v1. */
int http_first_byte(struct sample *s, const struct http_asking *a, const struct pace *pace, struct err *e);
