/* Idempotency keys: a repeat gets the answer of the first request, and nothing runs twice. */
#include "pool/native/idempotency.h"

#include "pool/native/connection.h"
#include "tests/unit/hear.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct request keyed(uint64_t id, const char *key)
{
        return (struct request){
                .id = id,
                .kind = REQUEST_EXECUTE,
                .execute = { .language = span_of_text("none"), .idempotency_key = span_of_text(key) },
        };
}

static void execute(int client, uint64_t id, const char *key)
{
        const struct request r = keyed(id, key);
        front_say(client, &r);
}

static void turn(struct front *f)
{
        for (int i = 0; i < 6; i++)
                front_round(f);
}

/* Waits until so many executions have begun, and no more. */
static void wait_for_exactly(struct front *f, size_t begun)
{
        wait_for(f, begun);
        turn(f);
        assert_int_equal(f->core.begun, begun);
}

static void finish(struct front *f, size_t i, const char *out)
{
        const struct outcome o = exited(out);
        front_finish(f, i, &o);
}

/* Runs a keyed request to its end. */
static void run(struct front *f, int client, uint64_t id, const char *key, const char *out)
{
        const size_t begun = f->core.begun;

        execute(client, id, key);
        wait_for_exactly(f, begun + 1);
        finish(f, begun, out);
        hear_result(f, client, id, out, NULL);
}

/* ---------------------------------------------------------------- repeats */

static void a_later_repeat_has_the_same_answer(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        run(f, one, 1, "k", "first");
        execute(one, 2, "k");
        hear_result(f, one, 2, "first", NULL);
        execute(other, 1, "k");
        hear_result(f, other, 1, "first", NULL);
        run(f, one, 3, "k2", "second"); /* another key is another run */
        assert_int_equal(f->core.begun, 2);
        close(one);
        close(other);
        front_free(f);
}

static void a_repeat_waits_for_the_run_that_is_under_way(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        execute(one, 1, "k");
        wait_for_exactly(f, 1);
        execute(one, 2, "k");
        execute(other, 3, "k");
        turn(f);
        assert_int_equal(f->core.begun, 1);
        finish(f, 0, "all");
        hear_result(f, one, 2, "all", NULL);
        hear_result(f, one, 1, "all", NULL);
        hear_result(f, other, 3, "all", NULL);
        close(one);
        close(other);
        front_free(f);
}

static void the_run_goes_on_for_those_who_still_wait(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        execute(one, 1, "k");
        wait_for_exactly(f, 1);
        execute(other, 1, "k");
        turn(f);
        close(one);
        while (native_connections(f->native) > 1)
                front_round(f);
        assert_int_equal(f->core.abandoned, 0);
        finish(f, 0, "it went on");
        hear_result(f, other, 1, "it went on", NULL);
        close(other);
        front_free(f);
}

static void the_run_ends_with_the_last_who_waits(void **state)
{
        (void)state;
        struct front *f = front_new();
        int one = front_connect(f), other = front_connect(f);

        execute(one, 1, "k");
        wait_for_exactly(f, 1);
        execute(other, 1, "k");
        turn(f);
        close(one);
        close(other);
        while (native_connections(f->native) > 0)
                front_round(f);
        assert_int_equal(f->core.abandoned, 1);

        int third = front_connect(f);
        run(f, third, 1, "k", "anew");
        close(third);
        front_free(f);
}

static void another_run_id_and_less_time_are_still_the_same_request(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        struct request r = keyed(1, "k");

        r.execute.deadline_us = 5000000;
        r.execute.run_id = span_of_text("first");
        front_say(client, &r);
        wait_for_exactly(f, 1);
        r.id = 2; /* both requests may have this run_id, because they are one run */
        front_say(client, &r);
        r.id = 3;
        r.execute.deadline_us = 4000000;
        r.execute.run_id = span_of_text("second");
        front_say(client, &r);
        turn(f);
        finish(f, 0, "one");
        hear_result(f, client, 3, "one", NULL);
        hear_result(f, client, 2, "one", NULL);
        hear_result(f, client, 1, "one", NULL);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- what is refused */

static void a_run_id_of_another_run_is_refused_with_a_key_too(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        struct request r = keyed(1, "");

        r.execute.run_id = span_of_text("mine");
        front_say(client, &r);
        wait_for_exactly(f, 1);
        r.id = 2;
        r.execute.idempotency_key = span_of_text("k");
        front_say(client, &r);
        hear_error(f, client, 2, REFUSAL_ABORTED, "mine");
        run(f, client, 3, "k", "the key is free"); /* a refused request keeps no key */
        close(client);
        front_free(f);
}

static void another_request_with_the_key_is_refused(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        struct request r = keyed(2, "k");

        execute(client, 1, "k");
        wait_for_exactly(f, 1);
        r.execute.priority = 1;
        front_say(client, &r);
        hear_error(f, client, 2, REFUSAL_INVALID_ARGUMENT, "another request");
        finish(f, 0, "");
        hear_result(f, client, 1, "", NULL);
        front_say(client, &r);
        hear_error(f, client, 2, REFUSAL_INVALID_ARGUMENT, "another request");
        assert_int_equal(f->core.refusals[REFUSAL_INVALID_ARGUMENT], 2);
        close(client);
        front_free(f);
}

static void output_that_goes_by_can_not_be_had_twice(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        for (uint64_t id = 1; id <= 3; id++) {
                struct request r = keyed(id, "k");
                r.execute.stream = id == 1;
                r.execute.live_input = id == 2;
                r.execute.has_terminal = id == 3;
                front_say(client, &r);
                hear_error(f, client, id, REFUSAL_INVALID_ARGUMENT, "stream");
        }
        assert_int_equal(f->core.begun, 0);
        close(client);
        front_free(f);
}

static void a_refusal_is_kept_only_if_it_is_final(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        execute(client, 1, "final");
        wait_for_exactly(f, 1);
        front_refuse(f, 0, REFUSAL_INTERNAL, "a fault");
        hear_error(f, client, 1, REFUSAL_INTERNAL, "a fault");
        execute(client, 2, "final");
        hear_error(f, client, 2, REFUSAL_INTERNAL, "a fault");
        assert_int_equal(f->core.begun, 1);

        execute(client, 3, "later");
        wait_for_exactly(f, 2);
        struct sink *sink = f->core.execution[1].sink;
        free(f->core.execution[1].payload.buffer);
        f->core.execution[1] = (struct execution){ .core = &f->core };
        sink->ops->refused(sink, &(struct refusal){ REFUSAL_UNAVAILABLE, 500, "the zygote died" });
        hear_error(f, client, 3, REFUSAL_UNAVAILABLE, "the zygote died");
        run(f, client, 4, "later", "now it works");
        close(client);
        front_free(f);
}

static void what_the_core_refuses_at_once_is_not_remembered(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        refuse(&f->core.refusal, REFUSAL_NOT_FOUND, "no such language");
        execute(client, 1, "k");
        hear_error(f, client, 1, REFUSAL_NOT_FOUND, "no such language");
        f->core.refusal.code = 0;
        run(f, client, 2, "k", "it is there now");
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- cancelled */

static void cancel(int client, uint64_t id, uint64_t wanted)
{
        const struct request r = { .id = id, .kind = REQUEST_CANCEL, .request_id = wanted };
        front_say(client, &r);
}

static void a_cancel_ends_one_request_and_the_last_one_ends_the_run(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);

        execute(client, 1, "k");
        wait_for_exactly(f, 1);
        execute(client, 2, "k");
        turn(f);
        cancel(client, 3, 1);
        hear_error(f, client, 1, REFUSAL_CANCELLED, "goes on for another");
        hear_cancelled(f, client, 3, true);
        assert_int_equal(f->core.cancelled, 0);
        cancel(client, 4, 2);
        hear_error(f, client, 2, REFUSAL_CANCELLED, "cancelled");
        hear_cancelled(f, client, 4, true);
        assert_int_equal(f->core.cancelled, 1);
        run(f, client, 5, "k", "anew"); /* the cancelled answer was not kept */
        close(client);
        front_free(f);
}

static void a_run_id_ends_all_that_share_it(void **state)
{
        (void)state;
        struct front *f = front_new();
        int client = front_connect(f);
        struct request r = keyed(1, "k");
        const struct request end = { .id = 9, .kind = REQUEST_CANCEL_RUN, .run_id = span_of_text("mine") };

        r.execute.run_id = span_of_text("mine");
        front_say(client, &r);
        wait_for_exactly(f, 1);
        r.id = 2;
        front_say(client, &r);
        turn(f);
        front_say(client, &end);
        hear_error(f, client, 2, REFUSAL_CANCELLED, "cancelled");
        hear_error(f, client, 1, REFUSAL_CANCELLED, "cancelled");
        hear_cancelled(f, client, 9, true);
        assert_int_equal(f->core.cancelled, 1);
        close(client);
        front_free(f);
}

/* ---------------------------------------------------------------- scope */

static void keys_of_different_callers_and_names_are_different(void **state)
{
        (void)state;
        struct front *f = front_new();
        int gateway = front_connect_gateway(f), client = front_connect(f);
        struct request r = keyed(1, "k");

        run(f, client, 1, "k", "native");
        r.execute.client = span_of_text("guild 42");
        front_say(client, &r);
        wait_for_exactly(f, 2);
        finish(f, 1, "of a name");
        hear_result(f, client, 1, "of a name", NULL);

        r = keyed(1, "k");
        r.has_on_behalf = true;
        r.on_behalf.peer = (struct span){ (const uint8_t *)"\7\10", 2 }; /* as front.c names each native client */
        front_say(gateway, &r);
        wait_for_exactly(f, 3);
        finish(f, 2, "of a gateway's caller");
        hear_result(f, gateway, 1, "of a gateway's caller", NULL);
        r.id = 2;
        front_say(gateway, &r);
        hear_result(f, gateway, 2, "of a gateway's caller", NULL);
        r.id = 3;
        r.on_behalf.peer = span_of_text("another");
        front_say(gateway, &r);
        wait_for_exactly(f, 4);
        close(gateway);
        close(client);
        front_free(f);
}

int main(void)
{
        signal(SIGPIPE, SIG_IGN); /* as in the pool */
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_later_repeat_has_the_same_answer),
                cmocka_unit_test(a_repeat_waits_for_the_run_that_is_under_way),
                cmocka_unit_test(the_run_goes_on_for_those_who_still_wait),
                cmocka_unit_test(the_run_ends_with_the_last_who_waits),
                cmocka_unit_test(another_run_id_and_less_time_are_still_the_same_request),
                cmocka_unit_test(a_run_id_of_another_run_is_refused_with_a_key_too),
                cmocka_unit_test(another_request_with_the_key_is_refused),
                cmocka_unit_test(output_that_goes_by_can_not_be_had_twice),
                cmocka_unit_test(a_refusal_is_kept_only_if_it_is_final),
                cmocka_unit_test(what_the_core_refuses_at_once_is_not_remembered),
                cmocka_unit_test(a_cancel_ends_one_request_and_the_last_one_ends_the_run),
                cmocka_unit_test(a_run_id_ends_all_that_share_it),
                cmocka_unit_test(keys_of_different_callers_and_names_are_different),
        };
        return cmocka_run_group_tests_name("idempotency", tests, NULL, NULL);
}
