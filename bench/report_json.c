/* The JSON: see report.h; bench/RESULTS.md explains the fields. */
#include "bench/bars.h"
#include "bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

enum { SCHEMA = 2 };

static const unsigned sweep[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024 };

/* Words from outside (a program, a server) need not be UTF-8. */
static json_t *json_of_text(const char *text)
{
        json_t *o = json_string(text);
        return o ? o : json_string("(not UTF-8)");
}

/* ---------------------------------------------------------------- samples */

static json_t *json_of_histogram(const struct histogram *h)
{
        json_t *list = json_array();
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
                if (h->bucket[i] > 0)
                        json_array_append_new(list, json_pack("[I, I]", (json_int_t)histogram_bucket_start(i),
                                                              (json_int_t)h->bucket[i]));
        return list;
}

static json_t *json_of_cpu(const struct sample_cpu *c)
{
        if (!c->measured)
                return json_null();
        return json_pack("{s:f, s:f, s:f, s:f, s:I}", "seconds", c->seconds, "pool_seconds", c->pool_seconds,
                         "supervisor_seconds", c->supervisor_seconds, "gateway_seconds", c->gateway_seconds, "runs",
                         (json_int_t)c->runs);
}

static json_t *json_of_memory(const struct sample_memory *m)
{
        if (!m->measured)
                return json_null();
        return json_pack("{s:I, s:I, s:I}", "bytes", (json_int_t)m->bytes, "kernel_bytes", (json_int_t)m->kernel_bytes,
                         "warm", (json_int_t)m->warm);
}

static json_t *json_of_recycle(const struct sample_recycle *r)
{
        if (!r->measured)
                return json_null();
        return json_pack("{s:I, s:I}", "p50_us", (json_int_t)r->p50_us, "p99_us", (json_int_t)r->p99_us);
}

/* of_row: the stages of one row. Percentiles are left out, since those are of all rows of the server. */
static json_t *json_of_stages(const struct sample_stages *s, bool of_row)
{
        if (s->n == 0)
                return json_null();
        json_t *list = json_array();
        for (unsigned i = 0; i < s->n; i++) {
                json_t *o = json_object();
                json_object_set_new(o, "name", json_of_text(s->stage[i].name));
                json_object_set_new(o, "count", json_integer((json_int_t)s->stage[i].count));
                json_object_set_new(o, "sum_us", json_integer((json_int_t)s->stage[i].sum_us));
                if (!of_row) {
                        json_object_set_new(o, "p50_us", json_integer((json_int_t)s->stage[i].p50_us));
                        json_object_set_new(o, "p90_us", json_integer((json_int_t)s->stage[i].p90_us));
                        json_object_set_new(o, "p99_us", json_integer((json_int_t)s->stage[i].p99_us));
                        json_object_set_new(o, "max_us", json_integer((json_int_t)s->stage[i].max_us));
                }
                json_array_append_new(list, o);
        }
        return list;
}

static void add_latencies(json_t *o, const struct histogram *h)
{
        const double us = 1000;
        json_object_set_new(o, "min_us", json_real((double)h->min / us));
        json_object_set_new(o, "mean_us", json_real(h->count ? (double)h->sum / (double)h->count / us : 0));
        json_object_set_new(o, "p50_us", json_real((double)histogram_quantile(h, 0.5) / us));
        json_object_set_new(o, "p90_us", json_real((double)histogram_quantile(h, 0.9) / us));
        json_object_set_new(o, "p99_us", json_real((double)histogram_quantile(h, 0.99) / us));
        json_object_set_new(o, "p999_us", json_real((double)histogram_quantile(h, 0.999) / us));
        json_object_set_new(o, "max_us", json_real((double)h->max / us));
}

static json_t *json_of_stream(const struct sample_stream *s)
{
        if (s->n == 0)
                return json_null();
        return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "streams", (json_int_t)s->n, "seconds", s->seconds,
                         "bytes", (json_int_t)s->bytes, "slowest", (json_int_t)s->slowest, "fastest",
                         (json_int_t)s->fastest, "lost", (json_int_t)s->lost, "pool_before", (json_int_t)s->pool_before,
                         "pool_peak", (json_int_t)s->pool_peak);
}

static json_t *json_of_idle(const struct sample_idle *i)
{
        if (i->connections == 0)
                return json_null();
        return json_pack("{s:I, s:I, s:I}", "connections", (json_int_t)i->connections, "gateway_before",
                         (json_int_t)i->gateway_before, "gateway_after", (json_int_t)i->gateway_after);
}

static json_t *json_of_sample(const struct sample *s)
{
        json_t *o = json_object();
        json_object_set_new(o, "runs", json_integer((json_int_t)s->latency.count));
        json_object_set_new(o, "runs_with_warm_up", json_integer((json_int_t)s->runs));
        json_object_set_new(o, "wrong", json_integer((json_int_t)s->wrong));
        if (s->wrong > 0)
                json_object_set_new(o, "first_wrong", json_of_text(s->first_wrong));
        json_object_set_new(o, "seconds", json_real(s->seconds));
        json_object_set_new(o, "per_second", json_real(sample_rate(s)));
        add_latencies(o, &s->latency);
        json_object_set_new(o, "client_cpu_us_per_run",
                            json_real(s->runs ? s->client_cpu_seconds * 1e6 / (double)s->runs : 0));
        json_object_set_new(o, "server_cpu", json_of_cpu(&s->cpu));
        json_object_set_new(o, "memory", json_of_memory(&s->memory));
        json_object_set_new(o, "recycle", json_of_recycle(&s->recycle));
        json_object_set_new(o, "stages", json_of_stages(&s->stages, true));
        json_object_set_new(o, "stream", json_of_stream(&s->stream));
        json_object_set_new(o, "idle", json_of_idle(&s->idle));
        json_object_set_new(o, "offered_per_second", s->offered > 0 ? json_real(s->offered) : json_null());
        json_object_set_new(o, "histogram_ns", json_of_histogram(&s->latency));
        return o;
}

static json_t *json_of_raw(const struct results *r)
{
        json_t *raw = json_object();
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                if (!r->chosen[row])
                        continue;
                json_t *rounds = json_array();
                for (unsigned i = 0; i < r->rounds; i++)
                        json_array_append_new(rounds, json_of_sample(results_at(r, i, row)));
                json_object_set_new(raw, row_table[row].name, rounds);
        }
        return raw;
}

/* ---------------------------------------------------------------- rows */

static json_t *json_of_spread(const struct results *r, enum row_id row, enum metric m)
{
        struct spread s = results_metric_spread(r, row, m);
        return json_pack("{s:f, s:f, s:f}", "median", s.median, "least", s.min, "most", s.max);
}

static void add_spreads(json_t *o, const struct results *r, enum row_id row)
{
        bool paced = row_table[row].load == LOAD_PACED || row_table[row].load == LOAD_FIRST;
        json_object_set_new(o, "per_second", paced ? json_null() : json_of_spread(r, row, METRIC_RATE));
        json_object_set_new(o, "p50_us", json_of_spread(r, row, METRIC_P50));
        json_object_set_new(o, "p90_us", json_of_spread(r, row, METRIC_P90));
        json_object_set_new(o, "p99_us", json_of_spread(r, row, METRIC_P99));
        json_object_set_new(o, "p999_us", json_of_spread(r, row, METRIC_P999));
}

static unsigned parallel_of(const struct row *t, const struct machine *m)
{
        if (t->load == LOAD_PACED || t->load == LOAD_FIRST)
                return 1;
        return t->parallel > 0 ? t->parallel : (unsigned)m->cores;
}

static json_t *json_of_rows(const struct results *r, const struct machine *m)
{
        json_t *list = json_array();
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                const struct row *t = &row_table[row];
                if (!r->chosen[row] || r->rounds == 0)
                        continue;
                json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "name", t->name, "title", t->title,
                                      "program", workload_table[t->program].name, "kind", row_kind_name(t->kind),
                                      "load", row_load_name(t->load), "parallel", (json_int_t)parallel_of(t, m), "warm",
                                      (json_int_t)t->warm);
                add_spreads(o, r, row);
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *json_of_sweep(const struct results *r)
{
        json_t *list = json_array();
        for (size_t i = 0; i < sizeof sweep / sizeof sweep[0]; i++)
                for (enum row_id row = 0; row < ROW_COUNT; row++) {
                        const struct row *t = &row_table[row];
                        if (!r->chosen[row] || r->rounds == 0 || t->kind != ROW_HATCHERY || t->load != LOAD_CLOSED ||
                            t->program != WORKLOAD_HELLO || t->warm > 0 || t->parallel != sweep[i])
                                continue;
                        json_t *o = json_pack("{s:I, s:s}", "connections", (json_int_t)sweep[i], "row", t->name);
                        add_spreads(o, r, row);
                        json_array_append_new(list, o);
                }
        return list;
}

/* ---------------------------------------------------------------- bars */

static void add_value(json_t *o, const struct spread *s)
{
        json_object_set_new(o, "value", s ? json_real(s->median) : json_null());
        json_object_set_new(o, "least", s ? json_real(s->min) : json_null());
        json_object_set_new(o, "most", s ? json_real(s->max) : json_null());
}

static json_t *json_of_bars(const struct results *r, bool with_bar)
{
        json_t *list = json_array();
        for (size_t i = 0; i < bar_count; i++) {
                const struct bar *b = &bar_table[i];
                char reason[ERR_TEXT_SIZE] = "";
                struct spread s;
                if ((b->bar > 0) != with_bar)
                        continue;
                bool measured = bar_spread(b, r, &s, reason);
                if (!measured && !with_bar)
                        continue;
                json_t *o = json_pack("{s:s, s:s, s:s}", "name", b->name, "title", b->title, "unit",
                                      b->unit ? b->unit : "");
                add_value(o, measured ? &s : NULL);
                if (with_bar) {
                        json_object_set_new(o, "bar", json_real(b->bar));
                        json_object_set_new(o, "reach", b->reach > 0 ? json_real(b->reach) : json_null());
                        json_object_set_new(o, "sense", json_string(b->at_least ? "at_least" : "at_most"));
                        json_object_set_new(o, "holds", measured ? json_boolean(bar_holds(b, s.median)) : json_null());
                        json_object_set_new(o, "reason", measured ? json_null() : json_of_text(reason));
                }
                json_array_append_new(list, o);
        }
        return list;
}

/* ---------------------------------------------------------------- all */

static json_t *json_of_machine(const struct machine *m)
{
        return json_pack("{s:I, s:s, s:I, s:s, s:f}", "cores", (json_int_t)m->cores, "cpu", m->cpu, "memory_mib",
                         (json_int_t)m->memory_mib, "kernel", m->kernel, "load_before", m->load);
}

int report_json(const char *path, const struct results *r, const struct machine *m, struct err *e)
{
        json_t *o = json_object();
        int lost = json_object_set_new(o, "schema", json_integer(SCHEMA));
        lost |= json_object_set_new(o, "machine", json_of_machine(m));
        lost |= json_object_set_new(o, "rounds", json_integer(r->rounds));
        lost |= json_object_set_new(o, "compute_steps", json_integer(r->steps));
        lost |= json_object_set_new(o, "bars", json_of_bars(r, true));
        lost |= json_object_set_new(o, "ratios", json_of_bars(r, false));
        lost |= json_object_set_new(o, "rows", json_of_rows(r, m));
        lost |= json_object_set_new(o, "sweep", json_of_sweep(r));
        lost |= json_object_set_new(o, "stages", json_of_stages(&r->stages, false));
        lost |= json_object_set_new(o, "raw", json_of_raw(r));
        errno = 0;
        int written = lost ? -1 : json_dump_file(o, path, JSON_REAL_PRECISION(9));
        int error = errno ? errno : EIO;
        json_decref(o);
        return written < 0 ? err_set(e, error, "write %s", path) : 0;
}
