/* Trusted listeners on the command line: pool/base/trusted.h. */
#include "pool/base/trusted.h"

#include "tests/unit/unit.h"

#include <errno.h>

static void a_listener_and_its_user_come_through(void **state)
{
        (void)state;
        const struct trusted_listener all[] = { { 0, 0 }, { 7, 65534 }, { 31, 4294967294u } };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
                struct trusted_listener t = { 99, 99 };
                struct err e = { 0 };
                char arg[TRUSTED_ARG_SIZE];
                trusted_to_arg(&all[i], arg);
                assert_int_equal(trusted_from_arg(&t, arg, &e), 0);
                assert_int_equal(t.listener, all[i].listener);
                assert_int_equal(t.uid, all[i].uid);
        }
}

static void what_names_no_listener_and_user_is_refused(void **state)
{
        (void)state;
        const char *const bad[] = { "", "1", "1:", ":5", "1:5x", "1:5:6", "x:5", "a", "1 5" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                struct trusted_listener t;
                struct err e = { 0 };
                assert_refused(trusted_from_arg(&t, bad[i], &e), &e, EINVAL, "INDEX:UID");
        }
}

static void a_listener_that_is_not_named_is_not_trusted(void **state)
{
        (void)state;
        const struct trusted_listener list[] = { { 2, 5 }, { 4, 6 } };
        assert_ptr_equal(trusted_find(list, 2, 4), &list[1]);
        assert_null(trusted_find(list, 2, 0));
        assert_null(trusted_find(list, 1, 4));
        assert_null(trusted_find(NULL, 0, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_listener_and_its_user_come_through),
                cmocka_unit_test(what_names_no_listener_and_user_is_refused),
                cmocka_unit_test(a_listener_that_is_not_named_is_not_trusted),
        };
        return cmocka_run_group_tests_name("trusted", tests, NULL, NULL);
}
