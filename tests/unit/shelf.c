/* Low places for descriptors: zygote/sandbox/shelf.h. */
#include "unit.h"

#include "zygote/sandbox/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static bool is_same(int a, int b)
{
        struct stat one, other;
        return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static void set_up(struct shelves *s, int pipe_fds[2])
{
        struct err e;
        assert_int_equal(shelves_init(s, &e), 0);
        assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
}

static void tear_down(const struct shelves *s, const int pipe_fds[2])
{
        for (int fd = s->holder; fd < s->first + SHELF_COUNT * SHELF_ROOM; fd++)
                assert_int_equal(close(fd), 0);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
}

static void all_numbers_are_taken_from_the_start(void **state)
{
        (void)state;
        struct shelves s;
        int ends[2];
        set_up(&s, ends);
        for (int fd = s.first; fd < s.first + SHELF_COUNT * SHELF_ROOM; fd++)
                assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        int next = fcntl(ends[0], F_DUPFD_CLOEXEC, s.first);
        assert_true(next >= s.first + SHELF_COUNT * SHELF_ROOM);
        close(next);
        assert_false(shelves_are_full(&s));
        tear_down(&s, ends);
}

static void each_has_copies_and_there_are_so_many(void **state)
{
        (void)state;
        struct shelves s;
        int ends[2], at[SHELF_COUNT];
        set_up(&s, ends);
        for (int i = 0; i < SHELF_COUNT; i++) {
                assert_false(shelves_are_full(&s));
                at[i] = shelf_take(&s, (int[]){ ends[1], ends[0] }, 2);
                assert_true(at[i] >= s.first && (at[i] - s.first) % SHELF_ROOM == 0);
                for (int j = 0; j < i; j++)
                        assert_true(at[i] != at[j]);
                assert_true(is_same(at[i], ends[1]) && is_same(at[i] + 1, ends[0]));
                assert_int_equal(fcntl(at[i], F_GETFD), FD_CLOEXEC);
                assert_false(is_same(at[i] + 2, ends[0]));
        }
        assert_true(shelves_are_full(&s));
        assert_int_equal(shelf_take(&s, ends, 2), -EAGAIN);

        shelf_give_back(&s, at[5]);
        assert_false(shelves_are_full(&s));
        assert_int_equal(shelf_take(&s, ends, 2), at[5]);
        assert_true(shelves_are_full(&s));
        tear_down(&s, ends);
}

static void what_is_given_back_is_closed_and_stays_reserved(void **state)
{
        (void)state;
        struct shelves s;
        int ends[2];
        char byte;
        set_up(&s, ends);
        int at = shelf_take(&s, &ends[1], 1);
        assert_true(at >= 0);
        close(ends[1]);
        assert_int_equal(write(at, "x", 1), 1);
        assert_int_equal(read(ends[0], &byte, 1), 1);

        shelf_give_back(&s, at);
        assert_int_equal(read(ends[0], &byte, 1), 0); /* no process can write any more */
        assert_true(is_open(at));
        shelf_give_back(&s, -1);
        assert_false(shelves_are_full(&s));
        ends[1] = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
        tear_down(&s, ends);
}

static void what_can_not_be_copied_takes_no_shelf(void **state)
{
        (void)state;
        struct shelves s;
        int ends[2];
        set_up(&s, ends);
        assert_int_equal(shelf_take(&s, (int[]){ ends[0], -1 }, 2), -EBADF);
        assert_false(is_same(s.first, ends[0]));
        for (int i = 0; i < SHELF_COUNT; i++)
                assert_true(shelf_take(&s, ends, 2) >= 0);
        tear_down(&s, ends);
}

/* The child checks its parent's descriptors. Returns 0 if all is right, or the number of the check that failed. */
static int look_in_child(const struct shelves *s, int at, int low, int high)
{
        if (!is_open(high))
                return 1; /* the child does not share the parent's table */
        if (shelves_leave(shelves_end(s)) != 0)
                return 2;
        if (is_open(high))
                return 3;
        if (!is_open(low) || !is_open(at) || !is_open(s->first + SHELF_COUNT * SHELF_ROOM - 1))
                return 4;
        /* From here on, no action of the child shows in the parent. */
        return close(at) == 0 && close(low) == 0 ? 0 : 5;
}

static void a_child_leaves_with_the_lower_end_alone(void **state)
{
        (void)state;
        struct shelves s;
        int ends[2], wait_status = -1;
        int low = open("/", O_PATH | O_CLOEXEC);
        set_up(&s, ends);
        int at = shelf_take(&s, ends, 2);
        int high = fcntl(ends[0], F_DUPFD_CLOEXEC, s.first);
        struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };

        long pid = syscall(SYS_clone3, &args, sizeof args);
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(look_in_child(&s, at, low, high));
        assert_int_equal(waitpid((pid_t)pid, &wait_status, 0), pid);
        assert_true(WIFEXITED(wait_status));
        assert_int_equal(WEXITSTATUS(wait_status), 0);
        assert_true(is_open(high) && is_open(low) && is_same(at, ends[0]));
        close(high);
        close(low);
        tear_down(&s, ends);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_numbers_are_taken_from_the_start),
                cmocka_unit_test(each_has_copies_and_there_are_so_many),
                cmocka_unit_test(what_is_given_back_is_closed_and_stays_reserved),
                cmocka_unit_test(what_can_not_be_copied_takes_no_shelf),
                cmocka_unit_test(a_child_leaves_with_the_lower_end_alone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
