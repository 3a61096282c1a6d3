/* The measuring itself: rounds in which every chosen row has its turn. */
#pragma once

#include "bench/forkers.h"
#include "bench/results.h"
#include "proto/err.h"

#include <stdint.h>

struct rounds {
        unsigned n;
        uint32_t workload;   /* index in workload_table */
        const char *address; /* of the server */
        struct forkers forkers;
        unsigned cores;

        struct pace pace;
        struct pace cold_pace; /* of an interpreter that takes 20 times as long to start */
        uint64_t warm_ns;
        uint64_t measure_ns;
        uint64_t settle_ns; /* before each row, so that what the one before left behind is done */

        /* Called after each row, for whoever waits. */
        void (*progress)(unsigned round, const struct rounds *plan, enum row_id row, const struct sample *s);
};

/* The plan without its programs and addresses. */
void rounds_plan(struct rounds *plan, bool quick);

/* Fills r, whose chosen rows are set. Wrong answers are counted, and no error; what keeps a row from being measured is.
 */
int rounds_run(const struct rounds *plan, struct results *r, struct err *e);
