/* hatchery-bench: the cost of a run through Hatchery, beside the cost of the same run with nothing around it. This file
 * has the command line, the server that is started for the measurement, and the report. */
#include "bench/base/clock.h"
#include "bench/base/server.h"
#include "bench/base/workload.h"
#include "bench/baseline/forker.h"
#include "bench/languages.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/rounds.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_PRELOAD = 256, PATH_SIZE = PATH_MAX + 64 };

struct bench {
        struct options options;
        struct machine machine;
        struct rounds plan;
        struct results results;
        struct server server;
        char self[PATH_MAX]; /* the path of this program; hatcheryd and the plug-ins lie beside it */
        char hatcheryd[PATH_SIZE];
        char plugin[PATH_SIZE];
        char http_module[PATH_SIZE];
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
        if (row_table[row].load == LOAD_FLOOD)
                snprintf(rate, sizeof rate, "%8.0f MB/s", results_metric(s, METRIC_STREAM_RATE));
        else if (row_table[row].load == LOAD_IDLE)
                snprintf(rate, sizeof rate, "%8.0f bytes for each", results_metric(s, METRIC_IDLE));
        else if (row_table[row].load != LOAD_PACED && row_table[row].load != LOAD_FIRST)
                snprintf(rate, sizeof rate, "%8.0f runs/s", sample_rate(s));
        fprintf(stderr, "round %u of %u  %-21s  p50 %8.0f us  p99 %8.0f us  %s\n", round + 1, plan->n,
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
        const char *language = workload_table[WORKLOAD_HELLO].language; /* the language of all of them */
        snprintf(b->hatcheryd, sizeof b->hatcheryd, "%.*s/hatcheryd", folder, b->self);
        snprintf(b->http_module, sizeof b->http_module, "%.*s/hatchery-bench-http.so", folder, b->self);
        snprintf(b->plugin, sizeof b->plugin, "%.*s/hatchery-lang-%s.so", folder, b->self, language);
        return 0;
}

static bool is_chosen(const struct bench *b, enum row_kind kind)
{
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                if (b->results.chosen[row] && row_table[row].kind == kind)
                        return true;
        return false;
}

static void plan(struct bench *b)
{
        const struct options *o = &b->options;
        struct rounds *p = &b->plan;
        rounds_plan(p, o->quick);
        if (o->rounds > 0)
                p->n = o->rounds;
        if (o->window_ms > 0) {
                p->measure_ns = o->window_ms * (CLOCK_SECOND / 1000);
                p->warm_ns = p->measure_ns / 5;
        }
        if (o->runs > 0) {
                p->pace.runs = o->runs;
                p->cold_pace.runs = o->runs < p->cold_pace.runs ? o->runs : p->cold_pace.runs;
        }
        p->cores = (unsigned)b->machine.cores;
        p->progress = show_progress;
        p->hatcheryd = b->hatcheryd;
        p->peers = &b->options.peer;
        p->http_module = b->http_module;
        p->forkers = (struct forkers){ .program = b->self, .plugin = b->plugin, .preload = b->preload };
}

/* Starts the server that rows share, unless the command line names servers for all of them. */
static int start_server(struct bench *b, struct err *e)
{
        const struct options *o = &b->options;
        bool native = is_chosen(b, ROW_HATCHERY) && !o->address, http = is_chosen(b, ROW_HTTP) && !o->http_address;
        int r = 0;

        b->plan.address = o->address;
        b->plan.http_address = o->http_address;
        if (native || http) {
                const struct server_options options = { .language = workload_table[WORKLOAD_HELLO].language,
                                                        .listen = o->listen,
                                                        .http = http };
                fprintf(stderr, "starting hatcheryd\n");
                r = server_start(&b->server, b->hatcheryd, &options, e);
                b->plan.supervisor = b->server.pid;
                b->plan.address = b->server.address;
        }
        if (http) {
                b->plan.http_address = b->server.http;
                b->plan.http_is_shared = true;
        }
        return r;
}

static int prepare(struct bench *b, struct err *e)
{
        int r = find_programs(b, e);
        plan(b);
        if (r == 0)
                r = results_init(&b->results, b->plan.n, e);
        if (r < 0)
                return r;
        options_choose(&b->options, &b->results);
        if (is_chosen(b, ROW_FORK) || is_chosen(b, ROW_RELAY))
                r = server_preload(b->hatcheryd, workload_table[WORKLOAD_HELLO].language, b->preload, e);
        if (r == 0)
                r = rounds_prepare(&b->plan, &b->results, e);
        return r < 0 ? r : start_server(b, e);
}

/* Raises the limit for a thousand connections. The raised limit does no harm to programs that inherit it. */
static void allow_descriptors(void)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                setrlimit(RLIMIT_NOFILE, &limit); /* if this fails, a connection that can't be opened reports it */
        }
}

static int measure(struct bench *b, struct err *e)
{
        machine_look(&b->machine);
        if (b->machine.load > 0.5)
                fprintf(stderr, "the load average is %.2f: on a machine that is not quiet the figures mean little\n",
                        b->machine.load);
        struct err at_end = { 0 };
        int r = prepare(b, e);
        allow_descriptors();
        if (r == 0)
                r = rounds_run(&b->plan, &b->results, e);
        rounds_release(&b->plan);
        int stopped = server_stop(&b->server, &at_end);
        if (r == 0 && stopped < 0) {
                *e = at_end;
                r = stopped;
        }
        return r;
}

static int measure_languages(struct bench *b)
{
        struct err e = { 0 };
        unsigned long long wrong = 0;
        char folder[PATH_MAX];

        machine_look(&b->machine);
        int r = find_programs(b, &e);
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(b->self, '/') - b->self), b->self);
        const struct languages_plan plan = {
                .self = b->self,
                .hatcheryd = b->hatcheryd,
                .folder = folder,
                .quick = b->options.quick,
                .rounds = b->options.rounds,
                .only = b->options.only_those,
                .json = b->options.json,
                .machine = &b->machine,
        };
        if (r == 0)
                r = languages_run(&plan, &wrong, &e);
        if (r < 0)
                fprintf(stderr, "hatchery-bench: %s\n", e.text);
        return r < 0 || wrong > 0;
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
        if (b.options.languages)
                return measure_languages(&b);

        int r = measure(&b, &e);
        if (b.results.rounds > 0)
                report_table(stdout, &b.results, &b.machine);
        if (r == 0 && b.options.json)
                r = report_json(b.options.json, &b.results, &b.machine, &e);
        if (r < 0)
                fprintf(stderr, "hatchery-bench: %s\n", e.text);
        bool wrong = b.results.samples && results_wrong(&b.results) > 0;
        results_fini(&b.results);
        return r < 0 || wrong;
}
