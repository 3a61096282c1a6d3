/* The pool's confinement: pool/confine.h and proto/confine/confine.h. */
#include "attempts.h"
#include "unit.h"

#include "pool/confine.h"
#include "proto/confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UID = 1879000000 };

/* 0, or the number of the first check that fails. */
static int use_directory(void *data)
{
        const int directory = ((const int *)data)[0], other = ((const int *)data)[1];
        struct err e = { 0 };
        if (confine_pool_calls(directory, &e) < 0)
                return 1;
        int fd = openat(directory, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || futimens(fd, NULL) < 0 || renameat(directory, "a", directory, "b") < 0 ||
            unlinkat(directory, "b", 0) < 0)
                return 2;
        if (SANITIZED)
                return 0;
        if (openat(other, "a", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != ENOSYS)
                return 3;
        if (openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC) >= 0 || errno != ENOSYS)
                return 4;
        if (renameat(directory, "b", other, "b") == 0 || errno != ENOSYS)
                return 5;
        if (renameat(other, "b", directory, "b") == 0 || errno != ENOSYS)
                return 6;
        if (unlinkat(other, "b", 0) == 0 || errno != ENOSYS)
                return 7;
        return utimensat(directory, "b", NULL, 0) == 0 || errno != ENOSYS ? 8 : 0;
}

static void files_of_one_directory_can_be_used_and_no_others(void **state)
{
        (void)state;
        char path[] = "/tmp/hatchery-confine-XXXXXX";
        assert_non_null(mkdtemp(path));
        int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int other = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(directory >= 0 && other >= 0);

        assert_int_equal(attempts_status(use_directory, (int[]){ directory, other }), 0);
        close(directory);
        close(other);
        assert_int_equal(rmdir(path), 0);
}

/* 0, or the number of the first check that fails. */
static int use_terminal(void *data)
{
        const int master = *(const int *)data;
        const struct winsize is = { .ws_row = 30, .ws_col = 90 };
        const int unlocked = 0;
        struct err e = { 0 };

        if (confine_pool_calls(-1, &e) < 0)
                return 1;
        if (ioctl(master, TIOCSWINSZ, &is) < 0)
                return 2;
        if (SANITIZED)
                return 0;
        if (ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0 || errno != ENOSYS)
                return 3;
        return ioctl(master, TIOCSPTLCK, &unlocked) == 0 || errno != ENOSYS ? 4 : 0;
}

static void a_terminal_can_be_given_a_size_and_not_be_opened(void **state)
{
        (void)state;
        const int unlocked = 0;
        struct winsize was;
        int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_true(master >= 0);
        assert_int_equal(ioctl(master, TIOCSPTLCK, &unlocked), 0);
        int side = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(side >= 0); /* without the filter, the call succeeds */
        assert_int_equal(attempts_status(use_terminal, &master), 0);
        assert_int_equal(ioctl(side, TIOCGWINSZ, &was), 0);
        assert_int_equal(was.ws_row, 30);
        assert_int_equal(was.ws_col, 90);
        close(side);
        close(master);
}

static int confine(struct err *e)
{
        return confine_pool_calls(-1, e);
}

static void what_the_loop_does_not_need_is_not_there(void **state)
{
        (void)state;
        attempts_make(attempts, n_attempts, confine);
}

/* 0, or the number of the first right that this process still has. */
static int what_is_left(void)
{
        char line[256];
        unsigned long long set;
        int caps = 0, n = 0;
        uid_t uids[3];

        if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || uids[0] != UID || uids[1] != UID || uids[2] != UID)
                return 1;
        if (getgroups(0, NULL) != 0 || getgid() != UID || getegid() != UID)
                return 2;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return 3;
        FILE *status = fopen("/proc/thread-self/status", "re");
        while (status && fgets(line, sizeof line, status))
                if (strncmp(line, "Cap", 3) == 0 && sscanf(line + 7, "%llx", &set) == 1) {
                        n++;
                        caps |= set != 0;
                }
        if (n != 5 || caps)
                return 4;
        if (setuid(0) == 0 || setgid(0) == 0 || chroot("/") == 0)
                return 5;
        struct rlimit core;
        if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
                return 6;
        if (!SANITIZED && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
                return 7;
        return 0;
}

/* Takes the user and group UID, but keeps every capability, and can be traced. When the user changes, the kernel drops
 * capabilities and forbids tracing by itself. For this process nothing changes later, so the kernel does neither. */
static bool change_user_alone(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct sets[2];

        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(UID, UID, UID) < 0 || setresuid(UID, UID, UID) < 0 ||
            syscall(SYS_capget, &header, sets) < 0)
                return false;
        for (size_t i = 0; i < 2; i++)
                sets[i].effective = sets[i].inheritable = sets[i].permitted;
        return syscall(SYS_capset, &header, sets) == 0 &&
               prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SETGID, 0, 0) == 0 &&
               prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static int drop_in_child(uint32_t uid, bool (*before)(void))
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct err e = { 0 };
                if (before && !before())
                        _exit(100);
                if (confine_drop(uid, -1, &e) < 0) {
                        if (uid != 0)
                                fprintf(stderr, "# %s\n", e.text);
                        _exit(ATTEMPT_FAILED);
                }
                _exit(what_is_left());
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void rights_are_gone(void **state)
{
        (void)state;
        if (getuid() != 0)
                skip(); /* there are no rights to drop */
        assert_int_not_equal(what_is_left(), 0);
        assert_int_equal(drop_in_child(UID, NULL), 0);
        assert_int_equal(drop_in_child(UID, change_user_alone), 0);
}

static void root_is_no_user_for_it(void **state)
{
        (void)state;
        assert_int_equal(drop_in_child(0, NULL), ATTEMPT_FAILED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rights_are_gone),
                cmocka_unit_test(root_is_no_user_for_it),
                /* last: the next three give up new privileges */
                cmocka_unit_test(files_of_one_directory_can_be_used_and_no_others),
                cmocka_unit_test(a_terminal_can_be_given_a_size_and_not_be_opened),
                cmocka_unit_test(what_the_loop_does_not_need_is_not_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
