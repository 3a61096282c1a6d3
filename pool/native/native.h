/* The front that speaks the native wire (proto/hatchery.proto, in the frames of proto/wire/frame.h): it accepts
 * connections, makes submissions to the core of their requests, and answers of what the core tells. It owns the
 * listening sockets, the connections, and all that waits to be read or sent. What is run, and when, is the core's
 * business. nanopb stops here. */
#pragma once

#include "proto/base/err.h"

#include <event2/event.h>
#include <stdint.h>

struct budget;
struct config;
struct core;
struct log;
struct native;

/* All that is pointed to is borrowed, and outlives the front. */
struct native_options {
        struct event_base *base;
        struct log *log;
        const struct config *config; /* native_reload brings another */
        struct budget *memory;       /* what clients make the pool hold */
        struct core *core;
        int64_t started_us; /* when the server began, for its status */

        /* A connection has ended, and is counted no more. */
        void (*progress)(void *owner);
        void *owner;
};

int native_new(struct native **out, const struct native_options *options, struct err *e);

/* At once: executions are abandoned. NULL is accepted. */
void native_free(struct native *n);

/* Accepts connections from so many listening sockets, numbered from first on; takes them over. Once. */
int native_listen(struct native *n, int first, unsigned count, struct err *e);

/* The configuration is this one from here on. */
void native_reload(struct native *n, const struct config *config);

/* To be called each second or so. */
void native_tick(struct native *n);

/* No connection is taken any more, and those that there are end when their answers have left. Executions without an
 * answer are abandoned. */
void native_close(struct native *n);

/* Connections that are not freed yet. */
unsigned native_connections(const struct native *n);
