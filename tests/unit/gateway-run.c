/* Runs on behalf of exchanges: gateway/run. The pool is a fake server, and the exchange is a fake, too. */
#include "gateway/run_parts.h"

#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the fake exchange */

struct exchange {
        struct runs *runs;
        void (*gone)(void *data);
        void *gone_data;
        void (*drained)(void *data);
        void *drained_data;
        size_t unsent;
};

void failure_set(struct failure *why, int status, const char *code, const char *format, ...)
{
        va_list args;
        *why = (struct failure){ .status = status, .code = code };
        va_start(args, format);
        vsnprintf(why->message, sizeof why->message, format, args);
        va_end(args);
}

struct gateway *exchange_gateway(const struct exchange *x)
{
        return (struct gateway *)x->runs;
}

struct runs *gateway_runs(const struct gateway *g)
{
        return (struct runs *)(uintptr_t)g;
}

struct span exchange_peer(const struct exchange *x)
{
        (void)x;
        return span_of_text("peer");
}

const char *exchange_trace(const struct exchange *x)
{
        (void)x;
        return "";
}

size_t exchange_unsent(const struct exchange *x)
{
        return x->unsent;
}

void exchange_on_gone(struct exchange *x, void (*gone)(void *data), void *data)
{
        x->gone = gone;
        x->gone_data = data;
}

void exchange_on_drained(struct exchange *x, void (*drained)(void *data), void *data)
{
        x->drained = drained;
        x->drained_data = data;
}

/* ---------------------------------------------------------------- the scene */

struct stage {
        struct fake f;
        struct event_base *base;
        struct runs *all;
        struct exchange x;
        struct run *run;
        struct failure why;
        unsigned outputs, finished, failed, gone, told;
        bool found;
};

static void on_output(void *data, const struct hatchery_output *output)
{
        struct stage *s = data;
        (void)output;
        s->outputs++;
}

static void on_finished(void *data, struct hatchery_answer *a)
{
        struct stage *s = data;
        (void)a;
        assert_null(s->x.gone); /* the run has left the exchange, so the contract may answer */
        s->finished++;
}

static void on_failed(void *data, const struct failure *why)
{
        struct stage *s = data;
        s->why = *why;
        s->failed++;
}

static void on_gone(void *data)
{
        struct stage *s = data;
        s->gone++;
}

static const struct run_ops ops = {
        .output = on_output, .finished = on_finished, .failed = on_failed, .gone = on_gone
};

static void begin(struct stage *s)
{
        struct err e = { 0 };
        *s = (struct stage){ 0 };
        fake_open(&s->f);
        s->base = event_base_new();
        assert_non_null(s->base);
        assert_int_equal(runs_new(&s->all, s->base, s->f.address, 1 << 20, &e), 0);
        s->x.runs = s->all;
        s->f.client = s->all->small->client;
        fake_accept(&s->f);
}

static void end(struct stage *s)
{
        s->f.client = NULL;
        runs_free(s->all);
        event_base_free(s->base);
        fake_close(&s->f);
}

static uint64_t start(struct stage *s, bool stream)
{
        struct request q = stream ? heard_stream() : heard_program();
        q.execute.live_input = false;
        assert_int_equal(run_start(&s->run, &s->x, &q, &ops, s, &s->why), 0);
        struct fake_request r = fake_read(&s->f, REQUEST_EXECUTE);
        const uint64_t id = r.q.id;
        assert_true(r.q.has_on_behalf);
        assert_span_text(r.q.on_behalf.peer, "peer");
        assert_span_text(r.q.execute.run_id, run_id(s->run));
        fake_release(&r);
        return id;
}

/* ---------------------------------------------------------------- tests */

static void a_run_has_one_end(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        fake_result(&s.f, start(&s, false), "42\n");
        assert_int_equal(s.finished, 1);
        fake_error(&s.f, start(&s, false), hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, 2500);
        assert_int_equal(s.failed, 1);
        assert_int_equal(s.why.status, 429);
        assert_int_equal(s.why.retry_after_ms, 2500);
        assert_int_equal(s.gone, 0);
        end(&s);
}

static void refusals_have_their_status(void **state)
{
        static const struct {
                hatchery_v1_Error_Code code;
                int status;
        } rows[] = {
                { hatchery_v1_Error_Code_INVALID_ARGUMENT, 400 },  { hatchery_v1_Error_Code_UNAUTHENTICATED, 401 },
                { hatchery_v1_Error_Code_PERMISSION_DENIED, 403 }, { hatchery_v1_Error_Code_NOT_FOUND, 404 },
                { hatchery_v1_Error_Code_ABORTED, 409 },           { hatchery_v1_Error_Code_CANCELLED, 499 },
                { hatchery_v1_Error_Code_INTERNAL, 500 },          { hatchery_v1_Error_Code_UNIMPLEMENTED, 501 },
                { hatchery_v1_Error_Code_UNAVAILABLE, 503 },       { hatchery_v1_Error_Code_DEADLINE_EXCEEDED, 504 },
        };
        struct stage s;
        (void)state;
        begin(&s);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                fake_error(&s.f, start(&s, false), rows[i].code, 0);
                assert_int_equal(s.why.status, rows[i].status);
                assert_int_equal(s.why.retry_after_ms, rows[i].status == 503 ? RUN_RETRY_MS : 0);
        }
        end(&s);
}

static void a_peer_that_goes_cancels_its_run(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        const uint64_t id = start(&s, false);
        s.x.gone(s.x.gone_data);
        struct fake_request r = fake_read(&s.f, REQUEST_CANCEL);
        assert_int_equal(r.q.request_id, id);
        fake_release(&r);
        assert_int_equal(s.gone, 1);
        assert_int_equal(s.finished + s.failed, 0);
        end(&s);
}

static void a_lost_pool_fails_its_runs_and_refuses_others_at_once(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        start(&s, false);
        fake_stop_listening(&s.f);
        fake_hang_up(&s.f);
        for (int i = 0; i < 1000 && s.failed == 0; i++)
                hatchery_client_wait(s.f.client, 10, NULL);
        assert_int_equal(s.failed, 1);
        assert_int_equal(s.why.status, 503);
        assert_true(s.why.retry_after_ms > 0);
        struct request q = heard_program();
        assert_true(run_start(&s.run, &s.x, &q, &ops, &s, &s.why) < 0);
        assert_int_equal(s.why.status, 503);
        assert_true(s.why.retry_after_ms > 0);
        fake_listen(&s.f);
        fake_accept(&s.f);
        fake_result(&s.f, start(&s, false), "");
        assert_int_equal(s.finished, 1);
        end(&s);
}

static void a_run_that_waits_for_a_pool_fails_with_the_attempt_to_connect(void **state)
{
        struct stage s = { 0 };
        struct request q = heard_program();
        struct err e = { 0 };
        (void)state;
        fake_open(&s.f);
        fake_stop_listening(&s.f);
        s.base = event_base_new();
        assert_non_null(s.base);
        assert_int_equal(runs_new(&s.all, s.base, s.f.address, 1 << 20, &e), 0);
        s.x.runs = s.all;
        assert_int_equal(run_start(&s.run, &s.x, &q, &ops, &s, &s.why), 0);
        for (int i = 0; i < 100 && s.failed == 0; i++)
                event_base_loop(s.base, EVLOOP_ONCE);
        assert_int_equal(s.failed, 1);
        assert_int_equal(s.why.status, 503);
        assert_true(s.why.retry_after_ms > 0);
        end(&s);
}

static void output_waits_for_the_exchanges_socket(void **state)
{
        static const uint8_t bytes[100 << 10];
        struct stage s;
        (void)state;
        begin(&s);
        const uint64_t id = start(&s, true);
        s.x.unsent = 1 << 20;
        fake_output(&s.f, id, 0, 0, bytes, sizeof bytes);
        assert_int_equal(run_unconsumed(s.run), sizeof bytes);
        assert_true(fake_heard_nothing(&s.f));
        assert_non_null(s.x.drained);
        s.x.unsent = 0;
        s.x.drained(s.x.drained_data);
        assert_int_equal(run_unconsumed(s.run), 0);
        struct fake_request r = fake_read(&s.f, REQUEST_CREDIT);
        assert_int_equal(r.q.credit_bytes, sizeof bytes);
        fake_release(&r);
        fake_result(&s.f, id, "");
        end(&s);
}

static void a_request_beyond_the_pools_bound_is_not_sent(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        uint8_t *large = calloc(1, 2 << 20);
        assert_non_null(large);
        struct request q = heard_program();
        q.execute.code = (struct span){ large, 2 << 20 };
        assert_int_equal(run_start(&s.run, &s.x, &q, &ops, &s, &s.why), -EMSGSIZE);
        assert_int_equal(s.why.status, 413);
        assert_non_null(strstr(s.why.message, "max_request_bytes"));
        assert_true(fake_heard_nothing(&s.f));
        free(large);
        end(&s);
}

static void large_requests_have_lines_of_their_own(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        uint8_t *large = calloc(1, RUN_LARGE);
        assert_non_null(large);
        struct request q = heard_program();
        q.execute.code = (struct span){ large, RUN_LARGE };
        for (int i = 0; i < 3 * RUN_LARGE_LINES; i++) {
                struct exchange x = { .runs = s.all };
                assert_int_equal(run_start(&s.run, &x, &q, &ops, &s, &s.why), 0);
        }
        size_t sum = 0;
        for (int i = 0; i < RUN_LARGE_LINES; i++) {
                assert_non_null(s.all->large[i]);
                sum += hatchery_client_calls(s.all->large[i]->client);
                assert_int_equal(hatchery_client_calls(s.all->large[i]->client), 3);
        }
        assert_int_equal(sum, 3 * RUN_LARGE_LINES);
        assert_int_equal(hatchery_client_calls(s.all->small->client), 0);
        free(large);
        end(&s);
}

static void told_of_cancelling(struct exchange *x, bool found, const struct failure *why)
{
        struct stage *s = (struct stage *)(void *)((char *)x - offsetof(struct stage, x));
        assert_null(why);
        s->found = found;
        s->told++;
}

static void a_run_is_cancelled_by_its_id_for_its_peer(void **state)
{
        struct stage s;
        (void)state;
        begin(&s);
        assert_int_equal(run_cancel_by_id(&s.x, "abc", told_of_cancelling, &s.why), 0);
        struct fake_request r = fake_read(&s.f, REQUEST_CANCEL_RUN);
        assert_span_text(r.q.run_id, "abc");
        assert_span_text(r.q.on_behalf.peer, "peer");
        struct answer a = { 0 };
        a.m.id = r.q.id;
        a.m.which_answer = hatchery_v1_ServerMessage_cancelled_tag;
        a.m.answer.cancelled.found = true;
        fake_release(&r);
        fake_say(&s.f, &a);
        assert_int_equal(s.told, 1);
        assert_true(s.found);
        end(&s);
}

static void told_of_status(struct exchange *x, void *data, const struct hatchery_answer *status,
                           const struct failure *why)
{
        struct stage *s = data;
        (void)x;
        assert_true(!status != !why);
        s->told += status != NULL;
}

static void one_status_serves_all_who_ask(void **state)
{
        struct stage s;
        struct exchange others[3];
        (void)state;
        begin(&s);
        for (int i = 0; i < 3; i++) {
                others[i] = (struct exchange){ .runs = s.all };
                run_with_status(&others[i], told_of_status, &s);
        }
        others[1].gone(others[1].gone_data);
        struct answer a = { 0 };
        a.m.id = fake_read_id(&s.f, REQUEST_STATUS);
        a.m.which_answer = hatchery_v1_ServerMessage_status_tag;
        fake_say(&s.f, &a);
        assert_int_equal(s.told, 2);
        run_with_status(&s.x, told_of_status, &s); /* the last status is new enough */
        assert_int_equal(s.told, 3);
        assert_true(fake_heard_nothing(&s.f));
        end(&s);
}

static void all_is_freed_with_runs_under_way(void **state)
{
        struct stage s;
        struct exchange other;
        (void)state;
        begin(&s);
        start(&s, true);
        other = (struct exchange){ .runs = s.all };
        run_with_status(&other, told_of_status, &s);
        assert_int_equal(run_cancel_by_id(&s.x, "abc", told_of_cancelling, &s.why), 0);
        end(&s);
        assert_int_equal(s.finished + s.failed + s.gone + s.told, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_run_has_one_end),
                cmocka_unit_test(refusals_have_their_status),
                cmocka_unit_test(a_peer_that_goes_cancels_its_run),
                cmocka_unit_test(a_lost_pool_fails_its_runs_and_refuses_others_at_once),
                cmocka_unit_test(a_run_that_waits_for_a_pool_fails_with_the_attempt_to_connect),
                cmocka_unit_test(output_waits_for_the_exchanges_socket),
                cmocka_unit_test(a_request_beyond_the_pools_bound_is_not_sent),
                cmocka_unit_test(large_requests_have_lines_of_their_own),
                cmocka_unit_test(a_run_is_cancelled_by_its_id_for_its_peer),
                cmocka_unit_test(one_status_serves_all_who_ask),
                cmocka_unit_test(all_is_freed_with_runs_under_way),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
