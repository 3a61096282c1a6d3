/* Confinement of a process that parses untrusted bytes. It gives up every descriptor but its own, every right of root,
 * and every system call that it does not need. None of this can be undone, so a failure half-way ends the process. The
 * loss of the rights is proved. Call the functions in this order: */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Closes descriptors from first_foreign on, opens 0 and 1 on /dev/null, and raises RLIMIT_NOFILE as far as allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Becomes uid and gid, without groups, capabilities, or a way to gain any. root: the directory that becomes its whole
 * file system, and its working directory; -1: the process still sees all files, and confine_calls must allow no call
 * that opens a file. */
int confine_drop(uint32_t uid, int root, struct err *e);

#define CONFINE_ALL_BITS (~UINT64_C(0))

enum { CONFINE_MAX_ARGUMENTS = 3 };

/* An argument is as it must be if its bits in mask are those of value. */
struct confine_argument {
        unsigned number; /* from 0 */
        uint64_t mask;   /* 0: there is no argument here; CONFINE_ALL_BITS: it must be equal to value */
        uint64_t value;
};

/* A system call that is allowed, if all these arguments are as they must be. */
struct confine_call {
        int call; /* SCMP_SYS(name) */
        struct confine_argument arguments[CONFINE_MAX_ARGUMENTS];
};

struct confine_list {
        const struct confine_call *calls;
        size_t n;
};

/* Allows only the calls of these lists, and those that every process needs: memory that holds no code, clocks, random
 * bytes, and the end. Every other call fails with ENOSYS. */
int confine_calls(const struct confine_list *lists, size_t n_lists, struct err *e);
