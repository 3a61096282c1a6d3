/* A gateway worker from inside: what contracts and gateway/run.c use of it. */
#pragma once

#include "gateway/gateway.h"
#include "gateway/http.h"
#include "proto/base/err.h"

#include <event2/event.h>

/* What a worker is made of besides HTTP. */
struct gateway_parts {
        const struct contract *const *contracts; /* those that listeners may name */
        size_t n_contracts;
        /* Makes the worker's way to the pool, before the worker gives its rights up. *state is what gateway_state
         * returns. Both may be NULL. */
        int (*start)(struct gateway *g, void **state, struct err *e);
        void (*stop)(void *state); /* all exchanges are gone */
        bool confined;             /* give the rights up; false: only in tests */
};

/* As gateway_main, with these parts. */
int gateway_serve(const struct gateway_options *o, const struct gateway_parts *parts);

struct event_base *gateway_base(const struct gateway *g);
const struct log *gateway_log(const struct gateway *g);
const struct gateway_options *gateway_options(const struct gateway *g);
void *gateway_state(const struct gateway *g);
bool gateway_is_draining(const struct gateway *g);

/* Counts memory that requests take beside their bodies and unsent answers, in bytes; negative: it was given back. Above
 * the worker's max_memory, requests with a body are refused with 503. */
void gateway_hold(struct gateway *g, int64_t bytes);
