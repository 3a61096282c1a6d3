/* The time at which a dead process may be started again. */
#include "hatcheryd/pace.h"

#include "tests/unit/unit.h"

static void the_first_restart_is_immediate_and_the_next_ones_wait(void **state)
{
        (void)state;
        static const int64_t delays[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
        struct pace p = { 0 };

        for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
                pace_failed(&p, 1000);
                assert_int_equal(p.not_before_ms, 1000 + delays[i]);
        }
}

static void what_has_done_its_work_starts_afresh(void **state)
{
        (void)state;
        struct pace p = { 0 };

        for (int i = 0; i < 5; i++)
                pace_failed(&p, 1000);
        pace_settled(&p);
        assert_int_equal(p.not_before_ms, 0);
        pace_failed(&p, 2000);
        assert_int_equal(p.not_before_ms, 2000);
        pace_failed(&p, 2000);
        assert_int_equal(p.not_before_ms, 2100);
}

static void many_failures_do_no_harm(void **state)
{
        (void)state;
        struct pace p = { .failures = 4000000000u };
        pace_failed(&p, 7);
        assert_int_equal(p.not_before_ms, 5007);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_restart_is_immediate_and_the_next_ones_wait),
                cmocka_unit_test(what_has_done_its_work_starts_afresh),
                cmocka_unit_test(many_failures_do_no_harm),
        };
        return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
