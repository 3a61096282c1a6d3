/* hatchery-init: see init.h. Built static and without sanitizers; it shares no memory layout with any zygote. */
#include "zygote/init/init.h"

#include "proto/ipc/channel.h"
#include "zygote/base/creds.h"
#include "zygote/base/newmount.h"
#include "zygote/base/root_places.h"
#include "zygote/base/step.h"
#include "zygote/init/collect_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int tell(enum init_kind kind, const int *fds, size_t n_fds)
{
        struct init_packet p = { .kind = kind };
        return channel_send(INIT_FD, &p, sizeof p, fds, n_fds, NULL);
}

static int own_descriptors(void *context)
{
        (void)context;
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
                return -errno;
        return close_range(INIT_FD + 1, ~0u, 0) < 0 ? -errno : 0;
}

/* The slot's /proc is mounted here, because a /proc shows the pid namespace of its maker. The zygote then hides
 * everything in this /proc but processes. */
static int offer_proc(void *context)
{
        (void)context;
        int proc = newmount_whole_proc();
        if (proc < 0)
                return proc;
        int r = tell(INIT_PROC, &proc, 1);
        close(proc);
        return r;
}

static int user_namespace(void *context)
{
        struct init_packet p;
        size_t n_fds;
        (void)context;
        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        int r = tell(INIT_UNSHARED, NULL, 0);
        if (r < 0)
                return r;
        r = channel_recv(INIT_FD, &p, sizeof p, NULL, 0, &n_fds, NULL);
        if (r <= 0)
                return r < 0 ? r : -EPIPE;
        return p.kind == INIT_MAPPED ? 0 : -EPROTO;
}

/* No user namespace can be made below the slot's, even without the system call filter: a second wall. */
static int no_nested_namespaces(void *context)
{
        (void)context;
        int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        int r = write(fd, "0", 1) == 1 ? 0 : -errno;
        close(fd);
        return r;
}

static int empty_root(void *context)
{
        (void)context;
        return chroot(ROOT_MOUNT_POINT) < 0 || chdir("/") < 0 ? -errno : 0;
}

static int become_nobody(void *context)
{
        (void)context;
        return creds_become(0, 0);
}

static int two_capabilities(void *context)
{
        (void)context;
        int r = creds_drop_capabilities(1ull << CAP_KILL | 1ull << CAP_DAC_READ_SEARCH);
        return r < 0 ? r : creds_no_new_privileges();
}

/* This comes last, since a change of uid clears it. If the zygote dies before, end of file on the socket ends init. */
static int die_with_zygote(void *context)
{
        (void)context;
        return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

static const struct step steps[] = {
        { "init descriptors", own_descriptors, NULL },
        { "init proc", offer_proc, "the kernel needs procfs with subset= (Linux 5.8)" },
        { "init user namespace", user_namespace, "sysctl user.max_user_namespaces must not be 0" },
        { "init no nested namespaces", no_nested_namespaces, NULL },
        { "init empty root", empty_root, NULL }, /* after the namespace: a chrooted process may not make one */
        { "init identity", become_nobody, NULL },
        { "init capabilities", two_capabilities, NULL },
        { "init death signal", die_with_zygote, NULL },
};
enum { N_STEPS = sizeof steps / sizeof steps[0], LINGER_TRIES = 1000 };

enum { RECLAIM_S = 5 };

/* kill(-1) reaches every process of the namespace but this one, under one lock that no fork can slip past. Then init
 * waits for all processes that were handed to pid 1, and reaps them itself. If the kernel reaped them (SIGCHLD
 * ignored), waitpid would not wait for a process that still holds its pid and its place in the cgroup. The next sandbox
 * would then find the pid and the place taken. waitpid still misses two kinds of dead processes, so kill is repeated
 * until it finds no process:
 * - children that died earlier, of a program that ignored SIGCHLD. They need only a moment of processor time to vanish.
 * - the main process, until the zygote reaps it.
 */
static void kill_all(void)
{
        static const struct timespec moment = { .tv_nsec = 200000 };
        signal(SIGCHLD, SIG_DFL);
        for (int i = 0; i < LINGER_TRIES && (kill(-1, SIGKILL) == 0 || errno != ESRCH); i++) {
                if (i > 0)
                        nanosleep(&moment, NULL);
                while (waitpid(-1, NULL, __WALL) >= 0 || errno == EINTR)
                        ;
        }
        signal(SIGCHLD, SIG_IGN);
}

static void wake(int number)
{
        (void)number;
}

/* Makes the kernel free what ended runs left charged to the slot's empty group, above all names that were looked up.
 * Millions of names take seconds, so a signal interrupts the write. The signal is repeated, since the first may come
 * before the write. The file of version 1 takes any text; the file of version 2 takes the number of bytes to free. */
static void reclaim(int fd)
{
        static const struct itimerval patience = { .it_value = { .tv_sec = RECLAIM_S },
                                                   .it_interval = { .tv_sec = 1 } };
        static const struct itimerval none = { 0 };
        static const char most[] = "1G";
        struct sigaction action = { .sa_handler = wake }; /* without SA_RESTART */
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &patience, NULL);
        ssize_t n = write(fd, most, sizeof most - 1); /* the zygote sees in the group's count what is left */
        (void)n;
        setitimer(ITIMER_REAL, &none, NULL);
}

int main(int argc, char **argv)
{
        int error;
        struct faults faults = { .text = argc > 1 ? argv[1] : NULL, .size = argc > 1 ? strlen(argv[1]) : 0 };
        size_t failed = step_run(steps, N_STEPS, NULL, &faults, &error);
        if (failed < N_STEPS) {
                struct init_packet p = { .kind = INIT_FAILED, .error = error };
                snprintf(p.step, sizeof p.step, "%s", steps[failed].name);
                channel_send(INIT_FD, &p, sizeof p, NULL, 0, NULL);
                return 1;
        }
        signal(SIGCHLD, SIG_IGN);
        if (tell(INIT_READY, NULL, 0) < 0)
                return 1;

        for (;;) {
                struct init_packet p;
                int fds[2];
                size_t n_fds;
                if (channel_recv(INIT_FD, &p, sizeof p, fds, 2, &n_fds, NULL) <= 0)
                        return 0; /* the zygote is dead or broken: the namespace dies with this process */
                if (p.kind == INIT_KILL && n_fds == 0) {
                        kill_all();
                        if (tell(INIT_KILLED, NULL, 0) < 0)
                                return 1;
                } else if (p.kind == INIT_COLLECT && n_fds == 2) {
                        collect_files(fds[0], fds[1]);
                        close(fds[0]);
                        close(fds[1]);
                        if (tell(INIT_COLLECTED, NULL, 0) < 0)
                                return 1;
                } else if (p.kind == INIT_RELEASE && n_fds >= 1) {
                        /* Taking down a hostile run's files can take a second, and the zygote must not wait for
                         * that. */
                        for (size_t i = 0; i < n_fds; i++)
                                close(fds[i]);
                        if (tell(INIT_RELEASED, NULL, 0) < 0)
                                return 1;
                } else if (p.kind == INIT_RECLAIM && n_fds == 1) {
                        reclaim(fds[0]);
                        close(fds[0]);
                        if (tell(INIT_RELEASED, NULL, 0) < 0)
                                return 1;
                } else {
                        return 1;
                }
        }
}
