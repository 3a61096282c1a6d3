/* Counting the time that a process was given for its work. */
#include "proto/ipc/patience.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

enum { SECOND = 1000000 };

/* Looks again a second later. In that second the process used used_us of processor time; the kernel reports that it was
 * ready to run for ready_us. */
static int64_t second(struct patience *p, int64_t used_us, int64_t ready_us)
{
        struct patience_look look = p->last;
        look.now_us += SECOND;
        look.cpu_us += used_us;
        look.ready_us += ready_us;
        patience_look(p, &look);
        return p->given_us;
}

static struct patience begun(void)
{
        struct patience p = { 0 };
        const struct patience_look look = { .now_us = 77 * (int64_t)SECOND, .cpu_us = 5 * SECOND, .ready_us = 123 };
        patience_look(&p, &look);
        assert_int_equal(p.given_us, 0);
        return p;
}

static void what_is_blocked_is_given_all_the_time(void **state)
{
        (void)state;
        struct patience p = begun();
        for (int i = 1; i < 9; i++)
                assert_int_equal(second(&p, 0, 0), i * SECOND);
}

static void what_spins_is_given_all_the_time(void **state)
{
        (void)state;
        struct patience p = begun();
        assert_int_equal(second(&p, SECOND, 0), SECOND);
        assert_int_equal(second(&p, 2 * SECOND, 0), 2 * SECOND); /* on two processors */
}

static void what_gets_little_of_a_loaded_machine_is_given_little(void **state)
{
        (void)state;
        struct patience p = begun();
        for (int i = 0; i < 100; i++)
                second(&p, 10000, SECOND - 10000);
        assert_int_equal(p.given_us, SECOND);
}

static void what_gets_nothing_for_seconds_is_given_nothing(void **state)
{
        (void)state;
        struct patience p = begun();
        /* The kernel reports the time only afterwards. */
        assert_int_equal(second(&p, 0, 0), SECOND);
        assert_int_equal(second(&p, 0, 0), 2 * SECOND);
        assert_int_equal(second(&p, 1000, 3 * SECOND - 1000), 2000);
}

static void who_looks_may_have_slept_itself(void **state)
{
        (void)state;
        struct patience p = begun();
        struct patience_look look = p.last;
        look.now_us += 3600 * (int64_t)SECOND;
        patience_look(&p, &look);
        assert_int_equal(p.given_us, PATIENCE_MAX_STEP_US);
}

static void the_kernels_text_is_read(void **state)
{
        (void)state;
        int ends[2];
        struct patience_look look = { .cpu_us = 1 };
        FILE *text = tmpfile();
        assert_non_null(text);
        fputs("9865489 104714159 4\n", text);
        fflush(text);
        assert_true(patience_read(fileno(text), &look));
        assert_int_equal(look.cpu_us, 9866);
        assert_int_equal(look.ready_us, 104714);
        fclose(text);
        assert_false(patience_read(-1, &look));
        assert_int_equal(pipe(ends), 0);
        assert_false(patience_read(ends[0], &look));
        close(ends[0]);
        close(ends[1]);
        assert_int_equal(look.cpu_us, 9866);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_blocked_is_given_all_the_time),
                cmocka_unit_test(what_spins_is_given_all_the_time),
                cmocka_unit_test(what_gets_little_of_a_loaded_machine_is_given_little),
                cmocka_unit_test(what_gets_nothing_for_seconds_is_given_nothing),
                cmocka_unit_test(who_looks_may_have_slept_itself),
                cmocka_unit_test(the_kernels_text_is_read),
        };
        return cmocka_run_group_tests_name("patience", tests, NULL, NULL);
}
