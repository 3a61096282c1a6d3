/* The process that outlives the command to restore its terminal: see guard.h. It is a fork that does nothing but wait
 * for the other end of a socket to close. */
#include "client/guard.h"

#include "proto/base/io.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TERMINAL, CHANNEL, REST }; /* the guard's descriptors */

/* Is the dead process's group still in the foreground, or none at all? Then the terminal is as the dead process left
 * it. A shell with job control would have taken the terminal over, and set its own attributes. */
static bool is_abandoned(int terminal, pid_t group)
{
        pid_t now = tcgetpgrp(terminal);
        return now < 0 || now == group;
}

static void watch(int terminal, int channel, const struct termios *before)
{
        /* Nothing may end the guard before its time, and SIGTTOU may not stop it. */
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);

        /* Readers of the command's output, and the server, see an end only when all copies of a descriptor are
         * closed. */
        const pid_t group = getpgrp();
        int high_terminal = fcntl(terminal, F_DUPFD, REST), high_channel = fcntl(channel, F_DUPFD, REST);
        if (high_terminal < 0 || high_channel < 0 || dup2(high_terminal, TERMINAL) < 0 ||
            dup2(high_channel, CHANNEL) < 0)
                return;
        close_range(REST, ~0U, 0);

        uint8_t changed = 0;
        while (io_read(CHANNEL, &changed, 1) == 1)
                ;
        if (changed && is_abandoned(TERMINAL, group))
                tcsetattr(TERMINAL, TCSANOW, before);
}

int guard_start(struct guard *g, int terminal, const struct termios *before, struct err *e)
{
        int pair[2];
        *g = (struct guard){ .channel = -1 };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return err_set(e, errno, "make a socket for the guard of the terminal");
        OWN_FD int ours = pair[0];
        OWN_FD int its = pair[1];
        pid_t pid = fork();
        if (pid < 0)
                return err_set(e, errno, "start the guard of the terminal");
        if (pid == 0) {
                close(own_steal_fd(&ours));
                watch(terminal, its, before);
                _exit(0);
        }
        *g = (struct guard){ own_steal_fd(&ours), pid };
        return 0;
}

void guard_tell(struct guard *g, bool changed)
{
        const uint8_t word = changed;
        if (g->channel >= 0)
                io_send_all(g->channel, &word, 1); /* the write fails if the guard was killed, which does no harm */
}

void guard_stop(struct guard *g)
{
        if (g->channel < 0)
                return;
        close(g->channel);
        g->channel = -1;
        while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}
