/* Connections and listening sockets, where libevent has no memory for an event: the linker puts an event_add of this
 * file in the place of libevent's. No peer holds a connection without a time-out, and no listening socket is lost. */
#include "pool/base/loop.h"
#include "pool/base/peer.h"
#include "pool/native/connection.h"
#include "pool/native/listener.h"
#include "pool/state.h"

#include "tests/unit/unit.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned good_before_failure; /* how many calls are still to succeed */

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
        struct pool *p = calloc(1, sizeof *p);
        struct err e = { 0 };
        assert_non_null(p);
        good_before_failure = 100;
        assert_int_equal(loop_new(&p->base, &e), 0);
        assert_int_equal(turns_init(&p->turns, p->base, &e), 0);
        p->log = (struct log){ .who = "test", .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) };
        p->config.max_connections = 10;
        p->config.max_request_bytes = 1 << 16;
        p->config.frame_timeout_us = p->config.write_timeout_us = 60000000;
        p->memory.max = UINT64_MAX / 2;
        LIST_INIT(&p->sessions);
        *state = p;
        return 0;
}

static int tear_down(void **state)
{
        struct pool *p = *state;
        turns_fini(&p->turns);
        event_base_free(p->base);
        close(p->log.fd);
        free(p);
        return 0;
}

/* Reading, its work, and the end of a connection are events of their own. */
static void turn(struct pool *p)
{
        for (int i = 0; i < 4; i++)
                assert_true(event_base_loop(p->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) >= 0);
}

/* Sends the beginning of a frame; returns the connection's other end. */
static int begin_frame(struct pool *p)
{
        static const uint8_t part[] = { 0, 1 };
        const struct peer nobody = { .len = 0 };
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        session_accept(p, pair[0], &nobody);
        assert_int_equal(p->n_sessions, 1);
        assert_int_equal(write(pair[1], part, sizeof part), sizeof part);
        return pair[1];
}

static void a_frame_that_is_begun_has_its_time_out(void **state)
{
        struct pool *p = *state;
        int peer = begin_frame(p);

        turn(p);
        assert_int_equal(p->n_sessions, 1);
        close(peer);
        turn(p);
        assert_int_equal(p->n_sessions, 0);
}

static void a_connection_that_can_not_be_timed_is_closed(void **state)
{
        struct pool *p = *state;
        uint8_t byte;
        int peer = begin_frame(p);

        good_before_failure = 0;
        turn(p);
        assert_int_equal(p->n_sessions, 0);
        assert_int_equal(read(peer, &byte, 1), 0);
        close(peer);
}

/* A socket that does not listen: accepting fails at once, and the listener pauses. */
static void a_pause_that_can_not_be_timed_ends_at_the_next_tick(void **state)
{
        struct pool *p = *state;
        struct listener l = { .fd = -1 };
        struct err e = { 0 };

        assert_int_equal(listener_init(&l, p, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), &e), 0);
        good_before_failure = 0;
        turn(p);
        assert_false(event_pending(&l.readable, EV_READ, NULL));
        listener_tick(&l); /* in vain */
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
