/* Samples and their figures: see results.h. */
#include "bench/results.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

void results_leave_out(struct results *r, enum row_id row, const char *reason)
{
        r->chosen[row] = false;
        snprintf(r->reason[row], sizeof r->reason[row], "%s", reason);
}

struct sample *results_at(const struct results *r, unsigned round, enum row_id row)
{
        return &r->samples[(size_t)round * ROW_COUNT + row];
}

static double quantile_us(const struct sample *s, double q)
{
        return s->latency.count > 0 ? (double)histogram_quantile(&s->latency, q) / 1000 : NAN;
}

double results_metric(const struct sample *s, enum metric m)
{
        switch (m) {
        case METRIC_P50:
                return quantile_us(s, 0.50);
        case METRIC_P90:
                return quantile_us(s, 0.90);
        case METRIC_P99:
                return quantile_us(s, 0.99);
        case METRIC_P999:
                return quantile_us(s, 0.999);
        case METRIC_CPU_FRONT:
                return s->cpu.measured ? s->cpu.pool_seconds + s->cpu.supervisor_seconds : NAN;
        case METRIC_CPU:
                return s->cpu.measured ? s->cpu.seconds : NAN;
        case METRIC_CPU_GATEWAY:
                return s->cpu.measured ? s->cpu.gateway_seconds : NAN;
        case METRIC_MEMORY:
                return s->memory.measured ? (double)s->memory.bytes : NAN;
        case METRIC_RECYCLE_P50:
                return s->recycle.measured ? (double)s->recycle.p50_us : NAN;
        case METRIC_RECYCLE_P99:
                return s->recycle.measured ? (double)s->recycle.p99_us : NAN;
        case METRIC_STREAM_RATE:
                return s->stream.n > 0 ? (double)s->stream.bytes / 1e6 / s->stream.seconds : NAN;
        case METRIC_STREAM_SHARE:
                return s->stream.n > 0 ? (double)s->stream.slowest / (double)s->stream.fastest : NAN;
        case METRIC_STREAM_LOST:
                return s->stream.n > 0 ? (double)s->stream.lost : NAN;
        case METRIC_STREAM_POOL:
                return s->stream.pool_peak > 0 ? (double)(s->stream.pool_peak - s->stream.pool_before) : NAN;
        case METRIC_RIGHT:
                return s->runs > 0 ? (double)s->latency.count / (double)s->runs : NAN;
        case METRIC_IDLE:
                return s->idle.connections > 0
                               ? ((double)s->idle.gateway_after - (double)s->idle.gateway_before) / s->idle.connections
                               : NAN;
        case METRIC_RATE:
        default:
                return s->latency.count > 0 ? sample_rate(s) : NAN;
        }
}

const char *results_metric_reason(const struct sample *s, enum metric m)
{
        switch (m) {
        case METRIC_CPU_FRONT:
        case METRIC_CPU_GATEWAY:
        case METRIC_CPU:
                return "the server is not the benchmark's own, so its CPU time is not known";
        case METRIC_MEMORY:
                return s->memory.reason;
        case METRIC_RECYCLE_P50:
        case METRIC_RECYCLE_P99:
                return s->recycle.reason;
        case METRIC_IDLE:
                return "the connections were not all kept";
        default:
                return "no run had a right answer";
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
        for (unsigned i = 0; i < r->rounds; i++) {
                double value = results_metric(results_at(r, i, row), m);
                /* A round without a figure counts as 0: it had no right answer, or the figure was not measured. */
                values[i] = isnan(value) ? 0 : value;
        }
        return results_spread(values, r->rounds);
}

unsigned long long results_wrong(const struct results *r)
{
        unsigned long long wrong = 0;
        for (unsigned i = 0; i < r->rounds; i++)
                for (enum row_id row = 0; row < ROW_COUNT; row++)
                        wrong += results_at(r, i, row)->wrong;
        return wrong;
}
