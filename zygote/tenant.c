/* The tenant of one slot: see tenant.h. */
#include "zygote/tenant.h"

#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "zygote/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of <linux/pidfd.h>, which Debian 12's headers don't have yet. */
#ifndef PIDFD_GET_MNT_NAMESPACE
#define PIDFD_GET_MNT_NAMESPACE _IO(0xFF, 3)
#endif

/* The kernel frees leftovers after some 8 ms, and takes a tick of 4 ms more for each socket that is in a message of
 * another socket. A run can have as many such sockets as open files. Making the slot anew earlier would not help: the
 * new slot would have the same user, and the kernel counts such sockets per user. */
enum { REST_MS = 1000 };

void tenant_init(struct tenant *s)
{
        *s = (struct tenant){ .pidfd = -1, .disk = -1, .shelf = -1, .mount_ns = -1 };
        memset(s->pool_fds, -1, sizeof s->pool_fds);
}

static void close_fd(int *fd)
{
        own_close(fd);
        *fd = -1;
}

static void close_file_systems(struct tenant *s)
{
        close_fd(&s->mount_ns);
        close_fd(&s->disk);
}

/* Closing the last reference to a sandbox's mounts takes its overlays down, and the closing process waits for that. So
 * init closes them, and not the zygote, for which all slots wait. */
void tenant_clear(struct tenant *s)
{
        int fds[2] = { s->mount_ns, s->disk };
        if (s->disk < 0 || s->mount_ns < 0 || s->init_lost)
                return;
        if (cell_tell(s->cell, INIT_RELEASE, fds, 2, NULL) == 0)
                s->releasing = true;
        s->asked_ms = clock_ms();
        close_file_systems(s);
}

static bool empty(const struct tenant *s)
{
        return cgroup_slot_pids(&s->cell->cgroup) == 0;
}

/* Names of files that a run looked up outlive the run and its cgroup, unless the kernel is told to free them. Six runs
 * left nine million names. Freeing takes seconds, so init does it, and only this slot waits. True: init was told. */
static bool reclaim(struct tenant *s)
{
        int fd = s->init_lost || s->reclaimed ? -1 : cgroup_slot_residue(&s->cell->cgroup);
        s->reclaimed = fd >= 0 && cell_tell(s->cell, INIT_RECLAIM, &fd, 1, NULL) == 0;
        return s->reclaimed;
}

void tenant_released(struct tenant *s)
{
        s->releasing = reclaim(s);
        s->gone_us = clock_us();
        s->asked_ms = s->gone_us / 1000;
}

void tenant_leave_shelf(struct tenant *s, struct tenant_maker *maker)
{
        shelf_give_back(&maker->shelves, s->shelf);
        s->shelf = -1;
}

/* Releases everything of a sandbox in the zygote. */
static void release(struct tenant *s, struct tenant_maker *maker)
{
        tenant_leave_shelf(s, maker);
        close_file_systems(s);
        close_fd(&s->pidfd);
        for (size_t i = 0; i < CHANNEL_WARM_FDS; i++)
                close_fd(&s->pool_fds[i]);
        s->left_ms = 0;
        s->kill_sent = s->swept_again = s->collecting = s->releasing = s->reclaimed = s->remake = false;
}

void tenant_go(struct tenant *s)
{
        if (s->pid > 0 && s->pidfd >= 0)
                pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
        bool was_dead = s->state == TENANT_DEAD && empty(s);
        tenant_clear(s); /* before init dies: init's end closes the sent descriptors, even unread ones */
        if (s->cell && was_dead && reclaim(s))
                cell_let_end(s->cell);
        else if (s->cell)
                cell_kill(s->cell);
        s->state = TENANT_GOING;
}

bool tenant_is_gone(struct tenant *s)
{
        if (s->pid > 0 && waitpid(s->pid, NULL, WNOHANG) == s->pid)
                s->pid = 0;
        return s->pid == 0 && (!s->cell || cell_is_dead(s->cell));
}

void tenant_drop(struct tenant *s, struct tenant_maker *maker, struct err *e)
{
        if (s->pid > 0 && s->pidfd >= 0)
                pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
        struct cell *cell = s->cell;
        if (s->pid > 0)
                while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        release(s, maker);
        cell_free(cell, e);
        tenant_init(s);
}

/* Begins a step that is in no table; a test may let it fail. */
static int begin(const struct tenant_maker *maker, const char *name, const char **step, struct err *e)
{
        int error;
        *step = name;
        return faults_find(&maker->birth->settings.faults, name, &error) == FAULT_FAIL ? err_set(e, -error, "%s", name)
                                                                                       : 0;
}

/* Makes the pipes: the sandbox's ends in ours, the pool's in s. The pool's ends must not block the pool. */
static int make_pipes(struct tenant *s, int ours[BOOT_JOB + 1], struct err *e)
{
        int job[2], in[2], out[2], err[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, job) < 0)
                return err_set(e, errno, "a socket pair");
        s->pool_fds[WARM_JOB] = job[0];
        ours[BOOT_JOB] = job[1];
        if (pipe2(in, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        s->pool_fds[WARM_STDIN] = in[1];
        ours[BOOT_STDIN] = in[0];
        if (pipe2(out, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        s->pool_fds[WARM_STDOUT] = out[0];
        ours[BOOT_STDOUT] = out[1];
        if (pipe2(err, O_CLOEXEC) < 0)
                return err_set(e, errno, "a pipe");
        s->pool_fds[WARM_STDERR] = err[0];
        ours[BOOT_STDERR] = err[1];

        /* A program may open /dev/stdout, and so one of these pipes by name. */
        for (int i = BOOT_STDIN; i <= BOOT_STDERR; i++)
                if (fchown(ours[i], s->cell->host_uid, s->cell->host_uid) < 0)
                        return err_set(e, errno, "the owner of a pipe");
        for (size_t i = WARM_JOB; i <= WARM_STDERR; i++)
                if (fcntl(s->pool_fds[i], F_SETFL, O_NONBLOCK) < 0)
                        return err_set(e, errno, "a non-blocking pipe");
        s->pool_fds[WARM_CPU] = fcntl(s->cell->cgroup.file[CGROUP_FILE_CPU], F_DUPFD_CLOEXEC, 0);
        return s->pool_fds[WARM_CPU] < 0 ? err_set(e, errno, "the cgroup's CPU time") : 0;
}

/* Puts the child's descriptors on a shelf. */
static int fill_shelf(struct tenant *s, struct tenant_maker *maker, struct err *e)
{
        int fds[BOOT_FDS] = { [BOOT_STDIN] = -1, [BOOT_STDOUT] = -1,          [BOOT_STDERR] = -1,
                              [BOOT_JOB] = -1,   [BOOT_PROC] = s->cell->proc, [BOOT_USER_NS] = s->cell->user_ns };
        int r = make_pipes(s, fds, e);
        if (r == 0) {
                s->shelf = shelf_take(&maker->shelves, fds, BOOT_FDS);
                r = s->shelf < 0 ? err_set(e, -s->shelf, "a shelf for descriptors") : 0;
        }
        for (int i = BOOT_STDIN; i <= BOOT_JOB; i++)
                close_fd(&fds[i]);
        return r;
}

/* Called on the first stack (aside.h), on which the child goes on. libc does not see this fork, because libc's own
 * fork can't make namespaces or choose a pid. So two things that libc's fork would do for the child's main thread are
 * left to do: its tid in memory, and the list of robust mutexes. */
static long give_birth(void *argument)
{
        struct birth *b = argument;
        long pid = syscall(SYS_clone3, &b->args, sizeof b->args);
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                explicit_bzero(&b->args, sizeof b->args);
                syscall(SYS_set_robust_list, b->robust_list.head, b->robust_list.size);
                boot_run(&b->boot);
        }
        return pid;
}

static int fork_child(struct tenant *s, const struct tenant_maker *maker, struct err *e)
{
        static const pid_t pid_in_slot = BOOT_PID;
        struct birth *b = maker->birth;
        const struct faults *faults = &b->settings.faults;
        int error;
        b->args = (struct clone_args){
                .flags = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_FILES | CLONE_PIDFD | CLONE_CHILD_SETTID |
                         CLONE_CHILD_CLEARTID,
                .pidfd = (uint64_t)(uintptr_t)&s->pidfd,
                .child_tid = b->tid_address,
                .exit_signal = SIGCHLD,
                .set_tid = (uint64_t)(uintptr_t)&pid_in_slot,
                .set_tid_size = 1,
        };
        if (faults_find(faults, "ipc namespace", &error) == FAULT_SKIP)
                b->args.flags &= ~(uint64_t)CLONE_NEWIPC;
        if (faults_find(faults, "uts namespace", &error) == FAULT_SKIP)
                b->args.flags &= ~(uint64_t)CLONE_NEWUTS;
        if (s->cell->cgroup.into >= 0 && faults_find(faults, "cgroup", &error) != FAULT_SKIP) {
                b->args.flags |= CLONE_INTO_CGROUP;
                b->args.cgroup = (unsigned)s->cell->cgroup.into;
        }
        if (setns(s->cell->pid_ns, CLONE_NEWPID) < 0)
                return err_set(e, errno, "the slot's pid namespace");
        long pid = aside_leave(maker->cells.aside, give_birth, b);
        if (pid < 0)
                return err_set(e, (int)-pid, "clone");
        s->pid = (pid_t)pid;
        return 0;
}

static int fork_into(struct tenant *s, struct tenant_maker *maker, const struct order *order, struct err *e)
{
        int r = fill_shelf(s, maker, e);
        if (r < 0)
                return r;
        struct birth *b = maker->birth;
        s->prestarts = b->settings.lang->kind == KIND_PRESTARTED;
        s->has_terminal = order->terminal;
        b->boot = (struct boot){
                .settings = &b->settings,
                .sandbox = s->id,
                .slot = s->cell->number,
                .net_ns = s->cell->net_ns,
                .shelf = s->shelf,
                .urgent = order->urgent,
                .wants_terminal = order->terminal,
                .terminal = { .devpts = -1, .master = -1, .slave = -1 },
                .mounts = {
                        .disk_bytes = order->disk_bytes,
                        .inodes = b->settings.inodes,
                        .host_uid = s->cell->host_uid,
                        .host_gid = s->cell->host_uid,
                        .proc = s->shelf + BOOT_PROC,
                        .empty_namespace = b->settings.empty_namespace,
                        .paths = &b->settings.paths,
                        .disk = -1,
                        .usr = -1,
                        .root = -1,
                        .devpts = -1,
                },
        };
        memcpy(b->boot.join, s->cell->cgroup.join, sizeof b->boot.join);
        return fork_child(s, maker, e);
}

enum tenant_rest tenant_rest(struct tenant *s, const struct tenant_maker *maker)
{
        int error;
        if (!s->cell || leftover_is_none(&s->cell->leftover) ||
            faults_find(&maker->birth->settings.faults, "leftovers", &error) == FAULT_SKIP)
                return TENANT_RESTS;
        int64_t now = clock_ms();
        if (s->left_ms == 0)
                s->left_ms = now;
        return now - s->left_ms > REST_MS ? TENANT_STAYS : TENANT_WAITS;
}

int tenant_make(struct tenant *s, struct tenant_maker *maker, const struct order *order, const char **step,
                struct err *e)
{
        release(s, maker);
        if (s->gone_us == 0)
                s->gone_us = clock_us();
        guard_hold(maker->guard);
        int r = begin(maker, "slot", step, e);
        if (r == 0 && !s->cell)
                r = cell_new(&s->cell, order->slot, &maker->cells, e);
        if (r == 0)
                r = begin(maker, "cgroup renewal", step, e);
        if (r == 0)
                r = cgroup_slot_renew(&s->cell->cgroup, e);
        if (r == 0)
                r = begin(maker, "cgroup limits", step, e);
        if (r == 0)
                r = cgroup_slot_limit(&s->cell->cgroup, order->memory_bytes, order->pids, e);
        if (r == 0)
                r = facts_tell(&s->cell->facts, order->memory_bytes, e);
        if (r == 0)
                r = begin(maker, "fork", step, e);
        if (r == 0) {
                s->id = order->sandbox;
                s->memory_bytes = order->memory_bytes;
                s->disk_bytes = order->disk_bytes;
                s->pids = order->pids;
                r = fork_into(s, maker, order, e);
        }
        if (r < 0) {
                tenant_drop(s, maker, NULL);
                return r;
        }
        s->state = TENANT_BOOTING;
        s->asked_ms = clock_ms();
        return 0;
}

/* From Linux 6.11 on, the pidfd gives the namespace. The way through /proc takes some 50 us, because the kernel makes
 * entries of /proc for it. */
static int open_mount_namespace(const struct tenant *s)
{
        char path[64];
        int fd = ioctl(s->pidfd, PIDFD_GET_MNT_NAMESPACE, 0);
        if (fd >= 0)
                return fd;
        snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)s->pid);
        return open(path, O_RDONLY | O_CLOEXEC);
}

/* The terminal's master takes the places of two pipes. The pipe WARM_STDERR is at its end of file, because the child
 * has closed its own end. */
static int take_terminal(struct tenant *s, int *master, struct err *e)
{
        if (s->has_terminal != (*master >= 0))
                return err_say(e, EPROTO, "a sandbox's terminal is missing, or was not asked for");
        if (!s->has_terminal)
                return 0;
        close_fd(&s->pool_fds[WARM_STDIN]);
        close_fd(&s->pool_fds[WARM_STDOUT]);
        s->pool_fds[WARM_STDIN] = own_steal_fd(master);
        s->pool_fds[WARM_STDOUT] = fcntl(s->pool_fds[WARM_STDIN], F_DUPFD_CLOEXEC, 0);
        return s->pool_fds[WARM_STDOUT] < 0 ? err_set(e, errno, "a terminal") : 0;
}

int tenant_warm(struct tenant *s, const struct tenant_maker *maker, const int fds[BOOT_REPORT_FDS],
                uint64_t *cpu_base_us, struct err *e)
{
        const char *step;
        OWN_FD int disk = fds[0], master = fds[1];

        int r = begin(maker, "warm", &step, e);
        if (r == 0)
                r = take_terminal(s, &master, e);
        if (r < 0)
                return r;
        s->mount_ns = open_mount_namespace(s);
        if (s->mount_ns < 0)
                return err_set(e, errno, "open the mount namespace");
        s->disk = own_steal_fd(&disk);
        cgroup_slot_start(&s->cell->cgroup);
        *cpu_base_us = (uint64_t)s->cell->cgroup.cpu_base_us;
        s->state = TENANT_ALIVE;
        return 0;
}

int tenant_limit(struct tenant *s, const struct tenant_maker *maker, const struct order *order, struct err *e)
{
        const char *step;
        int r = begin(maker, "limits", &step, e);
        if (r == 0)
                r = cgroup_slot_limit(&s->cell->cgroup, order->memory_bytes, order->pids, e);
        if (r == 0)
                r = facts_tell(&s->cell->facts, order->memory_bytes, e);
        if (r < 0)
                return r;
        if (order->disk_bytes == s->disk_bytes)
                return 0;
        r = mounts_resize(s->disk, order->disk_bytes);
        if (r < 0)
                return err_set(e, -r, "a disk of %lld bytes", (long long)order->disk_bytes);
        s->disk_bytes = order->disk_bytes;
        return 0;
}

/* The signal reaches a process group of this sandbox, or none. An ALIVE main process leads its session, so it can't
 * leave its group, and only its descendants can join that. Only the zygote reaps the main process, and before that, its
 * pid names nothing else. */
int tenant_signal(const struct tenant *s, int number, struct err *e)
{
        if (s->pid <= 1) /* these numbers mean all processes, or our own group */
                return err_say(e, ESRCH, "no main process to signal");
        return kill(-s->pid, number) < 0 && errno != ESRCH ? err_set(e, errno, "signal %d", number) : 0;
}

void tenant_kill(struct tenant *s)
{
        /* Both are needed: init reaches all processes, except a main process that is still booting as root. */
        if (s->pidfd >= 0)
                pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
        if (s->kill_sent || s->init_lost)
                return;
        if (cell_tell(s->cell, INIT_KILL, NULL, 0, NULL) < 0)
                s->init_lost = true;
        else
                s->kill_sent = true;
        s->asked_ms = clock_ms();
}

void tenant_kill_init(struct tenant *s)
{
        pidfd_send_signal(s->cell->init_pidfd, SIGKILL, NULL, 0);
}

bool tenant_reap(struct tenant *s)
{
        if (s->pid == 0 || waitpid(s->pid, &s->wait_status, WNOHANG) != s->pid)
                return false;
        s->pid = 0;
        s->ended_us = clock_us();
        s->gone_us = 0;
        s->state = TENANT_REAPING;
        if (s->init_lost || (empty(s) && !s->kill_sent)) {
                s->state = TENANT_DEAD;
                return true;
        }
        tenant_kill(s);
        if (s->init_lost)
                s->state = TENANT_DEAD;
        return true;
}

void tenant_swept(struct tenant *s)
{
        s->kill_sent = false;
        if (s->state != TENANT_REAPING)
                return;
        /* If init swept while the main process still lived, the main process's children came to init afterwards. A
         * second sweep makes sure that they are dead. */
        if (!s->swept_again && !s->init_lost && !empty(s)) {
                s->swept_again = true;
                tenant_kill(s);
                if (s->kill_sent)
                        return;
        }
        s->state = TENANT_DEAD;
}

void tenant_report(const struct tenant *s, struct report *r)
{
        struct cgroup_usage used;
        int full = 0;

        cgroup_slot_usage(&s->cell->cgroup, &used);
        int64_t bytes = s->disk < 0 ? 0 : mounts_used(s->disk, &full);
        *r = (struct report){ .kind = REPORT_EXITED, .slot = s->cell->number, .sandbox = s->id };
        r->exited.wait_status = s->wait_status;
        r->exited.oom_kills = used.oom_kills;
        r->exited.processes_peak = used.processes_peak;
        r->exited.pids_denied = used.pids_denied;
        r->exited.disk_full = full != 0;
        r->exited.unproved = s->init_lost || !empty(s);
        r->exited.ended_us = s->ended_us;
        r->exited.cpu_us = used.cpu_us;
        r->exited.cpu_user_us = used.cpu_user_us;
        r->exited.cpu_system_us = used.cpu_us - used.cpu_user_us;
        r->exited.memory_peak_bytes = used.memory_peak_bytes;
        r->exited.disk_bytes = bytes < 0 ? 0 : (uint64_t)bytes;
}

int tenant_collect(struct tenant *s, int pool_sock, struct err *e)
{
        if (s->disk < 0)
                return err_say(e, ENOENT, "no disk to collect from");
        /* The program can change no part of this path: the home directory's parents belong to root. */
        OWN_FD int home = openat(s->disk, MOUNTS_HOME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (home < 0)
                return err_set(e, errno, "open the work directory");
        int fds[2] = { home, pool_sock };
        int r = cell_tell(s->cell, INIT_COLLECT, fds, 2, e);
        if (r == 0)
                s->collecting = true;
        return r;
}
