/* An HTTP client for one server: POST a body of JSON, get the answer; one request at a time, or many. It lives in a
 * plug-in of its own, hatchery-bench-http.so, because libcurl brings thirty libraries, and the benchmark's program is
 * also the bare fork that Hatchery is compared with: every mapping would make that fork slower. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_MAX_BODY = 1 << 20, HTTP_LOST_S = 60 };

struct http_answer {
        long status; /* 0: no answer came */
        const char *body;
        size_t len;
        const char *why; /* with status 0: a sentence */
};

/* ---------------------------------------------------------------- one at a time */

struct http; /* not shared between threads; the connection is kept from one request to the next */

/* A piece of an answer's body, as it comes. */
struct http_reader {
        void (*take)(void *data, const char *bytes, size_t len);
        void *data;
};

/* ---------------------------------------------------------------- many */

struct http_many; /* not shared between threads */

struct http_many_options {
        const char *url; /* borrowed until many_open returns */
        unsigned lanes;  /* requests at one time; each has a connection of its own */
        bool fresh;      /* a new connection for each request */
        /* Called by many_wait. The answer is valid until it returns. It may ask again, on any lane that is free. */
        void (*answered)(void *data, unsigned lane, const struct http_answer *a);
        void *data;
};

/* Borrowed until the answer has come. */
struct http_body {
        const char *bytes;
        size_t len;
        size_t per_second; /* so many bytes of it are sent in a second; 0: as fast as it goes */
};

/* ---------------------------------------------------------------- the plug-in */

/* The plug-in's one symbol. */
#define HTTP_SYMBOL "hatchery_bench_http"

struct http_client {
        /* To be called before the first thread starts. More than one call does no harm. */
        int (*start)(struct err *e);

        int (*open)(struct http **h, const char *url, struct err *e);
        /* An error if no answer comes. An answer with any HTTP status is no error. reader gets the body as it comes,
         * and the answer has none; NULL: the answer has the body, until the next request. */
        int (*post)(struct http *h, const char *body, size_t len, const struct http_reader *reader,
                    struct http_answer *a, struct err *e);
        /* Makes n new connections, with one GET on each, and keeps them open until free. An error unless each is
         * answered with 200. */
        int (*hold)(struct http *h, unsigned n, struct err *e);
        void (*free)(struct http *h); /* NULL is fine */

        int (*many_open)(struct http_many **m, const struct http_many_options *o, struct err *e);
        /* Sends a request on a free lane. */
        int (*many_ask)(struct http_many *m, unsigned lane, const struct http_body *body, struct err *e);
        /* Waits until something happens, HTTP_LOST_S at most, and calls answered for each answer that is there. */
        int (*many_wait)(struct http_many *m, struct err *e);
        void (*many_free)(struct http_many *m); /* NULL is fine */
};

/* Loads and starts the plug-in at this path. It stays loaded, since libcurl can't be unloaded safely. */
int http_client_load(const char *module, const struct http_client **client, struct err *e);
