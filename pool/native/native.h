/* The front that speaks the native wire (proto/hatchery.proto, in the frames of proto/wire/frame.h): it accepts
 * connections, turns their requests into submissions to the core, and the core's reports into answers. It owns the
 * listening sockets, the connections, and all bytes that wait to be read or sent. The core decides what is run, and
 * when. Nothing else in the pool uses nanopb. */
#pragma once

#include "pool/base/trusted.h"
#include "proto/base/err.h"

#include <event2/event.h>
#include <stdint.h>

struct budget;
struct config;
struct core;
struct log;
struct native;

/* All pointers are borrowed, and outlive the front. */
struct native_options {
        struct event_base *base;
        struct log *log;
        const struct config *config; /* native_reload replaces it */
        struct budget *memory;       /* memory that clients make the pool hold */
        struct core *core;
        int64_t started_us;                     /* when the server began, for its status */
        const struct trusted_listener *trusted; /* the sockets of native_listen that serve gateways */
        size_t n_trusted;

        /* A connection has ended: native_connections no longer counts it. */
        void (*progress)(void *owner);
        void *owner;
};

int native_new(struct native **out, const struct native_options *options, struct err *e);

/* Frees the front at once, and abandons its executions. NULL is accepted. */
void native_free(struct native *n);

/* Accepts connections from count listening sockets, whose descriptors are numbered from first on. Takes the sockets
 * over. To be called once. */
int native_listen(struct native *n, int first, unsigned count, struct err *e);

/* Uses this configuration from here on. */
void native_reload(struct native *n, const struct config *config);

/* To be called about every second. */
void native_tick(struct native *n);

/* Accepts no more connections; existing connections end when their answers were sent. Executions without an answer are
 * abandoned. */
void native_close(struct native *n);

/* The number of connections that are not freed yet. */
unsigned native_connections(const struct native *n);
