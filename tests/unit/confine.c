/* The pool's confinement: pool/confine.h. Each attempt is made twice, in a free child and in a confined one: an attempt
 * that fails in both would prove nothing. */
#include "unit.h"

#include "pool/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { UID = 1879000000, FAILED = 99 };

/* Attempts. Each returns the kernel's result, which is negative, with errno, after a failure. No attempt changes
 * anything outside its process. */
static long new_socket(void)
{
        return socket(AF_INET, SOCK_STREAM, 0);
}

static long other_socket(void)
{
        return socket(AF_UNIX, SOCK_DGRAM, 0);
}

static long open_file(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static long open_at(void)
{
        return syscall(SYS_openat2, AT_FDCWD, "/dev/null", (uint64_t[3]){ 0 }, sizeof(uint64_t[3]));
}

/* The path is wrong on purpose, so that the free child is not replaced: a kernel that allows the call says ENOENT. */
static long run_program(void)
{
        char *const none[] = { NULL };
        long r = execve("/nonexistent/program", none, none);
        return r < 0 && errno == ENOENT ? 0 : r;
}

static long trace(void)
{
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long new_process(void)
{
        long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
                _exit(0);
        return pid;
}

static long new_process_by_clone3(void)
{
        uint64_t args[8] = { [4] = SIGCHLD };
        long pid = syscall(SYS_clone3, args, sizeof args);
        if (pid == 0)
                _exit(0);
        return pid;
}

static long mapped_code(void)
{
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long code_from_data(void)
{
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long memory_file(void)
{
        return memfd_create("x", MFD_CLOEXEC);
}

static long change_directory(void)
{
        return chdir("/");
}

static long look_at_mode(void)
{
        return syscall(SYS_umask, 022);
}

static long signal_somebody(void)
{
        return syscall(SYS_kill, getpid(), 0);
}

static long signal_by_thread(void)
{
        return syscall(SYS_tkill, syscall(SYS_gettid), 0);
}

static long own_ids(void)
{
        return setresuid(getuid(), getuid(), getuid());
}

static long raise_limit(void)
{
        struct rlimit files;
        return syscall(SYS_setrlimit, RLIMIT_NOFILE, syscall(SYS_getrlimit, RLIMIT_NOFILE, &files) < 0 ? NULL : &files);
}

static long lock_file(void)
{
        struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
        return fcntl(STDIN_FILENO, F_GETLK, &lock) < 0 && errno == ENOSYS ? -1 : 0;
}

static long duplicate(void)
{
        return dup(STDERR_FILENO);
}

static long ring(void)
{
        struct io_uring_params p = { 0 };
        long r = syscall(SYS_io_uring_setup, 1, &p);
        return r < 0 && errno != ENOSYS ? 0 : r; /* a host may forbid the call to all processes, with another errno */
}

static long key(void)
{
        long r = syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 0);
        return r < 0 && errno != ENOSYS ? 0 : r;
}

static long new_namespace(void)
{
        long r = unshare(CLONE_NEWUTS);
        return r < 0 && errno == EPERM ? 0 : r;
}

struct attempt {
        const char *name;
        long (*make)(void);
        bool sanitizers_need_it; /* in a sanitized build the call is allowed */
};

static const struct attempt attempts[] = {
        { "a socket of the internet", new_socket, false },
        { "a socket of another kind", other_socket, false },
        { "opening a file", open_file, true },
        { "opening a file by openat2", open_at, false },
        { "executing a program", run_program, false },
        { "being traced", trace, true },
        { "a new process", new_process, true },
        { "a new process by clone3", new_process_by_clone3, false },
        { "a mapping that holds code", mapped_code, false },
        { "data that becomes code", code_from_data, false },
        { "a file in memory", memory_file, false },
        { "another directory", change_directory, false },
        { "the mask of modes", look_at_mode, false },
        { "a signal for a process", signal_somebody, true },
        { "a signal for a thread", signal_by_thread, false },
        { "its ids", own_ids, false },
        { "its limits", raise_limit, false },
        { "a file lock", lock_file, false },
        { "a copy of a descriptor", duplicate, false },
        { "io_uring", ring, false },
        { "keys", key, false },
        { "a namespace", new_namespace, false },
};

/* The errno of an attempt made in a child of its own, 0 if it succeeds. */
static int attempt_in_child(const struct attempt *a, bool confined)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct err e = { 0 };
                if (confined && confine_calls(-1, &e) < 0) {
                        fprintf(stderr, "# %s\n", e.text);
                        _exit(FAILED);
                }
                errno = 0;
                _exit(a->make() < 0 ? errno : 0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* 0, or the number of the first check that fails. */
static int use_directory(int directory, int other)
{
        struct err e = { 0 };
        if (confine_calls(directory, &e) < 0)
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

        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(use_directory(directory, other));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        close(directory);
        close(other);
        assert_int_equal(rmdir(path), 0);
}

/* 0, or the number of the first check that fails. */
static int use_terminal(int master)
{
        const struct winsize is = { .ws_row = 30, .ws_col = 90 };
        const int unlocked = 0;
        struct err e = { 0 };

        if (confine_calls(-1, &e) < 0)
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
        int status, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

        assert_true(master >= 0);
        assert_int_equal(ioctl(master, TIOCSPTLCK, &unlocked), 0);
        int side = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(side >= 0); /* so it is the filter that refuses the call */
        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(use_terminal(master));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(ioctl(side, TIOCGWINSZ, &was), 0);
        assert_int_equal(was.ws_row, 30);
        assert_int_equal(was.ws_col, 90);
        close(side);
        close(master);
}

static void what_the_loop_does_not_need_is_not_there(void **state)
{
        (void)state;
        /* The filter is loaded without root's help, as in the pool. */
        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
                const struct attempt *a = &attempts[i];
                if (attempt_in_child(a, false) != 0)
                        fail_msg("%s fails in a free process too", a->name);
                int got = attempt_in_child(a, true);
                if (SANITIZED && a->sanitizers_need_it ? got == FAILED : got != ENOSYS)
                        fail_msg("%s: error %d", a->name, got);
        }
}

/* In a child that has dropped everything: 0, or the number of the first right that is still there. */
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

static int drop_in_child(uint32_t uid)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct err e = { 0 };
                if (confine_drop(uid, -1, &e) < 0) {
                        if (uid != 0)
                                fprintf(stderr, "# %s\n", e.text);
                        _exit(FAILED);
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
        assert_int_equal(drop_in_child(UID), 0);
}

static void root_is_no_user_for_it(void **state)
{
        (void)state;
        assert_int_equal(drop_in_child(0), FAILED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rights_are_gone),
                cmocka_unit_test(root_is_no_user_for_it),
                /* last: both give up new privileges */
                cmocka_unit_test(files_of_one_directory_can_be_used_and_no_others),
                cmocka_unit_test(a_terminal_can_be_given_a_size_and_not_be_opened),
                cmocka_unit_test(what_the_loop_does_not_need_is_not_there),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
