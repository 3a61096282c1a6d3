/* What the pool gives up, since it parses what strangers send: every descriptor but its own, every right of root, and
 * every system call that it does not need. Nothing of this can be undone, so a failure half-way ends the process, and
 * what was dropped is proved to be gone. In this order: */
#pragma once

#include "proto/err.h"

#include <stdint.h>

/* Closes descriptors from first_foreign on, empties 0 and 1, and raises RLIMIT_NOFILE to what is allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Becomes uid and gid, without groups, capabilities, or a way to gain any. */
int confine_drop(uint32_t uid, struct err *e);

/* Allows only the system calls of the loop. Everything the loop does not make again is made before. */
int confine_calls(struct err *e);
