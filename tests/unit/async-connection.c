/* The connection of the asynchronous client: made, lost at each point, made again; and what becomes of the calls. */
#include "client/async.h"
#include "client/event.h"
#include "client/lookup.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LARGE = 8 << 20 };

static const struct hatchery_client_config quick = { .backoff_first_ms = 20, .backoff_most_ms = 80 };

/* ---------------------------------------------------------------- lost */

static void what_was_sent_may_have_run_and_is_not_sent_again(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, ping = { 0 };
        const struct request q = heard_program(), q_ping = { .kind = REQUEST_PING };
        const struct hatchery_call_options options = { .retry = HATCHERY_RETRY_LOST };

        scene_begin_with(&s, quick);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        assert_int_equal(heard_send(&ping, s.c, &q_ping, NULL), HATCHERY_OK);
        fake_read_id(&s.f, REQUEST_EXECUTE);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(s.why.code, ECONNRESET);
        assert_in_range(s.retry_ms, 10, 20);
        assert_int_equal(h.failure.kind, HATCHERY_LOST);
        assert_true(h.failure.may_have_run);
        assert_false(h.failure.has_refusal);
        assert_int_equal(ping.failure.kind, HATCHERY_LOST);
        assert_false(ping.failure.may_have_run); /* it is no program */
        fake_accept(&s.f);
        assert_true(fake_heard_nothing(&s.f));
        assert_int_equal(h.ends + ping.ends, 2);
        scene_end(&s);
}

static void what_was_cut_off_is_sent_from_its_beginning(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, second = { 0 };
        struct request q = heard_program();
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        assert_non_null(input);
        q.execute.standard_input = (struct span){ input, LARGE };

        scene_begin_with(&s, quick);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK); /* more than the socket takes */
        assert_int_equal(heard_send(&second, s.c, &q, NULL), HATCHERY_OK);
        fake_settle(&s.f);
        assert_false(fake_heard_nothing(&s.f));
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(h.ends + second.ends, 0);
        fake_accept(&s.f);
        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
        assert_int_equal(r.q.id, hatchery_call_id(h.call));
        assert_int_equal(r.q.execute.standard_input.len, LARGE);
        fake_result(&s.f, r.q.id, "first");
        fake_release(&r);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "second");
        assert_string_equal(h.result, "first");
        assert_string_equal(second.result, "second");
        scene_end(&s);
}

static void one_that_shall_not_wait_fails_unsent(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        struct request q = heard_program();
        const struct hatchery_call_options options = { .only_connected = true };
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        assert_non_null(input);
        q.execute.standard_input = (struct span){ input, LARGE };

        scene_begin_with(&s, quick);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(h.failure.kind, HATCHERY_NOT_CONNECTED);
        assert_false(h.failure.may_have_run);
        assert_int_equal(heard_send(&h, s.c, &q, &options), -ENOTCONN);
        scene_end(&s);
}

/* One whose beginning the server has: it is cancelled, and not sent again on the next connection. */
static void one_that_was_cancelled_while_cut_off_is_not_sent(void **state)
{
        (void)state;
        for (int abandoned = 0; abandoned < 2; abandoned++) {
                struct scene s;
                struct heard h = { 0 };
                struct request q = heard_program();
                OWN_MEM uint8_t *input = calloc(1, LARGE);
                assert_non_null(input);
                q.execute.standard_input = (struct span){ input, LARGE };

                scene_begin_with(&s, quick);
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                fake_settle(&s.f);
                if (abandoned)
                        hatchery_call_abandon(h.call);
                else
                        assert_int_equal(hatchery_call_cancel(h.call), 0);
                fake_settle(&s.f);
                assert_int_equal(h.ends, 0);
                fake_hang_up(&s.f);
                fake_accept(&s.f);
                assert_true(fake_heard_nothing(&s.f));
                assert_int_equal(h.ends, !abandoned);
                if (!abandoned) {
                        assert_int_equal(h.failure.kind, HATCHERY_WITHDRAWN);
                        assert_false(h.failure.may_have_run);
                }
                scene_end(&s);
        }
}

/* ... and where the connection holds, the rest of it follows, and the cancel behind it. */
static void one_that_was_cancelled_half_sent_is_ended_by_the_server(void **state)
{
        (void)state;
        for (int late = 0; late < 2; late++) {
                struct scene s;
                struct heard h = { 0 };
                struct request q = heard_program();
                const struct hatchery_call_options options = { .deadline_us = late ? 20000 : 0 };
                OWN_MEM uint8_t *input = calloc(1, LARGE);
                assert_non_null(input);
                q.execute.standard_input = (struct span){ input, LARGE };

                scene_begin(&s);
                assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
                if (late) {
                        scene_wait(&s, &h.ends, 1);
                        assert_int_equal(h.failure.kind, HATCHERY_DEADLINE);
                        assert_true(h.failure.may_have_run);
                } else {
                        assert_int_equal(hatchery_call_cancel(h.call), 0);
                }
                uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
                struct fake_request r = fake_read(&s.f, REQUEST_CANCEL);
                assert_int_equal(r.q.request_id, id);
                fake_release(&r);
                fake_error(&s.f, id, hatchery_v1_Error_Code_CANCELLED, 0);
                assert_int_equal(h.ends, 1);
                scene_end(&s);
        }
}

static void the_servers_reason_comes_with_the_loss(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();

        scene_begin_with(&s, quick);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        fake_read_id(&s.f, REQUEST_EXECUTE);
        fake_error(&s.f, 0, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 60);
        assert_int_equal(h.failure.kind, HATCHERY_LOST);
        assert_true(h.failure.has_refusal);
        assert_int_equal(h.failure.refusal.code, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(h.failure.error.text, "so the server says"));
        assert_true(s.retry_ms >= 60); /* not before the time that the server names */
        scene_end(&s);
}

/* The server says why, and stops reading in the midst of a request: the writing fails, and the reason is still read. */
static void the_reason_is_read_although_writing_fails(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        struct request q = heard_program();
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        size_t len;
        assert_non_null(input);
        q.execute.standard_input = (struct span){ input, LARGE };

        scene_begin_with(&s, (struct hatchery_client_config){ .once = true });
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.which_answer = hatchery_v1_ServerMessage_error_tag;
        a.m.answer.error.code = hatchery_v1_Error_Code_INVALID_ARGUMENT;
        snprintf(a.m.answer.error.message, sizeof a.m.answer.error.message, "too long");
        OWN_MEM uint8_t *frame = fake_frame(&a, &len);
        assert_int_equal(send(s.f.sock, frame, len, 0), (ssize_t)len);
        assert_return_code(shutdown(s.f.sock, SHUT_RDWR), errno);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        fake_settle(&s.f);
        assert_int_equal(h.ends, 1);
        assert_true(h.failed && !h.failure.may_have_run);
        assert_non_null(strstr(s.why.text, "too long"));
        scene_end(&s);
}

static void a_server_that_reads_no_more_is_left(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, after = { 0 };
        const struct request q = heard_program();
        const struct hatchery_call_options options = { .only_connected = true };

        scene_begin_with(&s, quick);
        assert_return_code(shutdown(s.f.sock, SHUT_RD), errno);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(heard_send(&after, s.c, &q, &options), -ENOTCONN);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(s.why.code, EPIPE);
        assert_int_equal(h.ends, 0);
        fake_accept(&s.f);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "now");
        assert_string_equal(h.result, "now");
        scene_end(&s);
}

static void an_answer_that_is_cut_off_is_none(void **state)
{
        (void)state;
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        size_t len;
        a.m.id = 1;
        a.m.which_answer = hatchery_v1_ServerMessage_pong_tag;
        OWN_MEM uint8_t *frame = fake_frame(&a, &len);
        const struct request q = { .kind = REQUEST_PING };

        for (size_t cut = 0; cut < len; cut++) {
                struct scene s;
                struct heard h = { 0 };
                scene_begin_with(&s, (struct hatchery_client_config){ .once = true });
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                assert_int_equal(fake_read_id(&s.f, REQUEST_PING), 1);
                fake_say_bytes(&s.f, frame, cut);
                fake_hang_up(&s.f);
                scene_wait(&s, &h.ends, 1);
                assert_int_equal(h.failure.kind, HATCHERY_LOST);
                assert_int_equal(s.retry_ms, -1);
                scene_end(&s);
        }
}

/* ---------------------------------------------------------------- made again */

static void requests_wait_for_the_connection(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, late = { 0 }, cancelled = { 0 };
        const struct request q = heard_program();
        const struct hatchery_call_options options = { .deadline_us = 60000000 }, short_one = { .deadline_us = 20000 };

        scene_begin_with(&s, quick);
        fake_stop_listening(&s.f);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(heard_send(&late, s.c, &q, &short_one), HATCHERY_OK);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        assert_int_equal(heard_send(&cancelled, s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(hatchery_call_cancel(cancelled.call), 0);
        assert_int_equal(cancelled.ends, 0); /* not before it returns */
        scene_wait(&s, &s.disconnected, 4);
        assert_int_equal(cancelled.failure.kind, HATCHERY_WITHDRAWN);
        assert_int_equal(late.failure.kind, HATCHERY_DEADLINE);
        assert_false(late.failure.may_have_run);
        assert_int_equal(h.ends, 0);
        fake_listen(&s.f);
        fake_accept(&s.f);
        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
        assert_int_equal(r.q.id, hatchery_call_id(h.call));
        assert_in_range(r.q.execute.deadline_us, 30000000, 59990000); /* what is left */
        fake_result(&s.f, r.q.id, "well");
        fake_release(&r);
        assert_string_equal(h.result, "well");
        assert_true(fake_heard_nothing(&s.f));
        scene_end(&s);
}

static void the_pauses_grow_to_a_bound(void **state)
{
        (void)state;
        static const int64_t most[] = { 20, 40, 80, 80, 80 };
        struct scene s;
        bool shortened = false;

        scene_begin_with(&s, quick);
        fake_stop_listening(&s.f);
        fake_hang_up(&s.f);
        for (unsigned i = 0; i < 5; i++) {
                scene_wait(&s, &s.disconnected, i + 1);
                assert_in_range(s.retry_ms, most[i] / 2, most[i]);
                shortened |= s.retry_ms < most[i];
        }
        assert_true(shortened); /* by chance, each of them: fails once in some 10^8 times */
        fake_listen(&s.f);
        fake_accept(&s.f);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, s.disconnected + 1);
        assert_true(s.retry_ms >= 40); /* a connection without an answer proves nothing */
        fake_accept(&s.f);
        struct heard h = { 0 };
        const struct request q = { .kind = REQUEST_PING };
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        fake_pong(&s.f, fake_read_id(&s.f, REQUEST_PING));
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, s.disconnected + 1);
        assert_true(s.retry_ms <= 20);
        scene_end(&s);
}

static void a_client_of_one_connection_makes_no_other(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();

        scene_begin_with(&s, (struct hatchery_client_config){ .once = true });
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(s.retry_ms, -1);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), -ENOTCONN);
        assert_int_equal(hatchery_client_timeout_ms(s.c), -1);
        scene_end(&s);
}

/* ---------------------------------------------------------------- addresses */

static unsigned failures;
static struct err last_why;

static void count_failure(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms)
{
        (void)data;
        (void)c;
        (void)retry_ms;
        failures++;
        last_why = *why;
}

static const struct hatchery_client_ops counting = { .disconnected = count_failure };

static void addresses_that_lead_nowhere_fail_what_waits(void **state)
{
        (void)state;
        static const struct {
                const char *address, *word;
        } rows[] = {
                { "unix:/no/such/socket", "No such file" },
                { "127.0.0.1:1", "refused" },
                { "[::1]:1", "" },
                { "no-such-host.invalid:7070", "look up" },
        };
        const struct request q = heard_program();

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct hatchery_client *c = NULL;
                struct heard h = { 0 };
                const struct hatchery_client_config config = { .address = rows[i].address,
                                                               .once = true,
                                                               .ops = &counting };
                failures = 0;
                assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
                assert_int_equal(heard_send(&h, c, &q, NULL), HATCHERY_OK);
                while (h.ends == 0)
                        assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
                assert_int_equal(failures, 1);
                assert_int_equal(h.failure.kind, HATCHERY_NOT_CONNECTED);
                assert_false(h.failure.may_have_run);
                assert_non_null(strstr(h.failure.error.text, rows[i].word));
                hatchery_client_free(c);
        }
}

static void addresses_that_are_none_are_refused(void **state)
{
        (void)state;
        static const char *const bad[] = { "127.0.0.1", ":7070", "::1:7070", "unix:" };
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct hatchery_client *c = NULL;
                struct err e = { 0 };
                const struct hatchery_client_config config = { .address = bad[i] };
                assert_int_equal(hatchery_client_new(&c, &config, &e), -EINVAL);
                assert_null(c);
                assert_true(strlen(e.text) > 20);
        }
}

static void a_name_is_looked_up_and_its_addresses_are_tried(void **state)
{
        (void)state;
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof sa;
        char address[64];
        OWN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(listener, 1), errno);
        assert_return_code(getsockname(listener, (struct sockaddr *)&sa, &size), errno);
        snprintf(address, sizeof address, "localhost:%u", ntohs(sa.sin_port)); /* ::1 first, where there is one */

        struct hatchery_client *c = NULL;
        const struct hatchery_client_config config = { .address = address };
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        while (!hatchery_client_is_connected(c))
                assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
        hatchery_client_free(c);

        /* One that is freed while its name is being looked up. */
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        hatchery_client_dispatch(c);
        hatchery_client_free(c);
}

static void an_attempt_has_its_time(void **state)
{
        (void)state;
        /* A socket whose queue is full leaves the next one waiting. */
        struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof sa;
        char address[64];
        int fill[8];
        OWN_FD int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(listener, (struct sockaddr *)&sa, sizeof sa), errno);
        assert_return_code(listen(listener, 0), errno);
        assert_return_code(getsockname(listener, (struct sockaddr *)&sa, &size), errno);
        for (int i = 0; i < 8; i++) {
                fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                connect(fill[i], (struct sockaddr *)&sa, sizeof sa);
        }
        snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(sa.sin_port));

        struct hatchery_client *c = NULL;
        const struct hatchery_client_config config = {
                .address = address, .connect_ms = 100, .once = true, .ops = &counting
        };
        failures = 0;
        assert_int_equal(hatchery_client_new(&c, &config, NULL), HATCHERY_OK);
        const int64_t before = clock_ms();
        while (failures == 0)
                assert_int_equal(hatchery_client_wait(c, 20000, NULL), HATCHERY_OK);
        assert_in_range(clock_ms() - before, 95, 10000);
        assert_int_equal(last_why.code, ETIMEDOUT);
        hatchery_client_free(c);
        for (int i = 0; i < 8; i++)
                close(fill[i]);
}

/* ---------------------------------------------------------------- libevent */

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
        l.s.f.client = NULL; /* the fake server's own reading does not dispatch it */
        fake_result(&l.s.f, fake_read_id(&l.s.f, REQUEST_EXECUTE), "by the loop");
        event_base_dispatch(l.base);
        assert_string_equal(l.h.result, "by the loop");

        /* A failure that no descriptor tells of, and a time. */
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
                cmocka_unit_test(what_was_sent_may_have_run_and_is_not_sent_again),
                cmocka_unit_test(what_was_cut_off_is_sent_from_its_beginning),
                cmocka_unit_test(one_that_shall_not_wait_fails_unsent),
                cmocka_unit_test(one_that_was_cancelled_while_cut_off_is_not_sent),
                cmocka_unit_test(one_that_was_cancelled_half_sent_is_ended_by_the_server),
                cmocka_unit_test(the_servers_reason_comes_with_the_loss),
                cmocka_unit_test(the_reason_is_read_although_writing_fails),
                cmocka_unit_test(a_server_that_reads_no_more_is_left),
                cmocka_unit_test(an_answer_that_is_cut_off_is_none),
                cmocka_unit_test(requests_wait_for_the_connection),
                cmocka_unit_test(the_pauses_grow_to_a_bound),
                cmocka_unit_test(a_client_of_one_connection_makes_no_other),
                cmocka_unit_test(addresses_that_lead_nowhere_fail_what_waits),
                cmocka_unit_test(addresses_that_are_none_are_refused),
                cmocka_unit_test(a_name_is_looked_up_and_its_addresses_are_tried),
                cmocka_unit_test(an_attempt_has_its_time),
                cmocka_unit_test(libevent_drives_it),
                cmocka_unit_test(a_callback_may_detach_and_free_it),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
