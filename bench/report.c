/* The tables: see report.h. */
#include "bench/report.h"

#include "bench/bars.h"

#include <string.h>

static void spread_text(char *out, size_t size, struct spread s, int digits)
{
        snprintf(out, size, "%.*f (%.*f–%.*f)", digits, s.median, digits, s.min, digits, s.max);
}

/* ---------------------------------------------------------------- rows */

struct section {
        const char *title;
        enum row_load load;
        bool hello; /* rows of the program "hello" alone, else rows of all other programs */
};

static const struct section sections[] = {
        { "one at a time, 5 ms pause", LOAD_PACED, true },
        { "as fast as it goes", LOAD_CLOSED, true },
        { "all at once, one request on each connection", LOAD_ONCE, true },
        { "at fixed times, half as many per second as 64 connections carry", LOAD_OPEN, true },
        { "other programs, as fast as it goes", LOAD_CLOSED, false },
        { "from a program's write to its reader, one at a time, 5 ms pause", LOAD_FIRST, false },
};

static bool belongs(const struct section *s, const struct results *r, enum row_id row)
{
        const struct row *t = &row_table[row];
        return r->chosen[row] && t->load == s->load && (t->program == WORKLOAD_HELLO) == s->hello;
}

static void print_row(FILE *to, const struct results *r, enum row_id row)
{
        static const enum metric columns[] = { METRIC_P50, METRIC_P90, METRIC_P99, METRIC_P999 };
        const struct row *t = &row_table[row];
        char text[64] = "–";
        if (t->program == WORKLOAD_HELLO)
                fprintf(to, "| %s", t->title);
        else
                fprintf(to, "| %s: %s", workload_table[t->program].name, t->title);
        if (t->load != LOAD_PACED && t->load != LOAD_FIRST)
                spread_text(text, sizeof text, results_metric_spread(r, row, METRIC_RATE), 0);
        fprintf(to, " | %s", text);
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
                spread_text(text, sizeof text, results_metric_spread(r, row, columns[i]), 0);
                fprintf(to, " | %s", text);
        }
        fputs(" |\n", to);
}

static void print_section(FILE *to, const struct results *r, const struct section *s)
{
        bool header = false;
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                if (!belongs(s, r, row))
                        continue;
                if (!header)
                        fprintf(to,
                                "\n| %s | runs/s | p50, us | p90, us | p99, us | p99.9, us |\n|---|---|---|---|---|---|\n",
                                s->title);
                header = true;
                print_row(to, r, row);
        }
}

static void print_floods(FILE *to, const struct results *r)
{
        bool header = false;

        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                char rate[64], share[64];
                if (!r->chosen[row] || row_table[row].load != LOAD_FLOOD)
                        continue;
                if (!header)
                        fputs("\n| 10 MB/s each, or what the machine carries | MB/s in all | slowest / fastest | bytes lost | "
                              "pool's memory, MiB more |\n|---|---|---|---|---|\n",
                              to);
                header = true;
                spread_text(rate, sizeof rate, results_metric_spread(r, row, METRIC_STREAM_RATE), 0);
                spread_text(share, sizeof share, results_metric_spread(r, row, METRIC_STREAM_SHARE), 2);
                fprintf(to, "| %s | %s | %s | %.0f | %.1f |\n", row_table[row].title, rate, share,
                        results_metric_spread(r, row, METRIC_STREAM_LOST).max,
                        results_metric_spread(r, row, METRIC_STREAM_POOL).max / (1 << 20));
        }
}

static void print_idle(FILE *to, const struct results *r)
{
        bool header = false;
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                char bytes[64];
                if (!r->chosen[row] || row_table[row].load != LOAD_IDLE)
                        continue;
                if (!header)
                        fputs("\n| connections without a request | connections | the gateway's memory for each, bytes |\n"
                              "|---|---|---|\n",
                              to);
                header = true;
                spread_text(bytes, sizeof bytes, results_metric_spread(r, row, METRIC_IDLE), 0);
                fprintf(to, "| %s | %u | %s |\n", row_table[row].title, row_table[row].parallel, bytes);
        }
}

/* ---------------------------------------------------------------- bars */

static void value_text(char *out, size_t size, const struct bar *b, struct spread s)
{
        char text[64];
        spread_text(text, sizeof text, s, 2);
        snprintf(out, size, "%s%s%s", text, b->unit ? " " : "", b->unit ? b->unit : "");
}

static void print_bar(FILE *to, const struct results *r, const struct bar *b)
{
        struct spread s;
        char value[96], reach[32] = "–", reason[ERR_TEXT_SIZE] = "";
        const char *sense = b->at_least ? "≥" : "≤", *verdict = "not measured";
        if (bar_spread(b, r, &s, reason)) {
                value_text(value, sizeof value, b, s);
                verdict = bar_holds(b, s.median) ? "holds" : "**does not hold**";
        } else {
                snprintf(value, sizeof value, "%.90s", reason);
        }
        if (b->reach > 0)
                snprintf(reach, sizeof reach, "%.2f", b->reach);
        fprintf(to, "| %s | %s | %s %.2f | %s | %s |\n", b->title, value, sense, b->bar, reach, verdict);
}

static void print_bars(FILE *to, const struct results *r)
{
        fputs("\n| figure, computed within each round | value | bar | goal | |\n|---|---|---|---|---|\n", to);
        for (size_t i = 0; i < bar_count; i++)
                if (bar_table[i].bar > 0)
                        print_bar(to, r, &bar_table[i]);
}

static void print_ratios(FILE *to, const struct results *r)
{
        bool header = false;
        for (size_t i = 0; i < bar_count; i++) {
                const struct bar *b = &bar_table[i];
                struct spread s;
                char value[96], reason[ERR_TEXT_SIZE];
                if (b->bar > 0 || !bar_spread(b, r, &s, reason))
                        continue;
                if (!header)
                        fputs("\n| ratio without a bar | value |\n|---|---|\n", to);
                header = true;
                value_text(value, sizeof value, b, s);
                fprintf(to, "| %s | %s |\n", b->title, value);
        }
}

/* ---------------------------------------------------------------- all */

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
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
                print_section(to, r, &sections[i]);
        print_floods(to, r);
        print_idle(to, r);
        print_bars(to, r);
        print_ratios(to, r);
        print_wrong(to, r);
}
