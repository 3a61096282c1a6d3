/* Calls of the asynchronous client: right answers, wrong answers, and calls that are cancelled or abandoned. */
#include "client/async.h"
#include "proto/base/own.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- answers */

static void many_in_flight_are_answered_in_the_servers_order(void **state)
{
        (void)state;
        enum { N = 500 };
        static struct heard h[N];
        static uint64_t ids[N];
        struct scene s;
        const struct request q = heard_program();

        memset(h, 0, sizeof h);
        scene_begin(&s);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(heard_send(&h[i], s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(hatchery_client_calls(s.c), N);
        for (size_t i = 0; i < N; i++) {
                assert_int_equal(hatchery_call_id(h[i].call), (ids[i] = fake_read_id(&s.f, REQUEST_EXECUTE)));
                assert_ptr_equal(hatchery_call_client(h[i].call), s.c);
        }
        for (size_t i = 0; i < N; i++) {
                size_t at = i * 7 % N;
                fake_result(&s.f, ids[at], at % 2 ? "odd" : "even");
                assert_int_equal(h[at].ends, 1);
                assert_string_equal(h[at].result, at % 2 ? "odd" : "even");
        }
        assert_int_equal(hatchery_client_calls(s.c), 0);
        scene_end(&s);
}

static void each_kind_has_its_answer(void **state)
{
        (void)state;
        struct scene s;
        struct heard ping = { 0 }, status = { 0 }, signal = { 0 }, cancel = { 0 }, refused = { 0 };
        struct request q = { .kind = REQUEST_PING };

        scene_begin(&s);
        assert_int_equal(heard_send(&ping, s.c, &q, NULL), HATCHERY_OK);
        fake_pong(&s.f, fake_read_id(&s.f, REQUEST_PING));
        assert_int_equal(ping.answer, hatchery_v1_ServerMessage_pong_tag);
        q.kind = REQUEST_STATUS;
        assert_int_equal(heard_send(&status, s.c, &q, NULL), HATCHERY_OK);
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = fake_read_id(&s.f, REQUEST_STATUS);
        a.m.which_answer = hatchery_v1_ServerMessage_status_tag;
        fake_say(&s.f, &a);
        assert_int_equal(status.answer, hatchery_v1_ServerMessage_status_tag);
        q = (struct request){ .kind = REQUEST_SIGNAL, .request_id = 99, .signal = 2 };
        assert_int_equal(heard_send(&signal, s.c, &q, NULL), HATCHERY_OK);
        fake_signalled(&s.f, fake_read_id(&s.f, REQUEST_SIGNAL), false);
        assert_int_equal(signal.answer, hatchery_v1_ServerMessage_signalled_tag);
        q = (struct request){ .kind = REQUEST_CANCEL_RUN, .run_id = span_of_text("mine") };
        assert_int_equal(heard_send(&cancel, s.c, &q, NULL), HATCHERY_OK);
        a = (struct answer){ .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = fake_read_id(&s.f, REQUEST_CANCEL_RUN);
        a.m.which_answer = hatchery_v1_ServerMessage_cancelled_tag;
        fake_say(&s.f, &a);
        assert_int_equal(cancel.answer, hatchery_v1_ServerMessage_cancelled_tag);
        q = heard_program();
        assert_int_equal(heard_send(&refused, s.c, &q, NULL), HATCHERY_OK);
        fake_error(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), hatchery_v1_Error_Code_NOT_FOUND, 0);
        assert_int_equal(refused.refused, hatchery_v1_Error_Code_NOT_FOUND);
        assert_false(refused.refusal_may_have_run);
        q.kind = REQUEST_CREDIT; /* a credit has no answer */
        assert_int_equal(heard_send(&refused, s.c, &q, NULL), -EINVAL);
        scene_end(&s);
}

static void a_request_says_for_whom_it_is_and_what_it_is_called(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        struct request q = heard_program();

        q.has_on_behalf = true;
        q.on_behalf.peer = span_of_text("4abcd");
        q.on_behalf.trace = span_of_text("00-0af7-b7ad-01");
        q.execute.run_id = span_of_text("mine");
        q.execute.idempotency_key = span_of_text("once");
        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        struct fake_request came = fake_read(&s.f, REQUEST_EXECUTE);
        assert_true(came.q.has_on_behalf);
        assert_span_text(came.q.on_behalf.peer, "4abcd");
        assert_span_text(came.q.on_behalf.trace, "00-0af7-b7ad-01");
        assert_span_text(came.q.execute.run_id, "mine");
        assert_span_text(came.q.execute.idempotency_key, "once");
        fake_result(&s.f, came.q.id, "");
        fake_release(&came);
        assert_int_equal(h.ends, 1);
        scene_end(&s);
}

static void a_refusal_says_whether_the_program_may_have_run(void **state)
{
        (void)state;
        static const struct {
                hatchery_v1_Error_Code code;
                uint64_t retry_after_ms;
                bool may_have_run;
        } rows[] = {
                { hatchery_v1_Error_Code_CANCELLED, 0, false },
                { hatchery_v1_Error_Code_INVALID_ARGUMENT, 0, false },
                { hatchery_v1_Error_Code_DEADLINE_EXCEEDED, 0, false },
                { hatchery_v1_Error_Code_PERMISSION_DENIED, 0, false },
                { hatchery_v1_Error_Code_UNIMPLEMENTED, 0, false },
                { hatchery_v1_Error_Code_UNAUTHENTICATED, 0, false },
                { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 10, false },
                { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 0, true }, /* perhaps its result was too long */
                { hatchery_v1_Error_Code_UNAVAILABLE, 10, true },       /* perhaps lost while it ran */
                { hatchery_v1_Error_Code_INTERNAL, 0, true },
                { hatchery_v1_Error_Code_ABORTED, 0, false },
                { (hatchery_v1_Error_Code)77, 0, true },
        };
        struct scene s;
        const struct request q = heard_program();

        scene_begin(&s);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct heard h = { 0 };
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                fake_error(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), rows[i].code, rows[i].retry_after_ms);
                assert_int_equal(h.ends, 1);
                assert_int_equal(h.refused, rows[i].code);
                assert_int_equal(h.refusal_may_have_run, rows[i].may_have_run);
        }
        scene_end(&s);
}

static struct hatchery_answer kept;

static void keep(void *data, struct hatchery_call *call, struct hatchery_answer *a)
{
        (void)data;
        (void)call;
        hatchery_answer_move(&kept, a);
}

static void an_answer_can_be_kept(void **state)
{
        (void)state;
        struct scene s;
        const struct request q = heard_program();
        const struct hatchery_call_ops ops = { .answered = keep };

        scene_begin(&s);
        assert_int_equal(hatchery_client_send(s.c, &q, NULL, &ops, NULL, NULL, NULL), HATCHERY_OK);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "kept");
        scene_end(&s);
        assert_span_text(kept.answer.out, "kept");
        hatchery_answer_fini(&kept);
}

static void frames_in_pieces_and_many_in_one_are_the_same(void **state)
{
        (void)state;
        struct scene s;
        struct heard h[2] = { 0 };
        const struct request q = { .kind = REQUEST_PING };
        OWN_MEM uint8_t *both = NULL;
        size_t len[2];

        for (int piece = 1; piece <= 2; piece++) {
                memset(h, 0, sizeof h);
                scene_begin(&s);
                for (int i = 0; i < 2; i++) {
                        assert_int_equal(heard_send(&h[i], s.c, &q, NULL), HATCHERY_OK);
                        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
                        a.m.id = fake_read_id(&s.f, REQUEST_PING);
                        a.m.which_answer = hatchery_v1_ServerMessage_pong_tag;
                        OWN_MEM uint8_t *frame = fake_frame(&a, &len[i]);
                        uint8_t *more = realloc(both, i ? len[0] + len[1] : len[0]);
                        assert_non_null(more);
                        both = more;
                        memcpy(both + (i ? len[0] : 0), frame, len[i]);
                }
                for (size_t at = 0; piece == 1 && at < len[0] + len[1]; at++) {
                        assert_int_equal(h[0].ends, at >= len[0]);
                        fake_say_bytes(&s.f, both + at, 1);
                }
                if (piece == 2)
                        fake_say_bytes(&s.f, both, len[0] + len[1]);
                assert_int_equal(h[0].ends + h[1].ends, 2);
                scene_end(&s);
        }
}

/* ---------------------------------------------------------------- a server that is wrong */

static void say_answer_to_another(struct fake *f, uint64_t id)
{
        fake_pong(f, id + 100);
}

static void say_another_kind(struct fake *f, uint64_t id)
{
        fake_pong(f, id);
}

static void say_no_frame(struct fake *f, uint64_t id)
{
        (void)id;
        fake_say_bytes(f, "HTTP/1.1 400 Bad Request", 24);
}

static void say_too_long(struct fake *f, uint64_t id)
{
        (void)id;
        fake_say_bytes(f, "\0\xff\xff\xff\xff", 5);
}

static void say_answer_to_none(struct fake *f, uint64_t id)
{
        (void)id;
        fake_pong(f, 0);
}

static void say_credit_to_none(struct fake *f, uint64_t id)
{
        fake_credit(f, id + 100, 5, false);
}

static void say_output_unasked(struct fake *f, uint64_t id)
{
        fake_output(f, id, 0, 0, "x", 1);
}

static void say_stage_unasked(struct fake *f, uint64_t id)
{
        fake_stage(f, id, hatchery_v1_Stage_Kind_RUN);
}

static void say_unreadable(struct fake *f, uint64_t id)
{
        (void)id;
        fake_say_bytes(f, "\0\0\0\0\x02\xff\xff", 7);
}

static void say_damaged_lz4(struct fake *f, uint64_t id)
{
        (void)id;
        fake_say_bytes(f, "\x01\0\0\0\x04\x04\x22\x4d\x18", 9);
}

static void what_a_server_must_not_say_ends_the_connection(void **state)
{
        (void)state;
        void (*const wrong[])(struct fake *, uint64_t) = {
                say_answer_to_another, say_another_kind,   say_no_frame,      say_too_long,   say_answer_to_none,
                say_credit_to_none,    say_output_unasked, say_stage_unasked, say_unreadable, say_damaged_lz4,
        };
        const struct request q = heard_program();

        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
                struct scene s;
                struct heard h = { 0 };
                scene_begin_with(&s, (struct hatchery_client_config){ .once = true });
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                wrong[i](&s.f, fake_read_id(&s.f, REQUEST_EXECUTE));
                assert_int_equal(h.ends, 1);
                assert_true(h.failed);
                assert_int_equal(h.failure.kind, HATCHERY_PROTOCOL);
                assert_true(h.failure.may_have_run);
                assert_false(hatchery_client_is_connected(s.c));
                assert_int_equal(heard_send(&h, s.c, &q, NULL), -ENOTCONN);
                scene_end(&s);
        }
}

static void a_message_that_is_too_new_ends_its_call_alone(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, other = { 0 };
        const struct request q = heard_program();

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(heard_send(&other, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE), other_id = fake_read_id(&s.f, REQUEST_EXECUTE);
        const uint8_t frame[] = { 0, 0, 0, 0, 5, 0x08, (uint8_t)id, 0xfa, 0x01, 0 }; /* an unknown field 31 */
        fake_say_bytes(&s.f, frame, sizeof frame);
        assert_int_equal(h.failure.kind, HATCHERY_PROTOCOL);
        fake_result(&s.f, id, "late");
        fake_result(&s.f, other_id, "well");
        assert_int_equal(h.ends, 1);
        assert_string_equal(other.result, "well");
        scene_end(&s);
}

static void what_comes_after_an_answer_is_passed_over(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, other = { 0 };
        const struct request q = heard_stream(), ping = { .kind = REQUEST_PING };

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        fake_result(&s.f, id, "");
        fake_result(&s.f, id, "");
        fake_output(&s.f, id, 0, 0, "late", 4);
        fake_credit(&s.f, id, 5, true);
        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_RUN);
        assert_int_equal(h.ends, 1);
        assert_int_equal(h.outputs + h.closed + h.stages, 0);
        assert_int_equal(heard_send(&other, s.c, &ping, NULL), HATCHERY_OK);
        fake_pong(&s.f, fake_read_id(&s.f, REQUEST_PING));
        assert_int_equal(other.ends, 1);
        scene_end(&s);
}

/* ---------------------------------------------------------------- cancelled and abandoned */

static void a_cancel_is_sent_once_and_the_end_is_the_servers(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        assert_int_equal(hatchery_call_cancel(h.call), 0);
        assert_int_equal(hatchery_call_cancel(h.call), 0);
        struct fake_request r = fake_read(&s.f, REQUEST_CANCEL);
        assert_int_equal(r.q.request_id, id);
        assert_true(r.q.id != id && r.q.id != 0);
        struct answer a = { .m = hatchery_v1_ServerMessage_init_zero };
        a.m.id = r.q.id;
        a.m.which_answer = hatchery_v1_ServerMessage_cancelled_tag;
        a.m.answer.cancelled.found = true;
        fake_say(&s.f, &a);
        fake_release(&r);
        assert_int_equal(h.ends, 0);
        fake_error(&s.f, id, hatchery_v1_Error_Code_CANCELLED, 0);
        assert_int_equal(h.ends, 1);
        assert_int_equal(h.refused, hatchery_v1_Error_Code_CANCELLED);
        assert_true(fake_heard_nothing(&s.f));
        scene_end(&s);
}

static void an_abandoned_call_is_cancelled_and_told_nothing(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_stream();

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        hatchery_call_abandon(h.call);
        assert_int_equal(hatchery_client_calls(s.c), 0);
        struct fake_request r = fake_read(&s.f, REQUEST_CANCEL);
        assert_int_equal(r.q.request_id, id);
        fake_release(&r);
        fake_output(&s.f, id, 0, 0, "x", 1);
        fake_result(&s.f, id, "");
        assert_int_equal(h.ends + h.outputs, 0);
        assert_true(hatchery_client_is_connected(s.c));
        scene_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(many_in_flight_are_answered_in_the_servers_order),
                cmocka_unit_test(each_kind_has_its_answer),
                cmocka_unit_test(a_request_says_for_whom_it_is_and_what_it_is_called),
                cmocka_unit_test(a_refusal_says_whether_the_program_may_have_run),
                cmocka_unit_test(an_answer_can_be_kept),
                cmocka_unit_test(frames_in_pieces_and_many_in_one_are_the_same),
                cmocka_unit_test(what_a_server_must_not_say_ends_the_connection),
                cmocka_unit_test(a_message_that_is_too_new_ends_its_call_alone),
                cmocka_unit_test(what_comes_after_an_answer_is_passed_over),
                cmocka_unit_test(a_cancel_is_sent_once_and_the_end_is_the_servers),
                cmocka_unit_test(an_abandoned_call_is_cancelled_and_told_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
