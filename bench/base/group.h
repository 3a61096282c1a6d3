/* A memory control group of the benchmark's own, around a server from its first instruction to its end. So the group
 * counts all memory that the kernel charges to any of the server's processes. For example, a sandbox's page tables and
 * stacks are charged to the zygote that forks it, not to the sandbox's own group. */
#pragma once

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { GROUP_PATH_SIZE = 1024 };

struct group {
        bool v2;
        char path[GROUP_PATH_SIZE]; /* "": not made */
};

/* Makes an empty group below the caller's own. A negative errno with a sentence if this host can't make one. */
int group_make(struct group *g, struct err *e);

/* Moves the calling process into the group; safe between fork and exec. */
int group_join(const struct group *g);

/* The memory that is charged to the group, and the kernel's own part of that. */
int group_read(const struct group *g, uint64_t *bytes, uint64_t *kernel_bytes, struct err *e);

/* To be called when the group's processes have ended. Idempotent. */
int group_remove(struct group *g, struct err *e);
