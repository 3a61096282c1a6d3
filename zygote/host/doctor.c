/* Examining a host: see doctor.h. */
#include "zygote/host/doctor.h"

#include "proto/base/own.h"
#include "zygote/host/cgroup.h"
#include "zygote/host/usr_disk.h"
#include "zygote/root.h"
#include "zygote/tenant.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DISK_READ = 128 << 20 };

struct doctor {
        const struct doctor_options *options;
        FILE *out;
        int failures;
        struct cgroup_tree cgroups;
};

static void say(struct doctor *d, int ok, const char *what, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void say(struct doctor *d, int ok, const char *what, const char *fmt, ...)
{
        va_list args;
        fprintf(d->out, "%-5s %-28s ", ok ? "ok" : "FAIL", what);
        va_start(args, fmt);
        vfprintf(d->out, fmt, args);
        va_end(args);
        fputc('\n', d->out);
        fflush(d->out);
        if (!ok)
                d->failures++;
}

/* A language that does nothing, to be sandboxed. */
static int nothing(void *state)
{
        (void)state;
        return 0;
}

static int run_nothing(void *state, const struct job *job)
{
        (void)state;
        (void)job;
        return 0;
}

static const struct lang no_language = {
        .abi = LANG_ABI,
        .name = "none",
        .aliases = "",
        .main_file = "main",
        .extensions = "",
        .after_fork = nothing,
        .run = run_nothing,
};

static void check_kernel(struct doctor *d)
{
        struct utsname u;
        int major = 0, minor = 0;
        if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2) {
                say(d, 0, "kernel", "uname: %s", strerror(errno));
                return;
        }
        int ok = major > 5 || (major == 5 && minor >= 14);
        say(d, ok, "kernel", "%s%s", u.release,
            ok ? "" : "; Linux 5.14 or later is needed (mount_setattr, clone3, pidfd)");
}

/* If core_pattern names a file or a program, the kernel dumps no sandbox (zygote/sandbox/limits.c). If it names a
 * socket (since Linux 6.16), the socket gets the dumps. */
static void check_core_pattern(struct doctor *d)
{
        char pattern[128] = "";
        OWN_FD int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, pattern, sizeof pattern - 1);
        bool socket = n > 0 && pattern[0] == '@';
        say(d, !socket, "core dumps", "%s",
            socket ? "kernel.core_pattern names a socket, and no limit stops dumps of sandboxes to a socket; name a "
                     "file or a program"
                   : "sandboxes write none");
}

static void check_cgroups(struct doctor *d)
{
        static const struct {
                enum cgroup_controller_bit bit;
                const char *name;
        } rows[] = {
                { CGROUP_MEMORY, "cgroup memory" },
                { CGROUP_PIDS, "cgroup pids" },
                { CGROUP_CPUACCT, "cgroup cpu time" },
                { CGROUP_CPU, "cgroup cpu share" },
        };
        struct err e = { 0 };
        if (cgroup_find(&d->cgroups, &e) < 0) {
                say(d, 0, "cgroups", "%s", e.text);
                return;
        }
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                int version = cgroup_version(&d->cgroups, rows[i].bit);
                if (version)
                        say(d, 1, rows[i].name, "v%d", version);
                else
                        say(d, 1, rows[i].name,
                            "absent: a run with many processes or sessions gets many shares of the processors");
        }
}

/* Also sets the limit for the sandbox that check_sandbox makes. */
static void check_disk_reads(struct doctor *d, struct cgroup_base *base)
{
        char disk[USR_DISK_SIZE];
        struct err e = { 0 };
        if (usr_disk_find(&d->cgroups, disk, &e) < 0) {
                say(d, 1, "disk reads", "absent: a run can keep the disk of /usr busy for all (%s)", e.text);
                return;
        }
        usr_disk_limit(disk, DISK_READ, cgroup_version(&d->cgroups, CGROUP_BLKIO) == 2, base->disk_read);
        say(d, 1, "disk reads", "can be limited, on the disk %s of /usr", disk);
}

static int find_last_pid(struct tenant_maker *maker)
{
        maker->birth->settings.last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
        return maker->birth->settings.last_pid < 0 ? -errno : 0;
}

/* Waits for the boot report and prints each step's result. */
static void check_boot(struct doctor *d, int report_sock)
{
        struct boot_report b = { 0 };
        struct err e = { 0 };
        int fds[BOOT_REPORT_FDS] = { -1, -1 };
        size_t n_fds = 0;
        struct pollfd wait = { .fd = report_sock, .events = POLLIN };

        if (poll(&wait, 1, 10000) != 1 ||
            channel_recv(report_sock, &b, sizeof b, fds, BOOT_REPORT_FDS, &n_fds, &e) != 1) {
                say(d, 0, "sandbox", "its set-up ended without a report");
                return;
        }
        for (size_t i = 0; i < boot_n_steps; i++) {
                const char *remedy = boot_steps[i].remedy;
                if (i < b.step)
                        say(d, 1, boot_steps[i].name, "done");
                else if (i == b.step)
                        say(d, 0, boot_steps[i].name, "%s%s%s", strerror(err_told(b.error)), remedy ? "; " : "",
                            remedy ? remedy : "");
                else
                        say(d, 0, boot_steps[i].name, "not reached");
        }
        for (size_t i = 0; i < BOOT_REPORT_FDS; i++)
                own_close(&fds[i]);
}

static void check_sandbox(struct doctor *d, struct tenant_maker *maker, int report_sock)
{
        struct tenant s;
        struct order order = {
                .kind = ORDER_MAKE,
                .sandbox = 1,
                .memory_bytes = 64 << 20,
                .disk_bytes = 4 << 20,
                .pids = 16,
                .terminal = 1, /* so that the step "terminal" is tried, too */
        };
        struct err e = { 0 };
        const char *step = "";

        tenant_init(&s);
        if (tenant_make(&s, maker, &order, &step, &e) < 0) {
                say(d, 0, step, "%s", e.text);
                return;
        }
        say(d, 1, "slot", "init, pid, user and network namespace, cgroup");
        check_boot(d, report_sock);
        tenant_drop(&s, maker, &e);
        if (e.code)
                say(d, 0, "teardown", "%s", e.text);
        else
                say(d, 1, "teardown", "done");
}

/* Runs in a process of its own, because it moves into another root. The process exits with the number of failures. */
static void examine_sandbox(struct doctor *d, struct tenant_maker *maker)
{
        struct err e = { 0 };
        int report[2];

        maker->birth->settings.lang = &no_language;
        maker->birth->settings.inodes = 1024;
        if (root_enter(NULL, &e) < 0) {
                say(d, 0, "zygote root", "%s", e.text);
                return;
        }
        maker->birth->settings.empty_namespace = root_empty_namespace(&e);
        if (maker->birth->settings.empty_namespace < 0) {
                say(d, 0, "zygote root", "%s", e.text);
                return;
        }
        say(d, 1, "zygote root", "tmpfs, read-only /usr, pivot_root");
        if (facts_base_init(&maker->cells.facts, &e) < 0) {
                say(d, 0, "facts of proc", "%s", e.text);
                return;
        }
        say(d, 1, "facts of proc", "%s",
            maker->cells.facts.usable ? "show the memory and the processors of the run"
                                      : "none: programs find no /proc/meminfo before Linux 6.15");
        int r = find_last_pid(maker);
        if (r < 0) {
                say(d, 0, "pid counter", "%s; the kernel needs CONFIG_CHECKPOINT_RESTORE", strerror(-r));
                return;
        }
        struct seccomp_program outer;
        if (seccomp_program_build(&maker->birth->settings.seccomp, SECCOMP_INNER, NULL, &e) < 0 ||
            seccomp_program_build(&outer, SECCOMP_OUTER, NULL, &e) < 0) {
                say(d, 0, "seccomp filter", "%s", e.text);
                return;
        }
        r = seccomp_program_load(&outer);
        if (r < 0) {
                say(d, 0, "seccomp filter", "%s; the kernel needs CONFIG_SECCOMP_FILTER", strerror(-r));
                return;
        }
        say(d, 1, "seccomp filter", "%u and %u instructions", outer.length, maker->birth->settings.seccomp.length);
        void *head = NULL;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report) < 0 ||
            syscall(SYS_get_robust_list, 0, &head, &maker->birth->robust_list.size) < 0 ||
            prctl(PR_GET_TID_ADDRESS, &maker->birth->tid_address, 0, 0, 0) < 0) {
                say(d, 0, "process", "%s", strerror(errno));
                return;
        }
        maker->birth->robust_list.head = (uint64_t)(uintptr_t)head;
        maker->birth->settings.report = report[1];
        if (shelves_init(&maker->shelves, &e) < 0) {
                say(d, 0, "process", "%s", e.text);
                return;
        }
        maker->birth->settings.shelves_end = shelves_end(&maker->shelves);
        check_sandbox(d, maker, report[0]);
}

static void check_walls(struct doctor *d)
{
        struct birth birth = { .init = { .sock = -1 } };
        struct tenant_maker maker = {
                .birth = &birth,
                .cells = { .birth = &birth.init,
                           .uid_base = d->options->uid_base,
                           .facts = { .disk = -1, .same_for_all = -1 } },
                .guard = -1,
        };
        struct cgroup_hierarchy opened[CGROUP_MAX_HIERARCHIES];
        struct err e = { 0 };
        OWN_FD int init_program = open(d->options->init_program, O_PATH | O_CLOEXEC);

        if (init_program < 0) {
                say(d, 0, "hatchery-init", "%s: %s", d->options->init_program, strerror(errno));
                return;
        }
        if (cgroup_create_instance(&d->cgroups, d->options->instance, &e) < 0) {
                say(d, 0, "cgroup creation", "%s", e.text);
                return;
        }
        maker.cells.init_program = init_program;
        int r = 0;
        for (size_t i = 0; i < d->cgroups.n && r == 0; i++) {
                char arg[CGROUP_ARG_SIZE];
                hierarchy_to_arg(&d->cgroups.at[i], arg);
                r = hierarchy_from_arg(&opened[i], arg, &e);
        }
        if (r == 0)
                r = cgroup_base_init(&maker.cells.cgroups, opened, d->cgroups.n, "check", &e);
        if (r == 0)
                check_disk_reads(d, &maker.cells.cgroups);
        if (r == 0)
                r = cgroup_slot_init(&maker.cells.inits, &maker.cells.cgroups, CGROUP_SLOT_INITS, &e);
        if (r < 0) {
                say(d, 0, "cgroup creation", "%s", e.text);
                cgroup_remove_instance(&d->cgroups, NULL);
                return;
        }
        bool is_elsewhere = false;
        for (size_t i = 0; i < d->cgroups.n; i++)
                is_elsewhere |= d->cgroups.at[i].is_elsewhere;
        say(d, 1, "cgroup creation", "%s",
            is_elsewhere
                    ? "above this process's own cgroup, because other processes are in that one: the limits of that "
                      "cgroup don't apply to the server"
                    : "below this process's own");

        fflush(d->out);
        pid_t pid = fork();
        if (pid == 0) {
                d->failures = 0;
                examine_sandbox(d, &maker);
                fflush(d->out);
                _exit(d->failures);
        }
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                say(d, 0, "examination", "the process that examines the sandbox died");
        else
                d->failures += WEXITSTATUS(status);
        cgroup_slot_fini(&maker.cells.inits, NULL);
        cgroup_base_fini(&maker.cells.cgroups);
        if (cgroup_remove_instance(&d->cgroups, &e) < 0)
                say(d, 0, "cgroup removal", "%s", e.text);
}

int doctor_examine(const struct doctor_options *options, FILE *out)
{
        struct doctor d = { .options = options, .out = out };
        check_kernel(&d);
        if (geteuid() != 0)
                say(&d, 0, "root",
                    "hatcheryd starts as root (it makes namespaces, mounts and cgroups) and gives it up where it can");
        else
                say(&d, 1, "root", "yes");
        check_cgroups(&d);
        if (d.failures == 0)
                check_walls(&d);
        check_core_pattern(&d);
        return d.failures;
}
