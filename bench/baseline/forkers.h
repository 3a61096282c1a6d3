/* The bare fork, from outside: starts forker processes (see forker.h), lets them work in the same window, and adds up
 * their results. They are started anew for each row, so that a round's figure does not depend on one process's luck
 * with its memory layout. */
#pragma once

#include "bench/base/sample.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The work of a forker. */
struct forkers_job {
        uint32_t workload; /* index in workload_table */
        uint32_t steps;    /* of the computation */
        bool relayed;      /* output through a relay process and a socket: relay.h */
};

struct forkers {
        const char *program; /* this program's own file */
        const char *plugin;  /* the language's shared object */
        const char *preload; /* module names, separated by spaces */
};

/* One forker, one run at a time. */
int forkers_paced(struct sample *s, const struct forkers *f, const struct forkers_job *job, const struct pace *pace,
                  struct err *e);

/* n forkers at once. warm_ns after all are ready the window begins, measure_ns later it ends. */
int forkers_window(struct sample *s, const struct forkers *f, const struct forkers_job *job, unsigned n,
                   uint64_t warm_ns, uint64_t measure_ns, struct err *e);
