/* How a run ended, from what was seen outside of the sandbox: the pool's own reason to kill it, and the zygote's
 * report. Pure. */
#pragma once

#include "hatchery.pb.h"
#include "proto/ipc/channel.h"

/* Why the pool ended a run. The first reason counts. */
enum kill_reason {
        KILL_NONE,
        KILL_CANCELLED,
        KILL_WALL,
        KILL_CPU,
        KILL_OUTPUT,
        KILL_GONE,     /* the client has left: nobody reads the outcome */
        KILL_SHUTDOWN, /* the drain took too long: the answer is an Error */
        KILL_FAULT,    /* the pool itself can't go on with it: the answer is an Error */
};

/* Fills status, exit_code, signal and what was used. */
void outcome_fill(hatchery_v1_Result *result, enum kill_reason reason, const struct report *exited);
