/* A process that restores a terminal when this one dies in a way that leaves it no time for that: by SIGKILL, by
 * SIGQUIT, by a fault. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct guard {
        int channel; /* -1: there is none */
        pid_t pid;
};

/* Starts the process. When this one dies while its last word was guard_tell(true), the guard gives the terminal the
 * attributes of `before`. It leaves a terminal alone that other processes have taken over by then. */
int guard_start(struct guard *g, int terminal, const struct termios *before, struct err *e);

/* Whether the terminal's attributes differ from `before` from now on. */
void guard_tell(struct guard *g, bool changed);

/* Waits for its end. Idempotent. */
void guard_stop(struct guard *g);
