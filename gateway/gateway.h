/* A gateway worker: one process that speaks HTTP, and asks the pool on behalf of its clients. The supervisor starts it
 * with open listening sockets. It has no privilege, and sees no file but the pool's socket. */
#pragma once

#include "proto/base/log.h"

#include <stddef.h>
#include <stdint.h>

/* The lists end with NULL, and are never NULL. */
struct gateway_listener {
        int fd;              /* bound, listening and non-blocking */
        const char *address; /* "127.0.0.1:8060", "[::1]:8060" */
        char **contracts;    /* some of "v1", "snekbox", "piston", "sandboxfusion", "metrics", "health" */
        char **hosts;        /* further names that requests may use for this server */
        char **origins;      /* origins whose web pages may use this server: "https://example.org" */
};

/* All pointers are borrowed. */
struct gateway_options {
        uint32_t worker; /* the worker's number, from 0 */
        const struct gateway_listener *listeners;
        size_t n_listeners;
        /* A packet socket to the supervisor. End of file: the worker drains, and exits with 0. The worker sends a byte
         * when it is up, and then at least each second. A worker that is silent for 15 s is killed. */
        int control_fd;
        uint64_t max_memory;        /* bytes that all requests of this worker may take together */
        uint32_t max_request_bytes; /* bytes that one message to the pool may have */
        enum log_level log_level;
        const char *pool; /* the pool's address, as hatchery_connect takes it, seen from root_fd */
        uint32_t uid;     /* the user and group that the worker becomes */
        int root_fd;      /* the directory that becomes the worker's file system, see gateway/confine.h */
};

/* The whole life of a worker: confine, prepare, loop, drain. Returns the exit status. */
int gateway_main(const struct gateway_options *o);
