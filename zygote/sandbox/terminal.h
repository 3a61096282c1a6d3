/* The terminal of one sandbox, on a devpts instance of its own that has room for only this terminal. This code runs in
 * the child, as root. The terminal's number is 0 in every sandbox, so it reveals nothing about other sandboxes. The
 * master goes to the pool, which reads the program's output from it and writes the user's keys to it. The sandbox keeps
 * the other side, as its controlling terminal. */
#pragma once

#include "zygote/base/fault.h"

#include <stdint.h>

struct terminal {
        int devpts; /* a detached mount; -1: none. All three are owned */
        int master; /* non-blocking; -1 */
        int slave;  /* the program's side; -1 */
};

/* The caller leads a session without a terminal, and gets this one as its controlling terminal. The program's side
 * belongs to the user given. A test that leaves out "one terminal" lets programs open more. On error nothing is left
 * open. */
int terminal_make(struct terminal *t, uint32_t host_uid, uint32_t host_gid, const struct faults *faults);
