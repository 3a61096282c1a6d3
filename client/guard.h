/* A second process that restores the terminal if this process dies without a chance to do so: by SIGKILL, SIGQUIT or a
 * crash. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct guard {
        int channel; /* -1: there is none */
        pid_t pid;
};

/* Starts the guard. If this process dies and its last call was guard_tell(true), the guard gives the terminal the
 * attributes of `before`. If other processes have taken over the terminal by then, the guard leaves it alone. */
int guard_start(struct guard *g, int terminal, const struct termios *before, struct err *e);

/* Tells the guard whether the terminal's attributes differ from `before` from now on. */
void guard_tell(struct guard *g, bool changed);

/* Ends the guard, and waits for its end. Idempotent. */
void guard_stop(struct guard *g);
