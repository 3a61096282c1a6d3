/* The system calls of a sandbox: see seccomp_table.h. A program refused by this table: run it under `strace -f`
 * outside, look for the call here, and add a row with the reason if it is harmless without capabilities. If only one
 * runtime needs the call, its language names the call (lang/lang.h).
 *
 * Left out on purpose, though harmless or nearly so, because no runtime needs them: mincore and preadv2 (they show the
 * page cache), tee and vmsplice, landlock, inotify and fanotify (they show what others do in /usr), capset, extended
 * attributes (below). */
#include "zygote/sandbox/seccomp_table.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Laid out by hand. */
/* clang-format off */

/* Harmless for a process without capabilities in namespaces of its own. */
static const char *const allowed[] = {
        /* files */
        "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
        "faccessat", "faccessat2", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat", "fgetxattr",
        "flistxattr", "flock", "fremovexattr", "fstat", "fstatfs", "ftruncate", "futimesat", "getcwd", "getdents",
        "getdents64", "getxattr", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr",
        "lseek", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv",
        "pwrite64", "pwritev", "read", "readlink", "readlinkat", "readv", "removexattr", "rename", "renameat",
        "renameat2", "rmdir", "sendfile", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "truncate",
        "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "write", "writev",
        /* memory */
        "brk", "get_mempolicy", "membarrier", "mlock", "mlock2", "mlockall", "mprotect", "mremap", "msync", "munlock",
        "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
        /* processes and threads; clone has rules of its own below; class and priority can only be lowered */
        "arch_prctl", "capget", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_waitv",
        "get_robust_list", "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
        "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid",
        "ioprio_get", "kill", "pause", "pidfd_open", "pidfd_send_signal", "prlimit64", "restart_syscall", "rseq",
        "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
        "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
        "sched_setaffinity", "sched_yield", "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setgid",
        "setgroups", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid",
        "setuid", "sigaltstack", "signalfd", "signalfd4", "sysinfo", "tgkill", "time", "times", "tkill", "uname",
        "vfork", "wait4", "waitid",
        /* time */
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday", "nanosleep",
        "setitimer", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
        "timerfd_create", "timerfd_gettime", "timerfd_settime",
        /* waiting and talking inside the sandbox */
        "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
        "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getpeername", "getsockname", "getsockopt", "listen",
        "pipe", "pipe2", "poll", "ppoll", "pselect6", "recvfrom", "recvmmsg", "recvmsg", "select", "sendmmsg",
        "sendmsg", "sendto", "shutdown",
        /* System V and POSIX IPC live in the sandbox's own IPC namespace and die with it */
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
        "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmdt",
        /* randomness */
        "getrandom",
};

/* These calls answer 0 and do nothing. A sandbox writes only to memory, so there is nothing to flush. But its /usr is
 * the host's: real calls could make the host's disk flush, and empty the host's cache. */
static const char *const pretended[] = {
        "fadvise64", "fdatasync", "fsync", "readahead", "sync", "sync_file_range", "syncfs",
};

/* These calls are forbidden. They answer EPERM rather than ENOSYS, because programs expect that. */
static const struct seccomp_answer refused[] = {
        { "acct", EPERM }, { "adjtimex", EPERM }, { "clock_adjtime", EPERM }, { "clock_settime", EPERM },
        { "delete_module", EPERM }, { "finit_module", EPERM }, { "init_module", EPERM }, { "ioperm", EPERM },
        { "iopl", EPERM }, { "kexec_file_load", EPERM }, { "kexec_load", EPERM }, { "mount", EPERM },
        { "pidfd_getfd", EPERM }, { "process_vm_readv", EPERM }, { "process_vm_writev", EPERM },
        { "ioprio_set", EPERM }, { "quotactl", EPERM }, { "reboot", EPERM }, { "sched_setattr", EPERM },
        { "sched_setparam", EPERM }, { "setdomainname", EPERM }, { "settimeofday", EPERM },
        { "swapoff", EPERM }, { "swapon", EPERM }, { "syslog", EPERM }, { "vhangup", EPERM },
        /* An access control list takes up to 64 KiB per file, which no memory limit counts. So /tmp has no extended
         * attributes, as on many hosts. */
        { "fsetxattr", EOPNOTSUPP }, { "lsetxattr", EOPNOTSUPP },
#ifndef __SANITIZE_ADDRESS__
        { "ptrace", EPERM },
#endif
};

/* Calls of the zygote for making a sandbox, and of init for its start. */
static const struct seccomp_answer making[] = {
        { "capset", EPERM }, { "chroot", EPERM }, { "clone3", ENOSYS }, { "fsconfig", EPERM }, { "fsmount", EPERM }, { "fsopen", EPERM },
        { "fspick", EPERM }, { "mount_setattr", EPERM }, { "move_mount", EPERM }, { "open_tree", EPERM },
        { "pivot_root", EPERM }, { "seccomp", EPERM }, { "sethostname", EPERM }, { "setns", EPERM },
        { "setxattr", EOPNOTSUPP }, { "umount2", EPERM }, { "unshare", EPERM },
#ifdef __SANITIZE_ADDRESS__
        { "ptrace", EPERM }, /* a sanitized zygote looks for leaks at its end, by tracing itself */
#endif
};

#define NEW_NAMESPACES                                                                                             \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
         CLONE_NEWTIME)
#define VALUE(name, argument, value)          { name, argument, SCMP_CMP_EQ, (scmp_datum_t)(value), 0, 0, false }
#define REFUSE(name, argument, value, error)  { name, argument, SCMP_CMP_EQ, (scmp_datum_t)(value), 0, error, false }
#define WITHOUT(name, argument, bits)         { name, argument, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(bits), 0, 0, false }
#define REFUSE_BIT(name, argument, bit, error) { name, argument, SCMP_CMP_MASKED_EQ, bit, bit, error, false }

enum {
        HUGE_PAGE_MAP = 0x40000, /* MAP_HUGETLB; the headers make it depend on others */
        DEVICE_BIT = 0x2000,     /* S_IFCHR and S_IFBLK have it; S_IFIFO, S_IFREG and S_IFSOCK don't */
};

static const struct seccomp_rule rules[] = {
        /* clone3 hides its flags behind a pointer, so a sandbox gets ENOSYS and its libc uses clone. CLONE_NEWTIME
         * shares its bit with the exit signal's byte (0x80), which no real signal sets. CLONE_PARENT would make
         * children of the zygote, which waits only for the main process: a dead child would keep its pid, and its pid
         * namespace could not end. */
        WITHOUT("clone", 0, NEW_NAMESPACES | CLONE_PARENT),
        REFUSE_BIT("clone", 0, CLONE_NEWNS, EPERM), REFUSE_BIT("clone", 0, CLONE_NEWCGROUP, EPERM),
        REFUSE_BIT("clone", 0, CLONE_NEWUTS, EPERM), REFUSE_BIT("clone", 0, CLONE_NEWIPC, EPERM),
        REFUSE_BIT("clone", 0, CLONE_NEWUSER, EPERM), REFUSE_BIT("clone", 0, CLONE_NEWPID, EPERM),
        REFUSE_BIT("clone", 0, CLONE_NEWNET, EPERM), REFUSE_BIT("clone", 0, CLONE_NEWTIME, EPERM),
        REFUSE_BIT("clone", 0, CLONE_PARENT, EPERM),

        VALUE("socket", 0, AF_UNIX),
        { "socket", 0, SCMP_CMP_NE, AF_UNIX, 0, EAFNOSUPPORT, false },
        VALUE("socketpair", 0, AF_UNIX),
        { "socketpair", 0, SCMP_CMP_NE, AF_UNIX, 0, EAFNOSUPPORT, false },

        /* The host's huge pages are a reserve that no memory limit counts. */
        WITHOUT("mmap", 3, HUGE_PAGE_MAP), REFUSE_BIT("mmap", 3, HUGE_PAGE_MAP, ENOMEM),
        WITHOUT("memfd_create", 1, MFD_HUGETLB), REFUSE_BIT("memfd_create", 1, MFD_HUGETLB, ENOMEM),
        WITHOUT("shmget", 2, SHM_HUGETLB), REFUSE_BIT("shmget", 2, SHM_HUGETLB, ENOMEM),

        /* Not SHM_LOCK: the kernel counts locked memory per slot's user, and gives it back some time after the run. */
        { "shmctl", 1, SCMP_CMP_LE, IPC_INFO, 0, 0, false },
        VALUE("shmctl", 1, SHM_UNLOCK), VALUE("shmctl", 1, SHM_STAT), VALUE("shmctl", 1, SHM_INFO),
        VALUE("shmctl", 1, 15 /* SHM_STAT_ANY */), REFUSE("shmctl", 1, SHM_LOCK, EPERM),

        /* No merging of equal pages, which shows whether another run has such a page. No advice that moves the pages of
         * /usr. */
        VALUE("madvise", 2, MADV_NORMAL), VALUE("madvise", 2, MADV_RANDOM), VALUE("madvise", 2, MADV_SEQUENTIAL),
        VALUE("madvise", 2, MADV_WILLNEED), VALUE("madvise", 2, MADV_DONTNEED), VALUE("madvise", 2, MADV_FREE),
        VALUE("madvise", 2, MADV_REMOVE), VALUE("madvise", 2, MADV_DONTFORK), VALUE("madvise", 2, MADV_DOFORK),
        VALUE("madvise", 2, MADV_HUGEPAGE), VALUE("madvise", 2, MADV_NOHUGEPAGE), VALUE("madvise", 2, MADV_DONTDUMP),
        VALUE("madvise", 2, MADV_DODUMP), VALUE("madvise", 2, MADV_WIPEONFORK), VALUE("madvise", 2, MADV_KEEPONFORK),
        VALUE("madvise", 2, 22 /* MADV_POPULATE_READ */), VALUE("madvise", 2, 23 /* MADV_POPULATE_WRITE */),
        REFUSE("madvise", 2, MADV_MERGEABLE, EINVAL), REFUSE("madvise", 2, MADV_UNMERGEABLE, EINVAL),
        REFUSE("madvise", 2, MADV_COLD, EINVAL), REFUSE("madvise", 2, MADV_PAGEOUT, EINVAL),

        /* A device needs a capability that a sandbox does not have; this is the second wall. */
        WITHOUT("mknod", 1, DEVICE_BIT), REFUSE_BIT("mknod", 1, DEVICE_BIT, EPERM),
        WITHOUT("mknodat", 2, DEVICE_BIT), REFUSE_BIT("mknodat", 2, DEVICE_BIT, EPERM),

        VALUE("ioctl", 1, FIONREAD), VALUE("ioctl", 1, FIONBIO), VALUE("ioctl", 1, FIOCLEX), VALUE("ioctl", 1, FIONCLEX),
        VALUE("ioctl", 1, FIOASYNC),
        /* A terminal belongs to its sandbox alone: a change to it affects no other sandbox. */
        VALUE("ioctl", 1, TCGETS), VALUE("ioctl", 1, TCSETS), VALUE("ioctl", 1, TCSETSW), VALUE("ioctl", 1, TCSETSF),
        VALUE("ioctl", 1, TCGETS2), VALUE("ioctl", 1, TCSETS2), VALUE("ioctl", 1, TCSETSW2), VALUE("ioctl", 1, TCSETSF2),
        VALUE("ioctl", 1, TCSBRK), VALUE("ioctl", 1, TCSBRKP), VALUE("ioctl", 1, TCXONC), VALUE("ioctl", 1, TCFLSH),
        VALUE("ioctl", 1, TIOCGWINSZ), VALUE("ioctl", 1, TIOCSWINSZ), VALUE("ioctl", 1, TIOCGPGRP),
        VALUE("ioctl", 1, TIOCSPGRP), VALUE("ioctl", 1, TIOCGSID), VALUE("ioctl", 1, TIOCOUTQ),
        /* Calls that make a terminal: if the sandbox has one, the step "terminal" has made it before. */
        { "ioctl", 1, SCMP_CMP_EQ, TIOCSPTLCK, 0, EPERM, true }, { "ioctl", 1, SCMP_CMP_EQ, TIOCGPTPEER, 0, EPERM, true },
        /* These would type into a terminal, take one from others, or load a module of the kernel. */
        REFUSE("ioctl", 1, TIOCSCTTY, EPERM), REFUSE("ioctl", 1, TIOCSTI, EPERM), REFUSE("ioctl", 1, TIOCLINUX, EPERM),
        REFUSE("ioctl", 1, TIOCCONS, EPERM), REFUSE("ioctl", 1, TIOCSETD, EPERM),
        REFUSE("ioctl", 1, 0x4b32 /* KDSETLED */, EPERM),
        { "ioctl", 1, SCMP_CMP_EQ, 0xff03 /* PIDFD_GET_MNT_NAMESPACE */, 0, ENOTTY, true },

        /* Not F_NOTIFY and F_SETLEASE, which show what others do with a file. Signals that F_SETOWN asks for stay in
         * the sandbox's own pid namespace. */
        { "fcntl", 1, SCMP_CMP_LE, F_GETOWN_EX, 0, 0, false },
        VALUE("fcntl", 1, F_OFD_GETLK), VALUE("fcntl", 1, F_OFD_SETLK), VALUE("fcntl", 1, F_OFD_SETLKW),
        VALUE("fcntl", 1, F_DUPFD_CLOEXEC), VALUE("fcntl", 1, F_SETPIPE_SZ), VALUE("fcntl", 1, F_GETPIPE_SZ),
        VALUE("fcntl", 1, F_ADD_SEALS), VALUE("fcntl", 1, F_GET_SEALS),
        REFUSE("fcntl", 1, 1024 /* F_SETLEASE */, EPERM),

        /* Not SO_ATTACH_FILTER and its like: compiled filters are memory of the kernel that no limit counts. */
        { "setsockopt", 2, SCMP_CMP_LT, SO_ATTACH_FILTER, 0, 0, false },
        VALUE("setsockopt", 2, SO_TIMESTAMP), VALUE("setsockopt", 2, SO_PASSSEC), VALUE("setsockopt", 2, SO_TIMESTAMPNS),

        VALUE("personality", 0, 0), VALUE("personality", 0, 0xffffffff),

        VALUE("prctl", 0, PR_SET_NAME), VALUE("prctl", 0, PR_GET_NAME),
        VALUE("prctl", 0, PR_SET_PDEATHSIG), VALUE("prctl", 0, PR_GET_PDEATHSIG),
        VALUE("prctl", 0, PR_SET_DUMPABLE), VALUE("prctl", 0, PR_GET_DUMPABLE),
        VALUE("prctl", 0, PR_SET_NO_NEW_PRIVS), VALUE("prctl", 0, PR_GET_NO_NEW_PRIVS), VALUE("prctl", 0, PR_GET_SECCOMP),
        VALUE("prctl", 0, PR_SET_CHILD_SUBREAPER), VALUE("prctl", 0, PR_GET_CHILD_SUBREAPER),
        VALUE("prctl", 0, PR_CAPBSET_READ), VALUE("prctl", 0, PR_CAPBSET_DROP), VALUE("prctl", 0, PR_CAP_AMBIENT),
        VALUE("prctl", 0, PR_SET_TIMERSLACK), VALUE("prctl", 0, PR_GET_TIMERSLACK),
        VALUE("prctl", 0, PR_SET_THP_DISABLE), VALUE("prctl", 0, PR_GET_THP_DISABLE),
        VALUE("prctl", 0, PR_GET_KEEPCAPS), VALUE("prctl", 0, PR_GET_SECUREBITS), VALUE("prctl", 0, PR_GET_TID_ADDRESS),

        /* A call of setpriv: the zygote uses setpriv to try a program that is to be prestarted (lang/prestart.c). */
        { "prctl", 0, SCMP_CMP_EQ, PR_SET_KEEPCAPS, 0, EINVAL, true },

        /* Names of memory areas take kernel memory that no limit counts. */
        REFUSE("prctl", 0, PR_SET_VMA, EINVAL), REFUSE("prctl", 0, PR_SET_PTRACER, EPERM),

        /* A scheduling class of its own would let one run starve others; asking for the normal ones changes nothing. */
        VALUE("sched_setscheduler", 1, 0 /* SCHED_OTHER */), VALUE("sched_setscheduler", 1, 3 /* BATCH */),
        VALUE("sched_setscheduler", 1, 5 /* IDLE */),
};

/* The answers of these calls for values that no row above names. The kernel gives the same answer for a value that it
 * does not know, or that is not for this descriptor. Programs ask whether something is a terminal, or try a new call
 * and fall back. Few of them understand ENOSYS. No honest program uses a value of more than 32 bits, so such a value
 * gets ENOSYS. */
static const struct seccomp_answer otherwise[] = {
        { "fcntl", EINVAL }, { "ioctl", ENOTTY }, { "madvise", EINVAL }, { "personality", EINVAL }, { "prctl", EINVAL },
        { "sched_setscheduler", EPERM }, { "setsockopt", ENOPROTOOPT }, { "shmctl", EINVAL },
};

/* No language gets these calls, even if it asks for them. Together with the lists above they are all the calls that reach
 * privileged parts of the kernel, other processes, or what is shared with the host. */
static const char *const never_extra[] = {
        "add_key", "bpf", "cachestat", "fanotify_init", "fanotify_mark", "inotify_add_watch", "inotify_init", "inotify_init1",
        "inotify_rm_watch", "io_pgetevents", "io_setup", "io_submit", "io_uring_enter", "io_uring_register", "io_uring_setup",
        "kcmp", "keyctl", "listmount", "lookup_dcookie", "migrate_pages", "modify_ldt", "move_pages",
        "name_to_handle_at", "nfsservctl", "open_by_handle_at", "open_tree_attr", "perf_event_open", "preadv2",
        "process_madvise", "process_mrelease", "quotactl_fd", "request_key", "setxattrat", "statmount", "umount", "uselib", "userfaultfd",
};

/* clang-format on */

#define LIST(table)                                                                                                    \
        {                                                                                                              \
                table, sizeof table / sizeof table[0]                                                                  \
        }

const struct seccomp_list seccomp_allowed = LIST(allowed);
const struct seccomp_rules seccomp_rules = LIST(rules);
const struct seccomp_answers seccomp_otherwise = LIST(otherwise);
const struct seccomp_list seccomp_pretended = LIST(pretended);
const struct seccomp_answers seccomp_refused = LIST(refused);
const struct seccomp_answers seccomp_making = LIST(making);
const struct seccomp_list seccomp_never_extra = LIST(never_extra);
