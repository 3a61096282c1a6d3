/* Calls by id, compared with a model: the table finds the calls that were added and not removed, and no others. */
#include "pool/native/call_table.h"

#include "pool/native/call_parts.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

enum { CALLS = 3000 };

static void what_is_there_is_found(void **state)
{
        (void)state;
        static struct call calls[CALLS];
        static bool there[CALLS];
        struct call_table t = { 0 };
        unsigned seed = 1, n = 0;

        assert_null(call_table_find(&t, 1));
        for (uint64_t i = 0; i < CALLS; i++) /* ids in sequence, ids far apart, and ids that may collide */
                calls[i].id = i % 3 == 0 ? i + 1 : i % 3 == 1 ? UINT64_MAX - i : (i << 40) | 1;
        for (int step = 0; step < 100000; step++) {
                seed = seed * 1664525u + 1013904223u;
                const size_t i = (seed >> 8) % CALLS;
                struct call *found = call_table_find(&t, calls[i].id);
                assert_ptr_equal(found, there[i] ? &calls[i] : NULL);
                if (there[i])
                        call_table_remove(&t, &calls[i]);
                else
                        assert_true(call_table_add(&t, &calls[i]));
                there[i] = !there[i];
                n += there[i] ? 1u : -1u;
                assert_int_equal(t.n, n);
        }
        assert_in_range(1u << t.bits, CALLS / 4, CALLS * 2);
        assert_int_equal(call_table_weight(&t), sizeof(struct call *) << t.bits);
        for (size_t i = 0; i < CALLS; i++)
                if (there[i])
                        call_table_remove(&t, &calls[i]);
        call_table_fini(&t);
        assert_int_equal(call_table_weight(&t), 0);
        assert_true(call_table_add(&t, &calls[0]));
        assert_ptr_equal(call_table_find(&t, calls[0].id), &calls[0]);
        call_table_remove(&t, &calls[0]);
        call_table_fini(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_there_is_found) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
