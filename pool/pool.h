/* The pool: the process that talks to clients. It parses all bytes that come from clients and from sandboxes, and has
 * no privilege. It owns the event base, the core and the native front; the supervisor starts it, and talks to it as
 * proto/ipc/control.h says. */
#pragma once

#include "pool/base/trusted.h"

#include <stdbool.h>
#include <stdint.h>

struct pool_options {
        uint32_t uid; /* the user and group that the pool becomes */
        unsigned n_listeners;
        const struct trusted_listener *trusted; /* the listeners that serve a gateway */
        size_t n_trusted;
        bool has_cache;
        const char *config_name; /* name of the configuration, for error sentences */
};

/* Runs the pool process: drops its privilege, prepares it, confines its system calls, and runs the loop. Returns the
 * exit status. */
int pool_main(const struct pool_options *options);
