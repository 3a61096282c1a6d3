/* Counters of a language. */
#include "pool/sched/stats.h"

#include "tests/unit/unit.h"

static void percentiles_are_of_recent_times(void **state)
{
        (void)state;
        struct stats s = { 0 };
        assert_int_equal(stats_recycle_percentile(&s, 50), 0);
        for (int i = 100; i >= 0; i--)
                stats_recycled(&s, i);
        assert_int_equal(stats_recycle_percentile(&s, 0), 0);
        assert_int_equal(stats_recycle_percentile(&s, 50), 50);
        assert_int_equal(stats_recycle_percentile(&s, 99), 99);
        assert_int_equal(stats_recycle_percentile(&s, 100), 100);

        for (int i = 0; i < STATS_RECENT; i++)
                stats_recycled(&s, 7);
        assert_int_equal(stats_recycle_percentile(&s, 100), 7);
}

static void absurd_times_are_bent_to_what_fits(void **state)
{
        (void)state;
        struct stats s = { 0 };
        stats_recycled(&s, -5);
        stats_recycled(&s, INT64_MAX);
        assert_int_equal(stats_recycle_percentile(&s, 0), 0);
        assert_int_equal(stats_recycle_percentile(&s, 100), UINT32_MAX);
}

static void when_to_try_again_follows_the_pace(void **state)
{
        (void)state;
        struct stats s = { 0 };
        const int64_t now = (int64_t)200 * 20000;
        assert_int_equal(stats_retry_after_ms(&s, 5, 1), 1000);
        for (int64_t t = 1; t < 200; t++)
                stats_run_ended(&s, t * 20000, true);
        assert_int_equal(s.runs, 199);
        assert_in_range(stats_retry_after_ms(&s, 10, now), 195, 205);
        assert_int_equal(stats_retry_after_ms(&s, 0, now), 10);
        assert_int_equal(stats_retry_after_ms(&s, 1000000, now), 60000);
}

static void a_pace_that_has_become_slow_is_noticed_before_the_next_end(void **state)
{
        (void)state;
        struct stats s = { 0 };
        for (int64_t t = 1; t < 200; t++)
                stats_run_ended(&s, t * 1000, true);
        assert_in_range(stats_retry_after_ms(&s, 5, 199 * 1000 + 2000000), 9900, 10100);
}

static void a_long_pause_does_not_count_as_a_slow_run(void **state)
{
        (void)state;
        struct stats s = { 0 };
        for (int64_t t = 1; t < 200; t++)
                stats_run_ended(&s, t * 1000, true);
        stats_run_ended(&s, 200 * 1000, false);
        stats_run_ended(&s, (int64_t)86400 * 1000000, true);
        assert_in_range(stats_retry_after_ms(&s, 100, (int64_t)86400 * 1000000 + 1000), 90, 110);
}

static void nor_does_a_pause_after_work_that_was_lost(void **state)
{
        (void)state;
        struct stats s = { 0 };
        for (int64_t t = 1; t < 200; t++)
                stats_run_ended(&s, t * 1000, true); /* one more run is lost, so its end is never counted */
        stats_work_begins(&s);
        stats_run_ended(&s, INT64_C(3600) * 1000000, true);
        stats_run_ended(&s, INT64_C(3600) * 1000000 + 1000, true);
        assert_in_range(stats_retry_after_ms(&s, 100, INT64_C(3600) * 1000000 + 1000), 99, 101);
}

static void stages_are_counted_where_they_belong(void **state)
{
        (void)state;
        static struct stats s; /* its histograms are too large for a test's stack */
        const uint64_t first[STAGES_OF_RUN] = { 1, 2, 3, 4, 0 }, second[STAGES_OF_RUN] = { 10, 20, 30, 40, 50 };

        stats_run_stages(&s, first, false);
        stats_run_stages(&s, second, true);
        stats_slot_stages(&s, 6, 7);
        for (int i = 0; i < STAGE_COLLECT; i++) {
                assert_int_equal(s.stage[i].count, 2);
                assert_int_equal(s.stage[i].sum, first[i] + second[i]);
                assert_int_equal(s.stage[i].max, second[i]);
        }
        assert_int_equal(s.stage[STAGE_COLLECT].count, 1);
        assert_int_equal(s.stage[STAGE_COLLECT].sum, 50);
        assert_int_equal(s.stage[STAGE_TEARDOWN].count, 1);
        assert_int_equal(s.stage[STAGE_TEARDOWN].sum, 6);
        assert_int_equal(s.stage[STAGE_REFILL].count, 1);
        assert_int_equal(s.stage[STAGE_REFILL].sum, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(percentiles_are_of_recent_times),
                cmocka_unit_test(absurd_times_are_bent_to_what_fits),
                cmocka_unit_test(when_to_try_again_follows_the_pace),
                cmocka_unit_test(a_pace_that_has_become_slow_is_noticed_before_the_next_end),
                cmocka_unit_test(a_long_pause_does_not_count_as_a_slow_run),
                cmocka_unit_test(nor_does_a_pause_after_work_that_was_lost),
                cmocka_unit_test(stages_are_counted_where_they_belong),
        };
        return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
