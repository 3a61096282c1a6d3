/* Bytes on their way into a sandbox. */
#include "pool/base/feed.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void pieces_arrive_in_order_however_little_the_reader_takes(void **state)
{
        (void)state;
        enum { PIECES = 3000, PIECE = 101 };
        const size_t size = (size_t)PIECES * PIECE;
        uint8_t *bytes = malloc(size), *got = malloc(size);
        struct feed f;
        struct err e = { 0 };
        size_t have = 0;
        int fd[2], r;

        assert_non_null(bytes);
        assert_non_null(got);
        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)(i * 37 >> 3);
        assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
        assert_int_equal(feed_init(&f, PIECES + 1, &e), 0);
        for (size_t i = 0; i < PIECES; i++)
                feed_add(&f, bytes + i * PIECE, PIECE);
        feed_add(&f, bytes, 0);

        unsigned rounds = 0;
        while ((r = feed_write(&f, fd[1], &e)) == FEED_MORE) {
                ssize_t n = read(fd[0], got + have, 5001);
                assert_true(n > 0);
                have += (size_t)n;
                rounds++;
        }
        assert_int_equal(r, FEED_DONE);
        assert_true(rounds > 10);
        close(fd[1]);
        for (ssize_t n; (n = read(fd[0], got + have, 5001)) > 0;)
                have += (size_t)n;
        assert_int_equal(have, size);
        assert_memory_equal(got, bytes, have);
        close(fd[0]);
        feed_fini(&f);
        free(bytes);
        free(got);
}

static void a_reader_that_is_gone_is_told_apart(void **state)
{
        (void)state;
        struct feed f;
        struct err e = { 0 };
        int fd[2];

        signal(SIGPIPE, SIG_IGN);
        assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
        close(fd[0]);
        assert_int_equal(feed_init(&f, 1, &e), 0);
        feed_add(&f, "x", 1);
        assert_int_equal(feed_write(&f, fd[1], &e), -EPIPE);
        feed_fini(&f);
        close(fd[1]);
}

static void nothing_is_done_at_once(void **state)
{
        (void)state;
        struct feed f = { 0 };
        struct err e = { 0 };
        assert_int_equal(feed_write(&f, -1, &e), FEED_DONE);
        feed_fini(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pieces_arrive_in_order_however_little_the_reader_takes),
                cmocka_unit_test(a_reader_that_is_gone_is_told_apart),
                cmocka_unit_test(nothing_is_done_at_once),
        };
        return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
