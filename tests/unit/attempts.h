/* System calls that an attacker may try after taking over a process, for the tests of confinement. Each attempt is made
 * twice, in a free child and in a confined child, because an attempt that fails in both would prove nothing. */
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

/* Gives up new privileges. Makes each attempt of the list in two children: in a free child, and in a child that has
 * called confine. Fails the test unless the attempt succeeds in the first and fails with ENOSYS in the second. */
void attempts_make(const struct attempt *list, size_t n, int (*confine)(struct err *e));

/* Gives up new privileges in this process, and runs work in a child. Returns the child's exit status. */
int attempts_status(int (*work)(void *data), void *data);
