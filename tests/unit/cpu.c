/* CPU time of a cgroup, as both versions of cgroups write it. */
#include "proto/ipc/cpu.h"

#include "proto/base/own.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

static int64_t time_of(const char *text)
{
        OWN_FD int fd = memfd_create("cpu", MFD_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        int64_t first = cpu_time_read(fd);
        assert_true(cpu_time_read(fd) == first); /* the descriptor's position does not matter */
        return first;
}

static void nanoseconds_of_version_1_become_microseconds(void **state)
{
        (void)state;
        assert_int_equal(time_of("0\n"), 0);
        assert_int_equal(time_of("999\n"), 0);
        assert_int_equal(time_of("123456789\n"), 123456);
}

static void version_2_tells_microseconds_in_its_first_line(void **state)
{
        (void)state;
        assert_int_equal(time_of("usage_usec 0\nuser_usec 0\nsystem_usec 0\n"), 0);
        assert_int_equal(time_of("usage_usec 42\nuser_usec 40\nsystem_usec 2\n"), 42);
}

static void anything_else_is_an_error(void **state)
{
        (void)state;
        const char *const bad[] = { "",
                                    "\n",
                                    "x\n",
                                    "-5\n",
                                    "12",
                                    "12x\n",
                                    "usage_usec \n",
                                    "usage_usec x\n",
                                    "usage_usec -1\n",
                                    "user_usec 5\n" };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
                if (time_of(bad[i]) != -EPROTO)
                        fail_msg("\"%s\" is taken", bad[i]);
}

static void a_closed_descriptor_is_an_error(void **state)
{
        (void)state;
        assert_int_equal(cpu_time_read(-1), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nanoseconds_of_version_1_become_microseconds),
                cmocka_unit_test(version_2_tells_microseconds_in_its_first_line),
                cmocka_unit_test(anything_else_is_an_error),
                cmocka_unit_test(a_closed_descriptor_is_an_error),
        };
        return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
