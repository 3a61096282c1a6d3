/* The measuring itself: rounds in which every chosen row has its turn. */
#pragma once

#include "bench/baseline/forkers.h"
#include "bench/http/client.h"
#include "bench/results.h"
#include "proto/base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct rounds {
        unsigned n;
        const char *address; /* of the server that rows share */
        pid_t supervisor;    /* its process; 0: we did not start it, and its CPU time is unknown */
        const char *hatcheryd;
        struct forkers forkers;
        struct peers *peers;      /* the chosen ones; prepared and released here */
        const char *http_module;  /* the plug-in with the HTTP client that rows over HTTP and some peers need */
        const char *http_address; /* where the rows over HTTP ask: http://HOST:PORT */
        bool http_is_shared;      /* http_address belongs to the server at address */
        unsigned cores;

        struct pace pace;
        struct pace cold_pace; /* for an interpreter that is started for each run, which takes 20 times as long */
        uint64_t warm_ns;
        uint64_t measure_ns;
        uint64_t settle_ns; /* pause before each row, in which the server finishes the row before */

        /* Called after each row, to show progress. */
        void (*progress)(unsigned round, const struct rounds *plan, enum row_id row, const struct sample *s);

        /* Filled by rounds_prepare. */
        struct program programs[WORKLOAD_COUNT];
        const struct http_client *http; /* NULL: no row needs it */
};

/* The plan without its programs and addresses. */
void rounds_plan(struct rounds *plan, bool quick);

/* Makes the programs, and prepares the peers: rows of missing peers are left out of r, with the reason. rounds_release
 * undoes it in every case. */
int rounds_prepare(struct rounds *plan, struct results *r, struct err *e);
void rounds_release(struct rounds *plan);

/* Fills r, whose chosen rows are set. Wrong answers are counted, and are no error; anything that prevents measuring a
 * row is an error.
 */
int rounds_run(const struct rounds *plan, struct results *r, struct err *e);
