/* How much time a process was given for its work. On a loaded machine this is only a part of the real time. The process
 * is looked at now and then. Between two looks it was given
 * - the processor time that it used, if it used any: then it was at work, however slowly;
 * - otherwise the time in which it was not ready to run: then it is blocked or stopped.
 * The kernel reports how long a thread waited, ready to run, only when the thread runs again. Then the time that was
 * counted in excess is taken back. Pure, except patience_read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The facts at one moment, as sums since the start; ready_us: the time in which the process was ready to run while
 * others ran. */
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

/* Takes a look. Counting begins with the first look. */
void patience_look(struct patience *p, const struct patience_look *look);

/* Reads a thread's /proc/PID/schedstat, which is open as fd, and adds its sums to those in look. False: the kernel has
 * no such file, and nothing was added. */
bool patience_read(int fd, struct patience_look *look);
