/* The pool's confinement: see confine.h. */
#include "pool/confine.h"

#include "proto/base/own.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* ---------------------------------------------------------------- descriptors */

int confine_forget(unsigned first_foreign, struct err *e)
{
        struct rlimit files;

        if (close_range(first_foreign, ~0U, 0) < 0)
                return err_set(e, errno, "closing foreign descriptors");

        OWN_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
                return err_set(e, errno, "/dev/null");

        /* A client takes one descriptor, a run five. */
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return err_set(e, errno, "the limit of descriptors");
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                return err_set(e, errno, "raising the limit of descriptors");
        return 0;
}

/* ---------------------------------------------------------------- identity */

struct drop {
        uint32_t uid;
        int root;
        pid_t parent;
};

static int drop_bounds(const struct drop *d)
{
        (void)d;
        capng_clear(CAPNG_SELECT_ALL);
        return capng_apply(CAPNG_SELECT_BOUNDS) == 0 ? 0 : -EPERM;
}

/* Paths that begin in the pool's one directory could still lead out of it. (The sanitizers read files of /proc.) */
static int drop_files(const struct drop *d)
{
        if (d->root < 0 || SANITIZED)
                return 0;
        return fchdir(d->root) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int drop_groups(const struct drop *d)
{
        (void)d;
        return setgroups(0, NULL) < 0 ? -errno : 0;
}

static int drop_gid(const struct drop *d)
{
        return setresgid(d->uid, d->uid, d->uid) < 0 ? -errno : 0;
}

static int drop_uid(const struct drop *d)
{
        return setresuid(d->uid, d->uid, d->uid) < 0 ? -errno : 0;
}

static int drop_capabilities(const struct drop *d)
{
        (void)d;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return -errno;
        capng_clear(CAPNG_SELECT_ALL);
        return capng_apply(CAPNG_SELECT_CAPS) == 0 ? 0 : -EPERM;
}

static int drop_new_privileges(const struct drop *d)
{
        (void)d;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int drop_dumps(const struct drop *d)
{
        (void)d;
        const struct rlimit none = { 0, 0 };
        if (setrlimit(RLIMIT_CORE, &none) < 0)
                return -errno;
        /* The leak check at the end of a sanitized build traces its own process, which this would forbid. */
        if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        return 0;
}

static int die_with_parent(const struct drop *d)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return -errno;
        return getppid() == d->parent ? 0 : -EOWNERDEAD;
}

static int prove(const struct drop *d)
{
        (void)d;
        if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || seteuid(0) == 0)
                return -ENOTRECOVERABLE;
        if (capng_get_caps_process() < 0 || capng_have_capabilities(CAPNG_SELECT_ALL) != CAPNG_NONE)
                return -ENOTRECOVERABLE;
        OWN_FD int memory = open("/proc/1/mem", O_RDWR | O_CLOEXEC);
        return memory >= 0 ? -ENOTRECOVERABLE : 0;
}

struct drop_step {
        const char *name;
        int (*run)(const struct drop *d);
};

static const struct drop_step drop_steps[] = {
        { "emptying the bounding set", drop_bounds }, /* first: it needs a capability */
        { "leaving the file system", drop_files },    /* so does this */
        { "leaving all groups", drop_groups },        /* and this */
        { "changing the group", drop_gid },           /* and this */
        { "changing the user", drop_uid },            /* from here on there is no way back */
        { "dropping capabilities", drop_capabilities },
        { "forbidding new privileges", drop_new_privileges },
        { "forbidding core dumps", drop_dumps },          /* after the user: that change resets it */
        { "dying with the supervisor", die_with_parent }, /* likewise */
        { "proving that the rights are gone", prove },    /* last */
};

int confine_drop(uint32_t uid, int root, struct err *e)
{
        const struct drop d = { .uid = uid, .root = root, .parent = getppid() };

        if (uid == 0)
                return err_say(e, EINVAL, "the pool does not run as root");
        for (size_t i = 0; i < sizeof drop_steps / sizeof drop_steps[0]; i++) {
                int r = drop_steps[i].run(&d);
                if (r < 0)
                        return err_set(e, -r, "%s", drop_steps[i].name);
        }
        return 0;
}

/* ---------------------------------------------------------------- system calls */

static const int allowed_calls[] = {
        /* the loop, and its clocks */
        SCMP_SYS(epoll_wait),
        SCMP_SYS(epoll_pwait),
        SCMP_SYS(epoll_ctl),
        SCMP_SYS(clock_gettime),
        SCMP_SYS(gettimeofday),
        SCMP_SYS(restart_syscall),
        /* clients, zygotes, sandboxes */
        SCMP_SYS(accept4),
        SCMP_SYS(read),
        SCMP_SYS(readv),
        SCMP_SYS(pread64),
        SCMP_SYS(write),
        SCMP_SYS(writev),
        SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg),
        SCMP_SYS(sendto),
        SCMP_SYS(sendmsg),
        SCMP_SYS(shutdown),
        SCMP_SYS(setsockopt),
        SCMP_SYS(getsockopt),
        SCMP_SYS(socketpair),
        SCMP_SYS(close),
        /* a configuration that comes as a descriptor */
        SCMP_SYS(fstat),
        SCMP_SYS(newfstatat),
        SCMP_SYS(lseek),
        SCMP_SYS(sched_getaffinity),
        /* memory, and calls that libc makes on its own (sysinfo: qsort asks for the amount of memory) */
        SCMP_SYS(brk),
        SCMP_SYS(munmap),
        SCMP_SYS(mremap),
        SCMP_SYS(madvise),
        SCMP_SYS(sysinfo),
        SCMP_SYS(getrandom),
        SCMP_SYS(futex),
        /* the end, the orderly one and abort's */
        SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigaction),
        SCMP_SYS(rt_sigreturn),
        SCMP_SYS(getpid),
        SCMP_SYS(gettid),
        SCMP_SYS(tgkill),
#ifdef __SANITIZE_ADDRESS__
        /* the sanitizers' own: maps of memory, reports with source lines, and the thread that looks for leaks */
        SCMP_SYS(openat),
        SCMP_SYS(open),
        SCMP_SYS(readlink),
        SCMP_SYS(readlinkat),
        SCMP_SYS(getdents),
        SCMP_SYS(getdents64),
        SCMP_SYS(stat),
        SCMP_SYS(ioctl),
        SCMP_SYS(pipe),
        SCMP_SYS(pipe2),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(sched_yield),
        SCMP_SYS(sigaltstack),
        SCMP_SYS(clone),
        SCMP_SYS(wait4),
        SCMP_SYS(ptrace),
        SCMP_SYS(prctl),
        SCMP_SYS(getppid),
        SCMP_SYS(getrlimit),
        SCMP_SYS(prlimit64),
        SCMP_SYS(uname),
        SCMP_SYS(mincore),
        SCMP_SYS(geteuid),
        SCMP_SYS(kill),
#endif
};

/* Memory for data, not for code. */
static int allow_memory(scmp_filter_ctx filter)
{
        const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
        int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);
        return r < 0 ? r : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
}

/* Descriptors may be made non-blocking and copied; the pool needs no locks, owners or leases. */
static int allow_fcntl(scmp_filter_ctx filter)
{
        static const unsigned commands[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC };
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
                const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_EQ, commands[i], 0);
                int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &is);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Only one ioctl of terminals: the size of a sandbox's terminal. */
static int allow_terminal(scmp_filter_ctx filter)
{
        const struct scmp_arg_cmp is = SCMP_A1(SCMP_CMP_EQ, TIOCSWINSZ, 0);
        return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &is);
}

/* Files of one directory, by names that are relative to it; and the time of an open file. */
static int allow_directory(scmp_filter_ctx filter, int directory)
{
        const struct scmp_arg_cmp from = { .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)directory };
        const struct scmp_arg_cmp to = { .arg = 2, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)directory };
        const struct scmp_arg_cmp both[] = { from, to };
        const struct scmp_arg_cmp open_one = { .arg = 1, .op = SCMP_CMP_EQ, .datum_a = 0 };

        int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, &from);
        if (r >= 0)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 1, &from);
        if (r >= 0)
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 2, both);
        return r < 0 ? r : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(utimensat), 1, &open_one);
}

static int load_filter(scmp_filter_ctx filter, int directory)
{
        int r = 0;
        for (size_t i = 0; r >= 0 && i < sizeof allowed_calls / sizeof allowed_calls[0]; i++)
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0);
        if (r >= 0)
                r = allow_memory(filter);
        if (r >= 0)
                r = allow_fcntl(filter);
        if (r >= 0 && !SANITIZED) /* the sanitizers' runtime uses other ioctls, too, so there ioctl is on the list */
                r = allow_terminal(filter);
        if (r >= 0 && directory >= 0)
                r = allow_directory(filter, directory);
        return r < 0 ? r : seccomp_load(filter);
}

int confine_calls(int directory, struct err *e)
{
        /* The filter does not kill: a call that a new libc makes on its own should cost a feature, not all clients. */
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        if (!filter)
                return err_set(e, ENOMEM, "a filter of system calls");
        int r = load_filter(filter, directory);
        seccomp_release(filter);
        if (r < 0)
                return err_set(e, -r, "the filter of system calls");

        OWN_FD int proof = socket(AF_INET, SOCK_STREAM, 0);
        if (proof >= 0 || errno != ENOSYS)
                return err_say(e, ENOTRECOVERABLE, "the filter of system calls does not filter");
        return 0;
}
