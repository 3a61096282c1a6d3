/* The results of the rounds: a sample for each row of each round, its figures, and the arithmetic over rounds. bars.h
 * draws the conclusions. */
#pragma once

#include "bench/base/sample.h"
#include "bench/rows.h"
#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESULTS_MAX_ROUNDS = 99 };

enum metric {
        METRIC_RATE, /* right answers per second */
        METRIC_P50,  /* us */
        METRIC_P90,
        METRIC_P99,
        METRIC_P999,
        METRIC_CPU_FRONT,   /* seconds: pool and supervisor */
        METRIC_CPU,         /* seconds: all of the server */
        METRIC_CPU_GATEWAY, /* seconds: the gateway's workers */
        METRIC_MEMORY,      /* bytes */
        METRIC_RECYCLE_P50, /* us */
        METRIC_RECYCLE_P99,
        METRIC_STREAM_RATE,  /* MB/s, of all streams together */
        METRIC_STREAM_SHARE, /* slowest / fastest */
        METRIC_STREAM_LOST,  /* bytes */
        METRIC_STREAM_POOL,  /* bytes of the pool's memory, beyond what it had before */
        METRIC_RIGHT,        /* right answers / all requests */
        METRIC_IDLE,         /* bytes of the gateway's memory for each idle connection */
};

struct spread {
        double median;
        double min;
        double max;
};

struct results {
        unsigned rounds; /* finished ones */
        bool chosen[ROW_COUNT];
        char reason[ROW_COUNT][ERR_TEXT_SIZE]; /* why a row is not chosen */
        struct sample *samples;                /* max_rounds times ROW_COUNT */
        unsigned max_rounds;
        struct sample_stages stages; /* of all runs of the server that rows share */
        uint32_t steps;              /* of the computation; 0: no row needed it */
};

/* No row is chosen yet. */
int results_init(struct results *r, unsigned max_rounds, struct err *e);
void results_fini(struct results *r);

/* Leaves a row out; the sentence says why. */
void results_leave_out(struct results *r, enum row_id row, const char *reason);

struct sample *results_at(const struct results *r, unsigned round, enum row_id row);

/* NAN if it was not measured, or no answer was right. */
double results_metric(const struct sample *s, enum metric m);

/* The reason for NAN, as a sentence. */
const char *results_metric_reason(const struct sample *s, enum metric m);

struct spread results_metric_spread(const struct results *r, enum row_id row, enum metric m);

/* The number of wrong answers, in all rows and rounds. */
unsigned long long results_wrong(const struct results *r);

/* The spread of n values, 1 to RESULTS_MAX_ROUNDS; sorts them. */
struct spread results_spread(double *values, unsigned n);
