/* A full queue: which entry has to leave. */
#include "tests/unit/queues.h"

static void all_lanes_share_the_bound_in_number(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 2, 1000);

        assert_null(queue_excess(&f.q, add(&f, "a")));
        assert_null(queue_excess(&f.q, push(&f, &f.lua, "a", "", 0, 1)));
        struct queue_entry *third = push(&f, &f.lua, "a", "", 0, 1);
        assert_ptr_equal(queue_excess(&f.q, third), third);
        queue_leave(&f.q, third, 0);
        assert_null(queue_excess(&f.q, &f.e[1]));
        tear_down(&f);
}

static void the_newest_of_the_longest_gives_way(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 6, 1000);

        struct queue_entry *loud[5];
        for (size_t i = 0; i < 5; i++)
                loud[i] = add(&f, "loud");
        assert_null(queue_excess(&f.q, add(&f, "quiet")));
        struct queue_entry *second = add(&f, "quiet");
        assert_ptr_equal(queue_excess(&f.q, second), loud[4]);
        queue_leave(&f.q, loud[4], 0);
        struct queue_entry *third = add(&f, "quiet");
        assert_ptr_equal(queue_excess(&f.q, third), loud[3]);
        queue_leave(&f.q, loud[3], 0);
        /* Each client has three entries. If one of them adds another entry, the new entry has to leave. */
        struct queue_entry *fourth = add(&f, "quiet");
        assert_ptr_equal(queue_excess(&f.q, fourth), fourth);
        queue_leave(&f.q, fourth, 0);
        fourth = add(&f, "loud");
        assert_ptr_equal(queue_excess(&f.q, fourth), fourth);
        tear_down(&f);
}

static void of_equals_the_newcomer_gives_way(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 3, 1000);
        add(&f, "a");
        add(&f, "a");
        add(&f, "b");
        struct queue_entry *newest = add(&f, "b");
        assert_ptr_equal(queue_excess(&f.q, newest), newest);
        tear_down(&f);
}

static void what_gives_way_is_the_least_urgent(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 2, 1000);
        struct queue_entry *plain = push(&f, &f.python, "a", "", 0, 1);
        push(&f, &f.python, "a", "", 5, 1);
        struct queue_entry *urgent = push(&f, &f.python, "a", "", 7, 1);
        assert_ptr_equal(queue_excess(&f.q, urgent), plain);
        tear_down(&f);
}

static void a_peer_of_many_names_is_as_long_as_all_of_them(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 10, 1000);
        for (size_t i = 0; i < 7; i++) {
                char name[8] = { 'n', (char)('a' + i), 0 };
                push(&f, &f.python, "hostile", name, 0, 1);
        }
        for (size_t i = 0; i < 3; i++)
                add(&f, "quiet");
        struct queue_entry *newest = add(&f, "quiet");
        struct queue_entry *victim = queue_excess(&f.q, newest);
        assert_in_range(victim - f.e, 0, 6);
        tear_down(&f);
}

static void length_is_by_bytes_too(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        struct queue_entry *fat = push(&f, &f.python, "a", "", 0, 60);
        push(&f, &f.python, "b", "", 0, 1);
        push(&f, &f.python, "b", "", 0, 1);
        struct queue_entry *newest = push(&f, &f.python, "b", "", 0, 39);
        assert_ptr_equal(queue_excess(&f.q, newest), fat);
        queue_leave(&f.q, fat, 0);
        assert_null(queue_excess(&f.q, newest));
        assert_int_equal(f.q.bytes, 41);
        tear_down(&f);
}

static void an_entry_alone_is_never_too_large(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        struct queue_entry *large = push(&f, &f.python, "a", "", 0, 5000);
        assert_null(queue_excess(&f.q, large));
        struct queue_entry *small = push(&f, &f.python, "b", "", 0, 1);
        assert_ptr_equal(queue_excess(&f.q, small), large);
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_lanes_share_the_bound_in_number),
                cmocka_unit_test(the_newest_of_the_longest_gives_way),
                cmocka_unit_test(of_equals_the_newcomer_gives_way),
                cmocka_unit_test(what_gives_way_is_the_least_urgent),
                cmocka_unit_test(a_peer_of_many_names_is_as_long_as_all_of_them),
                cmocka_unit_test(length_is_by_bytes_too),
                cmocka_unit_test(an_entry_alone_is_never_too_large),
        };
        return cmocka_run_group_tests_name("queue-full", tests, NULL, NULL);
}
