/* The front as a whole: see native.h. */
#include "pool/native/native.h"

#include "pool/native/call.h"
#include "pool/native/connection.h"
#include "pool/native/listener.h"
#include "pool/native/native_parts.h"
#include "pool/native/requests.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>

/* The code above the connections calls the functions of connection.h. Connections report back by these callbacks, so
 * connection.c needs to know neither requests nor their calls. */
const struct connection_ops native_connection_ops = {
        .message = requests_take, .ended = call_abandon_all, .has_room = call_go_on, .lost = call_lost
};

int native_new(struct native **out, const struct native_options *options, struct err *e)
{
        struct native *n = calloc(1, sizeof *n);
        if (!n)
                return err_set(e, ENOMEM, "the native front");
        n->base = options->base;
        n->log = options->log;
        n->config = options->config;
        n->memory = options->memory;
        n->core = options->core;
        n->started_us = options->started_us;
        n->started_at_us = (uint64_t)(clock_wall_us() - (clock_us() - options->started_us));
        n->trusted = options->trusted;
        n->n_trusted = options->n_trusted;
        n->progress = options->progress;
        n->owner = options->owner;
        n->connection_ops = &native_connection_ops;
        LIST_INIT(&n->connections);
        idempotency_init(&n->idempotency);
        int r = turns_init(&n->turns, n->base, e);
        if (r < 0) {
                free(n);
                return r;
        }
        n->max_connections = listener_room(n);
        *out = n;
        return 0;
}

static void close_listeners(struct native *n)
{
        for (size_t i = 0; i < n->n_listeners; i++)
                listener_fini(&n->listeners[i]);
}

void native_free(struct native *n)
{
        struct connection *c;

        if (!n)
                return;
        while ((c = LIST_FIRST(&n->connections)))
                connection_free(c);
        idempotency_fini(&n->idempotency, n->memory);
        close_listeners(n);
        free(n->listeners);
        turns_fini(&n->turns);
        status_cache_fini(&n->last_status);
        free(n);
}

int native_listen(struct native *n, int first, unsigned count, struct err *e)
{
        n->listeners = calloc(count ? count : 1, sizeof *n->listeners);
        if (!n->listeners)
                return err_set(e, ENOMEM, "the listeners");
        for (; n->n_listeners < count; n->n_listeners++) {
                const struct trusted_listener *trusted =
                        trusted_find(n->trusted, n->n_trusted, (unsigned)n->n_listeners);
                int r = listener_init(&n->listeners[n->n_listeners], n, first + (int)n->n_listeners, trusted, e);
                if (r < 0)
                        return r;
        }
        return 0;
}

void native_reload(struct native *n, const struct config *config)
{
        n->config = config;
        n->max_connections = listener_room(n);
}

void native_tick(struct native *n)
{
        idempotency_tick(&n->idempotency, n->memory);
        for (size_t i = 0; i < n->n_listeners; i++)
                listener_tick(&n->listeners[i]);
}

void native_close(struct native *n)
{
        struct connection *c, *next;

        close_listeners(n);
        for (c = LIST_FIRST(&n->connections); c; c = next) {
                next = LIST_NEXT(c, link);
                connection_end(c);
        }
}

unsigned native_connections(const struct native *n)
{
        return n->n_connections;
}
