/* Whole reads and writes: see proto/base/io.h. */
#include "proto/base/io.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than any socket holds, so that neither side finishes in one call. */
enum { LARGE = 8 << 20 };

static void interrupted(int number)
{
        (void)number;
}

static pid_t start_writer(int to, int from)
{
        pid_t pid = fork();
        if (pid != 0)
                return pid;
        char *data = calloc(1, LARGE);
        close(from);
        if (!data)
                _exit(2);
        data[LARGE - 1] = 'x';
        _exit(io_send_all(to, data, LARGE) < 0 || io_write_all(to, "end", 3) < 0);
}

static void what_is_cut_short_or_interrupted_goes_on(void **state)
{
        (void)state;
        const struct sigaction breaks_calls = { .sa_handler = interrupted }; /* no SA_RESTART */
        char *data = malloc(LARGE), rest[2];
        size_t len;
        int ends[2], status;

        assert_non_null(data);
        assert_int_equal(sigaction(SIGALRM, &breaks_calls, NULL), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        pid_t pid = start_writer(ends[1], ends[0]);
        close(ends[1]);
        ualarm(1000, 1000);
        assert_int_equal(io_read_all(ends[0], data, LARGE), 0);
        assert_int_equal(data[LARGE - 1], 'x');
        assert_int_equal(io_drain(ends[0], rest, sizeof rest, &len), 0);
        ualarm(0, 0);
        assert_int_equal(len, 3);
        assert_memory_equal(rest, "en", 2);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(ends[0]);
        free(data);
}

static void an_end_is_an_error_and_no_signal(void **state)
{
        (void)state;
        char byte[2];
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        assert_int_equal(io_send_all(ends[1], "a", 1), 0);
        close(ends[1]);
        assert_int_equal(io_read_all(ends[0], byte, 2), -EPIPE);
        assert_int_equal(io_read(ends[0], byte, 2), 0);
        assert_int_equal(io_send_all(ends[0], "a", 1), -EPIPE);
        close(ends[0]);
        assert_int_equal(io_write_all(ends[0], "a", 1), -EBADF);
        assert_int_equal(io_read_all(ends[0], byte, 1), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_cut_short_or_interrupted_goes_on),
                cmocka_unit_test(an_end_is_an_error_and_no_signal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
