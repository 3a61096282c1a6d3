/* What is measured and what is concluded: the table of rows, the table of ratios between them, and the arithmetic over
 * rounds. A ratio is taken within each round, between rows that were measured minutes apart at most, and the median of
 * the rounds is what is quoted: so a machine that slows down for a while moves both sides of it. */
#pragma once

#include "bench/sample.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { RESULTS_MAX_ROUNDS = 99 };

enum row_kind { ROW_FORK, ROW_COLD, ROW_HATCHERY };

enum row_id {
        ROW_FORK_LOW,
        ROW_HATCHERY_LOW,
        ROW_COLD_LOW,
        ROW_FORK_FULL,
        ROW_HATCHERY_64,
        ROW_HATCHERY_8,
        ROW_HATCHERY_1,
        ROW_COLD_FULL,
        ROW_COUNT,
};

struct row {
        const char *name; /* in JSON and for --rows */
        const char *title;
        enum row_kind kind;
        bool paced;        /* one at a time with a pause, else as fast as it goes */
        unsigned parallel; /* of what is not paced: forkers, processes, connections; 0: one per core */
};

/* In the order in which the first round measures them: what is compared stands together. */
extern const struct row row_table[ROW_COUNT];

enum metric { METRIC_RATE, METRIC_P50, METRIC_P99 };

struct ratio {
        const char *name;
        const char *title;
        enum row_id over;
        enum row_id under;
        enum metric over_metric;
        enum metric under_metric;
        double bar;    /* 0: none, the figure is for information */
        bool at_least; /* what the bar asks for, else at most */
};

extern const struct ratio ratio_table[];
extern const size_t ratio_count;

struct spread {
        double median;
        double min;
        double max;
};

struct results {
        unsigned rounds; /* finished ones */
        bool chosen[ROW_COUNT];
        struct sample *samples; /* max_rounds times ROW_COUNT */
        unsigned max_rounds;
};

int results_init(struct results *r, unsigned max_rounds, struct err *e);
void results_fini(struct results *r);

struct sample *results_at(const struct results *r, unsigned round, enum row_id row);

/* Rates per second, latencies in us. */
double results_metric(const struct sample *s, enum metric m);
struct spread results_metric_spread(const struct results *r, enum row_id row, enum metric m);

/* False where one of its rows was not measured, or gave nothing to divide by. */
bool results_ratio_spread(const struct results *r, const struct ratio *ratio, struct spread *out);
bool results_holds(const struct ratio *ratio, double value);

/* Answers that were not what they must be, in all rows and rounds. */
unsigned long long results_wrong(const struct results *r);

/* Of n values, 1 to RESULTS_MAX_ROUNDS; sorts them. */
struct spread results_spread(double *values, unsigned n);
