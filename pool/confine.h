/* What the pool gives up, since it parses what strangers send: every descriptor but its own, every right of root, and
 * every system call that it does not need. Nothing of this can be undone, so a failure half-way ends the process, and
 * what was dropped is proved to be gone. In this order: */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* Closes descriptors from first_foreign on, empties 0 and 1, and raises RLIMIT_NOFILE to what is allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Becomes uid and gid, without groups, capabilities, or a way to gain any. root: a directory that is all it sees of the
 * file system from here on; -1: it sees all, and confine_calls must leave nothing to see it with. */
int confine_drop(uint32_t uid, int root, struct err *e);

/* Allows only the system calls of the loop. Everything the loop does not make again is made before. directory: files in
 * it may be opened, renamed and removed; -1: none may. */
int confine_calls(int directory, struct err *e);
