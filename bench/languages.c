/* Every language in one table: see languages.h. */
#include "bench/languages.h"

#include "bench/base/clock.h"
#include "bench/base/server.h"
#include "bench/base/status.h"
#include "bench/baseline/cold.h"
#include "bench/baseline/forkers.h"
#include "bench/languages_report.h"
#include "bench/load/load.h"
#include "proto/base/io.h"
#include "proto/base/own.h"
#include "proto/ipc/kind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MS = 1000000, CONNECTIONS = 16, PATH_SIZE = 4096, PROCESSORS = 2 };

/* The data for the five measurements of one language. */
struct bench {
        const struct languages_plan *plan;
        struct server server;
        struct program programs[WORKLOAD_COUNT];
        char folder[64]; /* for the cold commands */
        struct languages_report report;
        struct sample *sample; /* the sample of the current measurement: it is too large for a stack */
};

/* A pause in which a warm sandbox is made again, so that the latency is that of an idle machine. */
static struct pace pace_of(const struct status_language *status, bool cold, bool quick)
{
        const uint64_t refill_ns = 1000 * status->refill_us;
        if (cold)
                return (struct pace){ .warm_runs = 1, .runs = quick ? 5 : 15, .pause_ns = 5 * (uint64_t)MS };
        if (status->kind == KIND_PRESTARTED)
                return (struct pace){ .warm_runs = 2,
                                      .runs = quick ? 6 : 12,
                                      .pause_ns =
                                              refill_ns > 1000 * (uint64_t)MS ? 2 * refill_ns : 2000 * (uint64_t)MS };
        return (struct pace){ .warm_runs = 20, .runs = quick ? 60 : 200, .pause_ns = 5 * (uint64_t)MS };
}

static bool is_wanted(const struct languages_plan *plan, const char *name)
{
        size_t len = strlen(name);
        for (const char *at = plan->only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
                if (strncmp(at, name, len) == 0 && (at[len] == '\0' || at[len] == ','))
                        return true;
        return !plan->only;
}

static void progress(unsigned round, const char *name, const char *what, const struct sample *s)
{
        fprintf(stderr, "round %u  %-12s %-10s p50 %9.0f us  %8.1f runs/s%s%s\n", round + 1, name, what,
                (double)histogram_quantile(&s->latency, 0.5) / 1000, sample_rate(s), s->wrong ? "  WRONG: " : "",
                s->wrong ? s->first_wrong : "");
}

/* ---------------------------------------------------------------- one measurement each */

static int write_program(struct bench *b, enum workload_id id, struct err *e)
{
        char path[PATH_SIZE];
        struct program *p = &b->programs[id];
        snprintf(path, sizeof path, "%s/%s", b->folder, p->w->file);
        OWN_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        int r = fd < 0 ? -errno : io_write_all(fd, p->code, strlen(p->code));
        return r < 0 ? err_set(e, -r, "write %s", path) : 0;
}

static int measure_cold(struct bench *b, struct languages_row *row, struct err *e)
{
        const struct pace pace = pace_of(&row->status, true, b->plan->quick);
        int r = write_program(b, row->id, e);
        b->programs[row->id].folder = b->folder;
        return r < 0 ? r : cold_paced(b->sample, &b->programs[row->id], &pace, e);
}

/* The plug-in's fork with nothing around it, one at a time or two at once. */
static int measure_fork(struct bench *b, struct languages_row *row, bool paced, struct err *e)
{
        char plugin[PATH_SIZE];
        const struct pace pace = pace_of(&row->status, false, b->plan->quick);
        const struct forkers_job job = { .workload = row->id };
        snprintf(plugin, sizeof plugin, "%s/hatchery-lang-%s.so", b->plan->folder, row->name);
        const struct forkers f = { .program = b->plan->self, .plugin = plugin, .preload = row->status.preload };
        if (paced)
                return forkers_paced(b->sample, &f, &job, &pace, e);
        return forkers_window(b->sample, &f, &job, PROCESSORS, 200 * (uint64_t)MS, 1000 * (uint64_t)MS, e);
}

static int measure_hatchery(struct bench *b, struct languages_row *row, bool paced, struct err *e)
{
        const struct asking asking = { .programs = b->programs, .id = row->id };
        const struct pace pace = pace_of(&row->status, false, b->plan->quick);
        const uint64_t span = row->status.kind == KIND_PRESTARTED ? 4000 : 1000;
        const struct load_span window = { .warm_ns = span / 2 * MS, .measure_ns = span * MS };
        if (paced)
                return load_paced(b->sample, b->server.address, &asking, &pace, e);
        return load_closed(b->sample, b->server.address, &asking, CONNECTIONS, &window, e);
}

/* Each program ends with a comment of its own, so that the cache knows none of the programs. */
static int measure_compiling(struct bench *b, struct languages_row *row, unsigned round, struct err *e)
{
        const struct asking asking = { .programs = b->programs, .id = row->id };
        const struct pace one = { .runs = 1, .pause_ns = 100 * (uint64_t)MS };
        char *code = b->programs[row->id].code;
        int r = 0;
        for (unsigned i = 0; r == 0 && i < (b->plan->quick ? 3 : 7); i++) {
                struct sample once = { 0 };
                char *other = NULL;
                if (asprintf(&other, "%s// %d.%u.%u\n", code, (int)getpid(), round, i) < 0)
                        return err_set(e, ENOMEM, "make a program");
                b->programs[row->id].code = other;
                r = load_paced(&once, b->server.address, &asking, &one, e);
                sample_merge(b->sample, &once);
                free(other);
        }
        b->programs[row->id].code = code;
        return r;
}

static int measure(struct bench *b, unsigned round, struct languages_row *row, enum languages_metric m, struct err *e)
{
        *b->sample = (struct sample){ 0 };
        clock_sleep(200 * (uint64_t)MS); /* lets the rest of the previous measurement finish */
        switch (m) {
        case LANGUAGES_COLD_P50:
                return measure_cold(b, row, e);
        case LANGUAGES_FORK_P50:
        case LANGUAGES_FORK_RATE:
                return measure_fork(b, row, m == LANGUAGES_FORK_P50, e);
        case LANGUAGES_P50:
        case LANGUAGES_RATE:
                return measure_hatchery(b, row, m == LANGUAGES_P50, e);
        case LANGUAGES_COMPILE_P50:
                return measure_compiling(b, row, round, e);
        case LANGUAGES_METRICS:
                break;
        }
        return err_say(e, EINVAL, "no such measurement");
}

/* ---------------------------------------------------------------- all of them */

static int measure_row(struct bench *b, unsigned round, struct languages_row *row, struct err *e)
{
        static const char *const names[LANGUAGES_METRICS] = {
                "cold", "fork", "forks", "hatchery", "load", "compiling"
        };
        for (enum languages_metric m = 0; m < LANGUAGES_METRICS; m++) {
                bool of_forks = m == LANGUAGES_FORK_P50 || m == LANGUAGES_FORK_RATE;
                if (of_forks && row->status.kind != KIND_FORKED)
                        continue;
                if (m == LANGUAGES_COMPILE_P50 && row->status.kind != KIND_COMPILED)
                        continue;
                int r = measure(b, round, row, m, e);
                if (r < 0)
                        return err_wrap(e, "%s, %s", row->name, names[m]);
                progress(round, row->name, names[m], b->sample);
                languages_note(&b->report, row, m, round, b->sample);
        }
        return status_of_language(b->server.address, row->name, &row->status, e);
}

static int find_rows(struct bench *b, struct err *e)
{
        for (enum workload_id id = WORKLOAD_FIRST_LANGUAGE; id < WORKLOAD_COUNT; id++) {
                struct languages_row *row = &b->report.rows[b->report.n];
                *row = (struct languages_row){ .id = id, .name = workload_table[id].name };
                if (!is_wanted(b->plan, row->name))
                        continue;
                int r = program_init(&b->programs[id], id, 0, e);
                if (r < 0)
                        return r;
                r = status_of_language(b->server.address, row->name, &row->status, e);
                if (r == -ENOENT)
                        fprintf(stderr, "%s: the server does not have it\n", row->name);
                else if (r < 0)
                        return r;
                else
                        b->report.n++;
        }
        return b->report.n > 0 ? 0 : err_say(e, ENOENT, "the server has none of these languages");
}

static int run(struct bench *b, struct err *e)
{
        fprintf(stderr, "starting hatcheryd with every language that is here\n");
        int r = server_start_grouped(&b->server, b->plan->hatcheryd, e);
        if (r == 0)
                r = find_rows(b, e);
        if (r < 0)
                return r;
        clock_sleep(3 * CLOCK_SECOND); /* until all languages are warm, and the machine is quiet */
        server_memory(&b->server, &b->report.memory);
        for (unsigned round = 0; round < b->report.rounds && r == 0; round++)
                for (size_t i = 0; i < b->report.n && r == 0; i++)
                        r = measure_row(b, round, &b->report.rows[i], e);
        return r;
}

static void remove_folder(const struct bench *b)
{
        static const char *const made[] = { "main", "Main.class" };
        char path[PATH_SIZE];
        for (enum workload_id id = WORKLOAD_FIRST_LANGUAGE; id < WORKLOAD_COUNT; id++) {
                snprintf(path, sizeof path, "%s/%s", b->folder, workload_table[id].file);
                unlink(path);
        }
        for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
                snprintf(path, sizeof path, "%s/%s", b->folder, made[i]);
                unlink(path);
        }
        rmdir(b->folder);
}

int languages_run(const struct languages_plan *plan, unsigned long long *wrong, struct err *e)
{
        struct bench b = { .plan = plan };
        struct err at_end = { 0 };
        b.report.rounds = plan->rounds ? plan->rounds : plan->quick ? 1 : 3;
        if (b.report.rounds > LANGUAGES_MAX_ROUNDS)
                return err_say(e, EINVAL, "--rounds is at most %d here", LANGUAGES_MAX_ROUNDS);
        b.sample = malloc(sizeof *b.sample);
        snprintf(b.folder, sizeof b.folder, "/tmp/hatchery-bench-XXXXXX");
        if (!b.sample || !mkdtemp(b.folder)) {
                free(b.sample);
                return err_set(e, errno, "make a temporary directory");
        }
        int r = run(&b, e);
        int stopped = server_stop(&b.server, &at_end);
        if (r == 0 && stopped < 0) {
                *e = at_end;
                r = stopped;
        }
        if (b.report.n > 0)
                languages_print(stdout, &b.report, plan->machine);
        if (r == 0 && plan->json)
                r = languages_write_json(plan->json, &b.report, plan->machine, e);
        *wrong = b.report.wrong;
        for (enum workload_id id = WORKLOAD_FIRST_LANGUAGE; id < WORKLOAD_COUNT; id++)
                program_fini(&b.programs[id]);
        remove_folder(&b);
        free(b.sample);
        return r;
}
