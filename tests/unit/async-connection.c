/* The asynchronous client's connection is lost at each point and made again. The tests check how the calls end. */
#include "client/async.h"
#include "proto/base/own.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

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
        assert_false(ping.failure.may_have_run); /* a ping runs no program */
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

/* The server has the beginning of a request. Its call is cancelled, so the next connection does not send it again. */
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

/* If the connection stays, the client sends the rest of the request, and then the cancel. */
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

/* The server sends a reason, and stops reading in the middle of a request. The client's write fails, but the client
 * still reads the reason. */
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
        assert_int_equal(cancelled.ends, 0); /* no callback before the call above returns */
        scene_wait(&s, &s.disconnected, 4);
        assert_int_equal(cancelled.failure.kind, HATCHERY_WITHDRAWN);
        assert_int_equal(late.failure.kind, HATCHERY_DEADLINE);
        assert_false(late.failure.may_have_run);
        assert_int_equal(h.ends, 0);
        fake_listen(&s.f);
        fake_accept(&s.f);
        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
        assert_int_equal(r.q.id, hatchery_call_id(h.call));
        assert_in_range(r.q.execute.deadline_us, 30000000, 59990000); /* the rest of its minute */
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
        assert_true(shortened); /* at random, each of them; the chance that none is shorter is about 1 in 10^7 */
        fake_listen(&s.f);
        fake_accept(&s.f);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, s.disconnected + 1);
        assert_true(s.retry_ms >= 40); /* a connection without an answer does not reset the pause */
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
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
