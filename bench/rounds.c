/* One row, one round, all rounds: see rounds.h. */
#include "bench/rounds.h"

#include "bench/base/clock.h"
#include "bench/base/server.h"
#include "bench/base/status.h"
#include "bench/base/usage.h"
#include "bench/baseline/calibrate.h"
#include "bench/baseline/cold.h"
#include "bench/load/load.h"
#include "bench/peers/peers.h"
#include "bench/rounds_http.h"

#include <stdio.h>

enum {
        MS = 1000000,
        COMPUTE_MS = 5,
        OPEN_RUNS = STATUS_RECYCLED * 5 / 4, /* enough that the server's figures about its last runs cover only runs of
                                              * this load */
        OPEN_MAX_S = 20,
        WARM_RUNS = 512, /* otherwise a stock of 256 sandboxes, made before the load, would count as throughput */
};

void rounds_plan(struct rounds *plan, bool quick)
{
        const uint64_t pause = 5 * (uint64_t)MS;
        *plan = (struct rounds){
                .n = quick ? 3 : 5,
                .pace = { .warm_runs = 50, .runs = quick ? 400 : 1000, .pause_ns = pause },
                .cold_pace = { .warm_runs = 5, .runs = quick ? 50 : 150, .pause_ns = pause },
                .warm_ns = (quick ? 300 : 500) * (uint64_t)MS,
                .measure_ns = (quick ? 1000 : 2500) * (uint64_t)MS,
                .settle_ns = (quick ? 200 : 300) * (uint64_t)MS,
        };
}

/* ---------------------------------------------------------------- before and after */

/* A peer that is a package of Debian may be missing, and its row says so. Any other chosen peer must be there. */
static int start_peer(struct rounds *plan, struct results *r, enum row_id row, struct err *e)
{
        const struct row *t = &row_table[row];
        int error = peers_open(plan->peers, t->peer, &plan->programs[t->program], plan->http_module, e);
        if (error == 0 || !peer_table[t->peer].always)
                return error;
        results_leave_out(r, row, e->text);
        return 0;
}

int rounds_prepare(struct rounds *plan, struct results *r, struct err *e)
{
        int error = 0;
        for (enum row_id row = 0; row < ROW_COUNT && r->steps == 0; row++)
                if (r->chosen[row] && workload_table[row_table[row].program].takes_steps)
                        error = calibrate_steps(COMPUTE_MS * (uint64_t)MS, &r->steps, e);
        for (enum workload_id id = 0; error == 0 && id < WORKLOAD_COUNT; id++)
                error = program_init(&plan->programs[id], id, r->steps, e);
        for (enum row_id row = 0; error == 0 && row < ROW_COUNT; row++)
                if (r->chosen[row] && row_table[row].kind == ROW_PEER)
                        error = start_peer(plan, r, row, e);
                else if (r->chosen[row] && row_table[row].kind == ROW_HTTP && !plan->http)
                        error = http_client_load(plan->http_module, &plan->http, e);
        return error;
}

void rounds_release(struct rounds *plan)
{
        peers_close(plan->peers);
        for (enum workload_id id = 0; id < WORKLOAD_COUNT; id++)
                program_fini(&plan->programs[id]);
}

/* ---------------------------------------------------------------- one row */

static int measure_fork(const struct rounds *plan, const struct row *row, uint32_t steps, struct sample *s,
                        struct err *e)
{
        const struct forkers_job job = { .workload = row->program, .steps = steps, .relayed = row->kind == ROW_RELAY };
        if (row->load == LOAD_PACED)
                return forkers_paced(s, &plan->forkers, &job, &plan->pace, e);
        return forkers_window(s, &plan->forkers, &job, row->parallel > 0 ? row->parallel : plan->cores, plan->warm_ns,
                              plan->measure_ns, e);
}

static int measure_cold(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e)
{
        const struct program *program = &plan->programs[row->program];
        if (row->load == LOAD_PACED)
                return cold_paced(s, program, &plan->cold_pace, e);
        uint64_t start = clock_now() + plan->warm_ns;
        const struct window window = { .start_ns = start, .end_ns = start + plan->measure_ns };
        return cold_window(s, program, row->parallel > 0 ? row->parallel : plan->cores, &window, e);
}

static int measure_peer(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e)
{
        const struct program *program = &plan->programs[row->program];
        if (row->load == LOAD_PACED)
                return peers_paced(s, plan->peers, row->peer, program, &plan->cold_pace, e);
        uint64_t start = clock_now() + plan->warm_ns;
        const struct window window = { .start_ns = start, .end_ns = start + plan->measure_ns };
        return peers_window(s, plan->peers, row->peer, program, row->parallel > 0 ? row->parallel : plan->cores,
                            &window, e);
}

static int measure_open(const struct rounds *plan, const struct row *row, const char *address, double per_second,
                        struct sample *s, struct err *e)
{
        const struct asking asking = { .programs = plan->programs, .id = row->program };
        uint64_t enough = (uint64_t)(OPEN_RUNS / per_second * (double)CLOCK_SECOND);
        uint64_t most = OPEN_MAX_S * CLOCK_SECOND, window = plan->measure_ns;
        if (window < enough)
                window = enough < most ? enough : most;
        const struct load_span span = { .warm_ns = plan->warm_ns, .measure_ns = window };
        int r = load_open(s, address, &asking, row->parallel, per_second, &span, e);
        if (r == 0)
                status_recycle(address, workload_table[row->program].language, s->latency.count, &s->recycle);
        return r;
}

/* Notes the pool's memory before the load, and its highest memory ever. The difference is due to the streams, since the
 * server is started for them alone. */
static int measure_flood(const struct rounds *plan, const struct row *row, const struct server *server,
                         struct sample *s, struct err *e)
{
        const struct asking asking = { .programs = plan->programs, .id = row->program };
        uint64_t before = 0, most, now;
        bool known = usage_pool_memory(server->pid, &before, &most);
        int r = load_flood(s, server->address, &asking, row->parallel, e);

        if (r == 0 && known && usage_pool_memory(server->pid, &now, &most)) {
                s->stream.pool_before = before;
                s->stream.pool_peak = most;
        }
        return r;
}

static int measure_load(const struct rounds *plan, const struct row *row, const char *address, double per_second,
                        struct sample *s, struct err *e)
{
        const struct asking asking = { .programs = plan->programs, .id = row->program };
        if (row->kind == ROW_HTTP)
                return rounds_http_load(plan, row, s, e);
        if (row->load == LOAD_PACED)
                return load_paced(s, address, &asking, &plan->pace, e);
        if (row->load == LOAD_FIRST)
                return load_first_byte(s, address, &asking, &plan->pace, e);
        if (row->load == LOAD_OPEN)
                return measure_open(plan, row, address, per_second, s, e);
        const struct load_span span = { .warm_ns = plan->warm_ns,
                                        .warm_runs = row->warm > 0 ? WARM_RUNS : 0,
                                        .measure_ns = plan->measure_ns };
        return load_closed(s, address, &asking, row->parallel, &span, e);
}

struct server_view {
        struct sample_cpu cpu;
        struct sample_stages stages;
};

static int look(const struct rounds *plan, const struct row *row, struct server_view *v, struct err *e)
{
        int r = usage_read(plan->supervisor, &v->cpu, e);
        return r < 0 ? r : status_stages(plan->address, workload_table[row->program].language, &v->stages, e);
}

/* If the benchmark has started the server, CPU time and stages are read before and after the row. So the cost of
 * warming up and connecting is on both sides of a ratio. */
static int measure_hatchery(const struct rounds *plan, const struct row *row, double per_second, struct sample *s,
                            struct err *e)
{
        struct server_view before = { 0 }, after = { 0 };
        bool is_ours = plan->supervisor > 0 && (row->kind == ROW_HATCHERY || plan->http_is_shared);
        int r = is_ours ? look(plan, row, &before, e) : 0;
        if (r == 0)
                r = measure_load(plan, row, plan->address, per_second, s, e);
        if (r == 0 && is_ours)
                r = look(plan, row, &after, e);
        if (r == 0) {
                s->stages = status_between(&before.stages, &after.stages);
                s->cpu = usage_between(&before.cpu, &after.cpu);
                s->cpu.runs = s->runs;
        }
        return r;
}

/* The figure must be the memory of row->warm sandboxes. A server that keeps fewer, because its own budget forbids more,
 * gives no figure. */
static void measure_memory(const struct row *row, const struct server *server, struct sample_memory *m)
{
        struct err e = { 0 };
        unsigned warm = 0;
        server_memory(server, m);
        m->warm = row->warm;
        if (status_warm(server->address, workload_table[row->program].language, &warm, &e) < 0) {
                m->measured = false;
                snprintf(m->reason, sizeof m->reason, "%s", e.text);
        } else if (warm != row->warm) {
                m->measured = false;
                snprintf(m->reason, sizeof m->reason, "%u sandboxes are warm, and not %u", warm, row->warm);
        }
}

static int measure_warm(const struct rounds *plan, const struct row *row, struct sample *s, struct err *e)
{
        struct server server;
        struct err at_end = { 0 };
        const char *language = workload_table[row->program].language;
        bool floods = row->load == LOAD_FLOOD;
        int r = floods ? server_start_parallel(&server, plan->hatcheryd, language, row->warm, e)
                       : server_start_warm(&server, plan->hatcheryd, language, row->warm, e);
        if (r < 0)
                return r;
        clock_sleep(plan->settle_ns);
        measure_memory(row, &server, &s->memory);
        r = floods ? measure_flood(plan, row, &server, s, e) : measure_load(plan, row, server.address, 0, s, e);
        int stopped = server_stop(&server, &at_end);
        if (r == 0 && stopped < 0) {
                *e = at_end;
                r = stopped;
        }
        return r;
}

static int measure(const struct rounds *plan, const struct results *r, unsigned round, enum row_id id, struct err *e)
{
        const struct row *row = &row_table[id];
        struct sample *s = results_at(r, round, id);
        double half = 0;
        if (row->load == LOAD_OPEN) {
                half = sample_rate(results_at(r, round, row->half_of)) / 2;
                if (half <= 0) {
                        snprintf(s->recycle.reason, sizeof s->recycle.reason, "no load to take half of");
                        return 0;
                }
        }
        switch (row->kind) {
        case ROW_FORK:
        case ROW_RELAY:
                return measure_fork(plan, row, r->steps, s, e);
        case ROW_COLD:
                return measure_cold(plan, row, s, e);
        case ROW_PEER:
                return measure_peer(plan, row, s, e);
        case ROW_HTTP:
                return row->load == LOAD_IDLE ? rounds_http_idle(plan, row, s, e)
                                              : measure_hatchery(plan, row, half, s, e);
        case ROW_HATCHERY:
        default:
                return row->warm > 0 ? measure_warm(plan, row, s, e) : measure_hatchery(plan, row, half, s, e);
        }
}

/* ---------------------------------------------------------------- rounds */

static int turn(const struct rounds *plan, const struct results *r, unsigned round, enum row_id row, struct err *e)
{
        if (!r->chosen[row])
                return 0;
        clock_sleep(plan->settle_ns);
        int error = measure(plan, r, round, row, e);
        if (error < 0)
                return err_wrap(e, "row %s", row_table[row].name);
        if (plan->progress)
                plan->progress(round, plan, row, results_at(r, round, row));
        return 0;
}

/* A row at half of another row's load comes right after that row, whichever way the round goes. */
static int turns(const struct rounds *plan, const struct results *r, unsigned round, enum row_id row, struct err *e)
{
        int error = row_table[row].load == LOAD_OPEN ? 0 : turn(plan, r, round, row, e);
        for (enum row_id other = 0; error == 0 && other < ROW_COUNT; other++)
                if (row_table[other].load == LOAD_OPEN && row_table[other].half_of == row)
                        error = turn(plan, r, round, other, e);
        return error;
}

/* At the end, takes the figures of the shared server about all its rows. */
static int look_at_end(const struct rounds *plan, struct results *r, struct err *e)
{
        if (plan->supervisor <= 0)
                return 0;
        return status_stages(plan->address, workload_table[WORKLOAD_HELLO].language, &r->stages, e);
}

int rounds_run(const struct rounds *plan, struct results *r, struct err *e)
{
        for (unsigned round = 0; round < plan->n; round++) {
                for (unsigned i = 0; i < ROW_COUNT; i++) {
                        /* Every other round goes backwards, so that a row's effect on the next one falls on both
                         * sides. */
                        int error = turns(plan, r, round, round % 2 == 0 ? i : ROW_COUNT - 1 - i, e);
                        if (error < 0)
                                return error;
                }
                r->rounds = round + 1;
        }
        return look_at_end(plan, r, e);
}
