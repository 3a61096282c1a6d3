/* Confinement: see confine.h. */
#include "proto/confine/confine.h"

#include "proto/base/own.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
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

        /* Each client takes a descriptor. */
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

/* A path that begins in a directory can lead out of this directory, so the directory becomes the root. (Sanitized
 * builds keep the old root, since sanitizers read files of /proc.) */
static int drop_files(const struct drop *d)
{
        if (d->root < 0)
                return 0;
        return fchdir(d->root) < 0 || (!SANITIZED && chroot(".") < 0) ? -errno : 0;
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
        /* At the end of a sanitized build, the leak check traces its own process. This call would forbid that. */
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
        { "emptying the bounding set", drop_bounds }, /* first: needs a capability */
        { "leaving the file system", drop_files },    /* needs a capability, too */
        { "leaving all groups", drop_groups },        /* needs a capability, too */
        { "changing the group", drop_gid },           /* needs a capability, too */
        { "changing the user", drop_uid },            /* from here on there is no way back */
        { "dropping capabilities", drop_capabilities },
        { "forbidding new privileges", drop_new_privileges },
        { "forbidding core dumps", drop_dumps },          /* after drop_uid, which resets this setting */
        { "dying with the supervisor", die_with_parent }, /* after drop_uid, for the same reason */
        { "proving that the rights are gone", prove },    /* last */
};

int confine_drop(uint32_t uid, int root, struct err *e)
{
        const struct drop d = { .uid = uid, .root = root, .parent = getppid() };

        if (uid == 0)
                return err_say(e, EINVAL, "this process does not run as root");
        for (size_t i = 0; i < sizeof drop_steps / sizeof drop_steps[0]; i++) {
                int r = drop_steps[i].run(&d);
                if (r < 0)
                        return err_set(e, -r, "%s", drop_steps[i].name);
        }
        return 0;
}

/* ---------------------------------------------------------------- system calls */

/* The calls that every process needs, whatever its work is. */
static const struct confine_call common_calls[] = {
        /* memory, for data and not for code */
        { .call = SCMP_SYS(brk) },
        { .call = SCMP_SYS(mmap), .arguments = { { 2, PROT_EXEC, 0 } } },
        { .call = SCMP_SYS(mprotect), .arguments = { { 2, PROT_EXEC, 0 } } },
        { .call = SCMP_SYS(munmap) },
        { .call = SCMP_SYS(mremap) },
        { .call = SCMP_SYS(madvise) },
        /* calls that libc makes on its own (sysinfo: qsort asks for the amount of memory) */
        { .call = SCMP_SYS(sysinfo) },
        { .call = SCMP_SYS(getrandom) },
        { .call = SCMP_SYS(futex) },
        { .call = SCMP_SYS(restart_syscall) },
        { .call = SCMP_SYS(clock_gettime) },
        { .call = SCMP_SYS(gettimeofday) },
        /* the end of the process, by exit or by abort */
        { .call = SCMP_SYS(exit) },
        { .call = SCMP_SYS(exit_group) },
        { .call = SCMP_SYS(rt_sigprocmask) },
        { .call = SCMP_SYS(rt_sigaction) },
        { .call = SCMP_SYS(rt_sigreturn) },
        { .call = SCMP_SYS(getpid) },
        { .call = SCMP_SYS(gettid) },
        { .call = SCMP_SYS(tgkill) },
#ifdef __SANITIZE_ADDRESS__
        /* the sanitizers' own: maps of memory, reports with source lines, and the thread that looks for leaks */
        { .call = SCMP_SYS(openat) },
        { .call = SCMP_SYS(open) },
        { .call = SCMP_SYS(readlink) },
        { .call = SCMP_SYS(readlinkat) },
        { .call = SCMP_SYS(getdents) },
        { .call = SCMP_SYS(getdents64) },
        { .call = SCMP_SYS(stat) },
        { .call = SCMP_SYS(ioctl) },
        { .call = SCMP_SYS(pipe) },
        { .call = SCMP_SYS(pipe2) },
        { .call = SCMP_SYS(process_vm_readv) },
        { .call = SCMP_SYS(sched_yield) },
        { .call = SCMP_SYS(sigaltstack) },
        { .call = SCMP_SYS(clone) },
        { .call = SCMP_SYS(wait4) },
        { .call = SCMP_SYS(ptrace) },
        { .call = SCMP_SYS(prctl) },
        { .call = SCMP_SYS(getppid) },
        { .call = SCMP_SYS(getrlimit) },
        { .call = SCMP_SYS(prlimit64) },
        { .call = SCMP_SYS(uname) },
        { .call = SCMP_SYS(mincore) },
        { .call = SCMP_SYS(geteuid) },
        { .call = SCMP_SYS(kill) },
#endif
};

static int allow(scmp_filter_ctx filter, const struct confine_call *c)
{
        struct scmp_arg_cmp is[CONFINE_MAX_ARGUMENTS];
        unsigned n = 0;

        for (; n < CONFINE_MAX_ARGUMENTS && c->arguments[n].mask != 0; n++) {
                const struct confine_argument *a = &c->arguments[n];
                is[n] = (struct scmp_arg_cmp){ .arg = a->number, .op = SCMP_CMP_EQ, .datum_a = a->value };
                if (a->mask != CONFINE_ALL_BITS)
                        is[n] = (struct scmp_arg_cmp){
                                .arg = a->number, .op = SCMP_CMP_MASKED_EQ, .datum_a = a->mask, .datum_b = a->value
                        };
        }
        return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, c->call, n, is);
}

static int allow_all(scmp_filter_ctx filter, const struct confine_call *calls, size_t n)
{
        int r = 0;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = allow(filter, &calls[i]);
        return r;
}

int confine_calls(const struct confine_list *lists, size_t n_lists, struct err *e)
{
        /* A forbidden call fails, but does not kill the process. A new libc may make such a call on its own. Then only
         * one feature fails, and the process goes on. */
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
        if (!filter)
                return err_set(e, ENOMEM, "a filter of system calls");
        int r = allow_all(filter, common_calls, sizeof common_calls / sizeof common_calls[0]);
        for (size_t i = 0; i < n_lists && r >= 0; i++)
                r = allow_all(filter, lists[i].calls, lists[i].n);
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        if (r < 0)
                return err_set(e, -r, "the filter of system calls");

        OWN_FD int proof = socket(AF_INET, SOCK_STREAM, 0);
        if (proof >= 0 || errno != ENOSYS)
                return err_say(e, ENOTRECOVERABLE, "the filter of system calls does not filter");
        return 0;
}
