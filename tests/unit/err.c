/* Errors as values. */
#include "proto/base/err.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <limits.h>

static void a_set_error_ends_with_the_reason(void **state)
{
        (void)state;
        struct err e = { 0 };
        assert_int_equal(err_set(&e, ENOENT, "open %s", "/x"), -ENOENT);
        assert_int_equal(e.code, ENOENT);
        assert_string_equal(e.text, "open /x: No such file or directory");
}

static void a_said_error_is_the_sentence_alone(void **state)
{
        (void)state;
        struct err e = { 0 };
        assert_int_equal(err_say(&e, EPROTO, "send %d", 1), -EPROTO);
        assert_int_equal(e.code, EPROTO);
        assert_string_equal(e.text, "send 1");
}

static void context_goes_in_front_and_the_code_stays(void **state)
{
        (void)state;
        struct err e = { 0 };
        err_say(&e, EPERM, "below");
        assert_int_equal(err_wrap(&e, "above %d", 2), -EPERM);
        assert_string_equal(e.text, "above 2: below");
}

static void nobody_listening_is_still_a_failure(void **state)
{
        (void)state;
        assert_int_equal(err_set(NULL, EPERM, "x"), -EPERM);
        assert_int_equal(err_say(NULL, EPERM, "x"), -EPERM);
        assert_true(err_wrap(NULL, "x") < 0);
}

static void a_long_sentence_is_cut_and_ended(void **state)
{
        (void)state;
        struct err e = { 0 };
        char text[2 * ERR_TEXT_SIZE];
        memset(text, 'x', sizeof text);
        text[sizeof text - 1] = '\0';

        err_say(&e, EPROTO, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
        err_set(&e, EPROTO, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
        err_wrap(&e, "front");
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
        assert_memory_equal(e.text, "front: xxx", 10);
        err_wrap(&e, "%s", text);
        assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
}

static void what_another_process_tells_is_an_errno_or_a_broken_promise(void **state)
{
        (void)state;
        static const int bad[] = { INT_MIN, INT_MIN + 1, -4096, 0, 4096, INT_MAX };

        assert_int_equal(err_told(ENOSPC), ENOSPC);
        assert_int_equal(err_told(-ENOSPC), ENOSPC);
        assert_int_equal(err_told(-4095), 4095);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
                assert_int_equal(err_told(bad[i]), EPROTO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_set_error_ends_with_the_reason),
                cmocka_unit_test(a_said_error_is_the_sentence_alone),
                cmocka_unit_test(context_goes_in_front_and_the_code_stays),
                cmocka_unit_test(nobody_listening_is_still_a_failure),
                cmocka_unit_test(a_long_sentence_is_cut_and_ended),
                cmocka_unit_test(what_another_process_tells_is_an_errno_or_a_broken_promise),
        };
        return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
