/* How many sandboxes are kept warm: the policy by itself, and with simulated arrivals. */
#include "pool/sched/scale.h"

#include "tests/unit/unit.h"

enum { MS = 1000, SECOND = 1000000, MINUTE = 60 * SECOND, PARALLEL = 4 };

#define MIB ((uint64_t)1 << 20)

static struct scale fresh(unsigned min, unsigned max)
{
        struct scale s = { 0 };
        scale_bounds(&s, min, max, 2 * MINUTE);
        scale_fade(&s, 0);
        return s;
}

static void share(struct scale *s, int64_t now)
{
        scale_share(&s, 1, 1000 * MIB, now);
}

/* ---------------------------------------------------------------- a simulated pool */

/* A simulated pool: its warm sandboxes, the sandboxes that are being made, and the requests that wait. Making a sandbox
 * takes refill_us, and at most PARALLEL are made at a time. Requests take warm sandboxes and never return them: only
 * the refill matters here. */
struct pretence {
        struct scale s;
        int64_t now, refill_us, next_tick;
        unsigned warm, waiting;
        int64_t ready_at[PARALLEL]; /* 0: nothing is being made there */
        bool replaces[PARALLEL];
        unsigned waited; /* requests that did not find a warm one */
        unsigned made, dropped, changes;
        unsigned least, most; /* targets seen since they were reset */
};

static struct pretence pretend(unsigned min, unsigned max, int64_t refill_us)
{
        struct pretence p = { .s = fresh(min, max), .refill_us = refill_us, .next_tick = SECOND };
        p.warm = p.least = p.most = p.s.target;
        return p;
}

static unsigned being_made(const struct pretence *p)
{
        unsigned n = 0;
        for (size_t i = 0; i < PARALLEL; i++)
                n += p->ready_at[i] != 0;
        return n;
}

static void settle(struct pretence *p)
{
        unsigned before = p->s.target;

        for (; p->waiting > 0 && p->warm > 0; p->waiting--)
                scale_taken(&p->s, --p->warm);
        scale_waits(&p->s, p->waiting, p->now);
        if (p->s.grown || p->now == p->next_tick)
                share(&p->s, p->now);
        for (; p->warm > p->s.target; p->warm--)
                p->dropped++;
        unsigned wanted = p->s.target > p->waiting ? p->s.target : p->waiting;
        for (size_t i = 0; i < PARALLEL; i++)
                if (p->ready_at[i] == 0 && p->warm + being_made(p) < wanted) {
                        p->ready_at[i] = p->now + p->refill_us;
                        p->replaces[i] = scale_ordered(&p->s);
                }
        p->changes += p->s.target != before;
        p->least = p->s.target < p->least ? p->s.target : p->least;
        p->most = p->s.target > p->most ? p->s.target : p->most;
}

/* Lets time pass up to a moment: sandboxes become warm and ticks go by as they fall due. */
static void pass(struct pretence *p, int64_t until)
{
        for (;;) {
                int64_t next = p->next_tick;
                size_t which = PARALLEL;
                for (size_t i = 0; i < PARALLEL; i++)
                        if (p->ready_at[i] != 0 && p->ready_at[i] < next) {
                                next = p->ready_at[i];
                                which = i;
                        }
                if (next > until)
                        break;
                p->now = next;
                if (which < PARALLEL) {
                        p->ready_at[which] = 0;
                        p->warm++;
                        p->made++;
                        scale_refilled(&p->s, p->replaces[which], p->warm);
                        settle(p);
                } else {
                        scale_fade(&p->s, p->now);
                        settle(p);
                        p->next_tick += SECOND;
                }
        }
        p->now = until;
}

static void arrive(struct pretence *p, unsigned n)
{
        p->waited += n > p->warm ? n - p->warm : 0;
        for (; n > 0; n--) {
                p->waiting++;
                settle(p);
        }
}

static void watch(struct pretence *p)
{
        p->waited = p->changes = p->dropped = 0;
        p->least = p->most = p->s.target;
}

/* ---------------------------------------------------------------- traces */

static void a_steady_demand_has_a_steady_number(void **state)
{
        (void)state;
        struct pretence p = pretend(1, 64, 6 * MS);

        /* One request every 2 ms: three come while one sandbox is replaced. */
        for (int i = 0; i < 150000; i++) {
                arrive(&p, 1);
                pass(&p, p.now + 2 * MS);
        }
        assert_in_range(p.changes, 1, 10); /* at the beginning there was one sandbox, and some requests waited */
        assert_in_range(p.most, 4, 8);
        watch(&p);
        for (int i = 0; i < 150000; i++) {
                arrive(&p, 1);
                pass(&p, p.now + 2 * MS);
        }
        assert_int_equal(p.waited, 0);
        assert_int_equal(p.changes, 0);
        assert_int_equal(p.dropped, 0);
        assert_in_range(p.s.target, 4, 6);
}

static void an_uneven_demand_changes_the_number_seldom(void **state)
{
        (void)state;
        struct pretence p = pretend(1, 64, 5 * MS);
        uint32_t random = 1;

        for (int i = 0; i < 200000; i++) {
                if (i == 20000)
                        watch(&p);
                random = random * 1103515245 + 12345;
                arrive(&p, (random >> 16) % 5 == 0 ? 3 : (random >> 16) % 5 == 1 ? 1 : 0);
                pass(&p, p.now + 2 * MS);
        }
        /* In 360 s, with 144,000 requests: */
        assert_true(p.changes <= 72);
        assert_true(p.dropped <= 72);
        assert_true(p.waited <= 180);
        assert_true(p.most - p.least <= 6);
}

static void a_spike_grows_the_set_at_once_and_the_next_one_finds_it(void **state)
{
        (void)state;
        struct pretence p = pretend(4, 64, 2 * MS);

        arrive(&p, 20);
        assert_true(p.s.target >= 20);
        assert_int_equal(p.waited, 16);
        pass(&p, p.now + SECOND);
        assert_int_equal(p.waiting, 0);
        assert_int_equal(p.warm, p.s.target);
        watch(&p);
        pass(&p, p.now + 5 * SECOND);
        arrive(&p, 20);
        assert_int_equal(p.waited, 0);
}

static void one_burst_counts_once(void **state)
{
        (void)state;
        struct pretence p = pretend(0, 1000, 2 * MS);
        arrive(&p, 20);
        unsigned first = p.s.target;
        pass(&p, p.now + 500 * MS);
        assert_int_equal(p.s.target, first);
        assert_int_equal(first, 20 + 1 + 20 / 8);
        assert_int_equal(p.made, 20 + first);
}

static void idleness_halves_it_down_to_the_least(void **state)
{
        (void)state;
        static const unsigned least[] = { 0, 1, 4 };
        for (size_t i = 0; i < sizeof least / sizeof least[0]; i++) {
                struct pretence p = pretend(least[i], 64, 2 * MS);
                arrive(&p, 32);
                pass(&p, 100 * MS);
                assert_int_equal(p.s.target, 37);
                pass(&p, 2 * MINUTE);
                assert_in_range(p.s.target, 16 + 1 + 2, 17 + 1 + 2);
                pass(&p, 4 * MINUTE);
                assert_in_range(p.s.target, 8 + 1 + 1, 9 + 1 + 1);
                unsigned seen = p.changes;
                pass(&p, 16 * MINUTE);
                assert_int_equal(p.s.target, least[i]);
                assert_int_equal(p.warm, least[i]);
                assert_true(p.changes - seen <= 11); /* the target only falls, by one or two at a time */
        }
}

static void a_rare_request_leaves_an_idle_language_idle(void **state)
{
        (void)state;
        struct pretence p = pretend(0, 64, 2 * MS);
        for (int i = 0; i < 5; i++) {
                arrive(&p, 1);
                assert_int_equal(being_made(&p), 2); /* one for this request, at once, and one for the next request */
                pass(&p, p.now + SECOND);
                assert_int_equal(p.waiting, 0);
                assert_int_equal(p.warm, 2);
                pass(&p, p.now + 10 * MINUTE);
                assert_int_equal(p.warm, 0);
        }
        assert_int_equal(p.waited, 5);
}

static void more_than_can_be_made_ends_at_the_maximum(void **state)
{
        (void)state;
        struct pretence p = pretend(2, 16, 8 * MS); /* 500 sandboxes a second */
        for (int i = 0; i < 2000; i++) {
                arrive(&p, 1);
                pass(&p, p.now + MS);
                assert_in_range(p.s.target, 2, 16);
        }
        assert_int_equal(p.s.target, 16);
        assert_true(p.made >= 990); /* no sandbox is dropped that a request could take */
        assert_int_equal(p.dropped, 0);
}

/* ---------------------------------------------------------------- rules */

static void a_smaller_set_is_not_owed_what_a_larger_one_gave(void **state)
{
        (void)state;
        struct scale s = fresh(0, 64);
        scale_waits(&s, 10, 0);
        share(&s, 0);
        unsigned full = s.target;
        scale_refilled(&s, false, full);
        for (unsigned i = 1; i <= 5; i++)
                scale_taken(&s, full - i);
        assert_int_equal(s.drawn, 5);
        scale_bounds(&s, 0, 6, 2 * MINUTE);
        scale_refilled(&s, false, 6);
        assert_int_equal(s.drawn, 0);
        scale_taken(&s, 5);
        assert_int_equal(s.drawn, 1);
        scale_replaced(&s);
        assert_int_equal(s.drawn, 0);
}

static void bounds_hold_at_once(void **state)
{
        (void)state;
        struct scale s = fresh(3, 8);
        assert_int_equal(s.target, 3);
        scale_waits(&s, 500, 0);
        share(&s, 0);
        assert_int_equal(s.target, 8);
        scale_bounds(&s, 1, 5, 2 * MINUTE);
        assert_int_equal(s.target, 5);
        scale_bounds(&s, 12, 12, 2 * MINUTE);
        assert_int_equal(s.target, 12);
        scale_bounds(&s, 0, 0, 2 * MINUTE);
        assert_int_equal(s.target, 0);
        assert_int_equal(scale_wants(&s), 0);
}

static void time_may_pass_in_any_steps(void **state)
{
        (void)state;
        static const int64_t half_lives[] = { 1, 999, 1000, SECOND, 2 * MINUTE, INT64_C(86400) * SECOND };
        for (size_t i = 0; i < sizeof half_lives / sizeof half_lives[0]; i++) {
                struct scale small = { 0 }, large = { 0 };
                int64_t half = half_lives[i], step = half / 50 < MS ? MS : half / 50, now = 0;
                scale_bounds(&small, 0, 1023, half);
                scale_bounds(&large, 0, 1023, half);
                scale_waits(&small, 800, 0);
                scale_waits(&large, 800, 0);
                while (now < 3 * half) {
                        now += step;
                        scale_fade(&small, now);
                }
                scale_fade(&large, now);
                if (half >= SECOND) {
                        assert_in_range(scale_wants(&large), 100 + 1 + 12, 101 + 1 + 12);
                        assert_in_range(scale_wants(&small), 99 + 1 + 12, 102 + 1 + 12);
                }
                scale_fade(&small, now - SECOND); /* time never goes backwards */
                scale_fade(&large, INT64_MAX);
                assert_int_equal(scale_wants(&large), 0);
        }
}

/* ---------------------------------------------------------------- memory */

static void share_of(struct scale *a, struct scale *b, uint64_t memory, int64_t now)
{
        struct scale *all[] = { a, b };
        scale_share(all, 2, memory, now);
        assert_true(a->target <= scale_wants(a));
        assert_true(b->target <= scale_wants(b));
}

static void waits_before_another_s_surplus(void **state)
{
        (void)state;
        struct scale idle = fresh(1, 64), busy = fresh(0, 64);

        /* There is memory for 20 sandboxes of 2 MiB. */
        scale_waits(&idle, 16, 0);
        share_of(&idle, &busy, 40 * MIB, 0);
        assert_int_equal(idle.target, 19);
        assert_int_equal(busy.target, 0);
        /* A half-life later the level of the idle language is 8, so it wants 10. The busy language wants 19. */
        scale_fade(&idle, 2 * MINUTE);
        scale_fade(&busy, 2 * MINUTE);
        scale_waits(&busy, 16, 2 * MINUTE);
        assert_true(busy.grown);
        share_of(&idle, &busy, 40 * MIB, 2 * MINUTE);
        assert_int_equal(busy.target, 19);
        assert_int_equal(idle.target, 1);
        assert_false(busy.grown);
        /* When the memory is shared again, nothing changes. */
        share_of(&idle, &busy, 40 * MIB, 2 * MINUTE + SECOND);
        assert_int_equal(busy.target, 19);
        assert_int_equal(idle.target, 1);
}

static void two_that_are_in_need_share(void **state)
{
        (void)state;
        struct scale a = fresh(1, 100), b = fresh(1, 100);
        unsigned last_a = 0, last_b = 0, changes = 0;

        for (int i = 0; i < 100; i++) {
                int64_t now = (int64_t)i * SECOND;
                scale_fade(&a, now);
                scale_fade(&b, now);
                scale_waits(i % 2 ? &a : &b, 40, now);
                share_of(&a, &b, 60 * MIB, now);
                changes += a.target != last_a || b.target != last_b;
                last_a = a.target;
                last_b = b.target;
                assert_true((a.target + b.target) * 2 <= 60);
        }
        assert_true(changes <= 3);
        assert_in_range(a.target, 13, 17);
        assert_in_range(b.target, 13, 17);
        assert_true(a.target + b.target >= 29);
}

static void the_least_of_all_is_cut_in_proportion_but_not_to_nothing(void **state)
{
        (void)state;
        struct scale large = fresh(40, 64), small = fresh(1, 64), none = fresh(0, 64);
        struct scale *all[] = { &large, &small, &none };
        scale_share(all, 3, 20 * MIB, 0);
        assert_in_range(large.target, 8, 9);
        assert_int_equal(small.target, 1);
        assert_int_equal(none.target, 0);
        scale_share(all, 3, 100 * MIB, 0);
        assert_int_equal(large.target, 40);
        scale_waits(&none, 10, 0);
        scale_share(all, 3, 2 * MIB, 0);
        assert_int_equal(large.target, 1);
        assert_int_equal(none.target, 0);
}

static void what_is_heavy_counts_for_more(void **state)
{
        (void)state;
        struct scale heavy = fresh(0, 64), light = fresh(0, 64);
        scale_weighed(&heavy, 50 * MIB);
        scale_weighed(&light, MIB);
        scale_waits(&heavy, 8, 0);
        scale_waits(&light, 8, 0);
        share_of(&heavy, &light, 255 * MIB, 0);
        assert_int_equal(heavy.target, 5);
        assert_in_range(light.target, 4, 5);
}

static void a_weight_that_trembles_moves_nothing(void **state)
{
        (void)state;
        struct scale s = fresh(0, 64);
        scale_weighed(&s, 0);
        assert_int_equal(s.bytes, 0);
        scale_weighed(&s, 1000000);
        assert_int_equal(s.bytes, 1000000);
        for (int i = 0; i < 1000; i++) {
                scale_weighed(&s, i % 3 ? 950000 : 1100000);
                assert_int_equal(s.bytes_kept, 1000000);
        }
        for (int i = 0; i < 100; i++)
                scale_weighed(&s, 3000000);
        assert_in_range(s.bytes, 2990000, 3000000);
        assert_in_range(s.bytes_kept, 2600000, 3000000);
        scale_weighed(&s, UINT64_MAX);
        assert_true(s.bytes <= (uint64_t)1 << 40);
}

static void slots_are_kept_for_runs_as_there_were_of_late(void **state)
{
        (void)state;
        struct scale s = fresh(0, 4);
        assert_int_equal(scale_slots(&s), 0);
        scale_runs(&s, 16);
        scale_runs(&s, 3);
        assert_int_equal(scale_slots(&s), 16 + 1 + 2);
        assert_int_equal(scale_wants(&s), 0);
        scale_fade(&s, 4 * MINUTE);
        scale_runs(&s, 3);
        assert_int_equal(scale_slots(&s), 4 + 1);
        scale_fade(&s, INT64_C(60) * MINUTE);
        assert_int_equal(scale_slots(&s), 0);
}

static void a_share_of_nobody_is_none(void **state)
{
        (void)state;
        struct scale s = fresh(0, 0), *all[] = { &s };
        scale_share(all, 0, MIB, 0);
        scale_waits(&s, 5, 0);
        scale_share(all, 1, 0, 0);
        assert_int_equal(s.target, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_steady_demand_has_a_steady_number),
                cmocka_unit_test(an_uneven_demand_changes_the_number_seldom),
                cmocka_unit_test(a_spike_grows_the_set_at_once_and_the_next_one_finds_it),
                cmocka_unit_test(one_burst_counts_once),
                cmocka_unit_test(idleness_halves_it_down_to_the_least),
                cmocka_unit_test(a_rare_request_leaves_an_idle_language_idle),
                cmocka_unit_test(more_than_can_be_made_ends_at_the_maximum),
                cmocka_unit_test(a_smaller_set_is_not_owed_what_a_larger_one_gave),
                cmocka_unit_test(bounds_hold_at_once),
                cmocka_unit_test(time_may_pass_in_any_steps),
                cmocka_unit_test(waits_before_another_s_surplus),
                cmocka_unit_test(two_that_are_in_need_share),
                cmocka_unit_test(the_least_of_all_is_cut_in_proportion_but_not_to_nothing),
                cmocka_unit_test(what_is_heavy_counts_for_more),
                cmocka_unit_test(a_weight_that_trembles_moves_nothing),
                cmocka_unit_test(slots_are_kept_for_runs_as_there_were_of_late),
                cmocka_unit_test(a_share_of_nobody_is_none),
        };
        return cmocka_run_group_tests_name("scale", tests, NULL, NULL);
}
