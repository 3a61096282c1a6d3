/* From fork to warm: see boot.h. */
#include "zygote/sandbox/boot.h"

#include "proto/ipc/channel.h"
#include "zygote/base/creds.h"
#include "zygote/base/leaks.h"
#include "zygote/base/root_places.h"
#include "zygote/sandbox/limits.h"
#include "zygote/sandbox/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers of the descriptors after the step "descriptors". */
enum { FD_JOB = 3, FD_REPORT = 4, FD_DISK = 5, FD_MASTER = 6, FD_ABOVE = 16 };

static int session(void *context)
{
        struct boot *b = context;
        if (prctl(PR_SET_NAME, b->settings->lang->name, 0, 0, 0) < 0)
                return -errno;
        return setsid() < 0 ? -errno : 0;
}

static int join_cgroup(void *context)
{
        struct boot *b = context;
        return hierarchy_join(b->join);
}

static int cgroup_namespace(void *context)
{
        (void)context;
        return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int join_network(void *context)
{
        struct boot *b = context;
        return setns(b->net_ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int own_table(void *context)
{
        struct boot *b = context;
        return shelves_leave(b->settings->shelves_end);
}

static int host_name(void *context)
{
        static const char name[] = "sandbox";
        (void)context;
        return sethostname(name, sizeof name - 1) < 0 ? -errno : 0;
}

static int write_sysctl(const char *path, const char *value)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        ssize_t len = (ssize_t)strlen(value);
        int r = write(fd, value, (size_t)len) == len ? 0 : -errno;
        close(fd);
        return r;
}

/* When a process dies, the kernel undoes its semaphore operations by walking through each whole set; no limit can end
 * that. A kernel thread empties a dead namespace message by message. With the kernel's defaults (sets of 32,000, as
 * many sets and queues) 400 processes were not dead after 20 s, and a slot can't end before its processes. The sizes
 * below were the kernel's defaults before Linux 3.19. */
static int ipc_sizes(void *context)
{
        struct boot *b = context;
        int error;
        if (faults_find(&b->settings->faults, "ipc namespace", &error) == FAULT_SKIP)
                return 0; /* the sizes would be the host's */
        int r = write_sysctl("/proc/sys/kernel/sem", "250 32000 32 128");
        return r < 0 ? r : write_sysctl("/proc/sys/kernel/msgmni", "128");
}

static int disk(void *context)
{
        struct boot *b = context;
        return mounts_disk(&b->mounts);
}

static int private_usr(void *context)
{
        struct boot *b = context;
        return mounts_usr(&b->mounts);
}

static int paths(void *context)
{
        struct boot *b = context;
        return mounts_paths(&b->mounts);
}

static int overlay_root(void *context)
{
        struct boot *b = context;
        return mounts_root(&b->mounts);
}

/* The terminal's slave takes the places of the three pipes. */
static int terminal(void *context)
{
        struct boot *b = context;
        struct mounts *m = &b->mounts;
        if (!b->wants_terminal)
                return 0;
        int r = terminal_make(&b->terminal, m->host_uid, m->host_gid, &b->settings->faults);
        if (r < 0)
                return r;
        m->devpts = b->terminal.devpts;
        b->terminal.devpts = -1;
        for (int i = 0; i < 3; i++)
                if (dup3(b->terminal.slave, b->shelf + BOOT_STDIN + i, O_CLOEXEC) < 0)
                        return -errno;
        return 0;
}

static int empty_namespace(void *context)
{
        struct boot *b = context;
        return mounts_leave(&b->mounts);
}

static int mount_namespace(void *context)
{
        struct boot *b = context;
        return mounts_own_namespace(&b->mounts);
}

static int attach(void *context)
{
        struct boot *b = context;
        return mounts_attach(&b->mounts);
}

static int root(void *context)
{
        struct boot *b = context;
        return mounts_enter(&b->mounts);
}

static int pid_counter(void *context)
{
        struct boot *b = context;
        char text[16];
        int n = snprintf(text, sizeof text, "%d", BOOT_PID);
        return pwrite(b->settings->last_pid, text, (size_t)n, 0) == n ? 0 : -errno;
}

static int user_namespace(void *context)
{
        struct boot *b = context;
        return creds_join_user_namespace(b->shelf + BOOT_USER_NS);
}

static int descriptors(void *context)
{
        struct boot *b = context;
        /* Closes nothing. If a test leaves out the step "own table", this call gives the process a table of its own, so
         * that the zygote's table stays as it is. */
        if (close_range(~0u, ~0u, CLOSE_RANGE_UNSHARE) < 0)
                return -errno;
        /* Each descriptor first moves to a high number, out of the way of the final numbers. */
        int job = fcntl(b->shelf + BOOT_JOB, F_DUPFD_CLOEXEC, FD_ABOVE);
        int report = fcntl(b->settings->report, F_DUPFD_CLOEXEC, FD_ABOVE);
        int tmpfs = fcntl(b->mounts.disk, F_DUPFD_CLOEXEC, FD_ABOVE);
        int master = b->terminal.master < 0 ? -1 : fcntl(b->terminal.master, F_DUPFD_CLOEXEC, FD_ABOVE);
        for (int i = 0; i < 3; i++)
                if (dup2(b->shelf + BOOT_STDIN + i, i) < 0)
                        return -errno;
        if (dup3(job, FD_JOB, O_CLOEXEC) < 0 || dup3(report, FD_REPORT, O_CLOEXEC) < 0 ||
            dup3(tmpfs, FD_DISK, O_CLOEXEC) < 0)
                return -errno;
        b->mounts.disk = FD_DISK;
        if (master >= 0) {
                if (dup3(master, FD_MASTER, O_CLOEXEC) < 0)
                        return -errno;
                b->terminal.master = FD_MASTER;
        }
        return close_range(master < 0 ? FD_MASTER : FD_MASTER + 1, ~0u, 0) < 0 ? -errno : 0;
}

static int rlimits(void *context)
{
        (void)context;
        return limits_apply();
}

static int identity(void *context)
{
        (void)context;
        return creds_become(ROOT_UID, ROOT_GID);
}

static int capabilities(void *context)
{
        (void)context;
        return creds_drop_capabilities(0);
}

static int no_new_privileges(void *context)
{
        (void)context;
        /* The change of uid made the process undumpable, and gave its /proc/self to root. But a program may read its
         * own entries. No other user is in the sandbox, and ptrace is not allowed. */
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
                return -errno;
        return creds_no_new_privileges();
}

static int system_calls(void *context)
{
        struct boot *b = context;
        return seccomp_program_load(&b->settings->seccomp);
}

static int proof(void *context)
{
        (void)context;
        return creds_prove(ROOT_UID);
}

static int interpreter(void *context)
{
        struct boot *b = context;
        return b->settings->lang->after_fork(b->settings->state);
}

static int rehearsal(void *context)
{
        struct boot *b = context;
        if (b->settings->lang->rehearse && !b->urgent)
                b->settings->lang->rehearse(b->settings->state);
        return 0;
}

/* The IPC and UTS namespaces come with the clone. */
const struct step boot_steps[] = {
        { "session", session, NULL },
        { "cgroup", join_cgroup, "the slot's cgroup is gone or full" }, /* first, so that the next steps are
                                                                         * accounted */
        { "cgroup namespace", cgroup_namespace, NULL }, /* its root is the caller's group at this moment */
        { "network namespace", join_network, NULL },
        /* Until here the child shares the zygote's table of descriptors, and no step may open one. */
        { "own table", own_table, "the kernel needs close_range (Linux 5.9)" },
        { "host name", host_name, NULL },
        { "ipc sizes", ipc_sizes, "CONFIG_SYSVIPC" }, /* by the zygote's /proc: the sandbox's has no sysctl */
        { "disk", disk, "tmpfs with size and nr_inodes" },
        { "private usr", private_usr, "modprobe overlay; /usr may lie on one overlay, not on two" },
        { "paths", paths, NULL },
        { "overlay root", overlay_root, "modprobe overlay" },
        { "terminal", terminal, "CONFIG_UNIX98_PTYS" }, /* after "session", whose leader gets the terminal */
        { "empty namespace", empty_namespace, NULL },   /* from here on the zygote's mounts are gone */
        { "mount namespace", mount_namespace, "sysctl user.max_mnt_namespaces must be large enough" },
        { "mounts", attach, NULL },
        { "root", root, NULL },
        { "pid counter", pid_counter, "CONFIG_CHECKPOINT_RESTORE" },
        { "user namespace", user_namespace, NULL }, /* after the mounts, which need the outer root */
        { "descriptors", descriptors, NULL },       /* nothing of the zygote or of a sibling stays open */
        { "rlimits", rlimits, NULL },
        { "identity", identity, NULL }, /* groups, gid, uid */
        { "capabilities", capabilities, NULL },
        { "no new privileges", no_new_privileges, NULL }, /* or seccomp would need CAP_SYS_ADMIN */
        { "system calls", system_calls, NULL },           /* last wall: the filter forbids all of the above */
        { "proof", proof, NULL },
        { "interpreter", interpreter, NULL },
        { "rehearsal", rehearsal, NULL },
};
const size_t boot_n_steps = sizeof boot_steps / sizeof boot_steps[0];

/* Sends the report and wipes it, because the program will run on this stack. */
__attribute__((noinline)) static bool report(struct boot *b, size_t step, int error)
{
        /* Until the step "descriptors" the report goes to the zygote's number for the socket, afterwards to
         * FD_REPORT. */
        bool moved = b->mounts.disk == FD_DISK, warm = step == boot_n_steps;
        struct boot_report r = {
                .slot = b->slot,
                .step = (uint32_t)step,
                .sandbox = b->sandbox,
                .error = error,
        };
        const int fds[BOOT_REPORT_FDS] = { b->mounts.disk, b->terminal.master };
        size_t n_fds = b->terminal.master < 0 ? 1 : 2;
        int sent = channel_send(moved ? FD_REPORT : b->settings->report, &r, sizeof r, fds, warm ? n_fds : 0, NULL);
        explicit_bzero(&r, sizeof r);
        return warm && sent >= 0;
}

void boot_run(struct boot *b)
{
        const struct boot_settings *settings = b->settings;
        bool has_master = b->terminal.master >= 0; /* else FD_MASTER may be a descriptor of the interpreter */
        int error;
        size_t step = step_run(boot_steps, boot_n_steps, b, &settings->faults, &error);
        if (!report(b, step, error))
                _exit(126);
        explicit_bzero(b, sizeof *b);
        close(FD_REPORT);
        close(FD_DISK);
        if (has_master)
                close(FD_MASTER);
        leaks_off();
        _exit(worker_run(FD_JOB, settings->lang, settings->state));
}
