/* The tables and the arithmetic: see results.h. */
#include "bench/results.h"

#include <errno.h>
#include <stdlib.h>

const struct row row_table[ROW_COUNT] = {
        [ROW_FORK_LOW] = { "fork_low", "bare fork", ROW_FORK, true, 1 },
        [ROW_HATCHERY_LOW] = { "hatchery_low", "Hatchery", ROW_HATCHERY, true, 1 },
        [ROW_COLD_LOW] = { "python_low", "python3 -I -c", ROW_COLD, true, 1 },
        [ROW_FORK_FULL] = { "fork_full", "bare fork, one forker per core", ROW_FORK, false, 0 },
        [ROW_HATCHERY_64] = { "hatchery_64", "Hatchery, 64 connections", ROW_HATCHERY, false, 64 },
        [ROW_HATCHERY_8] = { "hatchery_8", "Hatchery, 8 connections", ROW_HATCHERY, false, 8 },
        [ROW_HATCHERY_1] = { "hatchery_1", "Hatchery, 1 connection", ROW_HATCHERY, false, 1 },
        [ROW_COLD_FULL] = { "python_full", "python3 -I -c, one per core", ROW_COLD, false, 0 },
};

const struct ratio ratio_table[] = {
        { "throughput_vs_bare_fork", "throughput, 64 connections / bare fork on all cores", ROW_HATCHERY_64,
          ROW_FORK_FULL, METRIC_RATE, METRIC_RATE, 0.70, true },
        { "low_load_p50_vs_bare_fork", "p50 at low load / p50 of a bare fork", ROW_HATCHERY_LOW, ROW_FORK_LOW,
          METRIC_P50, METRIC_P50, 1.0, false },
        { "low_load_p99_vs_p50", "p99 at low load / p50 at low load", ROW_HATCHERY_LOW, ROW_HATCHERY_LOW, METRIC_P99,
          METRIC_P50, 4.0, false },
        { "throughput_vs_python", "throughput, 64 connections / python3 on all cores", ROW_HATCHERY_64, ROW_COLD_FULL,
          METRIC_RATE, METRIC_RATE, 0, true },
        { "low_load_p50_vs_python", "p50 at low load / p50 of python3", ROW_HATCHERY_LOW, ROW_COLD_LOW, METRIC_P50,
          METRIC_P50, 0, false },
        { "throughput_8_vs_64", "throughput, 8 connections / 64 connections", ROW_HATCHERY_8, ROW_HATCHERY_64,
          METRIC_RATE, METRIC_RATE, 0, true },
};
const size_t ratio_count = sizeof ratio_table / sizeof ratio_table[0];

int results_init(struct results *r, unsigned max_rounds, struct err *e)
{
        *r = (struct results){ .max_rounds = max_rounds };
        r->samples = calloc((size_t)max_rounds * ROW_COUNT, sizeof *r->samples);
        return r->samples ? 0 : err_set(e, ENOMEM, "hold %u rounds", max_rounds);
}

void results_fini(struct results *r)
{
        free(r->samples);
        r->samples = NULL;
}

struct sample *results_at(const struct results *r, unsigned round, enum row_id row)
{
        return &r->samples[(size_t)round * ROW_COUNT + row];
}

double results_metric(const struct sample *s, enum metric m)
{
        switch (m) {
        case METRIC_P50:
                return (double)histogram_quantile(&s->latency, 0.50) / 1000;
        case METRIC_P99:
                return (double)histogram_quantile(&s->latency, 0.99) / 1000;
        case METRIC_RATE:
        default:
                return sample_rate(s);
        }
}

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;
        return (x > y) - (x < y);
}

struct spread results_spread(double *values, unsigned n)
{
        qsort(values, n, sizeof *values, compare);
        double median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
        return (struct spread){ .median = median, .min = values[0], .max = values[n - 1] };
}

struct spread results_metric_spread(const struct results *r, enum row_id row, enum metric m)
{
        double values[RESULTS_MAX_ROUNDS] = { 0 };
        for (unsigned i = 0; i < r->rounds; i++)
                values[i] = results_metric(results_at(r, i, row), m);
        return results_spread(values, r->rounds);
}

bool results_ratio_spread(const struct results *r, const struct ratio *ratio, struct spread *out)
{
        double values[RESULTS_MAX_ROUNDS] = { 0 };
        if (r->rounds == 0 || !r->chosen[ratio->over] || !r->chosen[ratio->under])
                return false;
        for (unsigned i = 0; i < r->rounds; i++) {
                double over = results_metric(results_at(r, i, ratio->over), ratio->over_metric);
                double under = results_metric(results_at(r, i, ratio->under), ratio->under_metric);
                if (under <= 0 || over <= 0)
                        return false;
                values[i] = over / under;
        }
        *out = results_spread(values, r->rounds);
        return true;
}

bool results_holds(const struct ratio *ratio, double value)
{
        return ratio->at_least ? value >= ratio->bar : value <= ratio->bar;
}

unsigned long long results_wrong(const struct results *r)
{
        unsigned long long wrong = 0;
        for (unsigned i = 0; i < r->rounds; i++)
                for (enum row_id row = 0; row < ROW_COUNT; row++)
                        wrong += results_at(r, i, row)->wrong;
        return wrong;
}
