/* The table and the JSON: see report.h. */
#include "bench/report.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* ---------------------------------------------------------------- table */

static void spread_text(char *out, size_t size, struct spread s, int digits)
{
        snprintf(out, size, "%.*f (%.*f–%.*f)", digits, s.median, digits, s.min, digits, s.max);
}

static void print_row(FILE *to, const struct results *r, enum row_id row)
{
        char p50[64], p99[64], rate[64] = "–";
        spread_text(p50, sizeof p50, results_metric_spread(r, row, METRIC_P50), 0);
        spread_text(p99, sizeof p99, results_metric_spread(r, row, METRIC_P99), 0);
        if (!row_table[row].paced)
                spread_text(rate, sizeof rate, results_metric_spread(r, row, METRIC_RATE), 0);
        fprintf(to, "| %s | %s | %s | %s |\n", row_table[row].title, rate, p50, p99);
}

static void print_rows(FILE *to, const struct results *r, bool paced)
{
        bool any = false;
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                any = any || (r->chosen[row] && row_table[row].paced == paced);
        if (!any)
                return;
        fprintf(to, "\n| %s | runs/s | p50, us | p99, us |\n|---|---|---|---|\n",
                paced ? "one at a time, 5 ms pause" : "as fast as it goes");
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                if (r->chosen[row] && row_table[row].paced == paced)
                        print_row(to, r, row);
}

static void print_ratios(FILE *to, const struct results *r)
{
        bool header = false;
        for (size_t i = 0; i < ratio_count; i++) {
                const struct ratio *ratio = &ratio_table[i];
                struct spread s;
                char value[64], bar[48] = "–";
                if (!results_ratio_spread(r, ratio, &s))
                        continue;
                if (!header)
                        fprintf(to, "\n| ratio, taken within each round | value | bar |\n|---|---|---|\n");
                header = true;
                spread_text(value, sizeof value, s, 2);
                if (ratio->bar > 0)
                        snprintf(bar, sizeof bar, "%s %.2f: %s", ratio->at_least ? "≥" : "≤", ratio->bar,
                                 results_holds(ratio, s.median) ? "holds" : "does not hold");
                fprintf(to, "| %s | %s | %s |\n", ratio->title, value, bar);
        }
}

static void print_wrong(FILE *to, const struct results *r)
{
        unsigned long long wrong = results_wrong(r);
        fprintf(to, "\nWrong answers: %llu\n", wrong);
        for (unsigned i = 0; wrong > 0 && i < r->rounds; i++)
                for (enum row_id row = 0; row < ROW_COUNT; row++) {
                        const struct sample *s = results_at(r, i, row);
                        if (s->wrong > 0)
                                fprintf(to, "- round %u, %s: %llu of %llu; the first: %s\n", i + 1, row_table[row].name,
                                        (unsigned long long)s->wrong, (unsigned long long)s->runs, s->first_wrong);
                }
}

void report_table(FILE *to, const struct results *r, const struct machine *m)
{
        fprintf(to, "%ld cores (%s), %ld MiB of memory, %s; load before: %.2f. Median of %u rounds (least–most).\n",
                m->cores, m->cpu[0] ? m->cpu : "unknown", m->memory_mib, m->kernel, m->load, r->rounds);
        print_rows(to, r, true);
        print_rows(to, r, false);
        print_ratios(to, r);
        print_wrong(to, r);
}

/* ---------------------------------------------------------------- JSON */

static json_t *json_of_histogram(const struct histogram *h)
{
        json_t *list = json_array();
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
                if (h->bucket[i] > 0)
                        json_array_append_new(list, json_pack("[I, I]", (json_int_t)histogram_bucket_start(i),
                                                              (json_int_t)h->bucket[i]));
        return list;
}

static json_t *json_of_sample(const struct sample *s)
{
        const struct histogram *h = &s->latency;
        const double us = 1000;
        json_t *o = json_object();
        json_object_set_new(o, "runs", json_integer((json_int_t)h->count));
        json_object_set_new(o, "runs_with_warm_up", json_integer((json_int_t)s->runs));
        json_object_set_new(o, "wrong", json_integer((json_int_t)s->wrong));
        if (s->wrong > 0) { /* it may quote a program, whose words need not be UTF-8 */
                json_t *first = json_string(s->first_wrong);
                json_object_set_new(o, "first_wrong", first ? first : json_string("(not UTF-8)"));
        }
        json_object_set_new(o, "seconds", json_real(s->seconds));
        json_object_set_new(o, "per_second", json_real(sample_rate(s)));
        json_object_set_new(o, "min_us", json_real((double)h->min / us));
        json_object_set_new(o, "mean_us", json_real(h->count ? (double)h->sum / (double)h->count / us : 0));
        json_object_set_new(o, "p50_us", json_real((double)histogram_quantile(h, 0.5) / us));
        json_object_set_new(o, "p90_us", json_real((double)histogram_quantile(h, 0.9) / us));
        json_object_set_new(o, "p99_us", json_real((double)histogram_quantile(h, 0.99) / us));
        json_object_set_new(o, "p999_us", json_real((double)histogram_quantile(h, 0.999) / us));
        json_object_set_new(o, "max_us", json_real((double)h->max / us));
        json_object_set_new(o, "client_cpu_us_per_run",
                            json_real(s->runs ? s->client_cpu_seconds * 1e6 / (double)s->runs : 0));
        json_object_set_new(o, "histogram_ns", json_of_histogram(h));
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

static json_t *json_of_ratios(const struct results *r, bool with_bar)
{
        json_t *list = json_array();
        for (size_t i = 0; i < ratio_count; i++) {
                const struct ratio *ratio = &ratio_table[i];
                struct spread s;
                if ((ratio->bar > 0) != with_bar || !results_ratio_spread(r, ratio, &s))
                        continue;
                json_t *o = json_pack("{s:s, s:f, s:f, s:f}", "name", ratio->name, "value", s.median, "min", s.min,
                                      "max", s.max);
                if (with_bar) {
                        json_object_set_new(o, "bar", json_real(ratio->bar));
                        json_object_set_new(o, "sense", json_string(ratio->at_least ? "at_least" : "at_most"));
                        json_object_set_new(o, "holds", json_boolean(results_holds(ratio, s.median)));
                }
                json_array_append_new(list, o);
        }
        return list;
}

static json_t *json_of_machine(const struct machine *m)
{
        return json_pack("{s:I, s:s, s:I, s:s, s:f}", "cores", (json_int_t)m->cores, "cpu", m->cpu, "memory_mib",
                         (json_int_t)m->memory_mib, "kernel", m->kernel, "load_before", m->load);
}

int report_json(const char *path, const struct results *r, const struct machine *m, struct err *e)
{
        json_t *o = json_object();
        int lost = json_object_set_new(o, "machine", json_of_machine(m));
        lost |= json_object_set_new(o, "rounds", json_integer(r->rounds));
        lost |= json_object_set_new(o, "bars", json_of_ratios(r, true));
        lost |= json_object_set_new(o, "ratios", json_of_ratios(r, false));
        lost |= json_object_set_new(o, "raw", json_of_raw(r));
        errno = 0;
        int written = lost ? -1 : json_dump_file(o, path, JSON_REAL_PRECISION(9));
        int error = errno ? errno : EIO;
        json_decref(o);
        return written < 0 ? err_set(e, error, "write %s", path) : 0;
}
