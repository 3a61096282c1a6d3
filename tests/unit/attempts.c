/* System calls that an attacker may try: see attempts.h. */
#include "attempts.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* No attempt changes anything outside its process. */
static long new_socket(void)
{
        return socket(AF_INET, SOCK_STREAM, 0);
}

static long other_socket(void)
{
        return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long datagram_socket(void)
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

const struct attempt attempts[] = {
        { "a socket of the internet", new_socket, false },
        { "a socket of the kernel's", other_socket, false },
        { "a socket of datagrams", datagram_socket, false },
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

const size_t n_attempts = sizeof attempts / sizeof attempts[0];

int attempts_status(int (*work)(void *data), void *data)
{
        /* Without this step, only root may load a filter. The confined processes do the same. */
        assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(work(data));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

struct one_attempt {
        const struct attempt *attempt;
        int (*confine)(struct err *e); /* NULL: the child stays free */
};

/* The errno of an attempt, 0 if it succeeds. */
static int make_one(void *data)
{
        const struct one_attempt *a = data;
        struct err e = { 0 };

        if (a->confine && a->confine(&e) < 0) {
                fprintf(stderr, "# %s\n", e.text);
                return ATTEMPT_FAILED;
        }
        errno = 0;
        return a->attempt->make() < 0 ? errno : 0;
}

void attempts_make(const struct attempt *list, size_t n, int (*confine)(struct err *e))
{
        for (size_t i = 0; i < n; i++) {
                struct one_attempt in_free = { .attempt = &list[i] };
                struct one_attempt in_confined = { .attempt = &list[i], .confine = confine };
                if (attempts_status(make_one, &in_free) != 0)
                        fail_msg("%s fails in a free process too", list[i].name);
                int got = attempts_status(make_one, &in_confined);
                if (SANITIZED && list[i].sanitizers_need_it ? got == ATTEMPT_FAILED : got != ENOSYS)
                        fail_msg("%s: error %d", list[i].name, got);
        }
}
