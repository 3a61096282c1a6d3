/* Calls with streams: credit for output, turns on a connection that is full, and what is told at each end. The other
 * direction is in call-stream-input.c. */
#include "pool/native/connection.h"
#include "proto/wire/wire.h"
#include "tests/unit/front.h"
#include "tests/unit/hear.h"
#include "tests/unit/streamed.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { KIB = 1024, FRAME = 64 * KIB };

static void output_goes_within_the_credit(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 5);
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(3), 0), 3);
        hear_output(f, client, 5, 3, 0);
        assert_int_equal(front_output(f, 0, STREAM_STDERR, bytes(FRAME + 1), 7), FRAME + 1);
        hear_output(f, client, 5, FRAME, 7); /* in pieces */
        hear_output(f, client, 5, 1, 7 + FRAME);
        const size_t left = WIRE_FIRST_CREDIT - FRAME - 4;
        for (size_t at = 0; at < left - 1; at += FRAME / 2) {
                const size_t n = left - 1 - at < FRAME / 2 ? left - 1 - at : FRAME / 2;
                assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(n), at), n);
                hear_output(f, client, 5, n, at);
        }
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(10), 99), 1);
        hear_output(f, client, 5, 1, 99);
        assert_int_equal(f->core.resumed, 0);
        credit(f, client, 5, 0);
        assert_int_equal(f->core.resumed, 0);
        credit(f, client, 5, 4);
        assert_int_equal(f->core.resumed, 1);
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(9), 100), 4);
        hear_output(f, client, 5, 4, 100);
        finish(f, client, 0, 5);
        leave(f, client);
}

static void no_sum_of_credit_overflows(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 5);
        for (int i = 0; i < 3; i++)
                credit(f, client, 5, UINT64_MAX);
        assert_int_equal(f->core.resumed, 0); /* it had not waited */
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(8), 0), 8);
        hear_output(f, client, 5, 8, 0);
        finish(f, client, 0, 5);
        leave(f, client);
}

static void fill(struct front *f, size_t i, uint64_t *at)
{
        size_t n;

        while ((n = front_output(f, i, STREAM_STDOUT, bytes(FRAME), *at)) == FRAME)
                *at += n;
        *at += n;
}

static size_t order[64], n_order;

static void note(struct execution *x)
{
        assert_true(n_order < 64);
        order[n_order++] = (size_t)(x - x->core->execution);
}

/* The stream that is resumed first is the last to be resumed again. */
static void a_connection_that_is_full_takes_no_more(void **state)
{
        (void)state;
        enum { STREAMS = 3 };
        struct front *f = front_new();
        int client = front_connect(f);
        uint64_t at[STREAMS] = { 0 };
        static uint8_t sink[FRAME];

        for (uint64_t id = 1; id <= STREAMS; id++) {
                begin(f, client, id);
                credit(f, client, id, UINT64_MAX);
        }
        for (size_t i = 0; i < STREAMS; i++)
                fill(f, i, &at[i]);
        assert_int_equal(at[1] + at[2], 0);
        assert_true(at[0] > 256 * KIB);
        assert_true(f->memory.used < 256 * KIB + 2 * FRAME);
        for (int i = 0; i < 4; i++)
                front_round(f);
        assert_int_equal(f->core.resumed, 0); /* nothing was read */

        n_order = 0;
        f->core.on_resume = note;
        while (f->core.resumed < STREAMS) {
                while (read(client, sink, sizeof sink) > 0)
                        ;
                front_round(f);
        }
        for (size_t i = 0; i < STREAMS; i++)
                assert_int_equal(order[i], i);
        assert_true(f->memory.used < 128 * KIB + 2 * FRAME);
        leave(f, client);
}

static size_t took_in_turn, took_out_of_turn;

static void take_turn(struct execution *x)
{
        struct execution *other = x == &x->core->execution[0] ? &x->core->execution[1] : &x->core->execution[0];

        took_out_of_turn += other->sink->ops->output(other->sink, STREAM_STDERR, bytes(1), 0, 1);
        took_in_turn += x->sink->ops->output(x->sink, STREAM_STDERR, bytes(1), 0, 1);
        x->core->on_resume = NULL;
}

/* One that runs on does not take the place of those that wait, though there is room. */
static void each_waits_behind_those_that_wait(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        uint64_t at = 0, none = 0;
        static uint8_t sink[FRAME];

        for (uint64_t id = 1; id <= 4; id++) {
                begin(f, client, id);
                credit(f, client, id, UINT64_MAX);
        }
        fill(f, 1, &at);
        fill(f, 2, &none);
        fill(f, 3, &none);
        f->core.on_resume = take_turn;
        while (f->core.resumed == 0) {
                while (read(client, sink, sizeof sink) > 0)
                        ;
                front_round(f);
        }
        assert_int_equal(took_in_turn, 1);
        assert_int_equal(took_out_of_turn, 0);
        leave(f, client);
}

/* With a turn of the loop between them, so that other clients have theirs. */
static void many_are_resumed_bit_by_bit(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        uint64_t at = 0, none = 0;
        static uint8_t sink[FRAME];
        int rounds = 0;

        for (uint64_t id = 1; id <= FRONT_MAX_EXECUTIONS; id++) {
                begin(f, client, id);
                credit(f, client, id, UINT64_MAX);
        }
        fill(f, 0, &at);
        for (size_t i = 1; i < FRONT_MAX_EXECUTIONS; i++)
                fill(f, i, &none);
        assert_int_equal(none, 0);
        for (; f->core.resumed < FRONT_MAX_EXECUTIONS; rounds++) {
                const unsigned before = f->core.resumed;
                while (read(client, sink, sizeof sink) > 0)
                        ;
                front_round(f);
                assert_true(f->core.resumed - before <= 4);
                assert_true(rounds < 1000);
        }
        leave(f, client);
}

static void what_is_cancelled_waits_for_nothing(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        for (size_t at = 0; at < WIRE_FIRST_CREDIT; at += FRAME) {
                assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(FRAME), at), FRAME);
                hear_output(f, client, 1, FRAME, at);
        }
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(1), WIRE_FIRST_CREDIT), 0);
        say(f, client, (struct request){ .id = 2, .kind = REQUEST_CANCEL, .request_id = 1 });
        assert_int_equal(f->core.resumed, 1);
        assert_int_equal(f->core.cancelled, 1);
        hear_error(f, client, 1, REFUSAL_CANCELLED, "cancelled");
        leave(f, client);
}

static size_t taken[2];

static void tell_rest_and_end(struct execution *x)
{
        const struct outcome o = { .end.status = OUTCOME_EXITED, .language = "none", .language_version = "" };
        struct sink *sink = x->sink;

        taken[0] = sink->ops->output(sink, STREAM_STDOUT, bytes(100), WIRE_FIRST_CREDIT, 1);
        taken[1] = sink->ops->output(sink, STREAM_STDERR, bytes(100), 0, 1);
        free(x->payload.buffer);
        *x = (struct execution){ .core = x->core };
        sink->ops->finished(sink, &o);
}

/* It was over, and ends within the call: so it is not cancelled as well. */
static void what_is_over_ends_as_it_was_when_cancelled(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        for (size_t at = 0; at < WIRE_FIRST_CREDIT; at += FRAME) {
                front_output(f, 0, STREAM_STDOUT, bytes(FRAME), at);
                hear_output(f, client, 1, FRAME, at);
        }
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(1), WIRE_FIRST_CREDIT), 0);
        f->core.on_resume = tell_rest_and_end;
        say(f, client, (struct request){ .id = 2, .kind = REQUEST_CANCEL, .request_id = 1 });
        assert_int_equal(taken[0], 100); /* thrown away */
        assert_int_equal(taken[1], 100);
        assert_int_equal(f->core.cancelled, 0);
        hear_result(f, client, 1, NULL, NULL);
        leave(f, client);
}

static void drop_and_go_on(struct execution *x)
{
        struct sink *sink = x->sink;

        assert_int_equal(sink->ops->output(sink, STREAM_STDOUT, bytes(100), WIRE_FIRST_CREDIT, 1), 100);
}

/* Behind bytes that were thrown away no others come, though there is credit again. */
static void no_output_has_a_gap(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        for (size_t at = 0; at < WIRE_FIRST_CREDIT; at += FRAME) {
                front_output(f, 0, STREAM_STDOUT, bytes(FRAME), at);
                hear_output(f, client, 1, FRAME, at);
        }
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(1), WIRE_FIRST_CREDIT), 0);
        f->core.cancels_late = true;
        f->core.on_resume = drop_and_go_on;
        say(f, client, (struct request){ .id = 2, .kind = REQUEST_CANCEL, .request_id = 1 });
        struct answer a;
        uint8_t *body;
        hear(f, client, 2, hatchery_v1_ServerMessage_cancelled_tag, &a, &body);
        drop(&a, body);
        credit(f, client, 1, 1000);
        assert_int_equal(front_output(f, 0, STREAM_STDOUT, bytes(5), WIRE_FIRST_CREDIT + 100), 5);
        assert_int_equal(front_output(f, 0, STREAM_STDERR, bytes(5), 0), 5);
        finish(f, client, 0, 1);
        leave(f, client);
}

/* One that waits for room ends, and the others go on without it. */
static void one_that_has_ended_has_no_turn(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        uint64_t at = 0, none = 0;
        static uint8_t sink[FRAME];

        for (uint64_t id = 1; id <= 3; id++) {
                begin(f, client, id);
                credit(f, client, id, UINT64_MAX);
        }
        for (size_t i = 0; i < 3; i++)
                fill(f, i, i == 0 ? &at : &none);
        front_refuse(f, 1, REFUSAL_INTERNAL, "a fault");
        n_order = 0;
        f->core.on_resume = note;
        while (f->core.resumed < 2) {
                while (read(client, sink, sizeof sink) > 0)
                        ;
                front_round(f);
        }
        for (int i = 0; i < 4; i++)
                front_round(f);
        assert_int_equal(n_order, 2);
        assert_int_equal(order[0], 0);
        assert_int_equal(order[1], 2);
        leave(f, client);
}

static void what_a_client_that_has_left_would_get_is_thrown_away(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        credit(f, client, 1, UINT64_MAX);
        close(client);
        uint64_t at = 0;
        for (int i = 0; i < 20 && f->core.execution[0].sink; i++) {
                at += front_output(f, 0, STREAM_STDOUT, bytes(FRAME), at);
                front_round(f);
        }
        while (native_connections(f->native) > 0)
                front_round(f);
        assert_int_equal(f->core.abandoned, 1);
        front_free(f);
}

static void stages_are_told(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        struct answer a;
        uint8_t *body;

        begin(f, client, 3);
        front_stage(f, 0, STAGE_COMPILE);
        usleep(2000);
        front_stage(f, 0, STAGE_RUN);
        hear(f, client, 3, hatchery_v1_ServerMessage_stage_tag, &a, &body);
        assert_int_equal(a.m.answer.stage.kind, hatchery_v1_Stage_Kind_COMPILE);
        const uint64_t first = a.m.answer.stage.at_us;
        drop(&a, body);
        hear(f, client, 3, hatchery_v1_ServerMessage_stage_tag, &a, &body);
        assert_int_equal(a.m.answer.stage.kind, hatchery_v1_Stage_Kind_RUN);
        assert_true(a.m.answer.stage.at_us >= first + 2000);
        drop(&a, body);

        usleep(2000); /* times of output count from the run's beginning */
        front_output(f, 0, STREAM_STDOUT, bytes(1), 0);
        hear(f, client, 3, hatchery_v1_ServerMessage_output_tag, &a, &body);
        assert_in_range(a.m.answer.output.at_us, 2000, 1000000);
        drop(&a, body);
        finish(f, client, 0, 3);
        leave(f, client);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        streamed_fill();
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(output_goes_within_the_credit),
                cmocka_unit_test(no_sum_of_credit_overflows),
                cmocka_unit_test(a_connection_that_is_full_takes_no_more),
                cmocka_unit_test(each_waits_behind_those_that_wait),
                cmocka_unit_test(many_are_resumed_bit_by_bit),
                cmocka_unit_test(what_is_cancelled_waits_for_nothing),
                cmocka_unit_test(what_is_over_ends_as_it_was_when_cancelled),
                cmocka_unit_test(no_output_has_a_gap),
                cmocka_unit_test(one_that_has_ended_has_no_turn),
                cmocka_unit_test(what_a_client_that_has_left_would_get_is_thrown_away),
                cmocka_unit_test(stages_are_told),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
