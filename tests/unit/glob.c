/* Patterns for output files: proto/base/glob.h. */
#include "unit.h"

#include "proto/base/glob.h"

#include <string.h>

static void names_match_themselves(void **state)
{
        (void)state;
        assert_true(glob_match("out.txt", "out.txt"));
        assert_true(glob_match("a/b", "a/b"));
        assert_true(glob_match("", ""));
        assert_false(glob_match("out.txt", "out.tx"));
        assert_false(glob_match("out.txt", "out.txt2"));
        assert_false(glob_match("", "a"));
}

static void one_star_stays_within_a_name(void **state)
{
        (void)state;
        assert_true(glob_match("*", "a"));
        assert_true(glob_match("*.txt", "a.txt"));
        assert_true(glob_match("*.txt", ".txt"));
        assert_true(glob_match("a*b*c", "aXbYc"));
        assert_true(glob_match("d/*", "d/a"));
        assert_false(glob_match("*", "d/a"));
        assert_false(glob_match("*.txt", "d/a.txt"));
        assert_false(glob_match("d/*", "d/e/a"));
}

static void a_question_mark_is_one_byte_but_no_slash(void **state)
{
        (void)state;
        assert_true(glob_match("a?c", "abc"));
        assert_false(glob_match("a?c", "ac"));
        assert_false(glob_match("a?c", "a/c"));
}

static void two_stars_cross_directories(void **state)
{
        (void)state;
        assert_true(glob_match("**", "a/b/c"));
        assert_true(glob_match("d/**", "d/a/b"));
        assert_false(glob_match("d/**", "e/a"));
        assert_true(glob_match("**c", "a/b/c"));
}

static void two_stars_and_a_slash_may_be_nothing(void **state)
{
        (void)state;
        assert_true(glob_match("**/x", "x"));
        assert_true(glob_match("**/x", "a/x"));
        assert_true(glob_match("**/x", "a/b/x"));
        assert_true(glob_match("a/**/x", "a/x"));
        assert_true(glob_match("a/**/x", "a/b/c/x"));
        assert_false(glob_match("**/x", "ax"));
        assert_false(glob_match("a/**/x", "ax"));
}

static void special_bytes_of_other_globs_are_themselves(void **state)
{
        (void)state;
        assert_true(glob_match("[a]{b}\\", "[a]{b}\\"));
        assert_false(glob_match("[a]", "a"));
        assert_true(glob_match("\xff*", "\xff\xfe"));
}

static void hostile_patterns_end_soon(void **state)
{
        (void)state;
        char path[4000], pattern[1024];
        memset(path, 'a', sizeof path - 1);
        path[sizeof path - 1] = '\0';
        for (size_t i = 0; i + 1 < sizeof pattern; i++)
                pattern[i] = i % 2 ? 'a' : '*';
        pattern[sizeof pattern - 1] = '\0';
        pattern[sizeof pattern - 2] = 'b';
        assert_false(glob_match(pattern, path)); /* backtracking would take longer than the test's hang guard */
}

static void paths_beyond_the_bound_never_match(void **state)
{
        (void)state;
        static char path[GLOB_PATH_MAX + 1];
        memset(path, 'a', GLOB_PATH_MAX);
        assert_false(glob_match("**", path));
        path[GLOB_PATH_MAX - 1] = '\0';
        assert_true(glob_match("**", path));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_match_themselves),
                cmocka_unit_test(one_star_stays_within_a_name),
                cmocka_unit_test(a_question_mark_is_one_byte_but_no_slash),
                cmocka_unit_test(two_stars_cross_directories),
                cmocka_unit_test(two_stars_and_a_slash_may_be_nothing),
                cmocka_unit_test(special_bytes_of_other_globs_are_themselves),
                cmocka_unit_test(hostile_patterns_end_soon),
                cmocka_unit_test(paths_beyond_the_bound_never_match),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
