/* Calls with streams: credit both ways, turns on a connection that is full, signals, and what is told at each end. */
#include "pool/native/connection.h"
#include "proto/wire/wire.h"
#include "tests/unit/front.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KIB = 1024, FRAME = 64 * KIB, MUCH = 4 * WIRE_FIRST_CREDIT };

static uint8_t data[MUCH];

static struct span bytes(size_t len)
{
        return (struct span){ data, len };
}

static void wait_for(struct front *f, size_t begun)
{
        while (f->core.begun < begun)
                front_round(f);
}

static void say(struct front *f, int client, struct request r)
{
        front_say(client, &r);
        for (int i = 0; i < 4; i++)
                front_round(f);
}

static void begin(struct front *f, int client, uint64_t id)
{
        const size_t begun = f->core.begun + 1;

        say(f, client,
            (struct request){
                    .id = id,
                    .kind = REQUEST_EXECUTE,
                    .execute = { .language = span_of_text("none"), .stream = true, .live_input = true },
            });
        wait_for(f, begun);
}

static void credit(struct front *f, int client, uint64_t id, uint64_t n)
{
        say(f, client, (struct request){ .kind = REQUEST_CREDIT, .request_id = id, .credit_bytes = n });
}

static void chunk(struct front *f, int client, uint64_t id, size_t len, bool eof)
{
        say(f, client, (struct request){ .kind = REQUEST_STDIN, .request_id = id, .bytes = bytes(len), .eof = eof });
}

/* The next message, which is of this kind and about this request; released by drop. */
static void hear(struct front *f, int client, uint64_t id, pb_size_t which, struct answer *a, uint8_t **body)
{
        front_hear(f, client, a, body);
        assert_int_equal(a->m.which_answer, which);
        assert_int_equal(a->m.id, id);
}

static void drop(struct answer *a, uint8_t *body)
{
        answer_fini(a);
        free(body);
}

static void hear_output(struct front *f, int client, uint64_t id, size_t len, uint64_t offset)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_output_tag, &a, &body);
        assert_int_equal(a.out.len, len);
        assert_int_equal(a.m.answer.output.offset, offset);
        assert_memory_equal(a.out.data, data, len);
        drop(&a, body);
}

static void hear_result(struct front *f, int client, uint64_t id)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_result_tag, &a, &body);
        drop(&a, body);
}

static void hear_error(struct front *f, int client, uint64_t id, enum refusal_code code, const char *word)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_error_tag, &a, &body);
        assert_int_equal(a.m.answer.error.code, code);
        if (!strstr(a.m.answer.error.message, word))
                fail_msg("\"%s\" does not contain \"%s\"", a.m.answer.error.message, word);
        drop(&a, body);
}

static void hear_credit(struct front *f, int client, uint64_t id, uint64_t n, bool closed)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_credit_tag, &a, &body);
        assert_int_equal(a.m.answer.credit.request_id, id);
        assert_int_equal(a.m.answer.credit.bytes, n);
        assert_int_equal(a.m.answer.credit.closed, closed);
        drop(&a, body);
}

/* Nothing was said that was not heard. */
static void hear_nothing(struct front *f, int client)
{
        uint8_t byte;

        for (int i = 0; i < 4; i++)
                front_round(f);
        assert_int_equal(read(client, &byte, 1), -1);
        assert_int_equal(errno, EAGAIN);
}

static void finish(struct front *f, int client, size_t i, uint64_t id)
{
        const struct outcome o = { .end.status = OUTCOME_EXITED, .language = "none", .language_version = "" };

        front_finish(f, i, &o);
        hear_result(f, client, id);
        hear_nothing(f, client);
}

static void leave(struct front *f, int client)
{
        close(client);
        while (native_connections(f->native) > 0)
                front_round(f);
        front_free(f);
}

/* ---------------------------------------------------------------- output */

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
        hear_result(f, client, 1);
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

/* ---------------------------------------------------------------- input */

static void input_is_within_the_credit_and_that_comes_back(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        struct execution *x = &f->core.execution[0];
        chunk(f, client, 1, 100 * KIB, false);
        chunk(f, client, 1, 0, false);
        chunk(f, client, 1, 156 * KIB, false);
        assert_int_equal(x->input, WIRE_FIRST_CREDIT);
        x->input -= FRAME - 1; /* its program takes some */
        front_want_input(f, 0);
        hear_nothing(f, client);
        x->input -= 1;
        front_want_input(f, 0);
        hear_credit(f, client, 1, FRAME, false);
        front_want_input(f, 0);
        hear_nothing(f, client);
        chunk(f, client, 1, FRAME, false);
        assert_int_equal(x->input, WIRE_FIRST_CREDIT);
        x->input = 0;
        front_want_input(f, 0);
        hear_credit(f, client, 1, WIRE_FIRST_CREDIT, false);
        chunk(f, client, 1, 5, true);
        front_want_input(f, 0);
        finish(f, client, 0, 1);
        leave(f, client);
}

static void input_without_credit_ends_that_call(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        begin(f, client, 2);
        chunk(f, client, 1, WIRE_FIRST_CREDIT / 2, false);
        chunk(f, client, 1, WIRE_FIRST_CREDIT / 2, false);
        chunk(f, client, 1, 1, false);
        hear_error(f, client, 1, REFUSAL_INVALID_ARGUMENT, "a StdinChunk of 1 bytes came, and 0 were to be sent");
        assert_int_equal(f->core.abandoned, 1);
        chunk(f, client, 1, 1, false); /* too late */
        chunk(f, client, 2, 1, false);
        finish(f, client, 1, 2);
        leave(f, client);
}

static void input_that_must_not_come_ends_that_call(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        chunk(f, client, 1, 1, true);
        chunk(f, client, 1, 0, false);
        hear_error(f, client, 1, REFUSAL_INVALID_ARGUMENT, "eof");
        say(f, client, (struct request){ .id = 2, .kind = REQUEST_EXECUTE, .execute.language = span_of_text("none") });
        wait_for(f, 2);
        credit(f, client, 2, 5); /* it has no use for it */
        chunk(f, client, 2, 1, false);
        hear_error(f, client, 2, REFUSAL_INVALID_ARGUMENT, "live_stdin");
        begin(f, client, 3);
        f->core.execution[2].input = -ENOMEM;
        chunk(f, client, 3, 1, false);
        hear_error(f, client, 3, REFUSAL_RESOURCE_EXHAUSTED, "memory");
        assert_int_equal(f->core.abandoned, 3);
        leave(f, client);
}

static void that_a_program_takes_no_more_is_told_once(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        f->core.execution[0].input = -EPIPE;
        chunk(f, client, 1, 10, false);
        hear_credit(f, client, 1, 0, true);
        front_want_input(f, 0);
        for (int i = 0; i < 3; i++)
                chunk(f, client, 1, WIRE_FIRST_CREDIT / 2 + 1, true);
        finish(f, client, 0, 1);
        leave(f, client);
}

/* ---------------------------------------------------------------- signals and sizes */

static void hear_signalled(struct front *f, int client, uint64_t id, bool sent)
{
        struct answer a;
        uint8_t *body;

        hear(f, client, id, hatchery_v1_ServerMessage_signalled_tag, &a, &body);
        assert_int_equal(a.m.answer.signalled.sent, sent);
        drop(&a, body);
}

static void send_signal(struct front *f, int client, uint64_t id, uint64_t wanted, uint32_t number)
{
        say(f, client, (struct request){ .id = id, .kind = REQUEST_SIGNAL, .request_id = wanted, .signal = number });
}

static void ten_signals_are_sent_and_no_others(void **state)
{
        (void)state;
        static const int allowed[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGKILL, SIGUSR1,
                                       SIGUSR2, SIGTERM, SIGCONT, SIGSTOP, SIGWINCH };
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        for (uint32_t number = 0; number < 66; number++) {
                bool may = false;
                for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
                        may = may || (int)number == allowed[i];
                f->core.signal = 0;
                send_signal(f, client, 100 + number, 1, number);
                if (may)
                        hear_signalled(f, client, 100 + number, true);
                else
                        hear_error(f, client, 100 + number, REFUSAL_INVALID_ARGUMENT, "possible are HUP 1");
                assert_int_equal(f->core.signal, may ? number : 0);
        }
        f->core.signal_returns = -ESRCH;
        send_signal(f, client, 7, 1, SIGINT);
        hear_signalled(f, client, 7, false);
        send_signal(f, client, 8, 99, SIGINT);
        hear_signalled(f, client, 8, false);
        finish(f, client, 0, 1);
        leave(f, client);
}

static void so_many_signals_are_sent_and_no_more(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        unsigned sent = 0;

        begin(f, client, 1);
        for (uint64_t id = 2; id < 400; id++) {
                struct answer a;
                uint8_t *body;

                send_signal(f, client, id, 1, SIGWINCH);
                front_hear(f, client, &a, &body);
                assert_int_equal(a.m.id, id);
                if (a.m.which_answer == hatchery_v1_ServerMessage_signalled_tag)
                        sent++;
                else
                        assert_int_equal(a.m.answer.error.code, REFUSAL_RESOURCE_EXHAUSTED);
                drop(&a, body);
        }
        assert_in_range(sent, 100, 350); /* a hundred, and one each 10 ms */
        finish(f, client, 0, 1);
        leave(f, client);
}

static void a_size_comes_to_the_core(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        begin(f, client, 1);
        say(f, client,
            (struct request){ .kind = REQUEST_RESIZE, .request_id = 1, .terminal = { .rows = 24, .columns = 80 } });
        assert_int_equal(f->core.size.rows, 24);
        assert_int_equal(f->core.size.columns, 80);
        finish(f, client, 0, 1);
        leave(f, client);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        for (size_t i = 0; i < sizeof data; i++)
                data[i] = (uint8_t)(i * 7);
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
                cmocka_unit_test(input_is_within_the_credit_and_that_comes_back),
                cmocka_unit_test(input_without_credit_ends_that_call),
                cmocka_unit_test(input_that_must_not_come_ends_that_call),
                cmocka_unit_test(that_a_program_takes_no_more_is_told_once),
                cmocka_unit_test(ten_signals_are_sent_and_no_others),
                cmocka_unit_test(so_many_signals_are_sent_and_no_more),
                cmocka_unit_test(a_size_comes_to_the_core),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
