/* How much time a process was given for its work. That is less than the time on the wall, of which a loaded machine
 * gives it a part. It is looked at now and then. Between two looks it was given
 * - the processor's time that it used, if it used any. Then it was at work, however slowly;
 * - else the time in which it was not ready to run. Then it is blocked, or stopped.
 * The kernel tells how long a thread waited, ready to run, only when that runs again. Time that was counted too much is
 * taken back then. Pure, but for patience_read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The facts at one moment, as sums since the start; ready_us: it was ready to run, and others ran. */
struct patience_look {
        int64_t now_us;
        int64_t cpu_us, ready_us;
};

struct patience {
        bool begun;
        struct patience_look last;
        int64_t given_us;
};

/* If two looks are further apart, the process that looks was itself asleep, and no more than this is counted. */
enum { PATIENCE_MAX_STEP_US = 2000000 };

/* Takes a look. The first one is the beginning. */
void patience_look(struct patience *p, const struct patience_look *look);

/* Reads a thread's /proc/PID/schedstat, which is open as fd, and adds its sums to those in look. False: the kernel has
 * no such file, and nothing was added. */
bool patience_read(int fd, struct patience_look *look);
