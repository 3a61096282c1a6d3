/* One row, one round, all rounds: see rounds.h. */
#include "bench/rounds.h"

#include "bench/clock.h"
#include "bench/cold.h"
#include "bench/load.h"

enum { MS = 1000000 };

void rounds_plan(struct rounds *plan, bool quick)
{
        const uint64_t pause = 5 * (uint64_t)MS;
        *plan = (struct rounds){
                .n = quick ? 3 : 5,
                .pace = { .warm_runs = 50, .runs = quick ? 400 : 1000, .pause_ns = pause },
                .cold_pace = { .warm_runs = 5, .runs = quick ? 50 : 150, .pause_ns = pause },
                .warm_ns = (quick ? 500 : 1000) * (uint64_t)MS,
                .measure_ns = (quick ? 2000 : 5000) * (uint64_t)MS,
                .settle_ns = (quick ? 250 : 500) * (uint64_t)MS,
        };
}

static struct window window_from_now(const struct rounds *plan)
{
        uint64_t start = clock_now() + plan->warm_ns;
        return (struct window){ .start_ns = start, .end_ns = start + plan->measure_ns };
}

static int measure(const struct rounds *plan, enum row_id id, struct sample *s, struct err *e)
{
        const struct row *row = &row_table[id];
        const struct workload *w = &workload_table[plan->workload];
        const struct window window = window_from_now(plan);
        unsigned parallel = row->parallel > 0 ? row->parallel : plan->cores;

        switch (row->kind) {
        case ROW_FORK:
                return row->paced ? forkers_paced(s, &plan->forkers, plan->workload, &plan->pace, e)
                                  : forkers_window(s, &plan->forkers, plan->workload, parallel, plan->warm_ns,
                                                   plan->measure_ns, e);
        case ROW_COLD:
                return row->paced ? cold_paced(s, w, &plan->cold_pace, e) : cold_window(s, w, parallel, &window, e);
        case ROW_HATCHERY:
        default:
                return row->paced ? load_paced(s, plan->address, w, &plan->pace, e)
                                  : load_closed(s, plan->address, w, parallel, &window, e);
        }
}

int rounds_run(const struct rounds *plan, struct results *r, struct err *e)
{
        for (unsigned round = 0; round < plan->n; round++) {
                for (unsigned i = 0; i < ROW_COUNT; i++) {
                        /* Every other round goes backwards: what a row does to the one after it falls on both sides. */
                        enum row_id row = round % 2 == 0 ? i : ROW_COUNT - 1 - i;
                        if (!r->chosen[row])
                                continue;
                        struct sample *s = results_at(r, round, row);
                        clock_sleep(plan->settle_ns);
                        int error = measure(plan, row, s, e);
                        if (error < 0)
                                return err_wrap(e, "row %s", row_table[row].name);
                        if (plan->progress)
                                plan->progress(round, plan, row, s);
                }
                r->rounds = round + 1;
        }
        return 0;
}
