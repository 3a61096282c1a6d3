/* The bare fork, from inside: a process that initialises the interpreter as a zygote does, and then forks, runs, reads
 * and reaps, with no wall between it and the program. Hatchery is compared with this limit. A forker is a process of
 * its own, started by exec (see forkers.h), so that it shares nothing with the load generator or with its siblings. */
#pragma once

#include "bench/base/sample.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The socket to its parent; if that is closed, the forker ends. */
enum { FORKER_FD = 3 };

/* Over that socket the forker sends a forker_reply when it is ready, and then one for each order, followed by the
 * sample if the code is 0. */
struct forker_order {
        uint32_t workload; /* index in workload_table */
        uint32_t steps;    /* of the computation */
        uint32_t relayed;  /* output comes through relay.h */
        uint32_t paced;    /* pace counts, else window */
        struct pace pace;
        struct window window;
};

struct forker_reply {
        int32_t code; /* 0, or an errno */
        char text[ERR_TEXT_SIZE];
};

/* plugin is the language's shared object; preload: the modules that a zygote of the server imports. Returns an exit
 * code; faults were reported over the socket. */
int forker_main(const char *plugin, char *const *preload, size_t n_preload);
