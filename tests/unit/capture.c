/* Output of a run. */
#include "pool/core/capture.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRATCH = 100 };

static void read_all(struct capture *c, int fd)
{
        uint8_t scratch[SCRATCH];
        struct err e = { 0 };
        size_t n;
        int r;
        while ((r = capture_read(c, fd, scratch, sizeof scratch, &n, &e)) == CAPTURE_MORE)
                assert_true(n > 0);
        assert_int_equal(r, CAPTURE_END);
}

/* Writes size bytes, takes them in under limit, and checks what was kept. */
static void take(size_t size, size_t limit)
{
        struct capture c = { .limit = limit };
        uint8_t bytes[5000];
        int fd[2];

        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)(i * 31);
        assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
        assert_int_equal(write(fd[1], bytes, size), size);
        close(fd[1]);
        read_all(&c, fd[0]);
        close(fd[0]);

        assert_int_equal(c.total, size);
        assert_int_equal(capture_is_over(&c), size > limit);
        assert_span_equal(capture_span(&c), bytes, size < limit ? size : limit);
        assert_true(c.room <= limit);
        capture_fini(&c);
}

static void exactly_the_first_bytes_are_kept_and_all_are_counted(void **state)
{
        (void)state;
        static const size_t sizes[] = { 0, 1, 99, 100, 101, 255, 256, 257, 1000, 5000 };
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
                for (size_t k = 1; k < sizeof sizes / sizeof sizes[0]; k++)
                        take(sizes[i], sizes[k]);
}

static void an_empty_pipe_is_no_end(void **state)
{
        (void)state;
        struct capture c = { .limit = 10 };
        uint8_t scratch[SCRATCH];
        struct err e = { 0 };
        size_t n = 7;
        int fd[2];

        assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
        assert_int_equal(capture_read(&c, fd[0], scratch, sizeof scratch, &n, &e), CAPTURE_MORE);
        assert_int_equal(n, 0);
        close(fd[1]);
        assert_int_equal(capture_read(&c, fd[0], scratch, sizeof scratch, &n, &e), CAPTURE_END);
        close(fd[0]);
        assert_int_equal(capture_read(&c, fd[0], scratch, sizeof scratch, &n, &e), -EBADF);
        capture_fini(&c);
}

static void a_high_limit_costs_no_memory_in_advance(void **state)
{
        (void)state;
        struct capture c = { .limit = (size_t)1 << 40 };
        struct err e = { 0 };
        assert_int_equal(capture_put(&c, (const uint8_t *)"hello", 5, &e), 0);
        assert_true(c.room < 4096);
        capture_fini(&c);
}

/* Puts and drops of all sizes under one limit, compared with a plain array. */
static void what_is_dropped_makes_room_and_the_rest_stays_in_order(void **state)
{
        (void)state;
        enum { TIMES = 20000, MAX = 1500 };
        struct capture c = { .limit = MAX };
        static uint8_t model[MAX], bytes[MAX];
        size_t held = 0, seen = 0;
        unsigned seed = 7;
        struct err e = { 0 };

        for (int i = 0; i < TIMES; i++) {
                size_t n = (size_t)rand_r(&seed) % (i % 7 == 0 ? MAX : 90), kept = MAX - held < n ? MAX - held : n;
                for (size_t k = 0; k < n; k++)
                        bytes[k] = (uint8_t)rand_r(&seed);
                assert_int_equal(capture_put(&c, bytes, n, &e), 0);
                memcpy(model + held, bytes, kept);
                held += kept;
                seen += n;
                size_t drop = rand_r(&seed) % 3 == 0 ? held : held > 0 ? (size_t)rand_r(&seed) % held : 0;
                capture_drop(&c, drop);
                held -= drop;
                memmove(model, model + drop, held);
                assert_span_equal(capture_span(&c), model, held);
                assert_int_equal(c.total, seen);
                assert_true(c.room <= MAX);
                if (held == 0)
                        assert_int_equal(c.room, 0);
        }
        capture_fini(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(exactly_the_first_bytes_are_kept_and_all_are_counted),
                cmocka_unit_test(an_empty_pipe_is_no_end),
                cmocka_unit_test(a_high_limit_costs_no_memory_in_advance),
                cmocka_unit_test(what_is_dropped_makes_room_and_the_rest_stays_in_order),
        };
        return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
