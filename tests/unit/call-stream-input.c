/* Calls with streams: credit for input, signals, and sizes of terminals. The other direction is in call-stream.c. */
#include "proto/wire/wire.h"
#include "tests/unit/front.h"
#include "tests/unit/hear.h"
#include "tests/unit/streamed.h"
#include "tests/unit/unit.h"

#include <signal.h>

enum { KIB = 1024, FRAME = 64 * KIB };

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
        hear_error(f, client, 1, REFUSAL_INVALID_ARGUMENT, "a StdinChunk of 1 bytes came, and only 0 had credit");
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
        streamed_fill();
        const struct CMUnitTest tests[] = {
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
