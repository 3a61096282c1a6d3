/* The table of languages: see languages_report.h. */
#include "bench/languages_report.h"

#include "bench/results.h"
#include "proto/ipc/kind.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

/* The promises of docs and README for a kind, each relative to another figure. */
struct bar {
        enum kind kind;
        enum workload_id only; /* 0: all languages of that kind */
        enum languages_metric of;
        enum languages_metric against; /* the divisor of `of`; LANGUAGES_METRICS: no divisor, `of` in ms */
        double most;                   /* 0: none */
        double least;                  /* 0: none */
        const char *text;
};

static const struct bar bars[] = {
        { KIND_FORKED, 0, LANGUAGES_P50, LANGUAGES_FORK_P50, 1.2, 0, "p50 <= 1.2 x bare fork" },
        { KIND_FORKED, 0, LANGUAGES_RATE, LANGUAGES_FORK_RATE, 0, 0.6, "throughput >= 0.6 x bare forks" },
        { KIND_PRESTARTED, 0, LANGUAGES_P50, LANGUAGES_COLD_P50, 0.2, 0, "p50 <= 0.2 x cold command" },
        { KIND_COMPILED, WORKLOAD_C, LANGUAGES_P50, LANGUAGES_METRICS, 3, 0, "p50 with a cache hit <= 3 ms" },
        { KIND_COMPILED, WORKLOAD_CPP, LANGUAGES_COMPILE_P50, LANGUAGES_COLD_P50, 0.3, 0,
          "compiling and running <= 0.3 x plain g++ with bits/stdc++.h" },
};

void languages_note(struct languages_report *r, struct languages_row *row, enum languages_metric m, unsigned round,
                    const struct sample *s)
{
        bool is_rate = m == LANGUAGES_RATE || m == LANGUAGES_FORK_RATE;
        row->value[m][round] = is_rate ? sample_rate(s) : results_metric(s, METRIC_P50);
        row->rounds[m] = round + 1;
        r->wrong += s->wrong;
}

static bool spread_of(const struct languages_row *row, enum languages_metric m, struct spread *out)
{
        double values[LANGUAGES_MAX_ROUNDS];
        if (row->rounds[m] == 0)
                return false;
        memcpy(values, row->value[m], sizeof values);
        *out = results_spread(values, row->rounds[m]);
        return !isnan(out->median);
}

/* Ratios within single rounds, since both sides of a round were measured one after the other. */
static bool ratio_of(const struct languages_row *row, const struct bar *b, struct spread *out)
{
        double values[LANGUAGES_MAX_ROUNDS];
        bool is_ratio = b->against != LANGUAGES_METRICS;
        unsigned n = row->rounds[b->of];
        if (is_ratio && row->rounds[b->against] < n)
                n = row->rounds[b->against];
        for (unsigned i = 0; i < n; i++)
                values[i] = row->value[b->of][i] / (is_ratio ? row->value[b->against][i] : 1000);
        if (n == 0)
                return false;
        *out = results_spread(values, n);
        return !isnan(out->median);
}

static bool holds(const struct bar *b, double value)
{
        return (b->most == 0 || value <= b->most) &&
               (b->least == 0 || value >= b->least); /* NOLINT: bars has exact 0s */
}

static void cell(FILE *to, const struct languages_row *row, enum languages_metric m, int digits)
{
        struct spread s;
        if (spread_of(row, m, &s))
                fprintf(to, " %.*f |", digits, s.median);
        else
                fputs(" – |", to);
}

static void print_row(FILE *to, const struct languages_row *row)
{
        const char *kind = kind_name((enum kind)row->status.kind);
        fprintf(to, "| %s %s | %s |", row->name, row->status.version, kind ? kind : "?");
        cell(to, row, LANGUAGES_COLD_P50, 0);
        cell(to, row, LANGUAGES_FORK_P50, 0);
        cell(to, row, LANGUAGES_P50, 0);
        cell(to, row, LANGUAGES_COMPILE_P50, 0);
        cell(to, row, LANGUAGES_FORK_RATE, 0);
        cell(to, row, LANGUAGES_RATE, 0);
        fprintf(to, " %.2f | %.1f |\n", (double)row->status.sandbox_bytes / (1 << 20),
                (double)row->status.refill_us / 1000);
}

static void print_bar(FILE *to, const struct languages_row *row, const struct bar *b)
{
        struct spread s;
        if (row->status.kind != (uint32_t)b->kind || (b->only && b->only != row->id))
                return;
        if (!ratio_of(row, b, &s))
                fprintf(to, "| %s | %s | not measured | |\n", row->name, b->text);
        else
                fprintf(to, "| %s | %s | %.2f (%.2f–%.2f) | %s |\n", row->name, b->text, s.median, s.min, s.max,
                        holds(b, s.median) ? "holds" : "NOT REACHED");
}

void languages_print(FILE *to, const struct languages_report *r, const struct machine *m)
{
        fprintf(to, "%u rounds, medians; %s, %ld cores, %s, load before %.2f\n\n", r->rounds, m->cpu, m->cores,
                m->kernel, m->load);
        fputs("| language | kind | cold command, us | bare fork p50, us | Hatchery p50, us | not yet compiled, us | bare forks/s | Hatchery/s | "
              "a warm sandbox, MiB | refill, ms |\n|---|---|---|---|---|---|---|---|---|---|\n",
              to);
        for (size_t i = 0; i < r->n; i++)
                print_row(to, &r->rows[i]);
        if (r->memory.measured)
                fprintf(to, "\nAll of them warm and idle: %.0f MiB, of which %.0f MiB are the kernel's.\n",
                        (double)r->memory.bytes / (1 << 20), (double)r->memory.kernel_bytes / (1 << 20));
        else
                fprintf(to, "\nThe memory of all of them was not measured: %s\n", r->memory.reason);
        fputs("\n| language | bar | median (least–most) | |\n|---|---|---|---|\n", to);
        for (size_t i = 0; i < r->n; i++)
                for (size_t k = 0; k < sizeof bars / sizeof bars[0]; k++)
                        print_bar(to, &r->rows[i], &bars[k]);
        fprintf(to, "\nwrong answers: %llu\n", r->wrong);
}

/* ---------------------------------------------------------------- JSON */

static json_t *json_of_row(const struct languages_row *row)
{
        static const char *const names[LANGUAGES_METRICS] = { "cold_p50_us", "fork_p50_us", "forks_per_s",
                                                              "p50_us",      "per_s",       "compiling_p50_us" };
        const char *kind = kind_name((enum kind)row->status.kind);
        json_t *o = json_pack("{s:s, s:s, s:s?, s:I, s:I}", "language", row->name, "version", row->status.version,
                              "kind", kind, "sandbox_bytes", (json_int_t)row->status.sandbox_bytes, "refill_us",
                              (json_int_t)row->status.refill_us);
        for (enum languages_metric m = 0; o && m < LANGUAGES_METRICS; m++) {
                json_t *list = json_array();
                for (unsigned i = 0; i < row->rounds[m]; i++) {
                        double v = row->value[m][i];
                        json_array_append_new(list, isnan(v) ? json_null() : json_real(v));
                }
                json_object_set_new(o, names[m], list);
        }
        return o;
}

int languages_write_json(const char *path, const struct languages_report *r, const struct machine *m, struct err *e)
{
        json_t *rows = json_array();
        for (size_t i = 0; i < r->n; i++)
                json_array_append_new(rows, json_of_row(&r->rows[i]));
        json_t *all = json_pack("{s:s, s:i, s:s, s:f, s:i, s:I, s:I, s:o}", "cpu", m->cpu, "cores", (int)m->cores,
                                "kernel", m->kernel, "load_before", m->load, "rounds", (int)r->rounds, "wrong",
                                (json_int_t)r->wrong, "resident_bytes", (json_int_t)r->memory.bytes, "rows", rows);
        int written = all ? json_dump_file(all, path, JSON_INDENT(1)) : -1;
        json_decref(all);
        return written < 0 ? err_set(e, errno ? errno : EIO, "write %s", path) : 0;
}
