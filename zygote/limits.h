/* The rlimits that every sandbox has, from one table; the configurable one (open files) is set with the job. Memory,
 * processes and CPU time are the cgroup's: an rlimit counts per process or per address space, and lies about both. */
#pragma once

int limits_apply(void);

/* RLIMIT_NOFILE, soft and hard. */
int limits_open_files(unsigned long n);
