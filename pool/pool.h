/* The pool: the process that talks to clients. It parses all bytes from outside and from sandboxes, and holds no
 * privilege. It owns the event base, the core and the native front; the supervisor that started it speaks to it as
 * proto/ipc/control.h says. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pool_options {
        uint32_t uid; /* the user and group that the pool becomes */
        unsigned n_listeners;
        bool has_cache;
        const char *config_name; /* for sentences */
};

/* The whole life of the pool process: confine, drop, prepare, loop. Returns the exit status. */
int pool_main(const struct pool_options *options);
