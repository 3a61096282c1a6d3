/* The histogram of durations: values come out as they went in, within the promised error. */
#include "proto/base/histogram.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
        return (x > y) - (x < y);
}

static void assert_near(uint64_t got, uint64_t want)
{
        uint64_t off = got > want ? got - want : want - got;
        if (off > want / HISTOGRAM_STEPS)
                fail_msg("%llu is further from %llu than 1/%d", (unsigned long long)got, (unsigned long long)want,
                         HISTOGRAM_STEPS);
}

static void an_empty_one_says_0(void **state)
{
        (void)state;
        const struct histogram h = { 0 };
        assert_int_equal(histogram_quantile(&h, 0.5), 0);
}

static void small_values_are_exact(void **state)
{
        (void)state;
        struct histogram h = { 0 };
        for (uint64_t i = 1; i <= 200; i++)
                histogram_add(&h, i);
        assert_int_equal(histogram_quantile(&h, 0.005), 1);
        assert_int_equal(histogram_quantile(&h, 0.5), 100);
        assert_int_equal(histogram_quantile(&h, 0.99), 198);
        assert_int_equal(histogram_quantile(&h, 1), 200);
}

static void buckets_leave_no_gap_and_do_not_overlap(void **state)
{
        (void)state;
        for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
                uint64_t start = histogram_bucket_start(i), next = histogram_bucket_start(i + 1);
                const uint64_t inside[] = { start, start + (next - start) / 2, next - 1 };
                assert_true(next > start);
                for (size_t k = 0; k < 3; k++) {
                        struct histogram h = { 0 };
                        histogram_add(&h, inside[k]);
                        assert_int_equal(h.bucket[i], 1);
                }
        }
}

static void a_value_too_long_for_all_counts_as_the_longest(void **state)
{
        (void)state;
        struct histogram h = { 0 };
        histogram_add(&h, histogram_bucket_start(HISTOGRAM_BUCKETS));
        histogram_add(&h, UINT64_MAX);
        assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 2);
        assert_true(h.max == UINT64_MAX);
        assert_true(histogram_quantile(&h, 1) == UINT64_MAX);
}

static void the_sum_stops_at_the_largest_number(void **state)
{
        (void)state;
        struct histogram one = { 0 }, two = { 0 };
        histogram_add(&one, UINT64_MAX - 5);
        histogram_add(&one, 3);
        assert_true(one.sum == UINT64_MAX - 2);
        histogram_add(&one, 3);
        assert_true(one.sum == UINT64_MAX);
        histogram_add(&two, 7);
        histogram_merge(&two, &one);
        assert_true(two.sum == UINT64_MAX);
        assert_int_equal(two.count, 4);
}

static void a_share_that_is_none_is_the_nearest(void **state)
{
        (void)state;
        struct histogram h = { 0 };
        for (uint64_t i = 1; i <= 3; i++)
                histogram_add(&h, i * 10);
        assert_int_equal(histogram_quantile(&h, -1), 10);
        assert_int_equal(histogram_quantile(&h, 0), 10);
        assert_int_equal(histogram_quantile(&h, 0.0 / 0.0), 10);
        assert_int_equal(histogram_quantile(&h, 2), 30);
}

static void its_size_is_what_the_header_says(void **state)
{
        (void)state;
        assert_in_range(sizeof(struct histogram), 35 * 1024, 36 * 1024);
}

static void quantiles_are_those_of_the_sorted_values(void **state)
{
        (void)state;
        enum { N = 20000 };
        static const double shares[] = { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999 };
        uint64_t *values = malloc(N * sizeof *values);
        struct histogram h = { 0 };
        uint32_t x = 12345;
        assert_non_null(values);
        for (size_t i = 0; i < N; i++) {
                x = x * 1664525 + 1013904223;
                values[i] = 1000 + (x >> 8) % (1u << (x >> 27)); /* from flat to very long tails */
                histogram_add(&h, values[i]);
        }
        qsort(values, N, sizeof *values, compare);
        for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
                assert_near(histogram_quantile(&h, shares[i]), values[(size_t)(shares[i] * N + 0.5) - 1]);
        assert_int_equal(h.min, values[0]);
        assert_int_equal(histogram_quantile(&h, 1), values[N - 1]);
        free(values);
}

/* The count includes every value up to the bound. It may include larger values, but none that is farther from the bound
 * than the width of a bucket. */
static void what_is_at_most_so_long_is_counted(void **state)
{
        (void)state;
        enum { N = 20000, BOUNDS = 9 };
        static const uint64_t bound[BOUNDS] = { 0, 7, 100, 250, 500, 1000, 2500, 1000000, UINT64_MAX };
        struct histogram h = { 0 };
        uint64_t count[BOUNDS], exact[BOUNDS] = { 0 }, farther[BOUNDS] = { 0 };
        uint32_t x = 12345;

        histogram_cumulate(&h, bound, BOUNDS, count);
        for (size_t k = 0; k < BOUNDS; k++)
                assert_int_equal(count[k], 0);
        for (size_t i = 0; i < N; i++) {
                x = x * 1664525 + 1013904223;
                uint64_t value = (x >> 8) % (1u << (x >> 27 & 15));
                histogram_add(&h, value);
                for (size_t k = 0; k < BOUNDS; k++) {
                        exact[k] += value <= bound[k];
                        farther[k] += value <= bound[k] || value - bound[k] <= bound[k] / HISTOGRAM_STEPS;
                }
        }
        histogram_cumulate(&h, bound, BOUNDS, count);
        for (size_t k = 0; k < BOUNDS; k++) {
                assert_in_range(count[k], exact[k], farther[k]);
                if (bound[k] < HISTOGRAM_EXACT)
                        assert_int_equal(count[k], exact[k]);
        }
        assert_true(exact[4] > exact[3] && exact[6] < N);
        assert_int_equal(count[BOUNDS - 1], N);
}

static void a_quantile_is_never_outside_what_was_seen(void **state)
{
        (void)state;
        struct histogram h = { 0 };
        histogram_add(&h, 1000003);
        for (int i = 0; i <= 10; i++)
                assert_int_equal(histogram_quantile(&h, i / 10.0), 1000003);
}

static void merging_is_as_adding_to_one(void **state)
{
        (void)state;
        struct histogram one = { 0 }, two = { 0 }, all = { 0 }, empty = { 0 };
        for (uint64_t i = 0; i < 1000; i++) {
                histogram_add(i % 3 ? &one : &two, i * i);
                histogram_add(&all, i * i);
        }
        histogram_merge(&one, &empty);
        histogram_merge(&empty, &one);
        histogram_merge(&empty, &two);
        assert_memory_equal(&empty, &all, sizeof all);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_empty_one_says_0),
                cmocka_unit_test(small_values_are_exact),
                cmocka_unit_test(buckets_leave_no_gap_and_do_not_overlap),
                cmocka_unit_test(a_value_too_long_for_all_counts_as_the_longest),
                cmocka_unit_test(the_sum_stops_at_the_largest_number),
                cmocka_unit_test(a_share_that_is_none_is_the_nearest),
                cmocka_unit_test(its_size_is_what_the_header_says),
                cmocka_unit_test(quantiles_are_those_of_the_sorted_values),
                cmocka_unit_test(what_is_at_most_so_long_is_counted),
                cmocka_unit_test(a_quantile_is_never_outside_what_was_seen),
                cmocka_unit_test(merging_is_as_adding_to_one),
        };
        return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
