/* The table of limits, and their notation. */
#include "proto/base/limit.h"

#include "tests/unit/unit.h"

#include <errno.h>

struct notation {
        const char *text;
        int64_t value;
};

static void check_all(enum limit_unit unit, const struct notation *n, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                int64_t value = -1;
                if (limit_parse(unit, n[i].text, &value) != 0)
                        fail_msg("\"%s\" is refused", n[i].text);
                assert_true(value == n[i].value);
        }
}

#define CHECK_ALL(unit, notations) check_all(unit, notations, sizeof(notations) / sizeof *(notations))

static void times_have_suffixes_and_are_seconds_without(void **state)
{
        (void)state;
        const struct notation notations[] = {
                { "0", 0 },         { "2", 2000000 },      { "2s", 2000000 },     { "1500ms", 1500000 },
                { "250us", 250 },   { "1m", 60000000 },    { "007s", 7000000 },   { "1.5s", 1500000 },
                { "1.5", 1500000 }, { "2min", 120000000 }, { "2MIN", 120000000 }, { "0.5h", 1800000000 },
                { "1.0us", 1 },     { "0.0000019s", 1 },   { "0.000000001h", 3 },
        };
        CHECK_ALL(LIMIT_UNIT_US, notations);
}

static void sizes_have_suffixes_of_1024(void **state)
{
        (void)state;
        const struct notation notations[] = {
                { "0", 0 },
                { "4096", 4096 },
                { "12B", 12 },
                { "3K", 3072 },
                { "64M", 64LL << 20 },
                { "2G", 2LL << 30 },
                { "64m", 64LL << 20 },
                { "100MiB", 100LL << 20 },
                { "100mb", 100LL << 20 },
                { "1.5g", 3LL << 29 },
                { "1.5KiB", 1536 },
                { "0.999999999GB", 1073741822 },
        };
        CHECK_ALL(LIMIT_UNIT_BYTES, notations);
}

static void counts_are_bare_numbers(void **state)
{
        (void)state;
        const struct notation notations[] = { { "0", 0 }, { "16", 16 }, { "9223372036854775807", INT64_MAX } };
        CHECK_ALL(LIMIT_UNIT_COUNT, notations);
}

static void everything_else_is_refused(void **state)
{
        (void)state;
        const char *const never[] = { "",
                                      " 1",
                                      "1 ",
                                      "-1",
                                      "+1",
                                      "x",
                                      "1x",
                                      "1.5.5s",
                                      "1.",
                                      ".5",
                                      "1.s",
                                      "1.0000000000s",
                                      "0x10",
                                      "1e3",
                                      "s",
                                      "1ss",
                                      "1sm",
                                      "1 s",
                                      "9223372036854775808",
                                      "99999999999999999999" };
        int64_t value;

        for (size_t i = 0; i < sizeof never / sizeof *never; i++)
                for (int unit = LIMIT_UNIT_US; unit <= LIMIT_UNIT_COUNT; unit++)
                        if (limit_parse((enum limit_unit)unit, never[i], &value) != -EINVAL)
                                fail_msg("\"%s\" is taken", never[i]);
        assert_int_equal(limit_parse(LIMIT_UNIT_COUNT, "1K", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_COUNT, "1s", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_US, "1K", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_BYTES, "1s", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_BYTES, "1.5", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_US, "1.5us", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_COUNT, "1.0", &value), -EINVAL);
}

static void values_are_told_exactly_and_in_few_digits(void **state)
{
        (void)state;
        static const struct {
                enum limit_unit unit;
                int64_t value;
                const char *text;
        } rows[] = {
                { LIMIT_UNIT_US, 60000000, "60 s" },
                { LIMIT_UNIT_US, 1500000, "1500 ms" },
                { LIMIT_UNIT_US, 60000001, "60000001 us" },
                { LIMIT_UNIT_US, 0, "0 us" },
                { LIMIT_UNIT_US, -1, "-1 us" },
                { LIMIT_UNIT_US, INT64_MIN, "-9223372036854775808 us" },
                { LIMIT_UNIT_BYTES, 256 << 20, "256 MiB" },
                { LIMIT_UNIT_BYTES, 3LL << 29, "1536 MiB" },
                { LIMIT_UNIT_BYTES, 1025, "1025 bytes" },
                { LIMIT_UNIT_BYTES, 1, "1 byte" },
                { LIMIT_UNIT_COUNT, 64, "64" },
        };
        char out[LIMIT_TEXT_SIZE];
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                assert_string_equal(limit_text(out, rows[i].unit, rows[i].value), rows[i].text);
}

static void a_product_that_overflows_is_refused(void **state)
{
        (void)state;
        int64_t value;
        assert_int_equal(limit_parse(LIMIT_UNIT_BYTES, "8589934592G", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_US, "9223372036855", &value), -EINVAL);
        assert_int_equal(limit_parse(LIMIT_UNIT_US, "9223372036854s", &value), 0);
}

static void every_row_is_complete_and_its_default_is_allowed(void **state)
{
        (void)state;
        for (size_t i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_row *row = &limit_table[i];
                assert_non_null(row->name);
                assert_non_null(row->option);
                assert_non_null(row->help);
                assert_true(row->standard >= 1);
                assert_true(row->standard <= row->ceiling);
                for (size_t j = 0; j < i; j++) {
                        assert_string_not_equal(row->name, limit_table[j].name);
                        assert_string_not_equal(row->option, limit_table[j].option);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(times_have_suffixes_and_are_seconds_without),
                cmocka_unit_test(sizes_have_suffixes_of_1024),
                cmocka_unit_test(counts_are_bare_numbers),
                cmocka_unit_test(everything_else_is_refused),
                cmocka_unit_test(values_are_told_exactly_and_in_few_digits),
                cmocka_unit_test(a_product_that_overflows_is_refused),
                cmocka_unit_test(every_row_is_complete_and_its_default_is_allowed),
        };
        return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
