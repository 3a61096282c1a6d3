/* An HTTP client for one server and one request at a time: POST a body of JSON, get the answer. It lives in a plug-in
 * of its own, hatchery-bench-http.so, because libcurl brings thirty libraries, and the benchmark's program is also the
 * bare fork that Hatchery is compared with: every mapping would make that fork slower. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct http; /* not shared between threads; the connection is kept from one request to the next */

struct http_answer {
        long status;
        const char *body; /* until the next request */
        size_t len;
};

enum { HTTP_MAX_BODY = 1 << 20, HTTP_LOST_S = 60 };

/* The plug-in's one symbol. */
#define HTTP_SYMBOL "hatchery_bench_http"

struct http_client {
        /* To be called before the first thread starts. More than one call does no harm. */
        int (*start)(struct err *e);
        int (*open)(struct http **h, const char *url, struct err *e);
        /* An error if no answer comes. An answer with any HTTP status is none. */
        int (*post)(struct http *h, const char *body, size_t len, struct http_answer *a, struct err *e);
        void (*free)(struct http *h); /* NULL is fine */
};
