/* The benchmark's arithmetic over rounds: medians, ratios within a round, bars. */
#include "bench/results.h"

#include "tests/unit/unit.h"

static void assert_spread(struct spread s, double median, double min, double max)
{
        assert_float_equal(s.median, median, 1e-9);
        assert_float_equal(s.min, min, 1e-9);
        assert_float_equal(s.max, max, 1e-9);
}

/* A row that gave `rate` right answers in one second, each of which took `us`. */
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

static const struct ratio throughput = {
        .over = ROW_HATCHERY_64, .under = ROW_FORK_FULL, .over_metric = METRIC_RATE, .under_metric = METRIC_RATE
};

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
        /* A machine that is ten times slower in one round moves both sides; the medians' quotient would be 2. */
        static const unsigned over[] = { 500, 80, 1000 }, under[] = { 1000, 100, 250 };
        for (unsigned i = 0; i < 3; i++) {
                fill(results_at(&r, i, ROW_HATCHERY_64), over[i], 10);
                fill(results_at(&r, i, ROW_FORK_FULL), under[i], 10);
        }
        assert_true(results_ratio_spread(&r, &throughput, &s));
        assert_spread(s, 0.8, 0.5, 4);
        results_fini(&r);
}

static void a_ratio_needs_both_its_rows(void **state)
{
        (void)state;
        struct results r = make(1);
        struct spread s;
        fill(results_at(&r, 0, ROW_HATCHERY_64), 10, 10);
        assert_false(results_ratio_spread(&r, &throughput, &s)); /* nothing to divide by */
        fill(results_at(&r, 0, ROW_FORK_FULL), 10, 10);
        assert_true(results_ratio_spread(&r, &throughput, &s));
        r.chosen[ROW_FORK_FULL] = false;
        assert_false(results_ratio_spread(&r, &throughput, &s));
        results_fini(&r);
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
        const struct ratio floor = { .bar = 0.7, .at_least = true }, ceiling = { .bar = 4 };
        assert_true(results_holds(&floor, 0.7) && !results_holds(&floor, 0.69));
        assert_true(results_holds(&ceiling, 4) && !results_holds(&ceiling, 4.01));
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
                cmocka_unit_test(a_ratio_needs_both_its_rows),
                cmocka_unit_test(latencies_are_in_microseconds),
                cmocka_unit_test(a_bar_is_a_floor_or_a_ceiling),
                cmocka_unit_test(only_what_ends_inside_the_window_counts),
                cmocka_unit_test(wrong_answers_are_counted_but_not_as_throughput),
        };
        return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
