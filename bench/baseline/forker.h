/* The bare fork, from inside: a process that initialises the interpreter as a zygote does, and then forks, runs, reads
 * and reaps, with no wall between it and the program. It is the limit that Hatchery is held against. It is a process of
 * its own, started by exec (see forkers.h), so that it shares nothing with the load generator or with its siblings. */
#pragma once

#include "bench/base/sample.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The socket to whoever started it; closed, it ends. */
enum { FORKER_FD = 3 };

/* Over that socket: the forker says a forker_reply when it is ready, and after that one for each order, followed by the
 * sample where the code is 0. */
struct forker_order {
        uint32_t workload; /* index in workload_table */
        uint32_t steps;    /* of the computation */
        uint32_t relayed;  /* output comes by way of relay.h */
        uint32_t paced;    /* pace counts, else window */
        struct pace pace;
        struct window window;
};

struct forker_reply {
        int32_t code; /* 0, or an errno */
        char text[ERR_TEXT_SIZE];
};

/* plugin is the language's shared object, preload what a zygote of the server imports. Returns an exit code; what went
 * wrong was said over the socket. */
int forker_main(const char *plugin, char *const *preload, size_t n_preload);
