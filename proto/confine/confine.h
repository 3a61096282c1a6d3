/* Confinement of a process that parses untrusted bytes. The process gives up every descriptor but its own, every right
 * of root, and every system call that it does not need. These steps can't be undone, so a failure half-way ends the
 * process. confine_drop and confine_calls prove that the rights are gone. Call the functions in this order: */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Closes descriptors from first_foreign on, opens 0 and 1 on /dev/null, and raises RLIMIT_NOFILE as far as allowed. */
int confine_forget(unsigned first_foreign, struct err *e);

/* Changes user and group to the number uid, and gives up all other groups, all capabilities, and all ways to gain any.
 * root: the directory that becomes the process's whole file system, and its working directory; -1: the process still
 * sees all files, and confine_calls must allow no call that opens a file. */
int confine_drop(uint32_t uid, int root, struct err *e);

#define CONFINE_ALL_BITS (~UINT64_C(0))

enum { CONFINE_MAX_ARGUMENTS = 3 };

/* An argument matches if its bits in mask equal those of value. */
struct confine_argument {
        unsigned number; /* from 0 */
        uint64_t mask;   /* 0: there is no argument here; CONFINE_ALL_BITS: it must be equal to value */
        uint64_t value;
};

/* A system call that is allowed if all these arguments match. */
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
