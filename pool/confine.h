/* The pool parses untrusted bytes. So it gives up every descriptor but its own, every right of root, and every system
 * call that it does not need. None of this can be undone, so a failure half-way ends the process. The loss of the
 * rights is proved. Call the functions in this order: */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* Closes descriptors from first_foreign on, opens 0 and 1 on /dev/null, and raises RLIMIT_NOFILE as far as allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Becomes uid and gid, without groups, capabilities, or a way to gain any. root: the directory that becomes its whole
 * file system; -1: the pool still sees all files, and confine_calls must allow no call that opens a file. */
int confine_drop(uint32_t uid, int root, struct err *e);

/* Allows only the system calls of the loop, so everything else must be set up before. directory: the loop may open,
 * rename and remove files in it; -1: none. */
int confine_calls(int directory, struct err *e);
