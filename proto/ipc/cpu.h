/* CPU time of a cgroup, from a descriptor kept open: cpuacct.usage of cgroup v1 (nanoseconds) or cpu.stat of v2. */
#pragma once

#include <stdint.h>

/* In us, or a negative errno. One pread. The file's first bytes tell whether it is of v1 or v2. */
int64_t cpu_time_read(int fd);
