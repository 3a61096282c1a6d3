/* The system calls of a sandbox: an allowlist from one readable table, built with libseccomp once per zygote and loaded
 * in each child as it is. What is not in the table answers ENOSYS, as on a kernel without it, so that libc falls back;
 * what a program may sensibly try and must not do answers EPERM; a foreign ABI (int 0x80, x32) kills. */
#pragma once

#include "proto/err.h"

#include <linux/filter.h>
#include <stdio.h>

struct seccomp_program {
        struct sock_filter *code; /* owned */
        unsigned short length;    /* instructions */
};

int seccomp_program_build(struct seccomp_program *p, struct err *e);
void seccomp_program_fini(struct seccomp_program *p);

/* In the child; no_new_privs must be set. */
int seccomp_program_load(const struct seccomp_program *p);

/* The table as text: one line per rule. */
void seccomp_print(FILE *to);
