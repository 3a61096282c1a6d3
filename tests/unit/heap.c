/* The heap of embedded nodes. */
#include "pool/base/heap.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

enum { N = 500, STEPS = 200000 };

static void the_least_key_is_on_top_and_equals_keep_their_order(void **state)
{
        (void)state;
        static const int64_t keys[] = { 5, 3, 9, 3, -7, 3, 9 };
        static const size_t order[] = { 4, 1, 3, 5, 0, 2, 6 };
        struct heap h = { 0 };
        struct heap_node node[7] = { 0 };

        for (size_t i = 0; i < 7; i++)
                heap_insert(&h, &node[i], keys[i]);
        for (size_t i = 0; i < 7; i++) {
                assert_ptr_equal(h.top, &node[order[i]]);
                heap_remove(&h, h.top);
        }
        assert_null(h.top);
}

static void a_node_that_is_in_no_heap_may_be_removed(void **state)
{
        (void)state;
        struct heap h = { 0 };
        struct heap_node node[2] = { 0 };
        heap_insert(&h, &node[0], 1);
        heap_remove(&h, &node[1]);
        heap_remove(&h, &node[0]);
        heap_remove(&h, &node[0]);
        assert_false(heap_has(&node[0]));
        assert_null(h.top);
}

static const struct heap_node *least(const struct heap_node *node)
{
        const struct heap_node *found = NULL;
        for (size_t i = 0; i < N; i++)
                if (heap_has(&node[i]) &&
                    (!found || node[i].key < found->key || (node[i].key == found->key && node[i].order < found->order)))
                        found = &node[i];
        return found;
}

static void it_agrees_with_a_search_whatever_comes_and_goes(void **state)
{
        (void)state;
        static struct heap_node node[N];
        struct heap h = { 0 };
        unsigned seed = 1;

        for (size_t step = 0; step < STEPS; step++) {
                struct heap_node *n = &node[(unsigned)rand_r(&seed) % N];
                if (heap_has(n))
                        heap_remove(&h, n);
                else
                        heap_insert(&h, n, rand_r(&seed) % 50);
                if (step % 100 == 0)
                        assert_ptr_equal(h.top, least(node));
        }
        while (h.top) {
                assert_ptr_equal(h.top, least(node));
                heap_remove(&h, h.top);
        }
        assert_null(least(node));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_least_key_is_on_top_and_equals_keep_their_order),
                cmocka_unit_test(a_node_that_is_in_no_heap_may_be_removed),
                cmocka_unit_test(it_agrees_with_a_search_whatever_comes_and_goes),
        };
        return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
