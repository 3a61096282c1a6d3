/* Stages: every microsecond belongs to exactly one stage. */
#include "pool/base/stages.h"

#include "tests/unit/unit.h"

#include <string.h>

static uint64_t sum(const uint64_t took_us[STAGES_OF_RUN])
{
        uint64_t all = 0;
        for (int i = 0; i < STAGES_OF_RUN; i++)
                all += took_us[i];
        return all;
}

static void assert_stages(int64_t began_us, const int64_t end_us[STAGES_OF_RUN],
                          const uint64_t expected_us[STAGES_OF_RUN])
{
        uint64_t took_us[STAGES_OF_RUN];
        stages_of_run(began_us, end_us, took_us);
        assert_memory_equal(took_us, expected_us, sizeof took_us);
}

static void each_stage_begins_where_the_one_before_ends(void **state)
{
        (void)state;
        assert_stages(1000, (int64_t[]){ 1001, 1003, 1007, 1015, 1031 }, (uint64_t[]){ 1, 2, 4, 8, 16 });
        assert_stages(1000, (int64_t[]){ 1000, 1000, 1000, 1000, 1000 }, (uint64_t[]){ 0, 0, 0, 0, 0 });
}

static void a_stage_whose_end_was_not_reached_has_the_time_up_to_the_next_end(void **state)
{
        (void)state;
        assert_stages(100, (int64_t[]){ 110, 0, 150, 160, 160 }, (uint64_t[]){ 10, 40, 0, 10, 0 });
        assert_stages(100, (int64_t[]){ 110, 0, 0, 0, 160 }, (uint64_t[]){ 10, 50, 0, 0, 0 });
        assert_stages(100, (int64_t[]){ 0, 0, 0, 0, 160 }, (uint64_t[]){ 60, 0, 0, 0, 0 });
}

static void an_end_seen_after_a_later_one_is_that_one(void **state)
{
        (void)state;
        /* The job was written after the order to kill was sent. */
        assert_stages(100, (int64_t[]){ 110, 140, 130, 150, 150 }, (uint64_t[]){ 10, 20, 0, 20, 0 });
        /* Another process's clock readings may be anything. */
        assert_stages(100, (int64_t[]){ 110, 120, INT64_MAX, 150, 150 }, (uint64_t[]){ 10, 10, 30, 0, 0 });
        assert_stages(100, (int64_t[]){ 110, 120, INT64_MIN, 150, 150 }, (uint64_t[]){ 0, 0, 0, 50, 0 });
        assert_stages(100, (int64_t[]){ 110, 120, 130, 140, 90 }, (uint64_t[]){ 0, 0, 0, 0, 0 });
}

static void whatever_the_ends_the_sum_is_the_whole(void **state)
{
        (void)state;
        uint32_t x = 99;
        for (int round = 0; round < 100000; round++) {
                int64_t end_us[STAGES_OF_RUN];
                uint64_t took_us[STAGES_OF_RUN];
                for (int i = 0; i < STAGES_OF_RUN; i++) {
                        x = x * 1664525 + 1013904223;
                        end_us[i] = (x >> 28) == 0 ? 0 : (int64_t)(x >> 12) % 100000;
                }
                end_us[STAGE_COLLECT] += 50000;
                stages_of_run(50000, end_us, took_us);
                assert_int_equal(sum(took_us), end_us[STAGE_COLLECT] - 50000);
        }
}

static void assert_slot(const int64_t at_us[4], uint64_t teardown_us, uint64_t refill_us)
{
        uint64_t teardown = 999, refill = 999;
        stages_of_slot(at_us[0], at_us[1], at_us[2], at_us[3], &teardown, &refill);
        assert_int_equal(teardown, teardown_us);
        assert_int_equal(refill, refill_us);
}

static void a_slot_that_is_refilled_at_once_has_no_idle_time(void **state)
{
        (void)state;
        assert_slot((int64_t[]){ 100, 101, 130, 200 }, 30, 70);
        assert_slot((int64_t[]){ 100, 100, 100, 100 }, 0, 0);
}

static void one_that_was_cleared_and_waited_is_refilled_from_the_order_on(void **state)
{
        (void)state;
        assert_slot((int64_t[]){ 100, 5000, 130, 5100 }, 30, 100);
}

static void a_time_that_can_not_be_is_bent_to_the_nearest_that_can(void **state)
{
        (void)state;
        assert_slot((int64_t[]){ 100, 101, 0, 200 }, 0, 99);
        assert_slot((int64_t[]){ 100, 101, INT64_MIN, 200 }, 0, 99);
        assert_slot((int64_t[]){ 100, 101, INT64_MAX, 200 }, 100, 0);
        assert_slot((int64_t[]){ 300, 101, 150, 200 }, 0, 0);
        assert_slot((int64_t[]){ 100, 900, 150, 200 }, 50, 0);
}

static void each_has_a_name_of_its_own(void **state)
{
        (void)state;
        for (int i = 0; i < STAGE_COUNT; i++) {
                assert_non_null(stage_name[i]);
                for (int j = 0; j < i; j++)
                        assert_string_not_equal(stage_name[i], stage_name[j]);
        }
        assert_string_equal(stage_name[STAGE_QUEUE], "queue");
        assert_string_equal(stage_name[STAGE_REFILL], "refill");
        assert_string_equal(stage_name[STAGE_COMPILE], "compile");
}

static void the_bounds_rise(void **state)
{
        (void)state;
        for (int i = 1; i < STAGE_BOUNDS; i++)
                assert_true(stage_bound_us[i - 1] < stage_bound_us[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_stage_begins_where_the_one_before_ends),
                cmocka_unit_test(a_stage_whose_end_was_not_reached_has_the_time_up_to_the_next_end),
                cmocka_unit_test(an_end_seen_after_a_later_one_is_that_one),
                cmocka_unit_test(whatever_the_ends_the_sum_is_the_whole),
                cmocka_unit_test(a_slot_that_is_refilled_at_once_has_no_idle_time),
                cmocka_unit_test(one_that_was_cleared_and_waited_is_refilled_from_the_order_on),
                cmocka_unit_test(a_time_that_can_not_be_is_bent_to_the_nearest_that_can),
                cmocka_unit_test(each_has_a_name_of_its_own),
                cmocka_unit_test(the_bounds_rise),
        };
        return cmocka_run_group_tests_name("stages", tests, NULL, NULL);
}
