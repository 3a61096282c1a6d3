/* The queue of waiting requests: its order and its shares. */
#include "tests/unit/queues.h"

#include <stdlib.h>

static void start(struct fixture *f, struct queue_entry *e)
{
        queue_remove(&f->q, e);
        queue_start(&f->q, e, 0);
}

/* Starts the next entry and returns it. */
static struct queue_entry *next(struct fixture *f)
{
        struct queue_entry *e = queue_first(&f->python);
        if (e)
                start(f, e);
        return e;
}

static void one_client_is_served_in_order(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *e[5];
        set_up(&f, 8, 1000);

        for (size_t i = 0; i < 5; i++)
                e[i] = add(&f, "a");
        assert_int_equal(f.python.count, 5);
        for (size_t i = 0; i < 5; i++)
                assert_ptr_equal(next(&f), e[i]);
        assert_null(queue_first(&f.python));
        assert_int_equal(f.python.count, 0);
        tear_down(&f);
}

static void clients_take_turns(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *a[4], *b[2];
        set_up(&f, 8, 1000);

        for (size_t i = 0; i < 4; i++)
                a[i] = add(&f, "a");
        for (size_t i = 0; i < 2; i++)
                b[i] = add(&f, "b");
        assert_ptr_equal(next(&f), a[0]);
        assert_ptr_equal(next(&f), b[0]);
        assert_ptr_equal(next(&f), a[1]);
        assert_ptr_equal(next(&f), b[1]);
        assert_ptr_equal(next(&f), a[2]);
        assert_ptr_equal(next(&f), a[3]);
        tear_down(&f);
}

static void asking_again_does_not_lose_ones_turn(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);
        struct queue_entry *a = add(&f, "a");
        add(&f, "b");
        add(&f, "a");
        assert_ptr_equal(next(&f), a);
        tear_down(&f);
}

static void names_of_one_peer_share_its_turn(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *quiet[2];
        unsigned others = 0;
        set_up(&f, ENTRIES, 1000);

        for (size_t i = 0; i < 20; i++) {
                char name[8] = { 'n', (char)('a' + i), 0 };
                push(&f, &f.python, "hostile", name, 0, 1);
        }
        quiet[0] = add(&f, "quiet");
        quiet[1] = add(&f, "quiet");
        for (size_t i = 0; i < 4; i++) {
                struct queue_entry *e = next(&f);
                others += e != quiet[0] && e != quiet[1];
        }
        assert_int_equal(others, 2);
        tear_down(&f);
}

static void names_of_one_peer_take_turns(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);

        for (size_t i = 0; i < 20; i++)
                push(&f, &f.python, "front", "loud", 0, 1);
        struct queue_entry *quiet = push(&f, &f.python, "front", "quiet", 0, 1);
        struct queue_entry *first = next(&f), *second = next(&f);
        assert_true(first == quiet || second == quiet);
        tear_down(&f);
}

static void the_same_name_of_two_peers_is_two_clients(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);
        push(&f, &f.python, "a", "bob", 0, 1);
        push(&f, &f.python, "b", "bob", 0, 1);
        assert_int_equal(f.q.accounts.n, 4);
        tear_down(&f);
}

static void who_has_had_more_time_waits_longer(void **state)
{
        (void)state;
        struct fixture f;
        unsigned of_a = 0;
        set_up(&f, ENTRIES, 1000);

        for (size_t i = 0; i < 12; i++)
                add(&f, "a");
        for (size_t i = 0; i < 40; i++)
                add(&f, "b");
        for (size_t i = 0; i < 44; i++) {
                struct queue_entry *e = next(&f);
                bool is_a = e < &f.e[12];
                of_a += is_a;
                queue_leave(&f.q, e, is_a ? 10000 : 1000);
        }
        assert_in_range(of_a, 3, 6);
        tear_down(&f);
}

static void a_guess_that_was_too_low_is_made_good(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);

        for (size_t i = 0; i < 3; i++)
                add(&f, "a");
        for (size_t i = 0; i < 20; i++)
                add(&f, "b");
        struct queue_entry *long_one = next(&f);
        assert_ptr_equal(long_one, &f.e[0]);
        assert_int_equal(long_one->charged_us, QUEUE_FIRST_GUESS_US);
        queue_leave(&f.q, long_one, 100000);
        for (size_t i = 0; i < 10; i++) {
                struct queue_entry *e = next(&f);
                assert_true(e >= &f.e[3]);
                queue_leave(&f.q, e, 5000);
        }
        tear_down(&f);
}

static void nobody_saves_up_while_away(void **state)
{
        (void)state;
        struct fixture f;
        unsigned of_b = 0;
        set_up(&f, ENTRIES, 1000);

        for (size_t i = 0; i < 20; i++)
                add(&f, "a");
        struct queue_entry *b = add(&f, "b");
        assert_ptr_equal(next(&f), &f.e[0]);
        assert_ptr_equal(next(&f), b); /* b keeps its slot, so its account is not removed */
        for (size_t i = 0; i < 8; i++)
                queue_leave(&f.q, next(&f), 50000);
        for (size_t i = 0; i < 10; i++)
                add(&f, "b");
        for (size_t i = 0; i < 6; i++)
                of_b += next(&f) > b;
        assert_in_range(of_b, 2, 4);
        tear_down(&f);
}

static void a_client_holds_no_more_slots_than_its_share(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        queue_lane_share(&f.python, 4, 75);

        for (size_t i = 0; i < 6; i++)
                add(&f, "a");
        for (size_t i = 0; i < 3; i++)
                assert_non_null(next(&f));
        assert_null(queue_first(&f.python));
        assert_int_equal(f.python.count, 3);

        struct queue_entry *b = add(&f, "b");
        assert_ptr_equal(next(&f), b);
        queue_leave(&f.q, &f.e[0], 1000);
        assert_ptr_equal(next(&f), &f.e[3]);
        assert_null(queue_first(&f.python));
        tear_down(&f);
}

static void a_name_holds_no_more_than_its_part_of_the_peers_share(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        queue_lane_share(&f.python, 16, 75); /* 12 slots; one name may have 9 */

        for (size_t i = 0; i < 15; i++)
                push(&f, &f.python, "front", "loud", 0, 1);
        for (size_t i = 0; i < 9; i++)
                assert_non_null(next(&f));
        assert_null(queue_first(&f.python));
        for (size_t i = 0; i < 15; i++)
                push(&f, &f.python, "front", "", 0, 1);
        for (size_t i = 0; i < 3; i++)
                assert_non_null(next(&f));
        assert_null(queue_first(&f.python));
        tear_down(&f);
}

static void shares_are_a_slot_at_least_and_leave_one(void **state)
{
        (void)state;
        static const unsigned rows[][4] = {
                { 1, 75, 1, 1 },   { 2, 75, 1, 1 },     { 4, 75, 3, 2 },
                { 16, 75, 12, 9 }, { 16, 100, 16, 16 }, { 3, 1, 1, 1 },
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct queue_lane lane;
                queue_lane_init(&lane);
                queue_lane_share(&lane, rows[i][0], rows[i][1]);
                assert_int_equal(lane.peer_slots, rows[i][2]);
                assert_int_equal(lane.name_slots, rows[i][3]);
        }
}

static void the_higher_priority_goes_first_within_a_client_alone(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);

        struct queue_entry *low = push(&f, &f.python, "a", "", 0, 1);
        struct queue_entry *high = push(&f, &f.python, "a", "", 7, 1);
        struct queue_entry *mid = push(&f, &f.python, "a", "", 3, 1);
        struct queue_entry *mid_later = push(&f, &f.python, "a", "", 3, 1);
        struct queue_entry *other = push(&f, &f.python, "b", "", 0, 1);
        assert_ptr_equal(next(&f), high);
        assert_ptr_equal(next(&f), other);
        assert_ptr_equal(next(&f), mid);
        assert_ptr_equal(next(&f), mid_later);
        assert_ptr_equal(next(&f), low);
        tear_down(&f);
}

static void lanes_do_not_wait_for_each_other(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);

        struct queue_entry *py = add(&f, "a");
        struct queue_entry *lua = push(&f, &f.lua, "a", "", 0, 1);
        assert_ptr_equal(queue_first(&f.lua), lua);
        queue_remove(&f.q, py);
        assert_null(queue_first(&f.python));
        assert_ptr_equal(queue_first(&f.lua), lua);
        tear_down(&f);
}

static void what_comes_back_goes_first_and_costs_nothing(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        add(&f, "a");
        struct queue_entry *second = add(&f, "a");
        struct queue_entry *b = add(&f, "b"), *first = next(&f);
        queue_again(&f.q, first);
        assert_int_equal(f.python.count, 3);
        assert_ptr_equal(next(&f), b);
        assert_ptr_equal(next(&f), first);
        assert_ptr_equal(next(&f), second);
        tear_down(&f);
}

static void a_second_stage_is_first_of_its_client_and_pays_for_the_first_one(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        struct queue_entry *first = add(&f, "a"), *second = add(&f, "a");
        struct queue_entry *b = add(&f, "b");
        assert_ptr_equal(next(&f), first);
        queue_next_step(&f.q, first, 50 * QUEUE_FIRST_GUESS_US, 40);
        assert_int_equal(f.q.bytes, 42);
        assert_int_equal(f.python.count, 3);
        assert_ptr_equal(next(&f), b); /* b has had far less time */
        assert_ptr_equal(next(&f), first);
        assert_int_equal(f.q.bytes, 1);
        assert_ptr_equal(next(&f), second);
        tear_down(&f);
}

static void one_may_leave_from_the_middle_and_twice(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 100);

        for (size_t i = 0; i < 3; i++)
                add(&f, "a");
        queue_remove(&f.q, &f.e[1]);
        queue_remove(&f.q, &f.e[1]);
        queue_leave(&f.q, &f.e[1], 0);
        queue_leave(&f.q, &f.e[1], 0);
        assert_int_equal(f.q.count, 2);
        assert_ptr_equal(next(&f), &f.e[0]);
        assert_ptr_equal(next(&f), &f.e[2]);
        tear_down(&f);
}

static void keys_are_bytes_and_may_be_long(void **state)
{
        (void)state;
        struct fixture f;
        uint8_t long_name[300];
        set_up(&f, 8, 100);
        memset(long_name, 0, sizeof long_name);
        const struct queue_who who = { { (const uint8_t *)"\0x", 2 }, { long_name, sizeof long_name } };
        assert_int_equal(queue_push(&f.q, &f.python, &f.e[0], &who, 99, 1), 0);
        assert_ptr_equal(next(&f), &f.e[0]);
        assert_int_equal(f.e[0].priority, QUEUE_PRIORITIES - 1);
        tear_down(&f);
}

/* In every sequence the counts agree and the bounds hold. Whenever the shares let any client run, one is served. */
static void nothing_is_lost_whatever_comes_and_goes(void **state)
{
        (void)state;
        struct fixture f;
        unsigned seed = 7;
        set_up(&f, 20, 500);
        queue_lane_share(&f.python, 6, 75);

        for (size_t step = 0; step < 200000; step++) {
                struct queue_entry *e = &f.e[(unsigned)rand_r(&seed) % ENTRIES], *victim;
                char peer[2] = { (char)('a' + rand_r(&seed) % 3), 0 }, name[2] = { (char)('a' + rand_r(&seed) % 3), 0 };
                const struct queue_who who = { span_of_text(peer), span_of_text(rand_r(&seed) % 3 ? name : "") };
                unsigned waiting = 0;

                if (!e->account) {
                        assert_int_equal(queue_push(&f.q, &f.python, e, &who, (unsigned)rand_r(&seed) % 8,
                                                    (uint64_t)(rand_r(&seed) % 60)),
                                         0);
                        while ((victim = queue_excess(&f.q, e)))
                                queue_leave(&f.q, victim, 0);
                        assert_true(f.q.count <= 20 && f.q.bytes <= 500);
                } else if (e->state == QUEUE_STARTED && rand_r(&seed) % 4 == 0 && f.q.count < 20) {
                        queue_again(&f.q, e);
                        while ((victim = queue_excess(&f.q, e)))
                                queue_leave(&f.q, victim, 0);
                } else if (e->state == QUEUE_STARTED && rand_r(&seed) % 4 == 0 && f.q.count < 20) {
                        queue_next_step(&f.q, e, rand_r(&seed) % 20000, (uint64_t)(rand_r(&seed) % 60));
                        while ((victim = queue_excess(&f.q, e)))
                                queue_leave(&f.q, victim, 0);
                } else {
                        queue_leave(&f.q, e, rand_r(&seed) % 20000);
                }
                if (rand_r(&seed) % 2)
                        next(&f);
                for (size_t i = 0; i < ENTRIES; i++)
                        waiting += f.e[i].account && f.e[i].state == QUEUE_WAITING;
                assert_int_equal(waiting, f.q.count);
                assert_int_equal(waiting, f.python.count);
        }
        while (queue_first(&f.python)) /* now only shares hold clients back */
                next(&f);
        for (size_t i = 0; i < ENTRIES; i++)
                if (f.e[i].account && f.e[i].state == QUEUE_STARTED)
                        queue_leave(&f.q, &f.e[i], 5);
        if (f.q.count > 0)
                assert_non_null(queue_first(&f.python));
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_client_is_served_in_order),
                cmocka_unit_test(clients_take_turns),
                cmocka_unit_test(asking_again_does_not_lose_ones_turn),
                cmocka_unit_test(names_of_one_peer_share_its_turn),
                cmocka_unit_test(names_of_one_peer_take_turns),
                cmocka_unit_test(the_same_name_of_two_peers_is_two_clients),
                cmocka_unit_test(who_has_had_more_time_waits_longer),
                cmocka_unit_test(a_guess_that_was_too_low_is_made_good),
                cmocka_unit_test(nobody_saves_up_while_away),
                cmocka_unit_test(a_client_holds_no_more_slots_than_its_share),
                cmocka_unit_test(a_name_holds_no_more_than_its_part_of_the_peers_share),
                cmocka_unit_test(shares_are_a_slot_at_least_and_leave_one),
                cmocka_unit_test(the_higher_priority_goes_first_within_a_client_alone),
                cmocka_unit_test(lanes_do_not_wait_for_each_other),
                cmocka_unit_test(what_comes_back_goes_first_and_costs_nothing),
                cmocka_unit_test(a_second_stage_is_first_of_its_client_and_pays_for_the_first_one),
                cmocka_unit_test(one_may_leave_from_the_middle_and_twice),
                cmocka_unit_test(keys_are_bytes_and_may_be_long),
                cmocka_unit_test(nothing_is_lost_whatever_comes_and_goes),
        };
        return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
