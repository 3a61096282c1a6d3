/* The order in which the event loop does its work, and turns. */
#include "pool/native/turns.h"

#include "pool/base/loop.h"
#include "proto/base/clock.h"
#include "tests/unit/unit.h"

static void spin(int64_t us)
{
        for (int64_t end = clock_us() + us; clock_us() < end;)
                ;
}

struct client_work {
        unsigned done;
        unsigned done_before_limit;
        struct event limit;
};

static void on_client(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        ((struct client_work *)arg)->done++;
        spin(1000);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct client_work *w = arg;
        w->done_before_limit = w->done;
}

static void a_limit_does_not_wait_for_clients(void **state)
{
        (void)state;
        enum { CLIENTS = 300, LIMIT_US = 5000 };
        static struct event clients[CLIENTS];
        const struct timeval delay = { .tv_usec = LIMIT_US };
        struct client_work w = { 0 };
        struct event_base *base;
        struct err e = { 0 };

        assert_int_equal(loop_new(&base, &e), 0);
        for (size_t i = 0; i < CLIENTS; i++) {
                assert_int_equal(evtimer_assign(&clients[i], base, on_client, &w), 0);
                event_active(&clients[i], EV_TIMEOUT, 1);
        }
        assert_int_equal(evtimer_assign(&w.limit, base, on_limit, &w), 0);
        assert_int_equal(loop_urgent(&w.limit, LOOP_LIMITS), 0);
        assert_int_equal(event_add(&w.limit, &delay), 0);
        assert_true(event_base_dispatch(base) >= 0);

        assert_int_equal(w.done, CLIENTS);
        assert_in_range(w.done_before_limit, 1, CLIENTS / 4);
        event_base_free(base);
}

/* A test's turn: it takes `pieces` pieces, and adds its name to the log at each. */
struct work {
        struct turns *turns;
        struct turn turn;
        char name;
        unsigned pieces;
        bool large;
        char *log;
};

static bool take(void *arg)
{
        struct work *w = arg;
        w->log[strlen(w->log)] = w->name;
        if (--w->pieces > 0 && !w->large)
                turns_wait(w->turns, &w->turn);
        return w->pieces > 0;
}

static void short_turns_go_round_and_large_ones_one_at_a_time(void **state)
{
        (void)state;
        struct event_base *base;
        struct turns t;
        struct err e = { 0 };
        char log[32] = "";

        assert_int_equal(loop_new(&base, &e), 0);
        assert_int_equal(turns_init(&t, base, &e), 0);
        struct work a = { .name = 'a', .pieces = 3 }, b = { .name = 'b', .pieces = 2 },
                    c = { .name = 'c', .pieces = 1 };
        struct work *all[] = { &a, &b, &c };
        for (size_t i = 0; i < 3; i++) {
                all[i]->turns = &t;
                all[i]->turn = (struct turn){ .take = take, .owner = all[i] };
                all[i]->log = log;
                turns_wait(&t, &all[i]->turn);
                turns_wait(&t, &all[i]->turn);
        }
        turns_leave(&t, &c.turn);
        assert_true(event_base_dispatch(base) >= 0);
        assert_string_equal(log, "ababa");

        memset(log, 0, sizeof log);
        a.pieces = b.pieces = c.pieces = 2;
        a.large = b.large = c.large = true;
        turns_wait_large(&t, &a.turn, 16 << 20);
        assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0); /* a has begun, and so ends first */
        turns_wait_large(&t, &b.turn, 8 << 20);
        turns_wait_large(&t, &b.turn, 8 << 20);
        turns_wait_large(&t, &c.turn, 1 << 20);
        assert_true(event_base_dispatch(base) >= 0);
        assert_string_equal(log, "aaccbb");

        turns_fini(&t);
        event_base_free(base);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_limit_does_not_wait_for_clients),
                cmocka_unit_test(short_turns_go_round_and_large_ones_one_at_a_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
