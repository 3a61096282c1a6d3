/* How long something has had to do its work: not the time on the wall, of which a loaded machine gives it a part only,
 * but what it was given. It is looked at now and then, and between two looks it was given
 * - the processor's time that it used, if it used any: then it was at work, however slowly;
 * - else all the time but that in which it was ready to run and others ran: then it is blocked, or stopped.
 * The kernel tells how long a thread was ready and waited only once it runs again; so what was counted too much before
 * is taken back then. Pure, but for patience_read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What is known of it at one moment. Sums since its start; ready_us: it was ready to run, and others ran. */
struct patience_look {
        int64_t now_us;
        int64_t cpu_us, ready_us;
};

struct patience {
        bool begun;
        struct patience_look last;
        int64_t given_us;
};

/* Between two looks that are further apart the one who looks has slept itself, and no more than this is counted. */
enum { PATIENCE_MAX_STEP_US = 2000000 };

/* Takes a look. The first one is the beginning. */
void patience_look(struct patience *p, const struct patience_look *look);

/* Of a thread, from its /proc/PID/schedstat, of which fd is open for reading; the sums are added to those in look.
 * False: the kernel does not tell, and nothing was added. */
bool patience_read(int fd, struct patience_look *look);
