/* The filter of a sandbox. The test interprets both halves, for every number, ABI and argument that could slip through,
 * and compares the answers with --print-seccomp. Then it loads them, and tries calls. */
#include "filter.h"
#include "unit.h"
#include "zygote/base/creds.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_NUMBER = 600, X32_BIT = 0x40000000, N_ARGUMENTS = 6 };

struct filters {
        struct seccomp_program outer, inner;
};

static void build(struct filters *f, const char *const *extra)
{
        struct err e = { 0 };
        assert_int_equal(seccomp_program_build(&f->outer, SECCOMP_OUTER, extra, &e), 0);
        assert_int_equal(seccomp_program_build(&f->inner, SECCOMP_INNER, NULL, &e), 0);
}

static void drop(struct filters *f)
{
        seccomp_program_fini(&f->outer);
        seccomp_program_fini(&f->inner);
}

/* Runs both programs, first the one that was loaded last. A later answer counts only if it is stricter. Stricter
 * actions are smaller, as signed numbers. */
static uint32_t answer(const struct filters *f, const struct seccomp_data *data)
{
        uint32_t inner = filter_interpret(&f->inner, data), outer = filter_interpret(&f->outer, data);
        int32_t inner_action = (int32_t)(inner & SECCOMP_RET_ACTION_FULL);
        int32_t outer_action = (int32_t)(outer & SECCOMP_RET_ACTION_FULL);
        return outer_action < inner_action ? outer : inner;
}

static int number_of(const char *name)
{
        return seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name);
}

/* ---------------------------------------------------------------- tests */

static void test_every_number_answers_as_the_table_says(void **state)
{
        (void)state;
        struct filters f;
        struct filter_table t;
        build(&f, NULL);
        filter_table_read(&t);
        unsigned allowed = 0;
        for (int number = 0; number <= MAX_NUMBER; number++) {
                char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
                struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64 };
                uint32_t is = answer(&f, &data), should = filter_expected(&t, name, &data);
                if (is != should)
                        fail_msg("%s (%d) answers 0x%x, not 0x%x", name ? name : "?", number, is, should);
                allowed += is == SECCOMP_RET_ALLOW;
                free(name);
        }
        assert_in_range(allowed, 150, 300);
        drop(&f);
}

static void test_foreign_abis_kill(void **state)
{
        (void)state;
        struct filters f;
        build(&f, NULL);
        for (int number = 0; number <= MAX_NUMBER; number++) {
                struct seccomp_data i386 = { .nr = number, .arch = AUDIT_ARCH_I386 };
                struct seccomp_data x32 = { .nr = number | X32_BIT, .arch = AUDIT_ARCH_X86_64 };
                struct seccomp_data arm = { .nr = number, .arch = AUDIT_ARCH_AARCH64 };
                assert_int_equal(answer(&f, &i386), SECCOMP_RET_KILL_PROCESS);
                assert_int_equal(answer(&f, &x32), SECCOMP_RET_KILL_PROCESS);
                assert_int_equal(answer(&f, &arm), SECCOMP_RET_KILL_PROCESS);
        }
        drop(&f);
}

/* For each condition of the table: sets the argument that the condition compares. The values are the condition's own,
 * the ones next to it, and variants with other bits. */
static void test_arguments_are_compared_whole(void **state)
{
        (void)state;
        struct filters f;
        struct filter_table t;
        build(&f, NULL);
        filter_table_read(&t);
        for (size_t i = 0; i < t.n; i++) {
                const struct filter_line *l = &t.at[i];
                if (!l->has_condition)
                        continue;
                const uint64_t bases[] = { 0, 1, l->value, l->value - 1, l->value + 1, l->masked, ~l->value, ~0ull };
                const uint64_t twists[] = { 0, 1ull << 32, 1ull << 63, 1ull << 31, 0xffffffff00000000ull };
                for (size_t b = 0; b < sizeof bases / sizeof bases[0]; b++)
                        for (size_t w = 0; w < sizeof twists / sizeof twists[0]; w++) {
                                struct seccomp_data data = { .nr = number_of(l->name), .arch = AUDIT_ARCH_X86_64 };
                                data.args[l->argument] = bases[b] ^ twists[w];
                                uint32_t is = answer(&f, &data), should = filter_expected(&t, l->name, &data);
                                if (is != should)
                                        fail_msg("%s with 0x%llx answers 0x%x, not 0x%x", l->name,
                                                 (unsigned long long)data.args[l->argument], is, should);
                        }
        }
        drop(&f);
}

/* The calls are listed here a second time, so that a mistake in the table fails the test. */
static void test_what_never_passes(void **state)
{
        static const char *const never[] = {
                "acct",
                "add_key",
                "adjtimex",
                "bpf",
                "capset",
                "chroot",
                "clock_adjtime",
                "clock_settime",
                "clone3",
                "delete_module",
                "fanotify_init",
                "finit_module",
                "fsconfig",
                "fsetxattr",
                "fsmount",
                "fsopen",
                "fspick",
                "get_kernel_syms",
                "init_module",
                "inotify_add_watch",
                "inotify_init",
                "inotify_init1",
                "io_setup",
                "io_submit",
                "io_uring_enter",
                "io_uring_register",
                "io_uring_setup",
                "ioperm",
                "iopl",
                "ioprio_set",
                "kcmp",
                "kexec_file_load",
                "kexec_load",
                "keyctl",
                "landlock_create_ruleset",
                "lookup_dcookie",
                "lsetxattr",
                "mbind",
                "memfd_secret",
                "migrate_pages",
                "mincore",
                "modify_ldt",
                "mount",
                "mount_setattr",
                "move_mount",
                "move_pages",
                "name_to_handle_at",
                "nfsservctl",
                "open_by_handle_at",
                "open_tree",
                "perf_event_open",
                "pidfd_getfd",
                "pivot_root",
                "preadv2",
                "process_madvise",
                "process_mrelease",
                "process_vm_readv",
                "process_vm_writev",
                "ptrace",
                "quotactl",
                "quotactl_fd",
                "reboot",
                "request_key",
                "sched_setattr",
                "sched_setparam",
                "seccomp",
                "set_mempolicy",
                "setdomainname",
                "sethostname",
                "setns",
                "settimeofday",
                "setxattr",
                "swapoff",
                "swapon",
                "sysfs",
                "syslog",
                "tee",
                "umount2",
                "unshare",
                "uselib",
                "userfaultfd",
                "ustat",
                "vhangup",
                "vmsplice",
        };
        (void)state;
        struct filters f;
        build(&f, NULL);
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
                struct seccomp_data data = { .nr = number_of(never[i]), .arch = AUDIT_ARCH_X86_64 };
                assert_true(data.nr >= 0);
                uint32_t is = answer(&f, &data);
                if ((is & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || (is & SECCOMP_RET_DATA) == 0)
                        fail_msg("%s answers 0x%x", never[i], is);
        }
        drop(&f);
}

struct argument_case {
        const char *name;
        unsigned argument;
        uint64_t value;
        uint32_t answer;
};

static void test_arguments_that_matter(void **state)
{
        static const struct argument_case cases[] = {
                { "ioctl", 1, TIOCSTI, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCSTI | 1ull << 32, SECCOMP_RET_ERRNO | ENOSYS },
                { "ioctl", 1, 0x541c /* TIOCLINUX */, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCSCTTY, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCSETD, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCCONS, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCSPTLCK, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCGPTPEER, SECCOMP_RET_ERRNO | EPERM },
                { "ioctl", 1, TIOCGPTN, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCPKT, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCSIG, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCNOTTY, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCVHANGUP, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCEXCL, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TIOCSPGRP, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TIOCSPGRP | 1ull << 32, SECCOMP_RET_ERRNO | ENOSYS },
                { "ioctl", 1, TCSETS, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TCSETSW, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TCSETSF, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TIOCSWINSZ, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TIOCGSID, SECCOMP_RET_ALLOW },
                { "ioctl", 1, 0x40049409 /* FICLONE */, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, 0xff03 /* PIDFD_GET_MNT_NAMESPACE */, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, 0, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, UINT32_MAX, SECCOMP_RET_ERRNO | ENOTTY },
                { "ioctl", 1, TCGETS, SECCOMP_RET_ALLOW },
                { "ioctl", 1, TCGETS | 1ull << 32, SECCOMP_RET_ERRNO | ENOSYS },
                { "clone", 0, SIGCHLD, SECCOMP_RET_ALLOW },
                { "clone", 0, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, SECCOMP_RET_ALLOW },
                { "clone", 0, CLONE_NEWUSER | SIGCHLD, SECCOMP_RET_ERRNO | EPERM },
                { "clone", 0, CLONE_NEWNS, SECCOMP_RET_ERRNO | EPERM },
                { "clone", 0, CLONE_NEWUSER | 1ull << 32, SECCOMP_RET_ERRNO | EPERM },
                { "clone", 0, CLONE_NEWTIME, SECCOMP_RET_ERRNO | EPERM },
                { "clone", 0, CLONE_PARENT | SIGCHLD, SECCOMP_RET_ERRNO | EPERM },
                { "clone", 0, CLONE_PARENT | SIGCHLD | 1ull << 32, SECCOMP_RET_ERRNO | EPERM },
                { "socket", 0, 1, SECCOMP_RET_ALLOW },
                { "socket", 0, 1 | 1ull << 32, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { "socket", 0, 2, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { "socket", 0, 16 /* netlink */, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { "socket", 0, 40 /* vsock */, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { "socketpair", 0, ~0ull, SECCOMP_RET_ERRNO | EAFNOSUPPORT },
                { "fcntl", 1, 1024 /* F_SETLEASE */, SECCOMP_RET_ERRNO | EPERM },
                { "shmctl", 1, 11 /* SHM_LOCK */, SECCOMP_RET_ERRNO | EPERM },
                { "shmctl", 1, 2 /* IPC_STAT */, SECCOMP_RET_ALLOW },
                { "fcntl", 1, 1026 /* F_NOTIFY */, SECCOMP_RET_ERRNO | EINVAL },
                { "fcntl", 1, 1026ull | 1ull << 40, SECCOMP_RET_ERRNO | ENOSYS },
                { "fcntl", 1, 1027 /* F_DUPFD_QUERY */, SECCOMP_RET_ERRNO | EINVAL },
                { "setsockopt", 2, 26 /* SO_ATTACH_FILTER */, SECCOMP_RET_ERRNO | ENOPROTOOPT },
                { "setsockopt", 2, 50 /* SO_ATTACH_BPF */, SECCOMP_RET_ERRNO | ENOPROTOOPT },
                { "setsockopt", 2, 51 /* SO_ATTACH_REUSEPORT_CBPF */, SECCOMP_RET_ERRNO | ENOPROTOOPT },
                { "prctl", 0, PR_SET_SECCOMP, SECCOMP_RET_ERRNO | EINVAL },
                { "prctl", 0, PR_SET_MM, SECCOMP_RET_ERRNO | EINVAL },
                { "prctl", 0, PR_SET_PTRACER, SECCOMP_RET_ERRNO | EPERM },
                { "personality", 0, 0x0400000 /* READ_IMPLIES_EXEC */, SECCOMP_RET_ERRNO | EINVAL },
                { "mmap", 3, 0x22, SECCOMP_RET_ALLOW },
                { "mmap", 3, 0x40022 /* MAP_HUGETLB */, SECCOMP_RET_ERRNO | ENOMEM },
                { "memfd_create", 1, 5 /* MFD_HUGETLB */, SECCOMP_RET_ERRNO | ENOMEM },
                { "madvise", 2, 4 /* MADV_DONTNEED */, SECCOMP_RET_ALLOW },
                { "madvise", 2, 12 /* MADV_MERGEABLE */, SECCOMP_RET_ERRNO | EINVAL },
                { "madvise", 2, 100 /* MADV_HWPOISON */, SECCOMP_RET_ERRNO | EINVAL },
                { "mknod", 1, 0010644 /* FIFO */, SECCOMP_RET_ALLOW },
                { "mknod", 1, 0020644 /* character device */, SECCOMP_RET_ERRNO | EPERM },
                { "mknodat", 2, 0060644 /* block device */, SECCOMP_RET_ERRNO | EPERM },
                { "sched_setscheduler", 1, 1 /* FIFO */, SECCOMP_RET_ERRNO | EPERM },
                { "sched_setscheduler", 1, 0x40000000 /* SCHED_RESET_ON_FORK */, SECCOMP_RET_ERRNO | EPERM },
        };
        (void)state;
        struct filters f;
        build(&f, NULL);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct seccomp_data data = { .nr = number_of(cases[i].name), .arch = AUDIT_ARCH_X86_64 };
                assert_in_range(cases[i].argument, 0, N_ARGUMENTS - 1);
                data.args[cases[i].argument] = cases[i].value;
                if (answer(&f, &data) != cases[i].answer)
                        fail_msg("%s with 0x%llx answers 0x%x", cases[i].name, (unsigned long long)cases[i].value,
                                 answer(&f, &data));
        }
        drop(&f);
}

static void test_the_zygote_may_make_sandboxes_but_not_more(void **state)
{
        static const char *const making[] = { "setns", "unshare", "fsopen", "pivot_root", "clone3", "seccomp" };
        static const char *const not_even[] = {
                "mount",  "bpf", "init_module", "kexec_load", "reboot",
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer traces its own process */
                "ptrace",
#endif
        };
        (void)state;
        struct filters f;
        build(&f, NULL);
        for (size_t i = 0; i < sizeof making / sizeof making[0]; i++) {
                struct seccomp_data data = { .nr = number_of(making[i]), .arch = AUDIT_ARCH_X86_64 };
                assert_int_equal(filter_interpret(&f.outer, &data), SECCOMP_RET_ALLOW);
        }
        for (size_t i = 0; i < sizeof not_even / sizeof not_even[0]; i++) {
                struct seccomp_data data = { .nr = number_of(not_even[i]), .arch = AUDIT_ARCH_X86_64 };
                assert_int_not_equal(filter_interpret(&f.outer, &data), SECCOMP_RET_ALLOW);
        }
        drop(&f);
}

static void test_a_language_gets_what_it_names(void **state)
{
        static const char *const extra[] = { "mbind", "set_mempolicy", "read", NULL };
        (void)state;
        struct filters with, without;
        build(&with, extra);
        build(&without, NULL);
        for (int number = 0; number <= MAX_NUMBER; number++) {
                struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64 };
                bool named = number == number_of("mbind") || number == number_of("set_mempolicy");
                assert_int_equal(answer(&with, &data), named ? SECCOMP_RET_ALLOW : answer(&without, &data));
        }
        drop(&with);
        drop(&without);

        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream(&text, &size);
        assert_non_null(to);
        seccomp_print_extra(to, "java", extra);
        seccomp_print_extra(to, "python", NULL);
        fclose(to);
        assert_string_equal(text, "allow mbind for java\nallow set_mempolicy for java\nallow read for java\n");
        free(text);
}

static void test_a_language_does_not_get_what_no_sandbox_may_have(void **state)
{
        static const char *const forbidden[] = {
                "mount",          "ptrace",        "bpf",     "setns", "unshare",           "clone3",
                "seccomp",        "setxattr",      "keyctl",  "kcmp",  "userfaultfd",       "perf_event_open",
                "io_uring_setup", "inotify_init1", "preadv2", "fsync", "open_by_handle_at",
        };
        static const char *const conditional[] = { "clone", "socket", "ioctl", "prctl", "mmap", "mknod" };
        (void)state;
        for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
                struct seccomp_program p = { 0 };
                struct err e = { 0 };
                const char *const extra[] = { forbidden[i], NULL };
                assert_refused(seccomp_program_build(&p, SECCOMP_OUTER, extra, &e), &e, EPERM, forbidden[i]);
                assert_null(p.code);
        }
        for (size_t i = 0; i < sizeof conditional / sizeof conditional[0]; i++) {
                struct seccomp_program p = { 0 };
                struct err e = { 0 };
                const char *const extra[] = { conditional[i], NULL };
                assert_refused(seccomp_program_build(&p, SECCOMP_OUTER, extra, &e), &e, EPERM, "conditions");
        }
        struct seccomp_program p = { 0 };
        struct err e = { 0 };
        const char *const unknown[] = { "no_such_call", NULL };
        assert_refused(seccomp_program_build(&p, SECCOMP_OUTER, unknown, &e), &e, EINVAL, "no_such_call");
}

/* ---------------------------------------------------------------- the real kernel */

/* Runs the function under the filter in a process of its own; returns its wait status. */
static int under_filter(int (*function)(void))
{
        struct filters f;
        build(&f, NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (creds_no_new_privileges() < 0 || seccomp_program_load(&f.outer) < 0 ||
                    seccomp_program_load(&f.inner) < 0)
                        _exit(100);
                _exit(function());
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        drop(&f);
        return status;
}

static int errno_of(long number, long a, long b)
{
        errno = 0;
        return syscall(number, a, b, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int try_calls(void)
{
        if (errno_of(SYS_getpid, 0, 0) != 0 || errno_of(SYS_fsync, 0x7fff, 0) != 0)
                return 1;
        if (errno_of(SYS_ptrace, 0, 0) != EPERM || errno_of(SYS_unshare, CLONE_NEWUSER, 0) != EPERM)
                return 2;
        if (errno_of(SYS_setxattr, 0, 0) != EOPNOTSUPP || errno_of(SYS_clone3, 0, 0) != ENOSYS)
                return 3;
        if (errno_of(SYS_bpf, 0, 0) != ENOSYS || errno_of(MAX_NUMBER, 0, 0) != ENOSYS)
                return 4;
        return errno_of(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0) == EPERM ? 0 : 5;
}

static void test_the_kernel_takes_it_and_obeys(void **state)
{
        (void)state;
        int status = under_filter(try_calls);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static int call_x32(void)
{
        syscall(SYS_getpid | X32_BIT);
        return 0;
}

static void test_a_foreign_call_is_the_end(void **state)
{
        (void)state;
        int status = under_filter(call_x32);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_number_answers_as_the_table_says),
                cmocka_unit_test(test_foreign_abis_kill),
                cmocka_unit_test(test_arguments_are_compared_whole),
                cmocka_unit_test(test_what_never_passes),
                cmocka_unit_test(test_arguments_that_matter),
                cmocka_unit_test(test_the_zygote_may_make_sandboxes_but_not_more),
                cmocka_unit_test(test_a_language_gets_what_it_names),
                cmocka_unit_test(test_a_language_does_not_get_what_no_sandbox_may_have),
                cmocka_unit_test(test_the_kernel_takes_it_and_obeys),
                cmocka_unit_test(test_a_foreign_call_is_the_end),
        };
        return cmocka_run_group_tests_name("seccomp", tests, NULL, NULL);
}
