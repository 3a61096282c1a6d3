/* The command line and descriptors of a gateway worker: the supervisor makes them, and the worker parses them. A worker
 * gets only its own listeners and bounds, and nothing else of the configuration. */
#pragma once

#include "hatcheryd/process.h"
#include "pool/config/config.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

#include <stddef.h>
#include <stdint.h>

struct role_gateway_listener {
        int fd;           /* bound and listening; borrowed, as are the pointers */
        const char *name; /* "127.0.0.1:8060" */
        const struct config_http *http;
};

struct role_gateway {
        uint32_t worker; /* the worker's number, from 0 */
        uint32_t uid;
        uint64_t max_memory;
        uint32_t max_request_bytes;
        enum log_level log_level;
        int root_fd; /* the directory that becomes the worker's file system */
        const struct role_gateway_listener *listeners;
        size_t n_listeners; /* at most CONFIG_MAX_HTTP_LISTEN */
};

/* *control becomes the supervisor's end of a pair of packet sockets, owned by the caller. Closing it tells the worker
 * to drain. The worker sends a byte each second. */
int role_start_gateway(struct process *p, const struct role_gateway *role, int *control, struct err *e);

/* The parsed words of a worker's command line. They are borrowed, and role_run_gateway changes them. */
struct role_gateway_line {
        char *listeners[CONFIG_MAX_HTTP_LISTEN];
        size_t n_listeners;
        unsigned long worker, uid, log_level;
        unsigned long long max_memory, max_request_bytes;
};

/* Runs the worker until it ends. Returns the exit status. */
int role_run_gateway(struct role_gateway_line *line);
