/* CPU time of a cgroup: see cpu.h. */
#include "proto/ipc/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t cpu_time_read(int fd)
{
        char text[512];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        if (n < 0)
                return -errno;
        text[n] = '\0';

        static const char v2_key[] = "usage_usec ";
        char *end;
        if (strncmp(text, v2_key, sizeof v2_key - 1) == 0) {
                long long us = strtoll(text + sizeof v2_key - 1, &end, 10);
                /* If strtoll read no digit, end still follows the blank of the key. */
                return end[-1] != ' ' && *end == '\n' && us >= 0 ? us : -EPROTO;
        }
        long long ns = strtoll(text, &end, 10);
        return end != text && *end == '\n' && ns >= 0 ? ns / 1000 : -EPROTO;
}
