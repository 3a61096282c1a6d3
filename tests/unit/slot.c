/* The state machine of slots. */
#include "pool/link/slot.h"

#include "tests/unit/unit.h"

#include <errno.h>

static void set_up(struct slots *s, unsigned warm, unsigned running)
{
        struct err e = { 0 };
        assert_int_equal(slots_init(s, NULL, &e), 0);
        s->warm = warm;
        s->at_once = CHANNEL_MAX_SLOTS;
        s->running = s->kept = running;
}

static void go(struct slots *s, struct slot *slot, enum slot_state to)
{
        struct err e = { 0 };
        assert_int_equal(slots_move(s, slot, to, 0, &e), 0);
}

/* Makes the wanted number of sandboxes, all of them warm. */
static unsigned fill(struct slots *s)
{
        unsigned n = 0;
        for (struct slot *slot; (slot = slots_want(s)); n++) {
                go(s, slot, SLOT_PREPARING);
                go(s, slot, SLOT_WARM);
        }
        return n;
}

static void only_the_arrows_of_the_machine_can_be_walked(void **state)
{
        (void)state;
        static const bool allowed[SLOT_STATES][SLOT_STATES] = {
                [SLOT_EMPTY] = { [SLOT_PREPARING] = true },
                [SLOT_PREPARING] = { [SLOT_WARM] = true, [SLOT_DYING] = true, [SLOT_EMPTY] = true },
                [SLOT_WARM] = { [SLOT_RUNNING] = true, [SLOT_DYING] = true, [SLOT_EMPTY] = true },
                [SLOT_RUNNING] = { [SLOT_DYING] = true, [SLOT_EMPTY] = true },
                [SLOT_DYING] = { [SLOT_REMAKING] = true, [SLOT_EMPTY] = true },
                [SLOT_REMAKING] = { [SLOT_RUNNING] = true, [SLOT_DYING] = true, [SLOT_EMPTY] = true },
        };
        static const enum slot_state way[] = { SLOT_PREPARING, SLOT_WARM, SLOT_RUNNING, SLOT_DYING, SLOT_REMAKING };

        for (unsigned from = 0; from < SLOT_STATES; from++)
                for (unsigned to = 0; to < SLOT_STATES; to++) {
                        struct slots s;
                        struct err e = { 0 };
                        set_up(&s, 2, 2);
                        for (unsigned i = 0; i < from; i++)
                                go(&s, &s.slot[7], way[i]);
                        int r = slots_move(&s, &s.slot[7], (enum slot_state)to, 0, &e);
                        if (allowed[from][to])
                                assert_int_equal(r, 0);
                        else
                                assert_refused(r, &e, EPROTO, "can't become");
                        assert_int_equal(s.slot[7].state, allowed[from][to] ? to : from);
                        slots_fini(&s);
                }
}

static void as_many_are_wanted_as_are_to_be_warm(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 3, 5);

        assert_int_equal(fill(&s), 3);
        assert_int_equal(s.count[SLOT_WARM], 3);
        go(&s, slots_ready(&s), SLOT_RUNNING);
        struct slot *next = slots_want(&s);
        assert_non_null(next);
        go(&s, next, SLOT_PREPARING);
        assert_null(slots_want(&s));
        slots_fini(&s);
}

static void the_longest_waiting_sandbox_gets_the_job(void **state)
{
        (void)state;
        struct slots s;
        struct slot *order[3];
        set_up(&s, 3, 3);

        for (size_t i = 0; i < 3; i++) {
                order[i] = slots_want(&s);
                go(&s, order[i], SLOT_PREPARING);
        }
        go(&s, order[1], SLOT_WARM);
        go(&s, order[2], SLOT_WARM);
        go(&s, order[0], SLOT_WARM);
        assert_ptr_equal(slots_ready(&s), order[1]);
        go(&s, order[1], SLOT_RUNNING);
        assert_ptr_equal(slots_ready(&s), order[2]);
        slots_fini(&s);
}

static void no_more_run_than_may(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 2, 2);

        fill(&s);
        struct slot *first = slots_ready(&s);
        go(&s, first, SLOT_RUNNING);
        go(&s, slots_ready(&s), SLOT_RUNNING);
        fill(&s);
        assert_null(slots_ready(&s));
        go(&s, first, SLOT_DYING);
        assert_null(slots_ready(&s));
        go(&s, first, SLOT_EMPTY);
        assert_non_null(slots_ready(&s));
        slots_fini(&s);
}

static void only_what_has_had_a_job_counts_as_a_run(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 3, 2);

        fill(&s);
        struct slot *unused = slots_ready(&s);
        go(&s, unused, SLOT_DYING);
        assert_int_equal(s.busy, 0);
        struct slot *used = slots_ready(&s);
        go(&s, used, SLOT_RUNNING);
        go(&s, used, SLOT_DYING);
        assert_int_equal(s.busy, 1);
        go(&s, slots_ready(&s), SLOT_RUNNING);
        assert_int_equal(s.busy, 2);
        go(&s, unused, SLOT_EMPTY);
        assert_int_equal(s.busy, 2);
        go(&s, used, SLOT_EMPTY);
        assert_int_equal(s.busy, 1);
        slots_fini(&s);
}

static void a_slot_that_is_owed_an_answer_for_long_is_found(void **state)
{
        (void)state;
        struct slots s;
        struct slot *stuck;
        set_up(&s, 3, 2);

        go(&s, &s.slot[5], SLOT_PREPARING);
        go(&s, &s.slot[2], SLOT_PREPARING);
        stuck = &s.slot[0];
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 0);
        assert_null(stuck);
        slot_owe(&s.slot[5]);
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 1);
        slot_owe(&s.slot[2]);
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 2);
        assert_null(stuck);
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 2);
        assert_ptr_equal(stuck, &s.slot[5]);
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 2);
        assert_ptr_equal(stuck, &s.slot[5]);
        slot_paid(&s.slot[5]);
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 1);
        assert_ptr_equal(stuck, &s.slot[2]);
        slot_owe(&s.slot[2]); /* the next order is counted from its own time */
        assert_int_equal(slots_tick(&s, 9, 3, &stuck), 1);
        assert_null(stuck);
        s.slot[2].dropping = true; /* the sandbox may take long to die, but the zygote still owes an answer */
        for (unsigned i = 0; i < 10; i++)
                assert_int_equal(slots_tick(&s, 9, 3, &stuck), 1);
        assert_null(stuck);

        /* The end of a run has another limit than the making of a sandbox. */
        go(&s, &s.slot[5], SLOT_WARM);
        slot_owe(&s.slot[5]);
        for (unsigned i = 1; i < 9; i++)
                slots_tick(&s, 9, 3, &stuck);
        assert_null(stuck);
        slots_tick(&s, 9, 3, &stuck);
        assert_ptr_equal(stuck, &s.slot[5]);

        /* Making another sandbox for the run that has the slot has a limit of its own, too. */
        go(&s, &s.slot[5], SLOT_RUNNING);
        go(&s, &s.slot[5], SLOT_DYING);
        go(&s, &s.slot[5], SLOT_REMAKING);
        slot_owe(&s.slot[5]);
        for (unsigned i = 0; i < 3; i++)
                slots_tick(&s, 9, 3, &stuck);
        assert_ptr_equal(stuck, &s.slot[5]);
        slots_fini(&s);
}

/* The run still counts as running, and the sandbox that it waits for is not warm for others. */
static void a_slot_that_is_remade_stays_its_runs(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 1, 1);

        fill(&s);
        struct slot *slot = slots_ready(&s);
        go(&s, slot, SLOT_RUNNING);
        go(&s, slot, SLOT_DYING);
        go(&s, slot, SLOT_REMAKING);
        assert_int_equal(s.busy, 1);
        assert_int_equal(slots_coming(&s), 0);
        assert_null(slots_ready(&s));
        fill(&s); /* another sandbox replaces the warm one that the run took */
        assert_int_equal(s.count[SLOT_WARM], 1);
        assert_null(slots_ready(&s));
        go(&s, slot, SLOT_RUNNING);
        assert_int_equal(s.busy, 1);
        assert_int_equal(s.alive, 2);
        go(&s, slot, SLOT_DYING);
        go(&s, slot, SLOT_EMPTY);
        assert_int_equal(s.busy, 0);
        assert_non_null(slots_ready(&s));
        slots_fini(&s);
}

static void no_more_slots_live_than_warm_and_running_together(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 2, 3);

        for (unsigned i = 0; i < 3; i++) {
                fill(&s);
                go(&s, slots_ready(&s), SLOT_RUNNING);
        }
        fill(&s);
        assert_int_equal(s.alive, 5);
        assert_int_equal(s.count[SLOT_WARM], 2);
        assert_int_equal(s.count[SLOT_RUNNING], 3);
        slots_fini(&s);
}

static void the_slot_used_last_is_used_next(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 2, 4);

        fill(&s);
        struct slot *a = slots_ready(&s);
        go(&s, a, SLOT_RUNNING);
        fill(&s);
        go(&s, a, SLOT_DYING);
        go(&s, a, SLOT_EMPTY);
        go(&s, slots_ready(&s), SLOT_RUNNING);
        assert_ptr_equal(slots_want(&s), a);
        slots_fini(&s);
}

static void a_slot_that_is_gone_is_the_last_choice(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 1, 4);

        fill(&s);
        struct slot *a = slots_ready(&s);
        go(&s, a, SLOT_EMPTY);
        assert_int_equal(s.alive, 1);
        slots_gone(&s, a);
        slots_gone(&s, a);
        assert_int_equal(s.alive, 0);
        assert_ptr_not_equal(slots_want(&s), a);
        assert_int_equal(fill(&s), 1);
        slots_fini(&s);
}

static void after_the_numbers_went_down_there_is_a_surplus(void **state)
{
        (void)state;
        struct slots s;
        set_up(&s, 3, 1);

        fill(&s);
        assert_null(slots_surplus(&s));
        s.warm = 1;
        for (unsigned i = 0; i < 2; i++) {
                struct slot *slot = slots_surplus(&s);
                assert_non_null(slot);
                assert_int_equal(slot->state, SLOT_WARM);
                go(&s, slot, SLOT_DYING);
                go(&s, slot, SLOT_EMPTY);
        }
        /* One warm, two empty, two may live. */
        struct slot *slot = slots_surplus(&s);
        assert_non_null(slot);
        assert_int_equal(slot->state, SLOT_EMPTY);
        slots_gone(&s, slot);
        assert_null(slots_surplus(&s));
        s.kept = 0;
        slot = slots_surplus(&s);
        assert_non_null(slot);
        assert_int_equal(slot->state, SLOT_EMPTY);
        slots_gone(&s, slot);
        assert_null(slots_surplus(&s));
        slots_fini(&s);
}

static void as_many_are_made_as_requests_wait_and_cores_can_use(void **state)
{
        (void)state;
        struct slots s;
        struct slot *slot;
        set_up(&s, 0, 8);
        s.at_once = 2;
        assert_null(slots_want(&s));

        s.demand = 3;
        slot = slots_want(&s);
        go(&s, slot, SLOT_PREPARING);
        go(&s, slots_want(&s), SLOT_PREPARING);
        assert_int_equal(slots_coming(&s), 2);
        assert_null(slots_want(&s)); /* two are being made */
        go(&s, slot, SLOT_WARM);
        assert_int_equal(slots_coming(&s), 2);
        go(&s, slots_want(&s), SLOT_PREPARING);
        assert_int_equal(slots_coming(&s), 3);
        assert_null(slots_want(&s));

        /* The waiting request has the sandbox; the other requests are gone. */
        s.demand = 0;
        go(&s, slots_ready(&s), SLOT_RUNNING);
        assert_null(slots_surplus(&s));
        assert_int_equal(slots_coming(&s), 2);
        slots_fini(&s);
}

static void making_costs_what_the_clock_has_gone_on_since_the_last_end(void **state)
{
        (void)state;
        struct slot slot = { .recycled = true, .cpu_end_us = 5000 };
        assert_int_equal(slot_making_us(&slot, 7000), 2000);
        assert_int_equal(slot_making_us(&slot, 1500), 1500); /* a new clock */
        slot.recycled = false;
        assert_int_equal(slot_making_us(&slot, 7000), 7000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_arrows_of_the_machine_can_be_walked),
                cmocka_unit_test(as_many_are_wanted_as_are_to_be_warm),
                cmocka_unit_test(the_longest_waiting_sandbox_gets_the_job),
                cmocka_unit_test(no_more_run_than_may),
                cmocka_unit_test(only_what_has_had_a_job_counts_as_a_run),
                cmocka_unit_test(a_slot_that_is_owed_an_answer_for_long_is_found),
                cmocka_unit_test(a_slot_that_is_remade_stays_its_runs),
                cmocka_unit_test(no_more_slots_live_than_warm_and_running_together),
                cmocka_unit_test(the_slot_used_last_is_used_next),
                cmocka_unit_test(a_slot_that_is_gone_is_the_last_choice),
                cmocka_unit_test(as_many_are_made_as_requests_wait_and_cores_can_use),
                cmocka_unit_test(after_the_numbers_went_down_there_is_a_surplus),
                cmocka_unit_test(making_costs_what_the_clock_has_gone_on_since_the_last_end),
        };
        return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
