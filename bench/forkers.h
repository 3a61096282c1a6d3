/* The bare fork, from outside: starts forker processes (see forker.h), lets them work in the same window, and adds up
 * what they saw. They are started anew for each row, so that a round's figure does not hang on one process's luck with
 * its memory layout. */
#pragma once

#include "bench/sample.h"
#include "proto/err.h"

#include <stdint.h>

struct forkers {
        const char *program; /* this program's own file */
        const char *plugin;  /* the language's shared object */
        const char *preload; /* module names, separated by spaces */
};

/* One forker, one run at a time. */
int forkers_paced(struct sample *s, const struct forkers *f, uint32_t workload, const struct pace *pace, struct err *e);

/* n forkers at once. warm_ns after all are ready the window begins, measure_ns later it ends. */
int forkers_window(struct sample *s, const struct forkers *f, uint32_t workload, unsigned n, uint64_t warm_ns,
                   uint64_t measure_ns, struct err *e);
