/* Attempts of a process that was taken over, for the tests of confinement. Each attempt is made twice, in a free child
 * and in a confined one: an attempt that fails in both would prove nothing. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum { ATTEMPT_FAILED = 99 };

struct attempt {
        const char *name;
        long (*make)(void);      /* the kernel's result, negative after a failure, with errno */
        bool sanitizers_need_it; /* in a sanitized build the call is allowed */
};

/* Attempts that fail in every confined process. */
extern const struct attempt attempts[];
extern const size_t n_attempts;

/* Gives up new privileges, and makes each of the list's attempts in children: in one that is free, and in one that has
 * called confine. Fails the test unless the first succeeds and the second ends with ENOSYS. */
void attempts_make(const struct attempt *list, size_t n, int (*confine)(struct err *e));

/* Runs work in a child of this process, which has given up new privileges, and returns its exit status. */
int attempts_status(int (*work)(void *data), void *data);
