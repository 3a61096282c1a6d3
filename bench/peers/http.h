/* An HTTP client for one server and one request at a time: POST a body of JSON, get the answer. It lives in a plug-in
 * of its own, hatchery-bench-http.so, because libcurl maps thirty libraries into whoever links it, and the benchmark's
 * program is also the bare fork that Hatchery is measured against: every mapping would make that one slower. */
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

/* What the plug-in gives, by this name. */
#define HTTP_SYMBOL "hatchery_bench_http"

struct http_client {
        /* Before the first thread; once is enough, more do no harm. */
        int (*start)(struct err *e);
        int (*open)(struct http **h, const char *url, struct err *e);
        /* An error where there is no answer; any status is an answer. */
        int (*post)(struct http *h, const char *body, size_t len, struct http_answer *a, struct err *e);
        void (*free)(struct http *h); /* NULL is fine */
};
