/* The front's data for its parts: private to pool/native. */
#pragma once

#include "pool/base/budget.h"
#include "pool/base/heap.h"
#include "pool/config/config.h"
#include "pool/native/native.h"
#include "pool/native/status.h"
#include "pool/native/turns.h"
#include "proto/base/log.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection;
struct connection_ops;
struct listener;

extern const struct connection_ops native_connection_ops;

enum { NATIVE_SCRATCH = 64 << 10 };

struct native {
        /* Borrowed from the options. */
        struct event_base *base;
        struct log *log;
        const struct config *config;
        struct budget *memory;
        struct core *core;
        int64_t started_us;
        void (*progress)(void *owner);
        void *owner;

        struct listener *listeners;
        size_t n_listeners;

        const struct connection_ops *connection_ops;
        LIST_HEAD(, connection) connections;
        unsigned max_connections; /* as configured, or as many as the limit of descriptors leaves */
        unsigned n_connections;
        unsigned n_turned_away; /* among them, connections that are only told that there is no room */
        unsigned n_doomed;      /* among them, connections that are to be freed */
        struct turns turns;     /* turns of connections */
        struct heap hoards;     /* connections with many unsent bytes; the one with the most is on top */

        struct status_cache last_status;
        uint64_t n_results; /* answers to Execute that were sent so far */

        uint8_t scratch[NATIVE_SCRATCH]; /* bytes are read into this before they get memory of their own */
};
