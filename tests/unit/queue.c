/* The queue of waiting requests. */
#include "pool/queue.h"

#include "tests/unit/unit.h"

struct fixture {
        struct queue q;
        struct queue_lane python, lua;
        struct queue_entry e[8];
};

static void set_up(struct fixture *f, unsigned max, uint64_t max_bytes)
{
        memset(f, 0, sizeof *f);
        queue_init(&f->q, max, max_bytes);
        queue_lane_init(&f->python);
        queue_lane_init(&f->lua);
}

static void first_come_first_served(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);

        for (size_t i = 0; i < 5; i++)
                assert_int_equal(queue_push(&f.q, &f.python, &f.e[i], 1), QUEUE_OK);
        for (size_t i = 0; i < 5; i++) {
                assert_ptr_equal(queue_first(&f.python), &f.e[i]);
                queue_remove(&f.q, &f.e[i]);
        }
        assert_null(queue_first(&f.python));
        assert_int_equal(f.q.count, 0);
        assert_int_equal(f.q.bytes, 0);
}

static void lanes_do_not_wait_for_each_other(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);

        queue_push(&f.q, &f.python, &f.e[0], 1);
        queue_push(&f.q, &f.lua, &f.e[1], 1);
        assert_ptr_equal(queue_first(&f.lua), &f.e[1]);
        queue_remove(&f.q, &f.e[0]);
        assert_null(queue_first(&f.python));
        assert_ptr_equal(queue_first(&f.lua), &f.e[1]);
}

static void all_lanes_share_the_bound_in_number(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 2, 1000);

        assert_int_equal(queue_push(&f.q, &f.python, &f.e[0], 1), QUEUE_OK);
        assert_int_equal(queue_push(&f.q, &f.lua, &f.e[1], 1), QUEUE_OK);
        assert_int_equal(queue_push(&f.q, &f.lua, &f.e[2], 1), QUEUE_FULL);
        assert_int_equal(f.lua.count, 1);
        queue_remove(&f.q, &f.e[0]);
        assert_int_equal(queue_push(&f.q, &f.lua, &f.e[2], 1), QUEUE_OK);
}

static void the_bound_in_bytes_counts_what_waits(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        assert_int_equal(queue_push(&f.q, &f.python, &f.e[0], 60), QUEUE_OK);
        assert_int_equal(queue_push(&f.q, &f.python, &f.e[1], 41), QUEUE_FULL);
        assert_int_equal(queue_push(&f.q, &f.python, &f.e[1], 40), QUEUE_OK);
        queue_remove(&f.q, &f.e[0]);
        assert_int_equal(f.q.bytes, 40);
}

static void an_entry_alone_is_never_too_large(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        assert_int_equal(queue_push(&f.q, &f.python, &f.e[0], 5000), QUEUE_OK);
        assert_int_equal(queue_push(&f.q, &f.python, &f.e[1], 1), QUEUE_FULL);
}

static void what_comes_back_goes_first_and_past_the_bound(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 1, 100);

        queue_push(&f.q, &f.python, &f.e[0], 1);
        queue_push_first(&f.q, &f.python, &f.e[1], 1);
        assert_int_equal(f.python.count, 2);
        assert_ptr_equal(queue_first(&f.python), &f.e[1]);
}

static void one_may_leave_from_the_middle_and_twice(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        for (size_t i = 0; i < 3; i++)
                queue_push(&f.q, &f.python, &f.e[i], 1);
        queue_remove(&f.q, &f.e[1]);
        queue_remove(&f.q, &f.e[1]);
        assert_int_equal(f.q.count, 2);
        assert_ptr_equal(queue_first(&f.python), &f.e[0]);
        queue_remove(&f.q, &f.e[0]);
        assert_ptr_equal(queue_first(&f.python), &f.e[2]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(first_come_first_served),
                cmocka_unit_test(lanes_do_not_wait_for_each_other),
                cmocka_unit_test(all_lanes_share_the_bound_in_number),
                cmocka_unit_test(the_bound_in_bytes_counts_what_waits),
                cmocka_unit_test(an_entry_alone_is_never_too_large),
                cmocka_unit_test(what_comes_back_goes_first_and_past_the_bound),
                cmocka_unit_test(one_may_leave_from_the_middle_and_twice),
        };
        return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
