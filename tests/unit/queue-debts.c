/* The queue's memory of clients that are away, and its bounds over all lanes. */
#include "tests/unit/queues.h"

#include <stdio.h>

static void start(struct fixture *f, struct queue_entry *e)
{
        queue_remove(&f->q, e);
        queue_start(&f->q, e, 0);
}

static struct queue_entry *next(struct fixture *f)
{
        struct queue_entry *e = queue_first(&f->python);
        if (e)
                start(f, e);
        return e;
}

/* Sets up one slot. Clients a and b have had one run each, of a_us and b_us. Returns a's next entry, which waits. */
static struct queue_entry *after_two(struct fixture *f, int64_t a_us, int64_t b_us)
{
        set_up(f, ENTRIES, 1000);
        add(f, "a");
        struct queue_entry *a = next(f), *b = add(f, "b");
        queue_leave(&f->q, a, a_us);
        next(f);
        struct queue_entry *again = add(f, "a");
        queue_leave(&f->q, b, b_us);
        return again;
}

static void a_debt_is_not_forgotten_by_going_away(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *a = after_two(&f, 1000000, 1000);
        struct queue_entry *b = add(&f, "b"), *c = add(&f, "c");
        assert_ptr_equal(next(&f), b);
        assert_ptr_equal(next(&f), c);
        assert_ptr_equal(next(&f), a);
        tear_down(&f);
}

static void a_debt_is_over_when_others_have_had_as_much(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *a = after_two(&f, 100000, 110000);
        add(&f, "b");
        assert_ptr_equal(next(&f), a);
        tear_down(&f);
}

/* Each new client starts at the level; the level must rise before a has a turn again. */
static void ever_new_clients_do_not_keep_a_debtor_waiting_for_ever(void **state)
{
        (void)state;
        struct fixture f;
        struct queue_entry *waits = after_two(&f, 100000, 1000), e[2] = { 0 };
        unsigned turns = 0;

        for (; turns < 1000; turns++) {
                char name[16];
                snprintf(name, sizeof name, "new %u", turns);
                const struct queue_who who = { span_of_text(name), span_of_text("") };
                struct queue_entry *one = &e[turns % 2];
                assert_int_equal(queue_push(&f.q, &f.python, one, &who, 0, 1), 0);
                struct queue_entry *first = next(&f);
                if (first == waits)
                        break;
                queue_leave(&f.q, first, 1000);
        }
        /* The new clients have one run at a time. a's turn comes when they have had 100 ms in all, or soon after. */
        assert_in_range(turns, 90, 300);
        queue_leave(&f.q, &e[0], 0);
        queue_leave(&f.q, &e[1], 0);
        tear_down(&f);
}

static void where_nobody_wants_anything_all_start_anew(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, 8, 1000);
        add(&f, "a");
        queue_leave(&f.q, next(&f), 1000000);
        assert_int_equal(f.q.accounts.n, 0);
        struct queue_entry *a = add(&f, "a");
        add(&f, "b");
        assert_ptr_equal(next(&f), a);
        tear_down(&f);
}

/* Makes one run of so many us for this name of the front. */
static void run_of_name(struct fixture *f, unsigned number, int64_t us)
{
        static struct queue_entry e;
        char name[16];
        snprintf(name, sizeof name, "%u", number);
        const struct queue_who who = { span_of_text("front"), span_of_text(name) };
        assert_int_equal(queue_push(&f->q, &f->python, &e, &who, 0, 1), 0);
        start(f, &e);
        queue_leave(&f->q, &e, us);
}

/* Names that wait make the level rise slowly: about one debt is kept for each name, up to the bound. */
static void a_flood_of_names_is_forgotten_and_not_those_that_owe_more(void **state)
{
        enum { WAITING = 4 * ACCOUNT_KEPT_NAMES };
        (void)state;
        struct fixture f;
        struct queue_entry e[WAITING];
        set_up(&f, ENTRIES, 1000);
        for (unsigned i = 0; i < WAITING; i++) {
                char name[16];
                snprintf(name, sizeof name, "waits %u", i);
                const struct queue_who who = { span_of_text("front"), span_of_text(name) };
                assert_int_equal(queue_push(&f.q, &f.python, &e[i], &who, 0, 1), 0);
        }
        run_of_name(&f, 0, 1000000);
        for (unsigned i = 1; i < WAITING; i++) {
                run_of_name(&f, i, 10000);
                assert_true(f.q.accounts.kept <= ACCOUNT_KEPT_NAMES);
        }
        assert_int_equal(f.q.accounts.kept, ACCOUNT_KEPT_NAMES);

        struct queue_entry *debtor = push(&f, &f.python, "front", "0", 0, 1);
        struct queue_entry *forgotten = push(&f, &f.python, "front", "1", 0, 1);
        assert_true(debtor->account->had_us >= 1000000);
        assert_true(forgotten->account->had_us < 20000);
        for (unsigned i = 0; i < WAITING; i++)
                queue_leave(&f.q, &e[i], 0);
        tear_down(&f);
}

static void one_client_has_its_share_of_all_lanes_together(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        queue_share(&f.q, 3, 75);
        queue_lane_share(&f.python, 4, 75);
        queue_lane_share(&f.lua, 4, 75);

        struct queue_entry *lua[3];
        for (size_t i = 0; i < 3; i++)
                lua[i] = push(&f, &f.lua, "a", "", 0, 1);
        start(&f, lua[0]);
        start(&f, lua[1]);
        add(&f, "a");
        struct queue_entry *second = add(&f, "a");
        assert_non_null(next(&f));
        assert_null(queue_first(&f.python)); /* a has two runs in lua and one in python */
        assert_null(queue_first(&f.lua));
        struct queue_entry *b = add(&f, "b");
        assert_ptr_equal(queue_first(&f.python), b);
        queue_remove(&f.q, b);

        assert_false(queue_unblocked(&f.q));
        queue_leave(&f.q, lua[0], 1000);
        assert_true(queue_unblocked(&f.q));
        assert_false(queue_unblocked(&f.q));
        assert_ptr_equal(next(&f), second);
        assert_null(queue_first(&f.lua));
        tear_down(&f);
}

static void one_name_has_its_part_of_that(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        queue_share(&f.q, 3, 75); /* one name may have 2 of the 3 */

        start(&f, push(&f, &f.lua, "front", "loud", 0, 1));
        start(&f, push(&f, &f.python, "front", "loud", 0, 1));
        push(&f, &f.python, "front", "loud", 0, 1);
        assert_null(queue_first(&f.python));
        struct queue_entry *quiet = push(&f, &f.python, "front", "quiet", 0, 1);
        assert_ptr_equal(next(&f), quiet);
        push(&f, &f.lua, "front", "", 0, 1);
        assert_null(queue_first(&f.lua));
        tear_down(&f);
}

static void a_share_of_all_is_no_bound(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        queue_share(&f.q, 0, 100);
        for (size_t i = 0; i < 9; i++)
                add(&f, "a");
        for (size_t i = 0; i < 9; i++)
                assert_non_null(next(&f));
        tear_down(&f);
}

static void who_was_busy_elsewhere_has_saved_up_nothing(void **state)
{
        (void)state;
        struct fixture f;
        unsigned of_a = 0;
        set_up(&f, ENTRIES, 1000);
        queue_share(&f.q, 1, 75);

        struct queue_entry *lua = push(&f, &f.lua, "a", "", 0, 1);
        start(&f, lua);
        for (size_t i = 0; i < 12; i++)
                add(&f, "a"); /* blocked, while others are served */
        for (size_t i = 0; i < 20; i++)
                add(&f, "b");
        for (size_t i = 0; i < 10; i++)
                queue_leave(&f.q, next(&f), 50000);
        queue_leave(&f.q, lua, 1000);
        for (size_t i = 0; i < 8; i++) {
                struct queue_entry *e = next(&f);
                of_a += e < &f.e[13];
                queue_leave(&f.q, e, 50000);
        }
        assert_in_range(of_a, 3, 5);
        tear_down(&f);
}

static void making_a_sandbox_is_charged_to_who_takes_it(void **state)
{
        (void)state;
        struct fixture f;
        unsigned of_a = 0;
        set_up(&f, ENTRIES, 1000);
        for (size_t i = 0; i < 20; i++)
                add(&f, "a");
        for (size_t i = 0; i < 40; i++)
                add(&f, "b");
        for (size_t i = 0; i < 40; i++) {
                struct queue_entry *e = queue_first(&f.python);
                bool is_a = e < &f.e[20];
                queue_remove(&f.q, e);
                queue_start(&f.q, e, is_a ? 9000 : 0);
                of_a += is_a;
                queue_leave(&f.q, e, 1000);
        }
        assert_in_range(of_a, 3, 6);
        tear_down(&f);
}

static void a_run_that_goes_on_is_charged_while_it_does(void **state)
{
        (void)state;
        struct fixture f;
        set_up(&f, ENTRIES, 1000);
        add(&f, "a");
        add(&f, "a");
        struct queue_entry *b = add(&f, "b"), *b_next = add(&f, "b");
        struct queue_entry *a = next(&f);
        assert_ptr_equal(next(&f), b);
        queue_leave(&f.q, b, 60000);
        queue_goes_on(&f.q, a, 30000);
        assert_ptr_equal(queue_first(&f.python), &f.e[1]);
        queue_goes_on(&f.q, a, 90000);
        assert_ptr_equal(queue_first(&f.python), b_next);
        queue_leave(&f.q, a, 90000);
        assert_int_equal(f.e[1].account->had_us, 90000);
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_debt_is_not_forgotten_by_going_away),
                cmocka_unit_test(a_debt_is_over_when_others_have_had_as_much),
                cmocka_unit_test(ever_new_clients_do_not_keep_a_debtor_waiting_for_ever),
                cmocka_unit_test(where_nobody_wants_anything_all_start_anew),
                cmocka_unit_test(a_flood_of_names_is_forgotten_and_not_those_that_owe_more),
                cmocka_unit_test(one_client_has_its_share_of_all_lanes_together),
                cmocka_unit_test(one_name_has_its_part_of_that),
                cmocka_unit_test(a_share_of_all_is_no_bound),
                cmocka_unit_test(who_was_busy_elsewhere_has_saved_up_nothing),
                cmocka_unit_test(making_a_sandbox_is_charged_to_who_takes_it),
                cmocka_unit_test(a_run_that_goes_on_is_charged_while_it_does),
        };
        return cmocka_run_group_tests_name("queue-debts", tests, NULL, NULL);
}
