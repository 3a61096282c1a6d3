/* The front's data for its parts: private to pool/native. */
#pragma once

#include "pool/base/budget.h"
#include "pool/base/heap.h"
#include "pool/config/config.h"
#include "pool/native/book.h"
#include "pool/native/idempotency.h"
#include "pool/native/native.h"
#include "pool/native/run_ids.h"
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

enum {
        NATIVE_SCRATCH = 64 << 10,
        NATIVE_MAX_TRUSTED = 256, /* connections of gateways */
};

struct native {
        /* Borrowed from the options. */
        struct event_base *base;
        struct log *log;
        const struct config *config;
        struct budget *memory;
        struct core *core;
        int64_t started_us;
        uint64_t started_at_us; /* the same moment, counted from 1970-01-01 UTC */
        const struct trusted_listener *trusted;
        size_t n_trusted;
        void (*progress)(void *owner);
        void *owner;

        struct listener *listeners;
        size_t n_listeners;

        const struct connection_ops *connection_ops;
        LIST_HEAD(, connection) connections;
        unsigned max_connections; /* as configured, or as many as the limit of descriptors leaves */
        unsigned n_connections;
        unsigned n_turned_away; /* of these, connections that only get a refusal */
        unsigned n_trusted_up;  /* of these, connections of gateways; they have a limit of their own */
        unsigned n_doomed;      /* of these, connections that are to be freed, and are counted nowhere else */
        struct turns turns;     /* of connections */
        struct heap hoards;     /* outboxes where many bytes wait, those with the most bytes first */
        bool sheds;             /* memory is being freed */
        struct books books;     /* callers of trusted connections */
        struct run_ids run_ids;
        struct idempotency idempotency;

        struct status_cache last_status;
        uint64_t n_results; /* answers to Execute that were sent so far */

        uint8_t scratch[NATIVE_SCRATCH]; /* bytes are read into this before they get memory of their own */
};
