/* Calls of the asynchronous client: callbacks that do things, deadlines, second sendings, bounds. */
#include "client/async.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/frame.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---------------------------------------------------------------- callbacks that do things */

static void send_another(struct heard *h)
{
        struct heard *other = h->other;
        const struct request q = heard_program();
        if (!other->call && h->ends)
                assert_int_equal(heard_send(other, hatchery_call_client(h->call), &q, NULL), HATCHERY_OK);
}

static void a_callback_may_send(void **state)
{
        (void)state;
        struct scene s;
        struct heard second = { 0 }, first = { .then = send_another, .other = &second };
        const struct request q = heard_program();

        scene_begin(&s);
        assert_int_equal(heard_send(&first, s.c, &q, NULL), HATCHERY_OK);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "");
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "second");
        assert_string_equal(second.result, "second");
        scene_end(&s);
}

static void abandon_both(struct heard *h)
{
        struct heard *other = h->other;
        hatchery_call_abandon(h->call);
        if (other->call)
                hatchery_call_abandon(other->call);
        other->call = NULL;
}

static void a_callback_may_abandon_its_call_and_others(void **state)
{
        (void)state;
        enum { OUTPUT, STAGE, CLOSED, SIGNALLED, ANSWER, LOSS, ENDS };
        for (int how = 0; how < ENDS; how++) {
                struct scene s;
                struct heard other = { 0 }, h = { .then = abandon_both, .other = &other };
                const struct request q = heard_stream();
                scene_begin(&s);
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                assert_int_equal(heard_send(&other, s.c, &q, NULL), HATCHERY_OK);
                uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
                assert_true(id < fake_read_id(&s.f, REQUEST_EXECUTE));
                if (how == OUTPUT)
                        fake_output(&s.f, id, 0, 0, "x", 1);
                if (how == STAGE)
                        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_RUN);
                if (how == CLOSED)
                        fake_credit(&s.f, id, 0, true);
                if (how == SIGNALLED) {
                        assert_int_equal(hatchery_call_signal(h.call, 2), 0);
                        fake_signalled(&s.f, fake_read_id(&s.f, REQUEST_SIGNAL), true);
                }
                if (how == ANSWER)
                        fake_result(&s.f, id, "");
                if (how == LOSS)
                        fake_hang_up(&s.f);
                fake_settle(&s.f);
                assert_int_equal(hatchery_client_calls(s.c), 0);
                assert_int_equal(other.ends, 0);
                assert_int_equal(h.ends, how == ANSWER || how == LOSS);
                scene_end(&s);
        }
}

static void free_client(struct heard *h)
{
        struct scene *s = h->other;
        hatchery_client_free(s->c);
        s->f.client = NULL;
}

static void a_callback_may_free_the_client(void **state)
{
        (void)state;
        enum { OUTPUT, STAGE, CLOSED, ANSWER, LOSS, ENDS };
        for (int how = 0; how < ENDS; how++) {
                struct scene s;
                struct heard other = { 0 }, h = { .then = free_client, .other = &s };
                const struct request q = heard_stream();
                scene_begin(&s);
                assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
                assert_int_equal(heard_send(&other, s.c, &q, NULL), HATCHERY_OK);
                uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
                if (how == OUTPUT)
                        fake_output(&s.f, id, 0, 0, "x", 1);
                if (how == STAGE)
                        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_RUN);
                if (how == CLOSED)
                        fake_credit(&s.f, id, 0, true);
                if (how == ANSWER)
                        fake_result(&s.f, id, "");
                if (how == LOSS) {
                        fake_hang_up(&s.f);
                        fake_settle(&s.f);
                }
                assert_null(s.f.client);
                assert_int_equal(other.ends, 0);
                fake_close(&s.f);
        }
}

/* ---------------------------------------------------------------- deadlines */

static void the_server_is_told_the_deadline_and_has_a_grace(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();
        const struct hatchery_call_options options = { .deadline_us = 100000 };

        scene_begin_with(&s, (struct hatchery_client_config){ .grace_ms = 300 });
        const int64_t before = clock_ms();
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
        assert_int_equal(r.q.execute.deadline_us, 100000);
        const uint64_t id = r.q.id;
        fake_release(&r);
        scene_wait(&s, &h.ends, 1);
        assert_true(clock_ms() - before >= 390);
        assert_int_equal(h.failure.kind, HATCHERY_DEADLINE);
        assert_true(h.failure.may_have_run);
        assert_false(hatchery_client_is_connected(s.c)); /* the server sent nothing at all */
        (void)id;
        scene_end(&s);
}

static void a_server_that_speaks_is_not_dead(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, ping = { 0 };
        const struct request q = heard_program(), q_ping = { .kind = REQUEST_PING };
        const struct hatchery_call_options options = { .deadline_us = 50000 };

        scene_begin_with(&s, (struct hatchery_client_config){ .grace_ms = 300 });
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        assert_int_equal(heard_send(&ping, s.c, &q_ping, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE), ping_id = fake_read_id(&s.f, REQUEST_PING);
        usleep(100000);
        fake_pong(&s.f, ping_id); /* after the deadline, within the grace */
        scene_wait(&s, &h.ends, 1);
        assert_int_equal(h.failure.kind, HATCHERY_DEADLINE);
        assert_true(hatchery_client_is_connected(s.c));
        struct fake_request r = fake_read(&s.f, REQUEST_CANCEL);
        assert_int_equal(r.q.request_id, id);
        fake_release(&r);
        fake_result(&s.f, id, "late");
        assert_int_equal(h.ends, 1);
        scene_end(&s);
}

static void an_answer_within_the_grace_is_an_answer(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();
        const struct hatchery_call_options options = { .deadline_us = 1000 };

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        usleep(20000);
        fake_settle(&s.f);
        assert_int_equal(h.ends, 0);
        fake_error(&s.f, id, hatchery_v1_Error_Code_DEADLINE_EXCEEDED, 0);
        assert_int_equal(h.refused, hatchery_v1_Error_Code_DEADLINE_EXCEEDED);
        scene_end(&s);
}

static void a_ping_has_a_deadline_of_its_own(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = { .kind = REQUEST_PING };
        const struct hatchery_call_options options = { .deadline_us = 20000 };

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        scene_wait(&s, &h.ends, 1);
        assert_int_equal(h.failure.kind, HATCHERY_DEADLINE);
        assert_false(h.failure.may_have_run);
        assert_true(hatchery_client_is_connected(s.c));
        scene_end(&s);
}

static unsigned ended;
static size_t order[200];

static void note_end(struct heard *h)
{
        if (h->failed)
                order[ended++] = (size_t)(h - (struct heard *)h->other);
}

static void deadlines_pass_in_their_order(void **state)
{
        (void)state;
        enum { N = 200 };
        static struct heard h[N];
        uint64_t ids[N];
        uint64_t deadlines[N];
        struct scene s;
        const struct request q = { .kind = REQUEST_PING };

        memset(h, 0, sizeof h);
        ended = 0;
        scene_begin(&s);
        for (size_t i = 0; i < N; i++) {
                deadlines[i] = 500000 + i * 77 % N * 10000; /* each deadline once, in disorder */
                const struct hatchery_call_options options = { .deadline_us = deadlines[i] };
                deadlines[i] += (uint64_t)clock_us();
                h[i].then = note_end;
                h[i].other = h;
                assert_int_equal(heard_send(&h[i], s.c, &q, &options), HATCHERY_OK);
        }
        for (size_t i = 0; i < N; i++)
                ids[i] = fake_read_id(&s.f, REQUEST_PING);
        for (size_t i = 0; i < N; i += 2) /* half of them leave the heap from its middle */
                fake_pong(&s.f, ids[(i * 31 + 10) % N]);
        scene_wait(&s, &ended, N / 2);
        for (size_t i = 1; i < ended; i++) /* the client reads the clock a moment later */
                assert_true(deadlines[order[i]] + 100000 > deadlines[order[i - 1]]);
        for (size_t i = 0; i < N; i++)
                assert_int_equal(h[i].ends, 1);
        scene_end(&s);
}

/* ---------------------------------------------------------------- refusals that are sent again */

static void a_refusal_is_sent_again_where_that_is_safe(void **state)
{
        (void)state;
        static const struct {
                hatchery_v1_Error_Code code;
                uint64_t retry_after_ms;
                enum hatchery_retry retry;
                bool again;
        } rows[] = {
                { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 1, HATCHERY_RETRY_NEVER, false },
                { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 1, HATCHERY_RETRY_REFUSED, true },
                { hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 0, HATCHERY_RETRY_LOST, false },
                { hatchery_v1_Error_Code_UNAVAILABLE, 1, HATCHERY_RETRY_REFUSED, false },
                { hatchery_v1_Error_Code_UNAVAILABLE, 1, HATCHERY_RETRY_LOST, true },
                { hatchery_v1_Error_Code_UNAVAILABLE, 0, HATCHERY_RETRY_LOST, false },
                { hatchery_v1_Error_Code_INTERNAL, 1, HATCHERY_RETRY_LOST, false },
        };
        const struct request q = heard_program();

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct scene s;
                struct heard h = { 0 };
                const struct hatchery_call_options options = { .retry = rows[i].retry, .deadline_us = 10000000 };
                scene_begin(&s);
                assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
                fake_error(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), rows[i].code, rows[i].retry_after_ms);
                if (rows[i].again) {
                        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
                        assert_true(r.q.execute.deadline_us < 10000000 && r.q.execute.deadline_us > 1000000);
                        assert_span_text(r.q.execute.code, "print(6 * 7)");
                        fake_result(&s.f, r.q.id, "at last");
                        fake_release(&r);
                        assert_string_equal(h.result, "at last");
                }
                assert_int_equal(h.refused, rows[i].again ? 0 : rows[i].code);
                assert_int_equal(h.ends, 1);
                assert_true(fake_heard_nothing(&s.f));
                scene_end(&s);
        }
}

static void a_run_that_was_seen_is_not_sent_again(void **state)
{
        (void)state;
        const struct request q = heard_stream();
        const struct hatchery_call_options options = { .retry = HATCHERY_RETRY_LOST };
        for (int how = 0; how < 3; how++) {
                struct scene s;
                struct heard h = { 0 };
                scene_begin(&s);
                assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
                uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
                if (how == 0)
                        fake_output(&s.f, id, 1, 0, "x", 1);
                if (how == 1)
                        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_RUN);
                if (how == 2)
                        assert_int_equal(hatchery_call_write(h.call, "x", 1), 1);
                fake_error(&s.f, id, hatchery_v1_Error_Code_UNAVAILABLE, 1);
                assert_int_equal(h.refused, hatchery_v1_Error_Code_UNAVAILABLE);
                scene_end(&s);
        }
}

static void one_that_rests_can_be_cancelled_and_its_deadline_holds(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 }, late = { 0 };
        const struct request q = heard_program();
        struct hatchery_call_options options = { .retry = HATCHERY_RETRY_LOST };

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, &options), HATCHERY_OK);
        fake_error(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), hatchery_v1_Error_Code_UNAVAILABLE, 60000);
        assert_int_equal(h.ends, 0);
        assert_int_equal(hatchery_call_cancel(h.call), 0);
        assert_int_equal(h.ends, 0); /* not before it returns */
        fake_settle(&s.f);
        assert_int_equal(h.failure.kind, HATCHERY_WITHDRAWN);
        assert_true(h.failure.may_have_run); /* the first time */
        options.deadline_us = 100000;
        assert_int_equal(heard_send(&late, s.c, &q, &options), HATCHERY_OK);
        fake_error(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), hatchery_v1_Error_Code_UNAVAILABLE, 60000);
        assert_int_equal(late.refused, hatchery_v1_Error_Code_UNAVAILABLE); /* no time for another sending */
        scene_end(&s);
}

/* ---------------------------------------------------------------- bounds */

static void calls_over_the_bound_are_not_taken(void **state)
{
        (void)state;
        struct scene s;
        struct heard h[3] = { 0 };
        const struct request q = heard_program();

        scene_begin_with(&s, (struct hatchery_client_config){ .max_calls = 2 });
        assert_int_equal(heard_send(&h[0], s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(heard_send(&h[1], s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(heard_send(&h[2], s.c, &q, NULL), HATCHERY_FULL);
        assert_int_equal(hatchery_call_signal(h[0].call, 2), HATCHERY_FULL);
        assert_int_equal(s.rooms, 0);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "");
        assert_int_equal(s.rooms, 1);
        assert_int_equal(heard_send(&h[2], s.c, &q, NULL), HATCHERY_OK);
        scene_end(&s);
}

static void bytes_over_the_bound_are_not_taken(void **state)
{
        (void)state;
        enum { LARGE = 1 << 20, MANY = 20 };
        struct scene s;
        static struct heard h[MANY];
        struct request q = heard_program();
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        unsigned taken = 0;

        memset(h, 0, sizeof h);
        assert_non_null(input);
        q.execute.standard_input = (struct span){ input, LARGE };
        scene_begin_with(&s, (struct hatchery_client_config){ .max_unsent = 3 * LARGE });
        while (taken < MANY && heard_send(&h[taken], s.c, &q, NULL) == HATCHERY_OK)
                taken++;
        assert_in_range(taken, 3, 5); /* the bytes that the socket holds come on top */
        fake_settle(&s.f);
        assert_int_equal(s.rooms, 0);
        for (unsigned i = 0; i < taken; i++)
                fake_read_id(&s.f, REQUEST_EXECUTE);
        assert_int_equal(s.rooms, 1);
        assert_int_equal(heard_send(&h[taken], s.c, &q, NULL), HATCHERY_OK);
        scene_end(&s);
}

static void large_messages_are_compressed(void **state)
{
        (void)state;
        enum { LARGE = 1 << 20 };
        struct scene s;
        struct heard h = { 0 };
        struct request q = heard_program();
        OWN_MEM uint8_t *input = calloc(1, LARGE);
        uint8_t first;

        assert_non_null(input);
        q.execute.standard_input = (struct span){ input, LARGE };
        scene_begin_with(&s, (struct hatchery_client_config){ .compress = true });
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(recv(s.f.sock, &first, 1, MSG_PEEK), 1);
        assert_int_equal(first, WIRE_FLAG_LZ4);
        struct fake_request r = fake_read(&s.f, REQUEST_EXECUTE);
        assert_int_equal(r.q.execute.standard_input.len, LARGE);
        assert_true(r.q.lz4);
        fake_release(&r);
        scene_end(&s);
}

static void waiting_in_a_callback_is_refused(struct heard *h)
{
        struct err e;
        assert_refused(hatchery_client_wait(hatchery_call_client(h->call), 0, &e), &e, EBUSY, "callback");
        hatchery_client_dispatch(hatchery_call_client(h->call)); /* does nothing */
}

static void a_callback_can_t_dispatch(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { .then = waiting_in_a_callback_is_refused };
        const struct request q = heard_program();

        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        fake_result(&s.f, fake_read_id(&s.f, REQUEST_EXECUTE), "");
        assert_int_equal(h.ends, 1);
        assert_int_equal(hatchery_api_version(), HATCHERY_API_VERSION);
        scene_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_callback_may_send),
                cmocka_unit_test(a_callback_may_abandon_its_call_and_others),
                cmocka_unit_test(a_callback_may_free_the_client),
                cmocka_unit_test(the_server_is_told_the_deadline_and_has_a_grace),
                cmocka_unit_test(a_server_that_speaks_is_not_dead),
                cmocka_unit_test(an_answer_within_the_grace_is_an_answer),
                cmocka_unit_test(a_ping_has_a_deadline_of_its_own),
                cmocka_unit_test(deadlines_pass_in_their_order),
                cmocka_unit_test(a_refusal_is_sent_again_where_that_is_safe),
                cmocka_unit_test(a_run_that_was_seen_is_not_sent_again),
                cmocka_unit_test(one_that_rests_can_be_cancelled_and_its_deadline_holds),
                cmocka_unit_test(calls_over_the_bound_are_not_taken),
                cmocka_unit_test(bytes_over_the_bound_are_not_taken),
                cmocka_unit_test(large_messages_are_compressed),
                cmocka_unit_test(a_callback_can_t_dispatch),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
