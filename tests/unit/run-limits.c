/* The time limits of a run, where libevent has no memory for a timer: the linker puts an event_add of this file in the
 * place of libevent's. A run whose limit can't be set is ended, or refused, and never runs without. */
#include "pool/base/loop.h"
#include "pool/core/run_parts.h"
#include "pool/sched/language.h"
#include "pool/state.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
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

enum { SECOND = 1000000 };

/* One run with a slot, of a zygote whose end of the channel is the test's. */
struct fixture {
        struct pool pool;
        struct language language;
        struct zygote zygote;
        struct slot *slot;
        struct run run;
        int64_t limit[LIMIT_COUNT];
        int channel;
};

static int set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);
        struct err e = { 0 };
        int pair[2];

        assert_non_null(f);
        f->pool = (struct pool){ .cores = 1, .log = { .who = "test", .fd = open("/dev/null", O_WRONLY | O_CLOEXEC) } };
        good_before_failure = 100;
        assert_int_equal(loop_new(&f->pool.base, &e), 0);
        f->language.pool = &f->pool;
        f->zygote = (struct zygote){ .language = &f->language };
        assert_int_equal(slots_init(&f->zygote.slots, &f->zygote, &e), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        assert_int_equal(channel_end_open(&f->zygote.end, f->pool.base, pair[0], &e), 0);
        f->channel = pair[1];
        assert_int_equal(fcntl(f->channel, F_SETFL, O_NONBLOCK), 0);

        f->limit[LIMIT_WALL] = 10 * SECOND;
        f->limit[LIMIT_CPU] = SECOND;
        f->slot = &f->zygote.slots.slot[5];
        f->slot->sandbox = 77;
        f->run = (struct run){
                .state = RUN_RUNNING, .pool = &f->pool, .language = &f->language, .slot = f->slot, .limit = f->limit
        };
        assert_int_equal(run_limits_init(&f->run), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        run_limits_stop(&f->run);
        channel_end_close(&f->zygote.end);
        close(f->channel);
        if (f->slot->fd[WARM_CPU] >= 0)
                close(f->slot->fd[WARM_CPU]);
        slots_fini(&f->zygote.slots);
        event_base_free(f->pool.base);
        close(f->pool.log.fd);
        free(f);
        return 0;
}

/* The order to kill its sandbox is the only one that went out. */
static void assert_killed_for_a_fault(struct fixture *f)
{
        struct order o;
        struct err e = { 0 };
        size_t n_fds;

        assert_int_equal(f->run.reason, KILL_FAULT);
        assert_int_equal(channel_recv(f->channel, &o, sizeof o, NULL, 0, &n_fds, &e), 1);
        assert_int_equal(o.kind, ORDER_KILL);
        assert_int_equal(o.sandbox, 77);
        assert_int_equal(channel_recv(f->channel, &o, sizeof o, NULL, 0, &n_fds, &e), -EAGAIN);
}

static void a_run_starts_with_both_limits(void **state)
{
        struct fixture *f = *state;
        run_limits_start(&f->run);
        assert_int_equal(f->run.reason, KILL_NONE);
        assert_true(event_pending(&f->run.timer, EV_TIMEOUT, NULL));
        assert_true(event_pending(&f->run.cpu_timer, EV_TIMEOUT, NULL));
}

static void no_run_goes_on_without_its_wall_limit(void **state)
{
        struct fixture *f = *state;
        good_before_failure = 0;
        run_limits_start(&f->run);
        assert_killed_for_a_fault(f);
}

static void no_run_goes_on_without_its_cpu_limit(void **state)
{
        struct fixture *f = *state;
        good_before_failure = 1;
        run_limits_start(&f->run);
        assert_killed_for_a_fault(f);
}

/* Neither, when the timer was set and has to be set again. */
static void a_limit_that_is_looked_at_again_is_not_lost(void **state)
{
        struct fixture *f = *state;
        int clock = memfd_create("clock", MFD_CLOEXEC);

        assert_int_equal(write(clock, "1000\n", 5), 5); /* ns: 1 us was used */
        f->slot->fd[WARM_CPU] = clock;
        f->limit[LIMIT_CPU] = 2000;
        good_before_failure = 2;
        run_limits_start(&f->run);
        assert_int_equal(event_base_loop(f->pool.base, EVLOOP_ONCE), 0);
        assert_killed_for_a_fault(f);
}

static void a_deadline_that_can_not_be_kept_is_told(void **state)
{
        struct fixture *f = *state;
        good_before_failure = 0;
        assert_int_equal(run_limits_wait(&f->run), 0); /* it has none */
        f->run.deadline_us = INT64_MAX / 4;
        assert_int_equal(run_limits_wait(&f->run), -ENOMEM);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_run_starts_with_both_limits, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_run_goes_on_without_its_wall_limit, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_run_goes_on_without_its_cpu_limit, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_limit_that_is_looked_at_again_is_not_lost, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_deadline_that_can_not_be_kept_is_told, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
