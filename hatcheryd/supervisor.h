/* The supervisor runs as root, reads nothing from the network, and parses nothing that a client wrote. It reads the
 * configuration, prepares cgroups and listening sockets, starts the pool and one zygote per language, restarts them
 * when they die, and cleans up. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct supervisor_options {
        const char *config_path;   /* NULL: the built-in configuration */
        const char *const *listen; /* if n_listen is not 0, these addresses replace those of the configuration */
        size_t n_listen;
        const char *program_directory; /* where plug-ins and hatchery-init are looked for */
        const char *faults;            /* for tests, see zygote/base/fault.h; else NULL */
};

/* Runs until SIGTERM or SIGINT. Returns the exit status. */
int supervisor_main(const struct supervisor_options *options);
