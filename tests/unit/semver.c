/* Selectors of versions: gateway/contracts/semver.c, against the answers of npm's semver. */
#include "gateway/contracts/semver.h"

#include "tests/unit/unit.h"

#include <stdbool.h>
#include <stdio.h>

/* Each selector, with the versions that it chooses and those that it does not. */
static const struct {
        const char *selector, *chosen[4], *other[4];
} rows[] = {
        { "*", { "0.0.0", "3.11.2" }, { 0 } },
        { "", { "3.11.2" }, { 0 } },
        { "x", { "3.11.2" }, { 0 } },
        { "3", { "3.0.0", "3.11.2" }, { "2.9.9", "4.0.0" } },
        { "3.x", { "3.0.0", "3.11.2" }, { "2.9.9", "4.0.0" } },
        { "3.X.*", { "3.11.2" }, { "4.0.0" } },
        { "3.10", { "3.10.0", "3.10.9" }, { "3.1.0", "3.11.0" } },
        { "3.10.0", { "3.10.0" }, { "3.10.1", "3.1.0" } },
        { "v3.10.0", { "3.10.0" }, { "3.10.1" } },
        { "=3.10.0", { "3.10.0" }, { "3.10.1" } },
        { ">=3.8", { "3.8.0", "3.11.2", "4.0.0" }, { "3.7.9" } },
        { ">= 3.8", { "3.8.0" }, { "3.7.9" } },
        { ">3", { "4.0.0" }, { "3.0.0", "3.11.2" } },
        { ">3.1", { "3.2.0" }, { "3.1.9" } },
        { ">3.1.2", { "3.1.3" }, { "3.1.2" } },
        { "<3", { "2.9.9" }, { "3.0.0" } },
        { "<=3", { "3.11.2" }, { "4.0.0" } },
        { "<=3.1", { "3.1.9" }, { "3.2.0" } },
        { "<=3.1.2", { "3.1.2" }, { "3.1.3" } },
        { "<*", { 0 }, { "0.0.0", "3.0.0" } },
        { ">*", { 0 }, { "0.0.0", "3.0.0" } },
        { ">=*", { "0.0.0" }, { 0 } },
        { "^3.8.1", { "3.8.1", "3.11.2" }, { "3.8.0", "4.0.0" } },
        { "^0.8.1", { "0.8.1", "0.8.9" }, { "0.9.0", "0.8.0" } },
        { "^0.0.3", { "0.0.3" }, { "0.0.4" } },
        { "^0", { "0.9.9" }, { "1.0.0" } },
        { "^0.0", { "0.0.9" }, { "0.1.0" } },
        { "^0.x", { "0.9.9" }, { "1.0.0" } },
        { "^3", { "3.9.0" }, { "4.0.0" } },
        { "~3.8.1", { "3.8.1", "3.8.9" }, { "3.9.0", "3.8.0" } },
        { "~3.8", { "3.8.0" }, { "3.9.0" } },
        { "~3", { "3.9.0" }, { "4.0.0" } },
        { "~> 3.8", { "3.8.7" }, { "3.9.0" } },
        { ">=3.8 <3.11", { "3.8.0", "3.10.9" }, { "3.11.0", "3.7.0" } },
        { ">=3.8  <3.11 ", { "3.10.9" }, { "3.11.0" } },
        { "3.8 - 3.10", { "3.8.0", "3.10.9" }, { "3.11.0", "3.7.9" } },
        { "3.8.1 - 3.10.2", { "3.8.1", "3.10.2" }, { "3.8.0", "3.10.3" } },
        { "2 || 3.8.x", { "2.1.0", "3.8.5" }, { "3.9.0" } },
        { "2||3", { "2.1.0", "3.8.5" }, { "4.0.0" } },
        { "3.8.0-rc.1", { 0 }, { "3.8.0" } },
        { ">3.8.0-rc.1", { "3.8.0" }, { "3.7.9" } },
        { "<3.8.0-rc.1", { "3.7.9" }, { "3.8.0" } },
        { "~3.8.0-rc.1", { "3.8.0" }, { "3.9.0" } },
        { "3.8.0+build.5", { "3.8.0" }, { "3.8.1" } },
        /* malformed: no version is chosen */
        { "03", { 0 }, { "3.0.0" } },
        { "3.", { 0 }, { "3.0.0" } },
        { ".3", { 0 }, { "3.0.0" } },
        { "3.1.2.4", { 0 }, { "3.1.2" } },
        { "3.1-rc", { 0 }, { "3.1.0" } },
        { "3.1.0-", { 0 }, { "3.1.0" } },
        { "latest", { 0 }, { "3.1.0" } },
        { ">=", { 0 }, { "3.1.0" } },
        { ">>3", { 0 }, { "4.0.0" } },
        { "!3", { 0 }, { "4.0.0" } },
        { "* || latest", { 0 }, { "3.1.0" } },
        { "3 -", { 0 }, { "3.1.0" } },
        { "9007199254740992", { 0 }, { "3.1.0" } },
        { "99999999999999999999999999999999", { 0 }, { "3.1.0" } },
};

static void check(const char *selector, const char *version, bool is_chosen)
{
        struct semver v;

        assert_true(semver_of_program(&v, version));
        if (semver_matches(&v, selector) != is_chosen)
                fail_msg("\"%s\" %s %s", selector, is_chosen ? "does not choose" : "chooses", version);
}

static void selectors_choose_as_those_of_npm(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                for (size_t k = 0; k < 4; k++) {
                        if (rows[i].chosen[k])
                                check(rows[i].selector, rows[i].chosen[k], true);
                        if (rows[i].other[k])
                                check(rows[i].selector, rows[i].other[k], false);
                }
}

static void a_selector_may_have_256_bytes(void **state)
{
        char text[SEMVER_MAX_SELECTOR + 2];

        (void)state;
        memset(text, ' ', sizeof text);
        text[0] = '3';
        text[SEMVER_MAX_SELECTOR] = 0;
        check(text, "3.1.0", true);
        text[SEMVER_MAX_SELECTOR] = ' ';
        text[SEMVER_MAX_SELECTOR + 1] = 0;
        check(text, "3.1.0", false);
}

static void a_version_that_a_program_tells_becomes_a_semantic_version(void **state)
{
        static const struct {
                const char *program, *version;
        } told[] = {
                { "3.11.2", "3.11.2" },
                { "5.4", "5.4.0" },
                { "12", "12.0.0" },
                { "1.07.1", "1.7.1" },
                { "9.2p1", "9.2.0" },
                { "1.3.4.5", "1.3.4" },
                { "5.2.15(1)-release", "5.2.15" },
                { "1.2.", "1.2.0" },
                { "1.2.x", "1.2.0" },
        };
        char text[SEMVER_TEXT_SIZE];
        struct semver v;

        (void)state;
        for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
                assert_true(semver_of_program(&v, told[i].program));
                assert_string_equal(semver_text(text, &v), told[i].version);
                check(text, text, true); /* a client may ask for exactly the version that it was told */
        }
        assert_false(semver_of_program(&v, ""));
        assert_false(semver_of_program(&v, "version 3"));
        assert_true(semver_of_program(&v, "99999999999999999999999999.1"));
        assert_int_equal(v.part[1], 1);
}

static void versions_have_an_order(void **state)
{
        static const char *const rising[] = { "0.0.0", "0.0.9", "0.1.0", "0.10.0", "1.0.0", "1.0.1", "10.0.0" };
        struct semver a, b;

        (void)state;
        for (size_t i = 0; i < sizeof rising / sizeof *rising; i++)
                for (size_t k = 0; k < sizeof rising / sizeof *rising; k++) {
                        semver_of_program(&a, rising[i]);
                        semver_of_program(&b, rising[k]);
                        assert_int_equal(semver_compare(&a, &b), i < k ? -1 : i > k);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(selectors_choose_as_those_of_npm),
                cmocka_unit_test(a_selector_may_have_256_bytes),
                cmocka_unit_test(a_version_that_a_program_tells_becomes_a_semantic_version),
                cmocka_unit_test(versions_have_an_order),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
