/* The benchmark's arithmetic over rounds: medians, ratios within a round, bars, and the text for bars without a
 * value. */
#include "bench/bars.h"

#include "tests/unit/unit.h"

#include <math.h>

static void assert_spread(struct spread s, double median, double min, double max)
{
        assert_float_equal(s.median, median, 1e-9);
        assert_float_equal(s.min, min, 1e-9);
        assert_float_equal(s.max, max, 1e-9);
}

/* A row with `rate` right answers in one second; each took `us`. */
static void fill(struct sample *s, unsigned rate, uint64_t us)
{
        s->seconds = 1;
        for (unsigned i = 0; i < rate; i++)
                sample_right(s, &sample_always, 1000, 1000 + us * 1000);
}

static struct results make(unsigned rounds)
{
        struct results r;
        struct err e;
        assert_int_equal(results_init(&r, rounds, &e), 0);
        r.rounds = rounds;
        for (enum row_id row = 0; row < ROW_COUNT; row++)
                r.chosen[row] = true;
        return r;
}

static const struct bar throughput = { .kind = BAR_RATIO,
                                       .over = { ROW_HATCHERY_64, METRIC_RATE },
                                       .under = { ROW_FORK_FULL, METRIC_RATE } };

static void the_median_is_the_middle_or_between_the_two_middles(void **state)
{
        (void)state;
        double one[] = { 7 }, odd[] = { 5, 1, 3 }, even[] = { 4, 1, 3, 100 };
        assert_spread(results_spread(one, 1), 7, 7, 7);
        assert_spread(results_spread(odd, 3), 3, 1, 5);
        assert_spread(results_spread(even, 4), 3.5, 1, 100);
}

static void a_ratio_is_taken_within_each_round(void **state)
{
        (void)state;
        struct results r = make(3);
        struct spread s;
        /* If the machine is ten times slower in one round, both sides change. The medians' quotient would be 2. */
        static const unsigned over[] = { 500, 80, 1000 }, under[] = { 1000, 100, 250 };
        for (unsigned i = 0; i < 3; i++) {
                fill(results_at(&r, i, ROW_HATCHERY_64), over[i], 10);
                fill(results_at(&r, i, ROW_FORK_FULL), under[i], 10);
        }
        char reason[ERR_TEXT_SIZE];
        assert_true(bar_spread(&throughput, &r, &s, reason));
        assert_spread(s, 0.8, 0.5, 4);
        results_fini(&r);
}

static void a_ratio_needs_both_its_rows_and_says_which_is_missing(void **state)
{
        (void)state;
        struct results r = make(1);
        struct spread s;
        char reason[ERR_TEXT_SIZE];
        fill(results_at(&r, 0, ROW_HATCHERY_64), 10, 10);
        assert_false(bar_spread(&throughput, &r, &s, reason)); /* nothing to divide by */
        assert_string_equal(reason, "fork_full: no run had a right answer");
        fill(results_at(&r, 0, ROW_FORK_FULL), 10, 10);
        assert_true(bar_spread(&throughput, &r, &s, reason));
        results_leave_out(&r, ROW_FORK_FULL, "not among --rows");
        assert_false(bar_spread(&throughput, &r, &s, reason));
        assert_string_equal(reason, "fork_full: not among --rows");
        results_fini(&r);
}

static void a_figure_stands_alone_in_its_own_unit(void **state)
{
        (void)state;
        const struct bar b = { .kind = BAR_FIGURE, .over = { ROW_HATCHERY_HALF, METRIC_RECYCLE_P50 }, .scale = 1000 };
        struct results r = make(3);
        struct spread s;
        char reason[ERR_TEXT_SIZE];
        for (unsigned i = 0; i < 3; i++)
                results_at(&r, i, ROW_HATCHERY_HALF)->recycle =
                        (struct sample_recycle){ .measured = true, .p50_us = 1000 * (i + 1) };
        assert_true(bar_spread(&b, &r, &s, reason));
        assert_spread(s, 2, 1, 3);
        results_at(&r, 1, ROW_HATCHERY_HALF)->recycle =
                (struct sample_recycle){ .reason = "the server does not report its status" };
        assert_false(bar_spread(&b, &r, &s, reason)); /* one round without a value is enough */
        assert_string_equal(reason, "hatchery_half: the server does not report its status");
        results_fini(&r);
}

static void growth_is_by_sandbox_and_no_part_of_what_both_servers_have(void **state)
{
        (void)state;
        const struct bar b = { .kind = BAR_GROWTH,
                               .over = { ROW_WARM_256, METRIC_MEMORY },
                               .under = { ROW_WARM_16, METRIC_MEMORY },
                               .scale = 1 << 20 };
        struct results r = make(1);
        struct spread s;
        char reason[ERR_TEXT_SIZE];
        const uint64_t mib = 1 << 20, base = 20 * mib;
        results_at(&r, 0, ROW_WARM_16)->memory = (struct sample_memory){ .measured = true, .bytes = base + 16 * mib };
        results_at(&r, 0, ROW_WARM_256)->memory = (struct sample_memory){ .measured = true, .bytes = base + 256 * mib };
        assert_true(bar_spread(&b, &r, &s, reason));
        assert_spread(s, 1, 1, 1);
        results_fini(&r);
}

static void a_difference_is_taken_within_each_round_and_may_be_negative(void **state)
{
        (void)state;
        const struct bar b = { .kind = BAR_DIFFERENCE,
                               .over = { ROW_HTTP_LOW, METRIC_P50 },
                               .under = { ROW_HATCHERY_LOW, METRIC_P50 },
                               .scale = 1000 };
        struct results r = make(3);
        struct spread s;
        char reason[ERR_TEXT_SIZE];
        static const unsigned over[] = { 3000, 1000, 11000 }, under[] = { 1000, 2000, 10000 };
        for (unsigned i = 0; i < 3; i++) {
                fill(results_at(&r, i, ROW_HTTP_LOW), 10, over[i]);
                fill(results_at(&r, i, ROW_HATCHERY_LOW), 10, under[i]);
        }
        assert_true(bar_spread(&b, &r, &s, reason));
        assert_float_equal(s.median, 1, 0.1);
        assert_float_equal(s.min, -1, 0.1);
        assert_float_equal(s.max, 2, 0.1);
        results_leave_out(&r, ROW_HATCHERY_LOW, "not among --rows");
        assert_false(bar_spread(&b, &r, &s, reason));
        assert_string_equal(reason, "hatchery_low: not among --rows");
        results_fini(&r);
}

static void a_request_without_a_right_answer_lowers_the_share_of_right_ones(void **state)
{
        (void)state;
        struct results r = make(1);
        assert_true(isnan(results_metric(results_at(&r, 0, ROW_HTTP_1024), METRIC_RIGHT)));
        fill(results_at(&r, 0, ROW_HTTP_1024), 1023, 10);
        assert_float_equal(results_metric(results_at(&r, 0, ROW_HTTP_1024), METRIC_RIGHT), 1, 1e-9);
        sample_wrong(results_at(&r, 0, ROW_HTTP_1024), "no answer");
        assert_float_equal(results_metric(results_at(&r, 0, ROW_HTTP_1024), METRIC_RIGHT), 1023.0 / 1024, 1e-9);
        results_fini(&r);
}

static void an_idle_connection_has_its_part_of_what_the_gateway_has_grown(void **state)
{
        (void)state;
        struct results r = make(1);
        struct sample *s = results_at(&r, 0, ROW_HTTP_IDLE);
        assert_true(isnan(results_metric(s, METRIC_IDLE)));
        assert_string_equal(results_metric_reason(s, METRIC_IDLE), "the connections were not all kept");
        s->idle = (struct sample_idle){ .connections = 1000, .gateway_before = 5000000, .gateway_after = 9000000 };
        assert_float_equal(results_metric(s, METRIC_IDLE), 4000, 1e-9);
        s->idle.gateway_after = 4000000;
        assert_float_equal(results_metric(s, METRIC_IDLE), -1000, 1e-9);
        results_fini(&r);
}

static void the_gateway_has_its_part_of_the_cpu_time(void **state)
{
        (void)state;
        const struct bar b = { .kind = BAR_RATIO,
                               .over = { ROW_HTTP_64, METRIC_CPU_GATEWAY },
                               .under = { ROW_HTTP_64, METRIC_CPU } };
        struct results r = make(1);
        struct spread s;
        char reason[ERR_TEXT_SIZE];
        assert_false(bar_spread(&b, &r, &s, reason));
        results_at(&r, 0, ROW_HTTP_64)->cpu =
                (struct sample_cpu){ .measured = true, .seconds = 8, .pool_seconds = 2, .gateway_seconds = 1 };
        assert_true(bar_spread(&b, &r, &s, reason));
        assert_spread(s, 0.125, 0.125, 0.125);
        results_fini(&r);
}

static void every_bar_has_rows_that_are_there_and_a_name_of_its_own(void **state)
{
        (void)state;
        for (size_t i = 0; i < bar_count; i++) {
                const struct bar *b = &bar_table[i];
                assert_in_range(b->over.row, 0, ROW_COUNT - 1);
                assert_in_range(b->under.row, 0, ROW_COUNT - 1);
                if (b->kind == BAR_GROWTH)
                        assert_true(row_table[b->over.row].warm > row_table[b->under.row].warm);
                if (b->reach > 0) /* the goal is stricter than the requirement */
                        assert_true(b->at_least ? b->reach > b->bar : b->reach < b->bar);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(b->name, bar_table[j].name);
        }
        for (enum row_id row = 0; row < ROW_COUNT; row++) {
                assert_non_null(row_table[row].name);
                assert_true(row_table[row].load != LOAD_OPEN || row_table[row_table[row].half_of].load == LOAD_CLOSED);
        }
}

static void latencies_are_in_microseconds(void **state)
{
        (void)state;
        struct results r = make(1);
        fill(results_at(&r, 0, ROW_HATCHERY_LOW), 98, 100);
        fill(results_at(&r, 0, ROW_HATCHERY_LOW), 2, 900);
        assert_float_equal(results_metric_spread(&r, ROW_HATCHERY_LOW, METRIC_P50).median, 100, 1);
        assert_float_equal(results_metric_spread(&r, ROW_HATCHERY_LOW, METRIC_P99).median, 900, 9);
        results_fini(&r);
}

static void a_bar_is_a_floor_or_a_ceiling(void **state)
{
        (void)state;
        const struct bar floor = { .bar = 0.7, .at_least = true }, ceiling = { .bar = 4 };
        assert_true(bar_holds(&floor, 0.7) && !bar_holds(&floor, 0.69));
        assert_true(bar_holds(&ceiling, 4) && !bar_holds(&ceiling, 4.01));
}

static void only_what_ends_inside_the_window_counts(void **state)
{
        (void)state;
        const struct window w = { .start_ns = 100, .end_ns = 200 };
        struct sample s = { .seconds = 1 };
        sample_right(&s, &w, 50, 99);
        sample_right(&s, &w, 50, 100);
        sample_right(&s, &w, 150, 199);
        sample_right(&s, &w, 150, 200);
        assert_int_equal(s.latency.count, 2);
        assert_int_equal(s.runs, 4);
        assert_float_equal(sample_rate(&s), 2, 1e-9);
}

static void wrong_answers_are_counted_but_not_as_throughput(void **state)
{
        (void)state;
        struct results r = make(2);
        struct sample other = { 0 };
        sample_wrong(results_at(&r, 0, ROW_HATCHERY_1), "the %s", "first");
        sample_wrong(results_at(&r, 0, ROW_HATCHERY_1), "the second");
        sample_wrong(&other, "elsewhere");
        sample_merge(results_at(&r, 0, ROW_HATCHERY_1), &other);
        sample_merge(results_at(&r, 1, ROW_HATCHERY_1), &other);
        assert_int_equal(results_wrong(&r), 4);
        assert_int_equal(results_at(&r, 0, ROW_HATCHERY_1)->latency.count, 0);
        assert_string_equal(results_at(&r, 0, ROW_HATCHERY_1)->first_wrong, "the first");
        assert_string_equal(results_at(&r, 1, ROW_HATCHERY_1)->first_wrong, "elsewhere");
        results_fini(&r);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_median_is_the_middle_or_between_the_two_middles),
                cmocka_unit_test(a_ratio_is_taken_within_each_round),
                cmocka_unit_test(a_ratio_needs_both_its_rows_and_says_which_is_missing),
                cmocka_unit_test(a_figure_stands_alone_in_its_own_unit),
                cmocka_unit_test(growth_is_by_sandbox_and_no_part_of_what_both_servers_have),
                cmocka_unit_test(a_difference_is_taken_within_each_round_and_may_be_negative),
                cmocka_unit_test(a_request_without_a_right_answer_lowers_the_share_of_right_ones),
                cmocka_unit_test(an_idle_connection_has_its_part_of_what_the_gateway_has_grown),
                cmocka_unit_test(the_gateway_has_its_part_of_the_cpu_time),
                cmocka_unit_test(every_bar_has_rows_that_are_there_and_a_name_of_its_own),
                cmocka_unit_test(latencies_are_in_microseconds),
                cmocka_unit_test(a_bar_is_a_floor_or_a_ceiling),
                cmocka_unit_test(only_what_ends_inside_the_window_counts),
                cmocka_unit_test(wrong_answers_are_counted_but_not_as_throughput),
        };
        return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
