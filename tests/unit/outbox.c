/* Outboxes of a gateway's connection: callers take turns. A caller that holds too much loses its own answers. The
 * connection stays open. */
#include "pool/native/outbox.h"

#include "pool/native/connection_parts.h"
#include "proto/wire/frame.h"
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB, BIG = 600 * KIB };

static char big[BIG];

static void execute(struct front *f, int client, uint64_t id, const char *peer, bool stream)
{
        const struct request r = {
                .id = id,
                .has_on_behalf = true,
                .on_behalf.peer = span_of_text(peer),
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text("none"), .stream = stream },
        };
        const size_t begun = f->core.begun + 1;

        front_say(client, &r);
        while (f->core.begun < begun)
                front_round(f);
}

static void turn(struct front *f)
{
        for (int i = 0; i < 6; i++)
                front_round(f);
}

static void finish(struct front *f, size_t i, size_t out)
{
        const struct outcome o = {
                .end.status = OUTCOME_EXITED,
                .output.out = { (const uint8_t *)big, out },
                .language = "none",
                .language_version = "",
        };
        front_finish(f, i, &o);
}

/* The parts of an answer that the tests compare. */
struct heard {
        uint64_t id;
        pb_size_t which;
        int code;
        size_t out;
        char text[512];
};

static struct heard hear(struct front *f, int client)
{
        struct answer a;
        uint8_t *bytes;

        front_hear(f, client, &a, &bytes);
        struct heard h = { .id = a.m.id, .which = a.m.which_answer, .out = a.out.len };
        if (h.which == hatchery_v1_ServerMessage_error_tag) {
                h.code = (int)a.m.answer.error.code;
                snprintf(h.text, sizeof h.text, "%s", a.m.answer.error.message);
        }
        answer_fini(&a);
        free(bytes);
        return h;
}

static void assert_result(const struct heard *h, uint64_t id, size_t out)
{
        assert_int_equal(h->which, hatchery_v1_ServerMessage_result_tag);
        assert_int_equal(h->id, id);
        assert_int_equal(h->out, out);
}

static void assert_lost(const struct heard *h, uint64_t id)
{
        assert_int_equal(h->which, hatchery_v1_ServerMessage_error_tag);
        assert_int_equal(h->id, id);
        assert_int_equal(h->code, REFUSAL_RESOURCE_EXHAUSTED);
        assert_non_null(strstr(h->text, "lost"));
}

static struct connection *server_end(struct front *f)
{
        return LIST_FIRST(&f->native->connections);
}

/* ---------------------------------------------------------------- turns */

static void answers_of_many_callers_take_turns(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        for (uint64_t id = 1; id <= 6; id++)
                execute(f, client, id, "flood", false);
        execute(f, client, 7, "calm", false);
        for (size_t i = 0; i < 6; i++)
                finish(f, i, BIG);
        finish(f, 6, 10);
        assert_int_equal(server_end(f)->n_callers, 2);

        /* The first two answers of the flood were being sent already. */
        bool calm_came = false;
        for (int i = 0; i < 7; i++) {
                struct heard h = hear(f, client);
                calm_came |= h.id == 7;
                if (i == 3)
                        assert_true(calm_came);
        }
        turn(f);
        assert_int_equal(server_end(f)->n_callers, 0);
        assert_int_equal(server_end(f)->queued, 0);
        close(client);
        front_free(f);
}

static void answers_of_one_request_keep_their_order(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        execute(f, client, 1, "flood", false);
        execute(f, client, 2, "flood", false);
        execute(f, client, 3, "stream", true);
        finish(f, 0, BIG); /* the socket is full */
        finish(f, 1, BIG);
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(front_output(f, 2, STREAM_STDOUT, (struct span){ (uint8_t *)big, 1000 }, 1000 * i),
                                 1000);
        finish(f, 2, 0);
        uint64_t last_of_stream = 0;
        for (int i = 0; i < 6; i++) {
                struct heard h = hear(f, client);
                if (h.id == 3 && h.which == hatchery_v1_ServerMessage_output_tag)
                        assert_int_equal(last_of_stream++ < 3, 1);
                else if (h.id == 3)
                        assert_int_equal(last_of_stream, 3);
        }
        close(client);
        front_free(f);
}

static void a_stream_waits_for_its_own_caller_only(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);
        const struct span piece = { (uint8_t *)big, 128 * KIB };

        execute(f, client, 1, "flood", false);
        execute(f, client, 2, "flood", true);
        execute(f, client, 3, "calm", true);
        finish(f, 0, BIG); /* the socket is full */
        assert_int_equal(front_output(f, 1, STREAM_STDOUT, piece, 0), piece.len);
        size_t taken = front_output(f, 1, STREAM_STDOUT, piece, piece.len);
        assert_true(taken <= piece.len);
        assert_int_equal(front_output(f, 2, STREAM_STDOUT, piece, 0), piece.len);
        close(client);
        front_free(f);
}

static struct {
        const struct front *front;
        size_t order[8], n;
        size_t unsent; /* on the connection, at the first call */
} resumed;

static void note_resumed(struct execution *x)
{
        struct connection *c = LIST_FIRST(&resumed.front->native->connections);

        if (resumed.n == 0)
                resumed.unsent = connection_unsent(c);
        resumed.order[resumed.n++ % 8] = (size_t)(x - resumed.front->core.execution);
}

/* The stream of a caller with room goes on, although a caller before it has none, and the connection is full. */
static void a_stream_goes_on_as_soon_as_its_own_caller_has_room(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);
        const struct span piece = { (uint8_t *)big, 64 * KIB };
        const struct request credit = { .kind = REQUEST_CREDIT, .request_id = 6, .credit_bytes = MIB };

        for (uint64_t id = 1; id <= 4; id++)
                execute(f, client, id, "flood", false);
        execute(f, client, 5, "flood", true);
        execute(f, client, 6, "calm", true);
        front_say(client, &credit);
        turn(f);
        for (size_t i = 0; i < 4; i++)
                finish(f, i, BIG); /* the first one fills the socket */
        assert_int_equal(front_output(f, 4, STREAM_STDOUT, piece, 0), 0);
        uint64_t sent = 0;
        while (front_output(f, 5, STREAM_STDOUT, piece, sent) == piece.len)
                sent += piece.len;
        assert_in_range(sent, 256 * KIB, 512 * KIB);

        resumed.front = f;
        resumed.n = 0;
        f->core.on_resume = note_resumed;
        while (resumed.n == 0)
                hear(f, client);
        assert_int_equal(resumed.order[0], 5);
        assert_true(resumed.unsent > 256 * KIB);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- loss */

static void the_caller_who_holds_most_loses_and_not_the_last_one(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        for (uint64_t id = 1; id <= 3; id++)
                execute(f, client, id, "flood", false);
        execute(f, client, 4, "calm", false);
        for (size_t i = 0; i < 3; i++)
                finish(f, i, BIG); /* the first one is being sent */
        f->memory.max = f->memory.used + 1;
        finish(f, 3, BIG / 2);
        turn(f);
        for (int i = 0; i < 4; i++) {
                struct heard h = hear(f, client);
                if (h.id == 2 || h.id == 3)
                        assert_lost(&h, h.id);
                else
                        assert_result(&h, h.id, h.id == 4 ? BIG / 2 : BIG);
        }
        close(client);
        front_free(f);
}

static void a_caller_who_holds_too_much_loses_its_answers(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        for (uint64_t id = 1; id <= 5; id++)
                execute(f, client, id, "flood", false);
        execute(f, client, 6, "calm", false);
        finish(f, 0, BIG); /* an answer that is being sent is not lost */
        finish(f, 5, BIG / 2);
        f->memory.max = 2 * MIB;
        for (size_t i = 1; i < 5; i++)
                finish(f, i, BIG);
        turn(f);
        assert_true(f->memory.used <= f->memory.max);
        assert_int_equal(native_connections(f->native), 1);

        unsigned lost = 0;
        for (int i = 0; i < 6; i++) {
                struct heard h = hear(f, client);
                if (h.which == hatchery_v1_ServerMessage_error_tag) {
                        assert_lost(&h, h.id);
                        assert_in_range(h.id, 2, 5);
                        lost++;
                } else {
                        assert_result(&h, h.id, h.id == 6 ? BIG / 2 : BIG);
                }
        }
        assert_true(lost >= 2);

        execute(f, client, 7, "flood", false); /* the caller is served again */
        finish(f, 6, 5);
        struct heard h = hear(f, client);
        assert_result(&h, 7, 5);
        close(client);
        front_free(f);
}

static void a_stream_that_lost_output_ends_and_shows_no_gap(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);
        const struct span piece = { (uint8_t *)big, 60 * KIB };

        execute(f, client, 1, "calm", false);
        execute(f, client, 2, "flood", true);
        finish(f, 0, BIG); /* the socket is full */
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(front_output(f, 1, STREAM_STDOUT, piece, i * piece.len), piece.len);
        assert_int_equal(f->core.abandoned, 0);
        outbox_evict(LIST_FIRST(&f->native->connections)->ready.tqh_first);
        /* The core may be in a call about this run now, so the run still exists. Its next output is lost, too. */
        assert_int_equal(front_output(f, 1, STREAM_STDOUT, piece, 3 * piece.len), piece.len);
        assert_int_equal(f->core.abandoned, 0);
        turn(f);
        assert_int_equal(f->core.abandoned, 1);

        struct heard h = hear(f, client);
        assert_result(&h, 1, BIG);
        h = hear(f, client);
        assert_lost(&h, 2);
        turn(f);
        assert_int_equal(server_end(f)->n_callers, 0);
        close(client);
        front_free(f);
}

static void one_caller_has_a_bound_of_its_own(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        f->config.max_unsent_bytes = 1 * MIB;
        f->config.max_answer_bytes = 1 * MIB;
        for (uint64_t id = 1; id <= 8; id++)
                execute(f, client, id, "flood", false);
        execute(f, client, 9, "calm", false);
        for (size_t i = 0; i < 8; i++)
                finish(f, i, BIG);
        finish(f, 8, BIG);
        turn(f);
        assert_int_equal(native_connections(f->native), 1);

        unsigned results = 0, lost = 0;
        bool calm = false;
        for (int i = 0; i < 9; i++) {
                struct heard h = hear(f, client);
                if (h.which == hatchery_v1_ServerMessage_error_tag) {
                        assert_lost(&h, h.id);
                        lost++;
                } else {
                        results++;
                        calm |= h.id == 9;
                }
        }
        assert_true(calm);
        assert_true(lost >= 1 && lost <= 4);
        assert_int_equal(results + lost, 9);
        close(client);
        front_free(f);
}

static void a_gateway_that_leaves_with_answers_waiting_leaves_nothing(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect_gateway(f);

        for (uint64_t id = 1; id <= 4; id++)
                execute(f, client, id, id % 2 ? "a" : "b", id == 4);
        for (size_t i = 0; i < 3; i++)
                finish(f, i, BIG);
        outbox_evict(server_end(f)->ready.tqh_first);
        close(client);
        while (native_connections(f->native) > 0)
                front_round(f);
        assert_int_equal(f->core.abandoned, 1);
        assert_null(f->native->books.tree);
        assert_null(f->native->hoards.top);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        memset(big, 'x', sizeof big);
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_of_many_callers_take_turns),
                cmocka_unit_test(answers_of_one_request_keep_their_order),
                cmocka_unit_test(a_stream_waits_for_its_own_caller_only),
                cmocka_unit_test(a_stream_goes_on_as_soon_as_its_own_caller_has_room),
                cmocka_unit_test(the_caller_who_holds_most_loses_and_not_the_last_one),
                cmocka_unit_test(a_caller_who_holds_too_much_loses_its_answers),
                cmocka_unit_test(a_stream_that_lost_output_ends_and_shows_no_gap),
                cmocka_unit_test(one_caller_has_a_bound_of_its_own),
                cmocka_unit_test(a_gateway_that_leaves_with_answers_waiting_leaves_nothing),
        };
        return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
