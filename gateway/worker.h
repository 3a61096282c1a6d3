/* The inside of a gateway worker: the functions that contracts and gateway/run.c use. */
#pragma once

#include "gateway/gateway.h"
#include "gateway/http.h"
#include "proto/base/err.h"

#include <event2/event.h>

/* The parts of a worker besides HTTP. */
struct gateway_parts {
        const struct contract *const *contracts; /* the contracts that listeners may name */
        size_t n_contracts;
        /* start makes the worker's connections to the pool, before gateway_confine_calls. gateway_state returns *state.
         * start and stop may be NULL. */
        int (*start)(struct gateway *g, void **state, struct err *e);
        void (*stop)(void *state); /* called when all exchanges are gone */
        bool confined;             /* give the rights up; false: only in tests */
};

/* Like gateway_main, but with these parts. */
int gateway_serve(const struct gateway_options *o, const struct gateway_parts *parts);

struct event_base *gateway_base(const struct gateway *g);
const struct log *gateway_log(const struct gateway *g);
const struct gateway_options *gateway_options(const struct gateway *g);
void *gateway_state(const struct gateway *g);
bool gateway_is_draining(const struct gateway *g);

/* Counts memory that requests take besides their bodies and unsent answers, in bytes. Negative: memory was given back.
 * Above the worker's max_memory, requests with a body are refused with 503. */
void gateway_hold(struct gateway *g, int64_t bytes);
