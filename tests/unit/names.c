/* The rules for names of files. */
#include "pool/base/names.h"

#include "proto/wire/wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct span text(const char *s)
{
        return span_of_text(s);
}

static void plain_relative_names_are_taken(void **state)
{
        (void)state;
        static const char *const good[] = { "a",   "a.py", "a/b/c", ".hidden",  "..a", "a..",
                                            "...", " ",    "a b",   "\xc3\xa4", "-" };
        struct err e = { 0 };
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
                assert_int_equal(names_check(text(good[i]), &e), 0);
}

static void other_names_are_refused_with_a_sentence(void **state)
{
        (void)state;
        static const struct {
                const char *name, *word;
        } bad[] = {
                { "", "empty" },     { "/", "absolute" },  { "/etc/passwd", "absolute" }, { ".", "\".\"" },
                { "..", "\"..\"" },  { "a/..", "\"..\"" }, { "../a", "\"..\"" },          { "a/./b", "\".\"" },
                { "a//b", "empty" }, { "a/", "empty" },
        };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct err e = { 0 };
                assert_refused(names_check(text(bad[i].name), &e), &e, EINVAL, bad[i].word);
        }
}

static void a_name_with_a_nul_byte_is_refused(void **state)
{
        (void)state;
        struct err e = { 0 };
        assert_refused(names_check((struct span){ (const uint8_t *)"a\0b", 3 }, &e), &e, EINVAL, "NUL");
}

static void the_longest_name_is_taken_and_one_byte_more_is_not(void **state)
{
        (void)state;
        char name[WIRE_MAX_NAME + 2];
        struct err e = { 0 };

        memset(name, 'a', sizeof name);
        for (size_t i = 255; i < sizeof name; i += 256)
                name[i] = '/';
        struct span longest = { (const uint8_t *)name, WIRE_MAX_NAME - 1 };
        assert_int_equal(names_check(longest, &e), 0);
        name[WIRE_MAX_NAME - 1] = 'b';
        name[1000] = '/';
        longest.len = WIRE_MAX_NAME;
        assert_int_equal(names_check(longest, &e), 0);
        longest.len++;
        assert_refused(names_check(longest, &e), &e, EINVAL, "1024");
}

static void a_part_is_at_most_255_bytes(void **state)
{
        (void)state;
        char name[300];
        struct err e = { 0 };
        memset(name, 'x', sizeof name);
        assert_int_equal(names_check((struct span){ (const uint8_t *)name, 255 }, &e), 0);
        assert_refused(names_check((struct span){ (const uint8_t *)name, 256 }, &e), &e, EINVAL, "255");
}

static int check_set(const char *const *names, size_t n, struct err *e)
{
        struct file_span files[16] = { 0 };
        for (size_t i = 0; i < n; i++)
                files[i].name = text(names[i]);
        return names_check_set(files, n, e);
}

static void two_files_of_one_name_are_refused(void **state)
{
        (void)state;
        const char *const names[] = { "b", "a/b", "c", "a/b" };
        struct err e = { 0 };
        assert_refused(check_set(names, 4, &e), &e, EINVAL, "\"a/b\"");
        assert_int_equal(check_set(names, 3, &e), 0);
}

static void a_file_that_is_also_a_directory_is_refused(void **state)
{
        (void)state;
        const char *const names[] = { "a/b/c", "a.b", "a-b", "a\x01z", "a" };
        struct err e = { 0 };
        assert_refused(check_set(names, 5, &e), &e, EINVAL, "directory");
        assert_int_equal(check_set(names, 4, &e), 0);
}

static void names_that_only_begin_alike_are_fine(void **state)
{
        (void)state;
        const char *const names[] = { "a", "ab", "a.b", "b/a", "b/ab", "b.a/a", "B", "b0" };
        struct err e = { 0 };
        assert_int_equal(check_set(names, 8, &e), 0);
}

static void thousands_of_names_are_checked_and_the_one_collision_found(void **state)
{
        (void)state;
        enum { N = WIRE_MAX_FILES };
        struct file_span *files = calloc(N, sizeof *files);
        char(*names)[32] = calloc(N, sizeof *names);
        struct err e = { 0 };

        assert_non_null(files);
        assert_non_null(names);
        for (size_t i = 0; i < N; i++) {
                snprintf(names[i], sizeof names[i], "d%zu/f%zu", i * 7919 % 64, i * 104729 % N);
                files[i].name = text(names[i]);
        }
        assert_int_equal(names_check_set(files, N, &e), 0);
        files[N - 1].name = text("d5");
        assert_refused(names_check_set(files, N, &e), &e, EINVAL, "\"d5\"");
        free(files);
        free(names);
}

static void a_quoted_name_is_short_and_without_control_characters(void **state)
{
        (void)state;
        char name[5000];
        memset(name, '\n', sizeof name);
        struct names_quoted q = names_quote((struct span){ (const uint8_t *)name, sizeof name });
        assert_true(strlen(q.text) < sizeof q.text);
        assert_null(strchr(q.text, '\n'));
        assert_non_null(strstr(q.text, "...\""));
        assert_string_equal(names_quote(text("a b")).text, "\"a b\"");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain_relative_names_are_taken),
                cmocka_unit_test(other_names_are_refused_with_a_sentence),
                cmocka_unit_test(a_name_with_a_nul_byte_is_refused),
                cmocka_unit_test(the_longest_name_is_taken_and_one_byte_more_is_not),
                cmocka_unit_test(a_part_is_at_most_255_bytes),
                cmocka_unit_test(two_files_of_one_name_are_refused),
                cmocka_unit_test(a_file_that_is_also_a_directory_is_refused),
                cmocka_unit_test(names_that_only_begin_alike_are_fine),
                cmocka_unit_test(thousands_of_names_are_checked_and_the_one_collision_found),
                cmocka_unit_test(a_quoted_name_is_short_and_without_control_characters),
        };
        return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
