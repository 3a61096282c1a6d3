/* The rlimits that every sandbox has, from one table; the configurable ones (open files, stack) are set with the job.
 * Memory, processes and CPU time are the cgroup's: an rlimit counts per process or per address space, and lies about
 * both. */
#pragma once

int limits_apply(void);

/* RLIMIT_NOFILE, soft and hard. */
int limits_open_files(unsigned long n);

/* RLIMIT_STACK, soft: at present for the first thread of this process, from its next program on for all threads. A
 * program may raise it to the hard limit, which is one for all; memory is what bounds it then. */
int limits_stack(unsigned long bytes);
