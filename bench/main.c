/* hatchery-bench: what a run costs through Hatchery, beside what the same run costs with nothing around it. Here: the
 * command line, the server that is started for the occasion, and the report. */
#include "bench/forker.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/rounds.h"
#include "bench/server.h"
#include "bench/workload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PRELOAD = 256, PATH_SIZE = PATH_MAX + 64 };

struct bench {
        struct options options;
        struct machine machine;
        struct rounds plan;
        struct results results;
        struct server server;
        char self[PATH_MAX]; /* this program's file; hatcheryd and the plug-ins lie beside it */
        char hatcheryd[PATH_SIZE];
        char plugin[PATH_SIZE];
        char preload[SERVER_PRELOAD_SIZE];
};

static int run_forker(const struct options *o)
{
        char words[SERVER_PRELOAD_SIZE];
        char *preload[MAX_PRELOAD], *rest = NULL;
        size_t n = 0;
        snprintf(words, sizeof words, "%s", o->forker_preload);
        for (char *word = strtok_r(words, " ", &rest); word && n < MAX_PRELOAD; word = strtok_r(NULL, " ", &rest))
                preload[n++] = word;
        return forker_main(o->forker_plugin, preload, n);
}

static void show_progress(unsigned round, const struct rounds *plan, enum row_id row, const struct sample *s)
{
        char rate[48] = "";
        if (!row_table[row].paced)
                snprintf(rate, sizeof rate, "%8.0f runs/s", sample_rate(s));
        fprintf(stderr, "round %u of %u  %-14s  p50 %8.0f us  p99 %8.0f us  %s\n", round + 1, plan->n,
                row_table[row].name, results_metric(s, METRIC_P50), results_metric(s, METRIC_P99), rate);
        if (s->wrong > 0)
                fprintf(stderr, "  %llu WRONG ANSWERS, the first: %s\n", (unsigned long long)s->wrong, s->first_wrong);
}

static int find_programs(struct bench *b, struct err *e)
{
        ssize_t len = readlink("/proc/self/exe", b->self, sizeof b->self - 1);
        if (len < 0)
                return err_set(e, errno, "find this program's own file");
        b->self[len] = '\0';
        int folder = (int)(strrchr(b->self, '/') - b->self);
        const char *language = workload_table[b->plan.workload].language;
        snprintf(b->hatcheryd, sizeof b->hatcheryd, "%.*s/hatcheryd", folder, b->self);
        snprintf(b->plugin, sizeof b->plugin, "%.*s/hatchery-lang-%s.so", folder, b->self, language);
        return 0;
}

static bool is_chosen(const struct bench *b, enum row_kind kind)
{
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                if (b->options.rows[row] && row_table[row].kind == kind)
                        return true;
        return false;
}

static int prepare(struct bench *b, struct err *e)
{
        rounds_plan(&b->plan, b->options.quick);
        if (b->options.rounds > 0)
                b->plan.n = b->options.rounds;
        b->plan.cores = (unsigned)b->machine.cores;
        b->plan.progress = show_progress;
        int r = find_programs(b, e);
        if (r == 0 && is_chosen(b, ROW_FORK))
                r = server_preload(b->hatcheryd, workload_table[b->plan.workload].language, b->preload, e);
        b->plan.forkers = (struct forkers){ .program = b->self, .plugin = b->plugin, .preload = b->preload };
        if (r == 0)
                r = results_init(&b->results, b->plan.n, e);
        memcpy(b->results.chosen, b->options.rows, sizeof b->results.chosen);
        if (r < 0 || !is_chosen(b, ROW_HATCHERY))
                return r;

        if (!b->options.address) {
                fprintf(stderr, "starting hatcheryd\n");
                r = server_start(&b->server, b->hatcheryd, b->options.listen, e);
        }
        b->plan.address = b->options.address ? b->options.address : b->server.address;
        return r;
}

static int measure(struct bench *b, struct err *e)
{
        machine_look(&b->machine);
        if (b->machine.load > 0.5)
                fprintf(stderr, "the load average is %.2f: on a machine that is not quiet the figures mean little\n",
                        b->machine.load);
        struct err at_end = { 0 };
        int r = prepare(b, e);
        if (r == 0)
                r = rounds_run(&b->plan, &b->results, e);
        int stopped = server_stop(&b->server, &at_end);
        if (r == 0 && stopped < 0) {
                *e = at_end;
                r = stopped;
        }
        return r;
}

int main(int argc, char *argv[])
{
        struct bench b = { 0 };
        struct err e = { 0 };
        if (options_parse(&b.options, argc, argv, &e) < 0) {
                fprintf(stderr, "hatchery-bench: %s\n", e.text);
                return 2;
        }
        if (b.options.help) {
                options_help(stdout);
                return 0;
        }
        if (b.options.forker_plugin)
                return run_forker(&b.options);

        int r = measure(&b, &e);
        if (b.results.rounds > 0)
                report_table(stdout, &b.results, &b.machine);
        if (r == 0 && b.options.json)
                r = report_json(b.options.json, &b.results, &b.machine, &e);
        if (r < 0)
                fprintf(stderr, "hatchery-bench: %s\n", e.text);
        bool wrong = results_wrong(&b.results) > 0;
        results_fini(&b.results);
        return r < 0 || wrong;
}
