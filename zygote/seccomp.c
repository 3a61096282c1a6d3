/* The system calls of a sandbox: see seccomp.h. A program killed or refused by this filter: run it under `strace -f`
 * outside, look for the call here, and add a row with the reason if it is harmless without capabilities. */
#include "zygote/seccomp.h"

#include "proto/own.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Loading a filter of this size takes 100 us: conversion, compilation, and a dry run for every system call. So it comes
 * in two parts. The outer one, the allowlist with what the making of a sandbox takes, is loaded once, in the zygote,
 * which it confines too; forks inherit it for nothing. The inner one, loaded by each sandbox, only takes the making
 * away again. The kernel asks both and obeys the stricter answer.
 *
 * The tables are laid out by hand. */
/* clang-format off */

/* Harmless for a process without capabilities in namespaces of its own. */
static const char *const allowed[] = {
        /* files */
        "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
        "faccessat", "faccessat2", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat",
        "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs",
        "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
        "lchown", "lgetxattr", "link", "linkat", "listxattr",
        "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "memfd_create", "mkdir", "mkdirat", "mknod",
        "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "pwrite64", "pwritev",
        "read", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat",
        "renameat2", "rmdir", "sendfile", "setxattr", "splice", "stat", "statfs", "statx", "symlink", "symlinkat",
        "tee", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes",
        "vmsplice", "write", "writev",
        /* memory */
        "brk", "get_mempolicy", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
        "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
        /* processes and threads; clone has rules of its own below */
        "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_waitv",
        "get_robust_list", "get_thread_area", "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid",
        "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
        "gettid", "getuid", "ioprio_get", "kill", "pause", "pidfd_open", "pidfd_send_signal", "prlimit64",
        "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
        "sched_rr_get_interval", "sched_setaffinity", "sched_yield", "set_robust_list", "set_tid_address", "setfsgid",
        "setfsuid", "setgid", "setgroups", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid",
        "setrlimit", "setsid", "setuid", "sigaltstack", "signalfd", "signalfd4", "sysinfo", "tgkill", "time", "times",
        "tkill", "uname", "vfork", "wait4", "waitid",
        /* a program may confine itself further; not with filters, whose compiled code no limit of memory counts */
        "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
        /* time */
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
        "setitimer", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
        "timerfd_create", "timerfd_gettime", "timerfd_settime",
        /* waiting and talking inside one's own sandbox */
        "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
        "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getpeername", "getsockname", "getsockopt", "listen",
        "pipe", "pipe2", "poll", "ppoll", "pselect6", "recvfrom", "recvmmsg", "recvmsg", "select", "sendmmsg",
        "sendmsg", "sendto", "shutdown",
        /* System V and POSIX IPC live in the sandbox's own IPC namespace and die with it */
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
        "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
        /* randomness */
        "getrandom",
};

/* Forbidden, and answered EPERM rather than ENOSYS, because programs know how to take that. */
static const char *const refused[] = {
        "acct", "adjtimex", "clock_adjtime", "clock_settime", "delete_module", "finit_module", "init_module",
        "ioperm", "iopl", "kexec_file_load", "kexec_load", "mount", "pidfd_getfd", "process_vm_readv",
        "process_vm_writev", "quotactl", "reboot", "setdomainname", "settimeofday", "swapoff", "swapon",
        "syslog", "vhangup",
#ifndef __SANITIZE_ADDRESS__
        "ptrace",
#endif
};

/* Answered as done, and not done: all that a sandbox can write is memory, and its /usr is the host's, whose disk it could
 * make flush and whose cache it could empty. */
static const char *const pretended[] = {
        "fadvise64", "fdatasync", "fsync", "readahead", "sync_file_range",
};

/* What the zygote does to make a sandbox, and init to settle; forbidden in the sandbox. */
struct making {
        const char *name;
        int error; /* what a program gets */
};

static const struct making making[] = {
        { "chroot", EPERM }, { "clone3", ENOSYS }, { "fsconfig", EPERM }, { "fsmount", EPERM }, { "fsopen", EPERM },
        { "fspick", EPERM }, { "mount_setattr", EPERM }, { "move_mount", EPERM }, { "open_tree", EPERM },
        { "pivot_root", EPERM }, { "seccomp", EPERM }, { "sethostname", EPERM }, { "setns", EPERM }, { "umount2", EPERM },
        { "unshare", EPERM },
#ifdef __SANITIZE_ADDRESS__
        { "ptrace", EPERM }, /* at its end a sanitized zygote looks for leaks, by tracing itself */
#endif
};

/* Calls that depend on one argument. Comparisons are of all 64 bits, so an argument with odd high bits matches no rule
 * that allows. */
struct rule {
        const char *name;
        unsigned argument;
        enum scmp_compare compare;
        scmp_datum_t value; /* of a masked comparison: the mask; equality is then with 0 */
        int error;          /* 0: allowed */
};

#define NEW_NAMESPACES                                                                                             \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
         CLONE_NEWTIME)
#define ALLOW_VALUE(name, argument, value) { name, argument, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }

static const struct rule rules[] = {
        /* clone3 hides its flags behind a pointer, so a sandbox gets ENOSYS and its libc uses clone. CLONE_NEWTIME shares its bit
         * with the exit signal's byte (0x80), which no real signal sets. */
        { "clone", 0, SCMP_CMP_MASKED_EQ, NEW_NAMESPACES, 0 },

        ALLOW_VALUE("socket", 0, AF_UNIX),
        { "socket", 0, SCMP_CMP_NE, AF_UNIX, EAFNOSUPPORT },
        ALLOW_VALUE("socketpair", 0, AF_UNIX),
        { "socketpair", 0, SCMP_CMP_NE, AF_UNIX, EAFNOSUPPORT },

        ALLOW_VALUE("ioctl", 1, FIONREAD), ALLOW_VALUE("ioctl", 1, FIONBIO), ALLOW_VALUE("ioctl", 1, FIOCLEX),
        ALLOW_VALUE("ioctl", 1, FIONCLEX), ALLOW_VALUE("ioctl", 1, FIOASYNC), ALLOW_VALUE("ioctl", 1, TCGETS),
        ALLOW_VALUE("ioctl", 1, TIOCGWINSZ), ALLOW_VALUE("ioctl", 1, TIOCGPGRP), ALLOW_VALUE("ioctl", 1, TIOCOUTQ),
        ALLOW_VALUE("ioctl", 1, FICLONE), ALLOW_VALUE("ioctl", 1, FS_IOC_GETFLAGS),

        /* Not F_NOTIFY and F_SETLEASE: on a file of /usr they would tell what other runs and the host do with it. (The same
         * goes for inotify, which is not allowed at all, and for RWF_NOWAIT of preadv2.) */
        { "fcntl", 1, SCMP_CMP_LE, F_GETOWN_EX, 0 },
        ALLOW_VALUE("fcntl", 1, F_OFD_GETLK), ALLOW_VALUE("fcntl", 1, F_OFD_SETLK), ALLOW_VALUE("fcntl", 1, F_OFD_SETLKW),
        ALLOW_VALUE("fcntl", 1, F_DUPFD_CLOEXEC), ALLOW_VALUE("fcntl", 1, F_SETPIPE_SZ),
        ALLOW_VALUE("fcntl", 1, F_GETPIPE_SZ), ALLOW_VALUE("fcntl", 1, F_ADD_SEALS), ALLOW_VALUE("fcntl", 1, F_GET_SEALS),

        /* Not SO_ATTACH_FILTER and its like: compiled filters are memory of the kernel that no limit counts. */
        { "setsockopt", 2, SCMP_CMP_LT, SO_ATTACH_FILTER, 0 },
        ALLOW_VALUE("setsockopt", 2, SO_TIMESTAMP), ALLOW_VALUE("setsockopt", 2, SO_PASSSEC),
        ALLOW_VALUE("setsockopt", 2, SO_TIMESTAMPNS),

        ALLOW_VALUE("personality", 0, 0), ALLOW_VALUE("personality", 0, 0xffffffff),

        ALLOW_VALUE("prctl", 0, PR_SET_NAME), ALLOW_VALUE("prctl", 0, PR_GET_NAME),
        ALLOW_VALUE("prctl", 0, PR_SET_PDEATHSIG), ALLOW_VALUE("prctl", 0, PR_GET_PDEATHSIG),
        ALLOW_VALUE("prctl", 0, PR_SET_DUMPABLE), ALLOW_VALUE("prctl", 0, PR_GET_DUMPABLE),
        ALLOW_VALUE("prctl", 0, PR_SET_NO_NEW_PRIVS), ALLOW_VALUE("prctl", 0, PR_GET_NO_NEW_PRIVS),
        ALLOW_VALUE("prctl", 0, PR_GET_SECCOMP),
        ALLOW_VALUE("prctl", 0, PR_SET_CHILD_SUBREAPER), ALLOW_VALUE("prctl", 0, PR_GET_CHILD_SUBREAPER),
        ALLOW_VALUE("prctl", 0, PR_CAPBSET_READ), ALLOW_VALUE("prctl", 0, PR_CAPBSET_DROP),
        ALLOW_VALUE("prctl", 0, PR_CAP_AMBIENT),
        ALLOW_VALUE("prctl", 0, PR_SET_TIMERSLACK), ALLOW_VALUE("prctl", 0, PR_GET_TIMERSLACK),
        ALLOW_VALUE("prctl", 0, PR_SET_THP_DISABLE), ALLOW_VALUE("prctl", 0, PR_GET_THP_DISABLE),
        ALLOW_VALUE("prctl", 0, PR_SET_VMA), ALLOW_VALUE("prctl", 0, PR_GET_KEEPCAPS),
        ALLOW_VALUE("prctl", 0, PR_GET_SECUREBITS), ALLOW_VALUE("prctl", 0, PR_GET_TID_ADDRESS),

        /* An own scheduling class would let one run starve others; asking for the normal ones changes nothing. */
        ALLOW_VALUE("sched_setscheduler", 1, 0 /* SCHED_OTHER */), ALLOW_VALUE("sched_setscheduler", 1, 3 /* BATCH */),
        ALLOW_VALUE("sched_setscheduler", 1, 5 /* IDLE */),
};

/* clang-format on */

enum {
        N_ALLOWED = sizeof allowed / sizeof allowed[0],
        N_REFUSED = sizeof refused / sizeof refused[0],
        N_PRETENDED = sizeof pretended / sizeof pretended[0],
        N_MAKING = sizeof making / sizeof making[0],
        N_RULES = sizeof rules / sizeof rules[0],
};

static int add(scmp_filter_ctx filter, uint32_t action, const char *name, const struct scmp_arg_cmp *compare)
{
        int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR)
                return 0; /* newer than this libseccomp: stays at ENOSYS */
        return seccomp_rule_add_array(filter, action, number, compare ? 1 : 0, compare);
}

static int add_outer(scmp_filter_ctx filter, struct err *e)
{
        int r = 0;
        const char *name = "";
        for (size_t i = 0; i < N_ALLOWED && r == 0; i++)
                r = add(filter, SCMP_ACT_ALLOW, name = allowed[i], NULL);
        for (size_t i = 0; i < N_MAKING && r == 0; i++)
                r = add(filter, SCMP_ACT_ALLOW, name = making[i].name, NULL);
        for (size_t i = 0; i < N_REFUSED && r == 0; i++)
                r = add(filter, SCMP_ACT_ERRNO(EPERM), name = refused[i], NULL);
        for (size_t i = 0; i < N_PRETENDED && r == 0; i++)
                r = add(filter, SCMP_ACT_ERRNO(0), name = pretended[i], NULL);
        for (size_t i = 0; i < N_RULES && r == 0; i++) {
                const struct rule *rule = &rules[i];
                struct scmp_arg_cmp compare = { .arg = rule->argument, .op = rule->compare, .datum_a = rule->value };
                uint32_t action = rule->error ? SCMP_ACT_ERRNO((uint32_t)rule->error) : SCMP_ACT_ALLOW;
                r = add(filter, action, name = rule->name, &compare);
        }
        return r < 0 ? err_set(e, -r, "the seccomp rule for %s", name) : 0;
}

/* The limit of core dumps may be read; setting it is answered as done, and not done. Set to 0, which the limit itself
 * can't prevent, it would let a crash start the host's handler of core dumps (zygote/limits.c). The kernel looks at the
 * low 32 bits of the resource, and so does this. */
static int add_core_limit(scmp_filter_ctx filter)
{
        struct scmp_arg_cmp old = SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, RLIMIT_CORE);
        struct scmp_arg_cmp now[] = { SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, RLIMIT_CORE),
                                      SCMP_A2_64(SCMP_CMP_NE, 0, 0) };
        int r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setrlimit), 1, &old);
        return r < 0 ? r : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(prlimit64), 2, now);
}

static int add_inner(scmp_filter_ctx filter, struct err *e)
{
        for (size_t i = 0; i < N_MAKING; i++) {
                int r = add(filter, SCMP_ACT_ERRNO((uint32_t)making[i].error), making[i].name, NULL);
                if (r < 0)
                        return err_set(e, -r, "the seccomp rule for %s", making[i].name);
        }
        int r = add_core_limit(filter);
        return r < 0 ? err_set(e, -r, "the seccomp rules for the limit of core dumps") : 0;
}

/* The finished filter as BPF, by way of a file in memory: libseccomp writes only to descriptors. */
static int export_bpf(scmp_filter_ctx filter, struct seccomp_program *p, struct err *e)
{
        OWN_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
        int r = fd < 0 ? -errno : seccomp_export_bpf(filter, fd);
        if (r < 0)
                return err_set(e, -r, "exporting the seccomp filter");
        off_t size = lseek(fd, 0, SEEK_END);
        if (size <= 0 || (size_t)size / sizeof *p->code > 0xffff)
                return err_say(e, EINVAL, "a seccomp filter of %ld bytes", (long)size);
        OWN_MEM struct sock_filter *code = malloc((size_t)size);
        if (!code)
                return err_set(e, ENOMEM, "the seccomp filter");
        if (pread(fd, code, (size_t)size, 0) != size)
                return err_set(e, EIO, "reading the seccomp filter");
        p->length = (unsigned short)((size_t)size / sizeof *code);
        p->code = own_steal_ptr(&code);
        return 0;
}

int seccomp_program_build(struct seccomp_program *p, enum seccomp_part part, struct err *e)
{
        bool outer = part == SECCOMP_OUTER;
        scmp_filter_ctx filter = seccomp_init(outer ? SCMP_ACT_ERRNO(ENOSYS) : SCMP_ACT_ALLOW);
        if (!filter)
                return err_set(e, ENOMEM, "a seccomp filter");
        /* A binary tree over the numbers instead of a chain: a call passes some 8 comparisons, not 200. */
        int r = outer ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) : 0;
        if (r == 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        if (r < 0)
                err_set(e, -r, "seccomp attributes");
        else
                r = outer ? add_outer(filter, e) : add_inner(filter, e);
        if (r == 0)
                r = export_bpf(filter, p, e);
        seccomp_release(filter);
        return r;
}

void seccomp_program_fini(struct seccomp_program *p)
{
        free(p->code);
        p->code = NULL;
}

int seccomp_program_load(const struct seccomp_program *p)
{
        struct sock_fprog program = { .len = p->length, .filter = p->code };
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

void seccomp_print(FILE *to)
{
        for (size_t i = 0; i < N_ALLOWED; i++)
                fprintf(to, "allow %s\n", allowed[i]);
        for (size_t i = 0; i < N_RULES; i++) {
                const struct rule *r = &rules[i];
                char answer[32] = "allow";
                if (r->error)
                        snprintf(answer, sizeof answer, "errno %d", r->error);
                fprintf(to, "%s %s if argument %u %s 0x%llx\n", answer, r->name, r->argument,
                        r->compare == SCMP_CMP_EQ   ? "=="
                        : r->compare == SCMP_CMP_NE ? "!="
                        : r->compare == SCMP_CMP_LE ? "<="
                        : r->compare == SCMP_CMP_LT ? "<"
                                                    : "has none of",
                        (unsigned long long)r->value);
        }
        for (size_t i = 0; i < N_PRETENDED; i++)
                fprintf(to, "nothing %s\n", pretended[i]);
        fprintf(to, "nothing setrlimit if the resource is RLIMIT_CORE\n");
        fprintf(to, "nothing prlimit64 if the resource is RLIMIT_CORE and argument 2 != 0x0\n");
        for (size_t i = 0; i < N_REFUSED; i++)
                fprintf(to, "errno %d %s\n", EPERM, refused[i]);
        for (size_t i = 0; i < N_MAKING; i++)
                fprintf(to, "errno %d %s\n", making[i].error, making[i].name);
        fprintf(to, "errno %d everything else\n", ENOSYS);
}
