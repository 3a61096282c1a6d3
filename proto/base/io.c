/* Reads and writes that are not cut short: see io.h. */
#include "proto/base/io.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t io_read(int fd, void *data, size_t len)
{
        ssize_t n;
        do
                n = read(fd, data, len);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

int io_read_all(int fd, void *data, size_t len)
{
        char *at = data;
        while (len > 0) {
                ssize_t n = io_read(fd, at, len);
                if (n <= 0)
                        return n == 0 ? -EPIPE : (int)n;
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

/* Sockets are written by send, so that no SIGPIPE comes if the other end is closed. */
static int put_all(int fd, const void *data, size_t len, bool is_socket)
{
        const char *at = data;
        while (len > 0) {
                ssize_t n = is_socket ? send(fd, at, len, MSG_NOSIGNAL) : write(fd, at, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                at += n;
                len -= (size_t)n;
        }
        return 0;
}

int io_write_all(int fd, const void *data, size_t len)
{
        return put_all(fd, data, len, false);
}

int io_send_all(int sock, const void *data, size_t len)
{
        return put_all(sock, data, len, true);
}

int io_drain(int fd, char *data, size_t size, size_t *len)
{
        char rest[4096];
        *len = 0;
        for (;;) {
                size_t kept = *len < size ? *len : size;
                ssize_t n = kept < size ? io_read(fd, data + kept, size - kept) : io_read(fd, rest, sizeof rest);
                if (n <= 0)
                        return (int)n;
                *len += (size_t)n;
        }
}
