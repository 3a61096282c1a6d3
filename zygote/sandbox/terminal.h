/* The terminal of one sandbox: a devpts instance of its own, which has room for this one terminal. Runs in the child,
 * as root. Its number is 0 in every sandbox, so it tells nothing of others. The master goes to the pool, which reads
 * what the program prints and writes what is typed. The sandbox keeps the other side, as its controlling terminal. */
#pragma once

#include "zygote/base/fault.h"

#include <stdint.h>

struct terminal {
        int devpts; /* owned, as the next two: a detached mount; -1 */
        int master; /* non-blocking; -1 */
        int slave;  /* the program's side; -1 */
};

/* The caller leads a session without a terminal, and gets this one. The program's side belongs to the user given. A
 * test that leaves out "one terminal" lets programs open more. On error nothing is left open. */
int terminal_make(struct terminal *t, uint32_t host_uid, uint32_t host_gid, const struct faults *faults);
