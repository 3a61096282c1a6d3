/* Running a table of steps: zygote/base/step.h. */
#include "unit.h"

#include "zygote/base/step.h"

#include <errno.h>
#include <string.h>

static int count(void *context)
{
        ++*(int *)context;
        return 0;
}

static int refuse(void *context)
{
        (void)context;
        return -EPERM;
}

static void all_steps_run_in_order(void **state)
{
        (void)state;
        const struct step steps[] = { { "one", count, NULL }, { "two", count, NULL } };
        int counted = 0, error = 1;
        assert_int_equal(step_run(steps, 2, &counted, NULL, &error), 2);
        assert_int_equal(counted, 2);
        assert_int_equal(error, 0);
}

static void the_first_failure_names_its_row_and_ends_it(void **state)
{
        (void)state;
        const struct step steps[] = { { "one", count, NULL }, { "two", refuse, NULL }, { "three", count, NULL } };
        int counted = 0, error = 0;
        assert_int_equal(step_run(steps, 3, &counted, NULL, &error), 1);
        assert_int_equal(counted, 1);
        assert_int_equal(error, -EPERM);
}

static void a_fault_skips_or_fails_its_row_alone(void **state)
{
        (void)state;
        const struct step steps[] = { { "one", count, NULL }, { "one more", refuse, NULL }, { "three", count, NULL } };
        static const char skip[] = "fail two 5\nskip one more\n", fail[] = "skip one\nfail three 28\n\n";
        const struct faults skipping = { skip, sizeof skip }, failing = { fail, sizeof fail - 1 };
        int counted = 0, error = 0;
        assert_int_equal(step_run(steps, 3, &counted, &skipping, &error), 3);
        assert_int_equal(counted, 2);
        assert_int_equal(step_run(steps, 1, &counted, &failing, &error), 1);
        assert_int_equal(counted, 2);
        assert_int_equal(step_run(steps + 2, 1, &counted, &failing, &error), 0);
        assert_int_equal(error, -ENOSPC);
        assert_int_equal(counted, 2);
}

static void what_is_no_fault_is_none(void **state)
{
        (void)state;
        static const char *const texts[] = {
                "",           "skip",       "skip on",     "skip one ",         "fail one", "fail one ",
                "fail one x", "fail one 0", "fail one -1", "fail one 99999999", "skipone",  " skip one"
        };
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
                const struct faults faults = { texts[i], strlen(texts[i]) };
                int error = 1;
                assert_int_equal(faults_find(&faults, "one", &error), FAULT_NONE);
                assert_int_equal(error, 0);
        }
        int error = 1;
        assert_int_equal(faults_find(NULL, "one", &error), FAULT_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_steps_run_in_order),
                cmocka_unit_test(the_first_failure_names_its_row_and_ends_it),
                cmocka_unit_test(a_fault_skips_or_fails_its_row_alone),
                cmocka_unit_test(what_is_no_fault_is_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
