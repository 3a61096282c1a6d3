/* Reads and writes that are not cut short: see io.h. */
#include "bench/io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int io_read_all(int fd, void *data, size_t len)
{
        char *at = data;
        while (len > 0) {
                ssize_t n = read(fd, at, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n == 0 ? -EPIPE : -errno;
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
        const char *at = data;
        while (len > 0) {
                ssize_t n = write(fd, at, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

int io_drain(int fd, char *data, size_t size, size_t *len)
{
        char rest[4096];
        *len = 0;
        for (;;) {
                size_t kept = *len < size ? *len : size;
                ssize_t n = kept < size ? read(fd, data + kept, size - kept) : read(fd, rest, sizeof rest);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n == 0 ? 0 : -errno;
                *len += (size_t)n;
        }
}
