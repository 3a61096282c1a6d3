/* Processes of other roles: see process.h. */
#include "hatcheryd/process.h"

#include "proto/base/own.h"
#include "proto/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { FIRST_FD = 3, MAX_FDS = 64, MAX_ENV = 8 };

/* The environment of the daemon's other processes: empty, except for options of the sanitizers. */
static void own_environment(char *env[MAX_ENV + 1])
{
        size_t n = 0;
        for (char **var = environ; var && *var && n < MAX_ENV; var++)
                if (strncmp(*var, "ASAN_OPTIONS=", 13) == 0 || strncmp(*var, "UBSAN_OPTIONS=", 14) == 0 ||
                    strncmp(*var, "LSAN_OPTIONS=", 13) == 0)
                        env[n++] = *var;
        env[n] = NULL;
}

/* Runs in the child. */
static void become(int program, char *const *argv, const int *fds, size_t n_fds, pid_t supervisor)
{
        int image, moved[MAX_FDS];
        char *env[MAX_ENV + 1];

        /* A shell ignores some signals for programs that it starts in the background. If a shell started the server in
         * this way, every sandbox would ignore these signals, too, since an exec keeps ignored signals ignored. */
        spawn_reset_signals();
        if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                _exit(127);
        if (getppid() != supervisor)
                _exit(127); /* the supervisor died before this child was tied to it */
        for (size_t i = 0; i < n_fds; i++)
                moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + MAX_FDS); /* a number that no dup2 below
                                                                                * overwrites */
        image = fcntl(program, F_DUPFD_CLOEXEC, FIRST_FD + MAX_FDS);
        for (size_t i = 0; i < n_fds; i++)
                if (dup2(moved[i], FIRST_FD + (int)i) < 0)
                        _exit(127);
        close_range(FIRST_FD + (unsigned)n_fds, ~0u, CLOSE_RANGE_CLOEXEC);
        own_environment(env);
        syscall(SYS_execveat, image, "", argv, env, AT_EMPTY_PATH);
        _exit(127);
}

int process_start(struct process *p, int program, char *const *argv, const int *fds, size_t n_fds, struct err *e)
{
        if (n_fds > MAX_FDS)
                return err_set(e, E2BIG, "starting %s with %zu descriptors", argv[0], n_fds);
        pid_t supervisor = getpid();
        int pidfd = -1;
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t)(uintptr_t)&pidfd,
                .exit_signal = SIGCHLD,
        };
        long pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid < 0)
                return err_set(e, errno, "starting %s", argv[0]);
        if (pid == 0)
                become(program, argv, fds, n_fds, supervisor);
        p->pid = (pid_t)pid;
        p->pidfd = pidfd;
        return 0;
}

void process_ended(struct process *p)
{
        own_close(&p->pidfd);
        *p = (struct process){ .pidfd = -1 };
}

void process_kill(const struct process *p, int sig)
{
        if (p->pid > 0)
                pidfd_send_signal(p->pidfd, sig, NULL, 0);
}
