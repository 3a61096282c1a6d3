/* The system calls of a sandbox: an allowlist from one readable table (seccomp_table.h), built with libseccomp once per
 * zygote. A call that is not in the table answers ENOSYS, as on a kernel without it, so that libc falls back. A call
 * that programs may sensibly try, and must not make, answers EPERM. A foreign ABI (int 0x80, x32) kills. */
#pragma once

#include "proto/base/err.h"

#include <linux/filter.h>
#include <stdio.h>

struct seccomp_program {
        struct sock_filter *code; /* owned */
        unsigned short length;    /* instructions */
};

enum seccomp_part {
        SECCOMP_OUTER, /* for the zygote, inherited by all that it starts: the allowlist, and the calls for making a
                        * sandbox */
        SECCOMP_INNER, /* for a sandbox: forbids the calls for making a sandbox */
};

/* extra_calls, which may be NULL and ends with NULL: calls that the language needs beyond the table, for the outer
 * part. A call that no sandbox may have is -EPERM with a sentence. */
int seccomp_program_build(struct seccomp_program *p, enum seccomp_part part, const char *const *extra_calls,
                          struct err *e);
void seccomp_program_fini(struct seccomp_program *p);

/* Loads the filter into this process, for good; no_new_privs must be set, or CAP_SYS_ADMIN effective. */
int seccomp_program_load(const struct seccomp_program *p);

/* Prints the system calls of a sandbox: one line per rule. */
void seccomp_print(FILE *to);
void seccomp_print_extra(FILE *to, const char *language, const char *const *extra_calls);
