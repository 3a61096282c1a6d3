/* Executions of a connection: each request has one answer, whenever the core ends it. No answer comes after the
 * connection's end. */
#include "pool/native/connection.h"
#include "tests/unit/hear.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void execute(int client, uint64_t id)
{
        static struct span args[] = { { (const uint8_t *)"a", 1 } };
        const struct request r = {
                .id = id,
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text("none"), .args = args, .n_args = 1 },
        };
        front_say(client, &r);
}

static void cancel(int client, uint64_t id, uint64_t wanted)
{
        const struct request r = { .id = id, .kind = REQUEST_CANCEL, .request_id = wanted };
        front_say(client, &r);
}

static void answers_go_to_their_requests_in_any_order(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        const struct outcome first = exited("first"), second = exited("second");

        execute(client, 5);
        execute(client, 6);
        execute(client, 7);
        wait_for(f, 3);
        assert_int_equal(f->core.caller.len, 2);
        assert_int_equal(f->core.caller.bytes[1], 8);
        assert_non_null(f->core.execution[0].payload.buffer);
        front_finish(f, 1, &second);
        front_refuse(f, 2, REFUSAL_INTERNAL, "a fault");
        front_finish(f, 0, &first);
        hear_result(f, client, 6, "second", NULL);
        assert_int_equal(hear_error(f, client, 7, REFUSAL_INTERNAL, "a fault"), 0);
        hear_result(f, client, 5, "first", NULL);

        execute(client, 6); /* the id is free again */
        wait_for(f, 4);
        front_finish(f, 3, &first);
        hear_result(f, client, 6, "first", NULL);
        close(client);
        front_free(f);
}

static void a_refusal_of_the_core_is_the_answer(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        refuse(&f->core.refusal, REFUSAL_UNAVAILABLE, "not now");
        f->core.refusal.retry_after_ms = 12;
        execute(client, 1);
        assert_int_equal(hear_error(f, client, 1, REFUSAL_UNAVAILABLE, "not now"), 12);
        close(client);
        front_free(f);
}

static void so_many_are_in_flight_and_no_more(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        const struct outcome o = exited("");

        f->config.max_in_flight = 2;
        for (uint64_t id = 1; id <= 3; id++)
                execute(client, id);
        assert_int_equal(hear_error(f, client, 3, REFUSAL_RESOURCE_EXHAUSTED,
                                    "2 requests of this connection are in flight, and 2 are possible"),
                         10);
        front_finish(f, 0, &o);
        hear_result(f, client, 1, "", NULL);
        execute(client, 4);
        wait_for(f, 3);

        f->core.draining = true; /* the core then reports that it drains */
        refuse(&f->core.refusal, REFUSAL_UNAVAILABLE, "it drains");
        execute(client, 5);
        assert_int_equal(hear_error(f, client, 5, REFUSAL_UNAVAILABLE, "it drains"), 0);
        close(client);
        front_free(f);
}

static void what_is_cancelled_is_answered_first(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        execute(client, 1);
        cancel(client, 2, 1);
        cancel(client, 3, 1);
        assert_int_equal(hear_error(f, client, 1, REFUSAL_CANCELLED, "cancelled"), 0);
        for (uint64_t id = 2; id <= 3; id++)
                hear_cancelled(f, client, id, id == 2);
        assert_int_equal(f->core.cancelled, 1);
        close(client);
        front_free(f);
}

static void an_id_that_is_taken_ends_the_connection(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        execute(client, 1);
        execute(client, 1);
        assert_int_equal(hear_error(f, client, 0, REFUSAL_INVALID_ARGUMENT, "id 1 is already in flight"), 0);
        assert_int_equal(f->core.abandoned, 1);
        close(client);
        front_free(f);
}

static void those_of_a_client_that_has_left_are_abandoned(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        execute(client, 1);
        execute(client, 2);
        wait_for(f, 2);
        close(client);
        while (native_connections(f->native) > 0)
                front_round(f);
        assert_int_equal(f->core.abandoned, 2);
        assert_int_equal(f->ended, 1);
        front_free(f);
}

static void at_the_end_answers_leave_before_their_connection(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        const struct outcome o = exited("last");
        uint8_t byte;

        execute(client, 1);
        execute(client, 2);
        wait_for(f, 2);
        front_finish(f, 0, &o);
        native_close(f->native);
        assert_int_equal(f->core.abandoned, 1);
        hear_result(f, client, 1, "last", NULL);
        assert_int_equal(read(client, &byte, 1), 0);
        close(client);
        while (native_connections(f->native) > 0)
                front_round(f);
        front_free(f);
}

static void a_status_is_never_older_than_the_last_result(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        const struct request status = { .id = 9, .kind = REQUEST_STATUS };
        const struct outcome o = exited("");
        struct answer a;
        uint8_t *bytes;

        for (int i = 0; i < 3; i++) {
                execute(client, 1);
                wait_for(f, (size_t)i + 1);
                unsigned before = f->core.looked;
                front_finish(f, (size_t)i, &o);
                hear_result(f, client, 1, "", NULL);
                front_say(client, &status);
                front_hear(f, client, &a, &bytes);
                answer_fini(&a);
                free(bytes);
                assert_int_equal(f->core.looked, before + 1);
        }
        close(client);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answers_go_to_their_requests_in_any_order),
                cmocka_unit_test(a_refusal_of_the_core_is_the_answer),
                cmocka_unit_test(so_many_are_in_flight_and_no_more),
                cmocka_unit_test(what_is_cancelled_is_answered_first),
                cmocka_unit_test(an_id_that_is_taken_ends_the_connection),
                cmocka_unit_test(those_of_a_client_that_has_left_are_abandoned),
                cmocka_unit_test(at_the_end_answers_leave_before_their_connection),
                cmocka_unit_test(a_status_is_never_older_than_the_last_result),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
