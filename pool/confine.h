/* The pool parses bytes of strangers, so it gives up every descriptor but its own, every right of root, and every
 * system call that it does not need. None of this can be undone, so a failure half-way ends the process, and the loss
 * of the rights is proved. In this order: */
#pragma once

#include "proto/base/err.h"

#include <stdint.h>

/* Closes descriptors from first_foreign on, opens 0 and 1 on /dev/null, and raises RLIMIT_NOFILE as far as allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Becomes uid and gid, without groups, capabilities, or a way to gain any. root: the directory that becomes its whole
 * file system; -1: it sees all, and confine_calls must leave no call that opens a file. */
int confine_drop(uint32_t uid, int root, struct err *e);

/* Allows only the system calls of the loop. Things that the loop does not make again are made before. directory: files
 * in it may be opened, renamed and removed; -1: none may. */
int confine_calls(int directory, struct err *e);
