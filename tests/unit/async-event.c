/* The asynchronous client on a libevent base. */
#include "client/event.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

struct looped {
        struct scene s;
        struct event_base *base;
        struct hatchery_event *event;
        struct heard h;
};

static void stop_loop(struct heard *h)
{
        struct looped *l = h->other;
        if (h->ends)
                event_base_loopbreak(l->base);
}

static void begin_loop(struct looped *l)
{
        memset(l, 0, sizeof *l);
        scene_begin(&l->s);
        l->base = event_base_new();
        assert_non_null(l->base);
        assert_int_equal(hatchery_event_attach(&l->event, l->s.c, l->base, NULL), HATCHERY_OK);
        l->h.then = stop_loop;
        l->h.other = l;
}

static void libevent_drives_it(void **state)
{
        (void)state;
        struct looped l;
        const struct request q = heard_program();
        const struct hatchery_call_options options = { .deadline_us = 50000 };
        struct heard deadline = { .then = stop_loop, .other = &l };

        begin_loop(&l);
        assert_int_equal(heard_send(&l.h, l.s.c, &q, NULL), HATCHERY_OK);
        l.s.f.client = NULL; /* so that the fake server does not dispatch the client when it reads */
        fake_result(&l.s.f, fake_read_id(&l.s.f, REQUEST_EXECUTE), "by the loop");
        event_base_dispatch(l.base);
        assert_string_equal(l.h.result, "by the loop");

        /* A failure that makes no descriptor ready, and a timer. */
        fake_hang_up(&l.s.f);
        while (l.s.disconnected == 0)
                event_base_loop(l.base, EVLOOP_ONCE);
        fake_stop_listening(&l.s.f);
        assert_int_equal(heard_send(&deadline, l.s.c, &q, &options), HATCHERY_OK);
        event_base_dispatch(l.base);
        assert_int_equal(deadline.failure.kind, HATCHERY_DEADLINE);
        l.h = (struct heard){ .then = stop_loop, .other = &l };
        assert_int_equal(heard_send(&l.h, l.s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(hatchery_call_cancel(l.h.call), 0);
        event_base_dispatch(l.base);
        assert_int_equal(l.h.failure.kind, HATCHERY_WITHDRAWN);
        hatchery_event_free(l.event);
        scene_end(&l.s);
        event_base_free(l.base);
}

static void free_all(struct heard *h)
{
        struct looped *l = h->other;
        hatchery_client_free(l->s.c);
        hatchery_event_free(l->event);
        event_base_loopbreak(l->base);
}

static void a_callback_may_detach_and_free_it(void **state)
{
        (void)state;
        struct looped l;
        const struct request q = heard_program();

        begin_loop(&l);
        l.h.then = free_all;
        assert_int_equal(heard_send(&l.h, l.s.c, &q, NULL), HATCHERY_OK);
        l.s.f.client = NULL;
        fake_result(&l.s.f, fake_read_id(&l.s.f, REQUEST_EXECUTE), "");
        event_base_dispatch(l.base);
        assert_int_equal(l.h.ends, 1);
        fake_close(&l.s.f);
        event_base_free(l.base);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(libevent_drives_it),
                cmocka_unit_test(a_callback_may_detach_and_free_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
