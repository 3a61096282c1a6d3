/* The rlimits that every sandbox has, from one table; the configurable ones (open files, stack) are set with the job.
 * The cgroup limits memory, processes and CPU time: an rlimit counts per process or per address space, which is wrong
 * for all three. */
#pragma once

int limits_apply(void);

/* RLIMIT_NOFILE, soft and hard. */
int limits_open_files(unsigned long n);

/* Sets the soft RLIMIT_STACK. It counts for the first thread of this process, and from its next program on for all
 * threads. A program may raise it to the hard limit, which is the same for all. Then the memory limit bounds the stack.
 */
int limits_stack(unsigned long bytes);
