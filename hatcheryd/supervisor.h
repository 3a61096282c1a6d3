/* The supervisor: root, no network, no parser of anything a client wrote. It reads the configuration, prepares cgroups
 * and listening sockets, starts the pool and one zygote per language, restarts them when they die, and cleans up. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct supervisor_options {
        const char *config_path;   /* NULL: the built-in configuration */
        const char *const *listen; /* in place of the configuration's, where n_listen is not 0 */
        size_t n_listen;
        const char *program_directory; /* where plug-ins and hatchery-init are looked for */
        const char *faults;            /* NULL, or for tests: see zygote/base/fault.h */
};

/* Runs until SIGTERM or SIGINT. Returns the exit status. */
int supervisor_main(const struct supervisor_options *options);
