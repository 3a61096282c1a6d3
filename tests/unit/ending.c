/* The ending of a run: pool/core/ending.h. */
#include "pool/core/ending.h"

#include "tests/unit/unit.h"

#include <signal.h>

enum { EXIT_0 = 0, EXIT_3 = 3 << 8, KILLED = SIGKILL, ABORTED = SIGABRT | 0x80 };

static struct ending ending(enum kill_reason reason, int wait_status, unsigned oom_kills, bool disk_full)
{
        struct report r = { .kind = REPORT_EXITED };
        r.exited.wait_status = wait_status;
        r.exited.oom_kills = oom_kills;
        r.exited.disk_full = disk_full;
        return ending_of(reason, &r);
}

static void the_first_true_reason_counts(void **state)
{
        (void)state;
        static const struct {
                enum kill_reason reason;
                int wait_status;
                unsigned oom_kills;
                bool disk_full;
                enum outcome_status want;
        } rows[] = {
                { KILL_NONE, EXIT_0, 0, false, OUTCOME_EXITED },
                { KILL_NONE, EXIT_3, 0, false, OUTCOME_EXITED },
                { KILL_NONE, EXIT_0, 0, true, OUTCOME_EXITED },
                { KILL_NONE, EXIT_3, 0, true, OUTCOME_DISK_LIMIT },
                { KILL_NONE, ABORTED, 0, true, OUTCOME_SIGNALED },
                { KILL_NONE, KILLED, 0, false, OUTCOME_SIGNALED },
                { KILL_NONE, KILLED, 1, false, OUTCOME_MEMORY_LIMIT },
                { KILL_NONE, EXIT_0, 1, false, OUTCOME_MEMORY_LIMIT },
                { KILL_WALL, KILLED, 1, true, OUTCOME_TIME_LIMIT },
                { KILL_CPU, KILLED, 0, false, OUTCOME_CPU_LIMIT },
                { KILL_OUTPUT, EXIT_0, 0, false, OUTCOME_OUTPUT_LIMIT },
                { KILL_CANCELLED, EXIT_0, 0, false, OUTCOME_CANCELLED },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                assert_int_equal(
                        ending(rows[i].reason, rows[i].wait_status, rows[i].oom_kills, rows[i].disk_full).status,
                        rows[i].want);
}

static void exit_code_and_signal_are_the_main_processs(void **state)
{
        (void)state;
        assert_int_equal(ending(KILL_NONE, EXIT_3, 0, false).exit_code, 3);
        assert_int_equal(ending(KILL_NONE, EXIT_3, 0, false).signal, 0);
        assert_int_equal(ending(KILL_NONE, ABORTED, 0, false).signal, SIGABRT);
        assert_int_equal(ending(KILL_NONE, ABORTED, 0, false).exit_code, 0);
        assert_int_equal(ending(KILL_WALL, KILLED, 0, false).signal, SIGKILL);
}

static void memory_is_told_beside_another_reason(void **state)
{
        (void)state;
        assert_true(ending(KILL_WALL, KILLED, 2, false).oom_killed);
        assert_false(ending(KILL_WALL, KILLED, 0, false).oom_killed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_true_reason_counts),
                cmocka_unit_test(exit_code_and_signal_are_the_main_processs),
                cmocka_unit_test(memory_is_told_beside_another_reason),
        };
        return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
