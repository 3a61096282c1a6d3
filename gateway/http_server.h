/* The HTTP side of a worker: its listeners, connections and memory. gateway.c makes one and drives it. */
#pragma once

#include "gateway/gateway.h"
#include "gateway/http.h"
#include "proto/base/err.h"

#include <event2/event.h>

struct http_server;

/* Takes the listeners' descriptors over. contracts: the contracts that the listeners may name. -EINVAL: a listener
 * names another contract, or none. */
int http_server_new(struct http_server **out, struct gateway *g, struct event_base *base, const struct log *log,
                    const struct gateway_options *o, const struct contract *const *contracts, size_t n_contracts,
                    struct err *e);
void http_server_free(struct http_server *s); /* NULL is accepted. The `gone` of open exchanges is called */

/* To be called each second: time-outs. */
void http_server_tick(struct http_server *s);

/* Accepts nothing more, and closes each connection after its answer. */
void http_server_drain(struct http_server *s);

/* After the drain began: are all exchanges answered, and the answers written? */
bool http_server_is_drained(const struct http_server *s);

/* Counts memory that belongs to requests, in bytes; negative: it was given back. */
void http_server_hold(struct http_server *s, int64_t bytes);

struct http_counts {
        size_t connections;
        size_t exchanges;
        uint64_t held; /* bytes */
};

struct http_counts http_server_counts(const struct http_server *s);
