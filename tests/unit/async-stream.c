/* Streams of the asynchronous client: output within the window, input within the server's credit, signals and sizes. */
#include "client/async.h"
#include "proto/base/own.h"
#include "tests/unit/fake.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST = 256 << 10, PIECE = 16 << 10 };

static const struct hatchery_call_options manual = { .manual_credit = true };

/* Sends a call with streams, and returns its id. */
static uint64_t begin_stream(struct scene *s, struct heard *h, const struct hatchery_call_options *options)
{
        const struct request q = heard_stream();
        assert_int_equal(heard_send(h, s->c, &q, options), HATCHERY_OK);
        struct fake_request r = fake_read(&s->f, REQUEST_EXECUTE);
        assert_true(r.q.execute.stream && r.q.execute.live_input);
        uint64_t id = r.q.id;
        fake_release(&r);
        return id;
}

/* Reads all waiting credit messages of the client, and returns their sum. */
static uint64_t credit_given(struct scene *s, uint64_t id)
{
        uint64_t sum = 0;
        while (!fake_heard_nothing(&s->f)) {
                struct fake_request r = fake_read(&s->f, REQUEST_CREDIT);
                assert_int_equal(r.q.request_id, id);
                assert_int_equal(r.q.id, 0);
                assert_true(r.q.credit_bytes > 0);
                sum += r.q.credit_bytes;
                fake_release(&r);
        }
        return sum;
}

static void say_output(struct scene *s, uint64_t id, uint64_t offset, size_t len)
{
        static const uint8_t zeros[FIRST + 1];
        fake_output(&s->f, id, 0, offset, zeros, len);
}

/* ---------------------------------------------------------------- output */

static void stages_and_both_streams_are_told_in_their_order(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_COMPILE);
        fake_stage(&s.f, id, hatchery_v1_Stage_Kind_RUN);
        fake_output(&s.f, id, 0, 0, "ab", 2);
        fake_output(&s.f, id, 1, 0, "x", 1);
        fake_output(&s.f, id, 0, 2, "cd", 2);
        fake_output(&s.f, id, 1, 1, "y", 1);
        assert_int_equal(h.stages, 2);
        assert_int_equal(h.outputs, 4);
        assert_string_equal(h.out[0], "abcd");
        assert_string_equal(h.out[1], "xy");
        fake_result(&s.f, id, "");
        assert_int_equal(h.answer, hatchery_v1_ServerMessage_result_tag);
        scene_end(&s);
}

static void output_that_was_told_is_credit_again(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        uint64_t allowed = FIRST, sent = 0;
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        for (int i = 0; i < 200; i++) { /* 3 MiB: without new credit the server would soon stop */
                assert_true(allowed >= PIECE);
                say_output(&s, id, sent, PIECE);
                sent += PIECE;
                allowed += credit_given(&s, id) - PIECE;
                assert_true(allowed <= FIRST);
        }
        assert_int_equal(h.total[0], sent);
        scene_end(&s);
}

static void without_consumption_there_is_no_credit(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, &manual);
        for (int i = 0; i < FIRST / PIECE; i++)
                say_output(&s, id, (uint64_t)i * PIECE, PIECE);
        assert_int_equal(hatchery_call_unconsumed(h.call), FIRST);
        assert_int_equal(credit_given(&s, id), 0);
        assert_int_equal(hatchery_call_consumed(h.call, FIRST + 1), -EINVAL);
        assert_int_equal(hatchery_call_consumed(h.call, 1), 0); /* a server without credit gets even one byte */
        assert_int_equal(credit_given(&s, id), 1);
        assert_int_equal(hatchery_call_consumed(h.call, FIRST - 1), 0);
        assert_int_equal(credit_given(&s, id), FIRST - 1);
        assert_int_equal(hatchery_call_unconsumed(h.call), 0);
        scene_end(&s);
}

static void small_consumptions_are_put_together(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, &manual);
        say_output(&s, id, 0, FIRST / 2);
        for (int i = 0; i < FIRST / 4 - 1; i++)
                assert_int_equal(hatchery_call_consumed(h.call, 1), 0);
        assert_int_equal(credit_given(&s, id), 0);
        assert_int_equal(hatchery_call_consumed(h.call, 1), 0);
        assert_int_equal(credit_given(&s, id), FIRST / 4);
        scene_end(&s);
}

/* The client sends held-back credit once the server may have none left, because the user may wait for more output. */
static void credit_that_was_held_back_is_given_before_the_server_stops(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, &manual);
        say_output(&s, id, 0, PIECE);
        assert_int_equal(hatchery_call_consumed(h.call, PIECE), 0);
        assert_int_equal(credit_given(&s, id), 0);
        say_output(&s, id, PIECE, FIRST - PIECE);
        assert_int_equal(credit_given(&s, id), PIECE);
        scene_end(&s);
}

static void a_larger_window_is_given_at_the_start(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct hatchery_call_options options = { .manual_credit = true, .window = 4 * FIRST };
        uint64_t sent = 0;
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, &options);
        assert_int_equal(credit_given(&s, id), 3 * FIRST);
        for (; sent < 4 * FIRST; sent += PIECE)
                say_output(&s, id, sent, PIECE);
        assert_int_equal(h.total[0], 4 * FIRST);
        assert_int_equal(h.ends, 0);
        say_output(&s, id, sent, 1);
        assert_int_equal(h.failure.kind, HATCHERY_PROTOCOL);
        scene_end(&s);
}

static void output_that_is_wrong_ends_the_connection(void **state)
{
        (void)state;
        enum { BEYOND_CREDIT, GAP, REPEATED, NO_STREAM, WAYS };
        for (int way = 0; way < WAYS; way++) {
                struct scene s;
                struct heard h = { 0 };
                scene_begin(&s);
                uint64_t id = begin_stream(&s, &h, &manual);
                say_output(&s, id, 0, PIECE);
                assert_int_equal(h.ends, 0);
                if (way == BEYOND_CREDIT)
                        say_output(&s, id, PIECE, FIRST - PIECE + 1);
                if (way == GAP)
                        say_output(&s, id, PIECE + 1, 1);
                if (way == REPEATED)
                        say_output(&s, id, 0, 1);
                if (way == NO_STREAM)
                        fake_output(&s.f, id, 2, 0, "x", 1);
                assert_int_equal(h.failure.kind, HATCHERY_PROTOCOL);
                assert_int_equal(h.outputs, 1);
                assert_int_equal(s.disconnected, 1);
                scene_end(&s);
        }
}

/* ---------------------------------------------------------------- input */

/* Reads chunks of len bytes in all. True if the end of the input follows them. */
static bool read_input(struct scene *s, uint64_t id, uint64_t len)
{
        uint64_t sum = 0;
        bool eof = false;
        while (!eof && (sum < len || !fake_heard_nothing(&s->f))) {
                struct fake_request r = fake_read(&s->f, REQUEST_STDIN);
                assert_int_equal(r.q.request_id, id);
                assert_int_equal(r.q.id, 0);
                for (size_t i = 0; i < r.q.bytes.len; i++)
                        assert_int_equal(r.q.bytes.data[i], (uint8_t)((sum + i) % 251));
                sum += r.q.bytes.len;
                eof = r.q.eof;
                fake_release(&r);
        }
        assert_int_equal(sum, len);
        return eof;
}

static uint8_t *numbered(size_t len)
{
        uint8_t *bytes = malloc(len);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)(i % 251);
        return bytes;
}

static void input_beyond_the_credit_is_not_taken(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        OWN_MEM uint8_t *bytes = numbered(2 * FIRST);
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        assert_int_equal(hatchery_call_room(h.call), FIRST);
        assert_int_equal(hatchery_call_write(h.call, bytes, FIRST + 100), FIRST);
        assert_int_equal(hatchery_call_room(h.call), 0);
        assert_int_equal(hatchery_call_write(h.call, bytes + FIRST, 100), 0);
        assert_false(read_input(&s, id, FIRST));
        assert_int_equal(h.rooms, 0);
        fake_credit(&s.f, id, 60, false);
        assert_int_equal(h.rooms, 1);
        assert_int_equal(h.room, 60);
        assert_int_equal(hatchery_call_write(h.call, "", 1), 1);
        fake_credit(&s.f, id, 60, false);
        assert_int_equal(h.rooms, 1); /* called only after a write that was not taken whole */
        assert_int_equal(hatchery_call_room(h.call), 119);
        scene_end(&s);
}

static void input_before_the_request_is_sent_follows_it(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        OWN_MEM uint8_t *bytes = numbered(1000);
        const struct request q = heard_stream();
        scene_begin(&s);
        fake_hang_up(&s.f);
        scene_wait(&s, &s.disconnected, 1);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        assert_int_equal(hatchery_call_write(h.call, bytes, 1000), 1000);
        assert_int_equal(hatchery_call_eof(h.call), 0);
        assert_int_equal(hatchery_call_eof(h.call), -EPIPE);
        assert_int_equal(hatchery_call_write(h.call, "x", 1), -EPIPE);
        fake_accept(&s.f);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        assert_true(read_input(&s, id, 1000));
        scene_end(&s);
}

static void input_that_nobody_reads_is_told_of_once(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        fake_credit(&s.f, id, 0, true);
        fake_credit(&s.f, id, 0, true);
        assert_int_equal(h.closed, 1);
        assert_int_equal(hatchery_call_write(h.call, "x", 1), -EPIPE);
        assert_int_equal(hatchery_call_room(h.call), 0);
        scene_end(&s);
}

static void credit_saturates(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        fake_credit(&s.f, id, UINT64_MAX, false);
        fake_credit(&s.f, id, UINT64_MAX, false);
        assert_int_equal(hatchery_call_room(h.call), 64 << 20); /* max_unsent */
        scene_end(&s);
}

static void a_run_without_live_input_takes_none(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        const struct request q = heard_program();
        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        assert_int_equal(hatchery_call_write(h.call, "x", 1), -EINVAL);
        assert_int_equal(hatchery_call_eof(h.call), -EINVAL);
        assert_int_equal(hatchery_call_room(h.call), 0);
        assert_int_equal(hatchery_call_resize(h.call, 24, 80), -EINVAL);
        fake_credit(&s.f, id, 100, true);
        assert_int_equal(h.closed, 0);
        assert_true(fake_heard_nothing(&s.f));
        scene_end(&s);
}

/* The server's credit is large, but its socket is full: the client's bound on unsent bytes still holds. */
static void input_waits_for_the_socket_too(void **state)
{
        (void)state;
        enum { MOST = 1 << 20 };
        struct scene s;
        struct heard h = { 0 };
        OWN_MEM uint8_t *bytes = numbered(16 << 20);
        size_t taken = 0;
        scene_begin_with(&s, (struct hatchery_client_config){ .max_unsent = MOST });
        uint64_t id = begin_stream(&s, &h, NULL);
        fake_credit(&s.f, id, 64 << 20, false);
        for (int i = 0; i < 100; i++) {
                ssize_t n = hatchery_call_write(h.call, bytes + taken, (16 << 20) - taken);
                assert_true(n >= 0);
                taken += (size_t)n;
        }
        assert_in_range(taken, MOST, 4 * MOST);
        fake_settle(&s.f);
        assert_int_equal(h.rooms, 0);
        assert_false(read_input(&s, id, taken));
        assert_int_equal(h.rooms, 1);
        assert_true(h.room >= MOST / 2);
        scene_end(&s);
}

static void write_on(struct heard *h)
{
        static const uint8_t bytes[64 << 10];
        while (h->rooms && hatchery_call_write(h->call, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
                ;
}

static void a_writer_in_the_callback_does_not_keep_the_loop(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { .then = write_on };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL);
        h.rooms = 1;
        write_on(&h);
        for (int i = 0; i < 50; i++) { /* fake_credit waits until the client comes to rest */
                fake_credit(&s.f, id, 100000, false);
                while (!fake_heard_nothing(&s.f))
                        fake_read_id(&s.f, REQUEST_STDIN);
        }
        assert_int_equal(h.rooms, 51);
        scene_end(&s);
}

/* ---------------------------------------------------------------- signals, terminal */

static void signals_are_told_of_in_their_order(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, NULL), signals[3];
        for (uint32_t i = 0; i < 3; i++) {
                assert_int_equal(hatchery_call_signal(h.call, i + 1), 0);
                struct fake_request r = fake_read(&s.f, REQUEST_SIGNAL);
                assert_int_equal(r.q.request_id, id);
                assert_int_equal(r.q.signal, i + 1);
                signals[i] = r.q.id;
                fake_release(&r);
        }
        fake_signalled(&s.f, signals[0], true);
        assert_true(h.sent);
        fake_signalled(&s.f, signals[1], false);
        assert_false(h.sent);
        assert_int_equal(h.refused, 0);
        fake_error(&s.f, signals[2], hatchery_v1_Error_Code_INVALID_ARGUMENT, 0);
        assert_int_equal(h.refused, hatchery_v1_Error_Code_INVALID_ARGUMENT);
        assert_int_equal(h.signalled, 3);
        h.refused = 0;
        assert_int_equal(hatchery_call_signal(h.call, 9), 0);
        fake_result(&s.f, id, "");
        fake_signalled(&s.f, fake_read_id(&s.f, REQUEST_SIGNAL), false); /* arrives after the end of its call */
        assert_int_equal(h.signalled, 3);
        assert_int_equal(h.ends, 1);
        assert_int_equal(hatchery_client_calls(s.c), 0);
        scene_end(&s);
}

static void a_terminal_has_its_sizes(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        struct request q = heard_stream();
        q.execute.has_terminal = true;
        q.execute.terminal = (struct terminal_size){ 24, 80 };
        scene_begin(&s);
        assert_int_equal(heard_send(&h, s.c, &q, NULL), HATCHERY_OK);
        uint64_t id = fake_read_id(&s.f, REQUEST_EXECUTE);
        assert_int_equal(hatchery_call_resize(h.call, 0, 80), -EINVAL);
        assert_int_equal(hatchery_call_resize(h.call, 24, TERMINAL_MAX + 1), -EINVAL);
        assert_int_equal(hatchery_call_resize(h.call, 50, 100), 0);
        struct fake_request r = fake_read(&s.f, REQUEST_RESIZE);
        assert_int_equal(r.q.request_id, id);
        assert_int_equal(r.q.terminal.rows, 50);
        assert_int_equal(r.q.terminal.columns, 100);
        fake_release(&r);
        scene_end(&s);
}

/* ---------------------------------------------------------------- a model */

/* Pseudo-random numbers: each run of the test gets the same ones. */
static uint32_t next(uint32_t *seed)
{
        *seed = *seed * 1664525 + 1013904223;
        return *seed >> 8;
}

/* One call gets pieces of random length on two streams, and consumes at random. Every byte comes once, in its order.
 * The server never has more credit than the window leaves. */
static void random_drops_lose_nothing(void **state)
{
        (void)state;
        struct scene s;
        struct heard h = { 0 };
        uint64_t allowed = FIRST, consumed = 0, sent[2] = { 0 };
        static const uint8_t zeros[FIRST];
        uint32_t seed = 14;
        scene_begin(&s);
        uint64_t id = begin_stream(&s, &h, &manual);
        for (int i = 0; i < 10000; i++) {
                size_t len = next(&seed) % (next(&seed) % 16 == 0 ? FIRST : 64);
                int stream = (int)(next(&seed) % 2);
                len = len < allowed ? len : (size_t)allowed;
                fake_output(&s.f, id, stream, sent[stream], zeros, len);
                sent[stream] += len;
                allowed -= len;
                uint64_t most = hatchery_call_unconsumed(h.call);
                uint64_t n = next(&seed) % 4 == 0 ? most : next(&seed) % (most + 1);
                assert_int_equal(hatchery_call_consumed(h.call, n), 0);
                consumed += n;
                allowed += credit_given(&s, id);
                assert_int_equal(hatchery_call_unconsumed(h.call), sent[0] + sent[1] - consumed);
                assert_true(allowed + hatchery_call_unconsumed(h.call) <= FIRST);
                if (hatchery_call_unconsumed(h.call) == 0)
                        assert_true(allowed > FIRST / 2);
        }
        assert_int_equal(h.total[0], sent[0]);
        assert_int_equal(h.total[1], sent[1]);
        assert_int_equal(h.ends, 0);
        scene_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stages_and_both_streams_are_told_in_their_order),
                cmocka_unit_test(output_that_was_told_is_credit_again),
                cmocka_unit_test(without_consumption_there_is_no_credit),
                cmocka_unit_test(small_consumptions_are_put_together),
                cmocka_unit_test(credit_that_was_held_back_is_given_before_the_server_stops),
                cmocka_unit_test(a_larger_window_is_given_at_the_start),
                cmocka_unit_test(output_that_is_wrong_ends_the_connection),
                cmocka_unit_test(input_beyond_the_credit_is_not_taken),
                cmocka_unit_test(input_before_the_request_is_sent_follows_it),
                cmocka_unit_test(input_that_nobody_reads_is_told_of_once),
                cmocka_unit_test(credit_saturates),
                cmocka_unit_test(a_run_without_live_input_takes_none),
                cmocka_unit_test(input_waits_for_the_socket_too),
                cmocka_unit_test(a_writer_in_the_callback_does_not_keep_the_loop),
                cmocka_unit_test(signals_are_told_of_in_their_order),
                cmocka_unit_test(a_terminal_has_its_sizes),
                cmocka_unit_test(random_drops_lose_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
