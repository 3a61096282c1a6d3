/* Signals by way of a descriptor: see signals.h. */
#include "client/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
static const int of_terminals[] = { SIGWINCH, SIGTSTP, SIGCONT };

static void add(sigset_t *set, const int *numbers, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct sigaction now;
                if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
                        sigaddset(set, numbers[i]);
        }
}

int signals_catch(struct signals *s, bool on_terminal, struct err *e)
{
        sigset_t set;
        *s = (struct signals){ .fd = -1 };
        sigemptyset(&set);
        add(&set, ends, sizeof ends / sizeof ends[0]);
        if (on_terminal)
                add(&set, of_terminals, sizeof of_terminals / sizeof of_terminals[0]);
        int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return err_set(e, errno, "watch for signals");
        s->fd = fd;
        sigprocmask(SIG_BLOCK, &set, &s->before);
        sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &s->pipe_before);
        return 0;
}

int signals_next(const struct signals *s)
{
        struct signalfd_siginfo info;
        return s->fd >= 0 && read(s->fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

void signals_release(struct signals *s)
{
        if (s->fd < 0)
                return;
        close(s->fd);
        s->fd = -1;
        sigaction(SIGPIPE, &s->pipe_before, NULL);
        sigprocmask(SIG_SETMASK, &s->before, NULL);
}

bool signals_pipe_kills(const struct signals *s)
{
        return s->pipe_before.sa_handler != SIG_IGN;
}

/* Lets one caught signal through. Its usual effect happens before this returns. */
static void raise_unblocked(int number)
{
        sigset_t one, before;
        sigemptyset(&one);
        sigaddset(&one, number);
        raise(number);
        sigprocmask(SIG_UNBLOCK, &one, &before);
        sigprocmask(SIG_SETMASK, &before, NULL);
}

void signals_stop(void)
{
        raise_unblocked(SIGTSTP);
}

void signals_die(int number)
{
        sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        raise_unblocked(number);
}
