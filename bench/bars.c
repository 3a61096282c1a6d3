/* The table and its arithmetic: see bars.h. */
#include "bench/bars.h"

#include <math.h>
#include <stdio.h>

const struct bar bar_table[] = {
        { .name = "throughput_vs_bare_fork",
          .title = "throughput, 64 connections / bare fork on all cores",
          .over = { ROW_HATCHERY_64, METRIC_RATE },
          .under = { ROW_FORK_FULL, METRIC_RATE },
          .bar = 0.70,
          .reach = 0.90,
          .at_least = true },
        { .name = "p50_low_load_vs_bare_fork",
          .title = "p50 at low load / p50 of a bare fork",
          .over = { ROW_HATCHERY_LOW, METRIC_P50 },
          .under = { ROW_FORK_LOW, METRIC_P50 },
          .bar = 1.0,
          .reach = 0.5 },
        { .name = "p99_over_p50_low_load",
          .title = "p99 at low load / p50 at low load",
          .over = { ROW_HATCHERY_LOW, METRIC_P99 },
          .under = { ROW_HATCHERY_LOW, METRIC_P50 },
          .bar = 4,
          .reach = 2 },
        { .name = "throughput_vs_bubblewrap",
          .title = "throughput, 64 connections / bubblewrap on all cores",
          .over = { ROW_HATCHERY_64, METRIC_RATE },
          .under = { ROW_BUBBLEWRAP_FULL, METRIC_RATE },
          .bar = 10,
          .at_least = true },
        { .name = "throughput_vs_crun",
          .title = "throughput, 64 connections / crun on all cores",
          .over = { ROW_HATCHERY_64, METRIC_RATE },
          .under = { ROW_CRUN_FULL, METRIC_RATE },
          .bar = 20,
          .at_least = true },
        { .name = "throughput_256_warm_vs_16",
          .title = "throughput, 256 warm sandboxes / 16",
          .over = { ROW_WARM_256, METRIC_RATE },
          .under = { ROW_WARM_16, METRIC_RATE },
          .bar = 0.90,
          .reach = 1.0,
          .at_least = true },
        { .name = "throughput_1024_connections_vs_16",
          .title = "throughput, 1,024 connections / 16",
          .over = { ROW_HATCHERY_1024, METRIC_RATE },
          .under = { ROW_HATCHERY_16, METRIC_RATE },
          .bar = 0.90,
          .reach = 1.0,
          .at_least = true },
        { .name = "recycle_p50_half_load",
          .title = "order of a slot's next sandbox until it is warm, half load, p50",
          .unit = "ms",
          .kind = BAR_FIGURE,
          .over = { ROW_HATCHERY_HALF, METRIC_RECYCLE_P50 },
          .scale = 1000,
          .bar = 3,
          .reach = 1 },
        { .name = "recycle_p99_half_load",
          .title = "order of a slot's next sandbox until it is warm, half load, p99",
          .unit = "ms",
          .kind = BAR_FIGURE,
          .over = { ROW_HATCHERY_HALF, METRIC_RECYCLE_P99 },
          .scale = 1000,
          .bar = 15,
          .reach = 5 },
        { .name = "memory_per_warm_sandbox",
          .title = "memory of one more warm sandbox, user and kernel",
          .unit = "MiB",
          .kind = BAR_GROWTH,
          .over = { ROW_WARM_256, METRIC_MEMORY },
          .under = { ROW_WARM_16, METRIC_MEMORY },
          .scale = 1 << 20,
          .bar = 1.5,
          .reach = 0.8 },
        { .name = "cpu_of_pool_and_supervisor",
          .title = "CPU time, pool and supervisor / all of a run, 64 connections",
          .over = { ROW_HATCHERY_64, METRIC_CPU_FRONT },
          .under = { ROW_HATCHERY_64, METRIC_CPU },
          .bar = 0.15,
          .reach = 0.08 },
        { .name = "output_vs_pipe_and_socket",
          .title = "1 MiB of output, bytes/s, one at a time / bare fork through a pipe and a socket",
          .over = { ROW_HATCHERY_MEGABYTE, METRIC_RATE }, /* runs per second: each run gives the same number of bytes */
          .under = { ROW_RELAY_MEGABYTE, METRIC_RATE },
          .bar = 0.5,
          .at_least = true },

        { .name = "first_byte_p50",
          .title = "from a program's write to its reader, one at a time, p50",
          .unit = "ms",
          .kind = BAR_FIGURE,
          .over = { ROW_HATCHERY_FIRST_BYTE, METRIC_P50 },
          .scale = 1000,
          .bar = 0.5 },

        /* Over HTTP. */
        { .name = "http_p50_over_native",
          .title = "HTTP: p50 at low load, /v1/run - native",
          .unit = "ms",
          .kind = BAR_DIFFERENCE,
          .over = { ROW_HTTP_LOW, METRIC_P50 },
          .under = { ROW_HATCHERY_LOW, METRIC_P50 },
          .scale = 1000,
          .bar = 0.25,
          .reach = 0.12 },
        { .name = "http_throughput_vs_native",
          .title = "HTTP: throughput, 64 connections, /v1/run / native",
          .over = { ROW_HTTP_64, METRIC_RATE },
          .under = { ROW_HATCHERY_64, METRIC_RATE },
          .bar = 0.90,
          .reach = 0.97,
          .at_least = true },
        { .name = "http_snekbox_vs_native",
          .title = "HTTP: throughput, 64 connections, /eval / native",
          .over = { ROW_HTTP_SNEKBOX_64, METRIC_RATE },
          .under = { ROW_HATCHERY_64, METRIC_RATE },
          .bar = 0.85,
          .reach = 0.95,
          .at_least = true },
        { .name = "http_piston_vs_native",
          .title = "HTTP: throughput, 64 connections, /api/v2/execute / native",
          .over = { ROW_HTTP_PISTON_64, METRIC_RATE },
          .under = { ROW_HATCHERY_64, METRIC_RATE },
          .bar = 0.85,
          .reach = 0.95,
          .at_least = true },
        { .name = "http_sandboxfusion_vs_native",
          .title = "HTTP: throughput, 64 connections, /run_code / native",
          .over = { ROW_HTTP_SANDBOXFUSION_64, METRIC_RATE },
          .under = { ROW_HATCHERY_64, METRIC_RATE },
          .bar = 0.85,
          .reach = 0.95,
          .at_least = true },
        { .name = "http_new_connections_vs_kept",
          .title = "HTTP: throughput, 64 at one time, a new connection for each request / kept ones",
          .over = { ROW_HTTP_64_FRESH, METRIC_RATE },
          .under = { ROW_HTTP_64, METRIC_RATE },
          .bar = 0.85,
          .at_least = true },
        { .name = "http_first_byte_p50",
          .title = "HTTP: from a program's write to the reader of server-sent events, one at a time, p50",
          .unit = "ms",
          .kind = BAR_FIGURE,
          .over = { ROW_HTTP_FIRST_BYTE, METRIC_P50 },
          .scale = 1000,
          .bar = 1 },
        { .name = "http_1024_connections_answered",
          .title = "HTTP: 1,024 connections at once, right answers / requests",
          .kind = BAR_FIGURE,
          .over = { ROW_HTTP_1024, METRIC_RIGHT },
          .bar = 1,
          .at_least = true },
        { .name = "http_memory_per_idle_connection",
          .title = "HTTP: the gateway's memory for each of 10,000 idle connections",
          .unit = "KiB",
          .kind = BAR_FIGURE,
          .over = { ROW_HTTP_IDLE, METRIC_IDLE },
          .scale = 1024,
          .bar = 16 },
        { .name = "http_cpu_of_gateway",
          .title = "HTTP: CPU time, gateway / all of a run, 64 connections, /v1/run",
          .over = { ROW_HTTP_64, METRIC_CPU_GATEWAY },
          .under = { ROW_HTTP_64, METRIC_CPU },
          .bar = 0.08,
          .reach = 0.05 },
        { .name = "http_p99_beside_upload",
          .title = "HTTP: p99 of 64 connections, with a slow upload of 16 MiB beside them / without",
          .over = { ROW_HTTP_64_UPLOAD, METRIC_P99 },
          .under = { ROW_HTTP_64, METRIC_P99 },
          .bar = 1.10 },

        /* For information. */
        { .name = "throughput_vs_python",
          .title = "throughput, 64 connections / python3 on all cores",
          .over = { ROW_HATCHERY_64, METRIC_RATE },
          .under = { ROW_COLD_FULL, METRIC_RATE } },
        { .name = "p50_low_load_vs_python",
          .title = "p50 at low load / p50 of python3",
          .over = { ROW_HATCHERY_LOW, METRIC_P50 },
          .under = { ROW_COLD_LOW, METRIC_P50 } },
        { .name = "throughput_8_vs_64",
          .title = "throughput, 8 connections / 64 connections",
          .over = { ROW_HATCHERY_8, METRIC_RATE },
          .under = { ROW_HATCHERY_64, METRIC_RATE } },
        { .name = "compute_vs_bare_fork",
          .title = "throughput, a computation of 5 ms / bare fork",
          .over = { ROW_HATCHERY_COMPUTE, METRIC_RATE },
          .under = { ROW_FORK_COMPUTE, METRIC_RATE } },
        { .name = "echo_vs_bare_fork",
          .title = "throughput, 64 KiB in and out / bare fork",
          .over = { ROW_HATCHERY_ECHO, METRIC_RATE },
          .under = { ROW_FORK_ECHO, METRIC_RATE } },
        { .name = "crash_vs_bare_fork",
          .title = "throughput, a crash / bare fork",
          .over = { ROW_HATCHERY_CRASH, METRIC_RATE },
          .under = { ROW_FORK_CRASH, METRIC_RATE } },
        { .name = "real_vs_bare_fork",
          .title = "throughput, a program of a real kind / bare fork",
          .over = { ROW_HATCHERY_REAL, METRIC_RATE },
          .under = { ROW_FORK_REAL, METRIC_RATE } },
};
const size_t bar_count = sizeof bar_table / sizeof bar_table[0];

/* NAN with a reason if there is no such figure. */
static double side(const struct bar_side *s, const struct results *r, unsigned round, char reason[ERR_TEXT_SIZE])
{
        if (!r->chosen[s->row]) {
                snprintf(reason, ERR_TEXT_SIZE, "%s: %.100s", row_table[s->row].name, r->reason[s->row]);
                return NAN;
        }
        const struct sample *sample = results_at(r, round, s->row);
        double value = results_metric(sample, s->metric);
        if (isnan(value))
                snprintf(reason, ERR_TEXT_SIZE, "%s: %.100s", row_table[s->row].name,
                         results_metric_reason(sample, s->metric));
        return value;
}

static double one_round(const struct bar *b, const struct results *r, unsigned round, char reason[ERR_TEXT_SIZE])
{
        double scale = b->scale > 0 ? b->scale : 1;
        double over = side(&b->over, r, round, reason);
        if (isnan(over) || b->kind == BAR_FIGURE)
                return over / scale;
        double under = side(&b->under, r, round, reason);
        if (isnan(under))
                return under;
        if (b->kind == BAR_DIFFERENCE)
                return (over - under) / scale;
        if (b->kind == BAR_GROWTH) {
                double more = (double)row_table[b->over.row].warm - (double)row_table[b->under.row].warm;
                return (over - under) / more / scale;
        }
        if (under <= 0) {
                snprintf(reason, ERR_TEXT_SIZE, "%s: nothing to divide by", row_table[b->under.row].name);
                return NAN;
        }
        return over / under;
}

bool bar_spread(const struct bar *b, const struct results *r, struct spread *out, char reason[ERR_TEXT_SIZE])
{
        double values[RESULTS_MAX_ROUNDS] = { 0 };
        if (r->rounds == 0) {
                snprintf(reason, ERR_TEXT_SIZE, "no round was finished");
                return false;
        }
        for (unsigned i = 0; i < r->rounds; i++) {
                values[i] = one_round(b, r, i, reason);
                if (isnan(values[i]))
                        return false;
        }
        *out = results_spread(values, r->rounds);
        return true;
}

bool bar_holds(const struct bar *b, double value)
{
        return b->at_least ? value >= b->bar : value <= b->bar;
}
