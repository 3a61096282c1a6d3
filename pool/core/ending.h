/* How the program of one sandbox ended, as seen from outside. It follows from the pool's own reason for killing the
 * program, and from the zygote's report. Pure. */
#pragma once

#include "pool/core/outcome.h"
#include "proto/ipc/channel.h"

/* Why the pool killed a run. If there are several reasons, the first one counts. */
enum kill_reason {
        KILL_NONE,
        KILL_CANCELLED,
        KILL_WALL,
        KILL_CPU,
        KILL_OUTPUT,
        KILL_GONE,     /* the execution was abandoned: no sink gets the outcome */
        KILL_SHUTDOWN, /* the drain took too long: the execution is refused */
        KILL_FAULT,    /* the pool itself can't continue it: the execution is refused */
};

/* Fills all fields but wall_us, which the zygote does not report. */
struct ending ending_of(enum kill_reason reason, const struct report *exited);
