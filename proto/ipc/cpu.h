/* CPU time of a cgroup, from a descriptor kept open: cpuacct.usage of cgroup v1 (nanoseconds) or cpu.stat of v2. */
#pragma once

#include <stdint.h>

/* In us, or a negative errno. One pread; the file's first bytes tell which kind it is. */
int64_t cpu_time_read(int fd);
