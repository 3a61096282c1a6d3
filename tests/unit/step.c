/* Running a table of steps: zygote/step.h. */
#include "unit.h"

#include "zygote/step.h"

#include <errno.h>

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
        assert_int_equal(step_run(steps, 2, &counted, &error), 2);
        assert_int_equal(counted, 2);
        assert_int_equal(error, 0);
}

static void the_first_failure_names_its_row_and_ends_it(void **state)
{
        (void)state;
        const struct step steps[] = { { "one", count, NULL }, { "two", refuse, NULL }, { "three", count, NULL } };
        int counted = 0, error = 0;
        assert_int_equal(step_run(steps, 3, &counted, &error), 1);
        assert_int_equal(counted, 1);
        assert_int_equal(error, -EPERM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_steps_run_in_order),
                cmocka_unit_test(the_first_failure_names_its_row_and_ends_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
