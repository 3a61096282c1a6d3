/* Programs that were run once. */
#include "pool/cache/seen.h"

#include "tests/unit/unit.h"

static struct cache_key key(unsigned n)
{
        struct cache_key k = { .bytes = { 1 } };
        memcpy(k.bytes + 1, &n, sizeof n);
        return k;
}

static void each_is_taken_once(void **state)
{
        (void)state;
        static struct seen s;
        struct cache_key a = key(1), b = key(2);
        assert_false(seen_take(&s, &a));
        seen_add(&s, &a);
        seen_add(&s, &a);
        assert_false(seen_take(&s, &b));
        assert_true(seen_take(&s, &a));
        assert_false(seen_take(&s, &a));
}

static void the_oldest_give_way(void **state)
{
        (void)state;
        static struct seen s;
        struct cache_key k;
        for (unsigned i = 0; i < SEEN_MAX + 10; i++) {
                k = key(i);
                seen_add(&s, &k);
        }
        for (unsigned i = 0; i < SEEN_MAX + 10; i++) {
                k = key(i);
                assert_int_equal(seen_take(&s, &k), i >= 10);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_is_taken_once),
                cmocka_unit_test(the_oldest_give_way),
        };
        return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
