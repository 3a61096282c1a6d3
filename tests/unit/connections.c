/* Connections and listening sockets, when libevent has no memory for an event: the linker replaces libevent's event_add
 * by a function of this file. No peer holds a connection without a time-out, and no listening socket is lost. */
#include "pool/native/listener.h"
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned good_before_failure; /* calls that still succeed before one fails */

int __real_event_add(struct event *event, const struct timeval *delay);
int __wrap_event_add(struct event *event, const struct timeval *delay);

int __wrap_event_add(struct event *event, const struct timeval *delay)
{
        if (good_before_failure == 0)
                return -1;
        good_before_failure--;
        return __real_event_add(event, delay);
}

static int set_up(void **state)
{
        good_before_failure = 100;
        *state = front_new();
        return 0;
}

static int tear_down(void **state)
{
        front_free(*state);
        return 0;
}

/* Reading, handling, and the end of a connection are separate events, so the loop goes round several times. */
static void turn(struct front *f)
{
        for (int i = 0; i < 4; i++)
                front_round(f);
}

/* Sends the beginning of a frame; returns the connection's other end. */
static int begin_frame(struct front *f)
{
        static const uint8_t part[] = { 0, 1 };

        int peer = front_connect(f);
        assert_int_equal(native_connections(f->native), 1);
        assert_int_equal(write(peer, part, sizeof part), sizeof part);
        return peer;
}

static void a_frame_that_is_begun_has_its_time_out(void **state)
{
        struct front *f = *state;
        int peer = begin_frame(f);

        turn(f);
        assert_int_equal(native_connections(f->native), 1);
        close(peer);
        turn(f);
        assert_int_equal(native_connections(f->native), 0);
}

static void a_connection_that_can_not_be_timed_is_closed(void **state)
{
        struct front *f = *state;
        uint8_t byte;
        int peer = begin_frame(f);

        good_before_failure = 0;
        turn(f);
        assert_int_equal(native_connections(f->native), 0);
        assert_int_equal(read(peer, &byte, 1), 0);
        close(peer);
}

/* The listener's socket does not listen, so accepting fails at once, and the listener pauses. */
static void a_pause_that_can_not_be_timed_ends_at_the_next_tick(void **state)
{
        struct front *f = *state;
        struct listener l = { .fd = -1 };
        struct err e = { 0 };

        assert_int_equal(listener_init(&l, f->native, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), NULL, &e), 0);
        good_before_failure = 0;
        turn(f);
        assert_false(event_pending(&l.readable, EV_READ, NULL));
        listener_tick(&l); /* this attempt fails */
        good_before_failure = 100;
        listener_tick(&l);
        assert_true(event_pending(&l.readable, EV_READ, NULL));
        listener_fini(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_frame_that_is_begun_has_its_time_out, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_connection_that_can_not_be_timed_is_closed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_pause_that_can_not_be_timed_ends_at_the_next_tick, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
