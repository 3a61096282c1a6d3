/* The signals of this process as a descriptor, so that a run ends in order: the terminal restored, the server told. A
 * signal that was ignored when the process began stays ignored, as nohup and shells expect. */
#pragma once

#include "proto/base/err.h"

#include <signal.h>
#include <stdbool.h>

struct signals {
        int fd; /* readable: a signal waits for signals_next; -1: signals are not caught */
        sigset_t before;
        struct sigaction
                pipe_before; /* the former action of SIGPIPE, which is ignored meanwhile: writes fail with EPIPE */
};

/* Catches SIGINT, SIGTERM and SIGHUP; on a terminal also SIGWINCH, SIGTSTP and SIGCONT. */
int signals_catch(struct signals *s, bool on_terminal, struct err *e);

/* The next signal's number; 0: none is waiting. */
int signals_next(const struct signals *s);

/* Idempotent. Signals that are waiting have their usual effect. */
void signals_release(struct signals *s);

/* Does a write without a reader end this process, as is usual? False: SIGPIPE was ignored when the process began. */
bool signals_pipe_kills(const struct signals *s);

/* Stops this process as SIGTSTP does by itself, and returns when it is continued. */
void signals_stop(void);

/* Ends this process by the signal: the shell that waits for it should see what ended it. Returns only if that is
 * impossible. */
void signals_die(int number);
