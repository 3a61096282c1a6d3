/* Starting hatcheryd again in another role: fork and exec of a copy of the same binary (zygote/base/image.h), with a
 * closed list of descriptors. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>
#include <sys/types.h>

struct process {
        pid_t pid; /* 0: not running */
        int pidfd; /* owned; -1 */
};

/* program is a descriptor of the copy, borrowed. argv ends with NULL. fds[i] becomes descriptor 3 + i of the new
 * process. The process gets a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone. It dies
 * when the supervisor dies. */
int process_start(struct process *p, int program, char *const *argv, const int *fds, size_t n_fds, struct err *e);

/* To be called when the process was waited for and no longer runs. */
void process_ended(struct process *p);

void process_kill(const struct process *p, int signal);
