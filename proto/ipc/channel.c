/* Packets with descriptors: see channel.h. */
#include "proto/ipc/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_MAX_FDS)];
};

int channel_send(int sock, const void *packet, size_t size, const int *fds, size_t n_fds, struct err *e)
{
        union control control;
        struct iovec io = { .iov_base = (void *)packet, .iov_len = size };
        struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1 };

        if (n_fds > CHANNEL_MAX_FDS)
                return err_set(e, EINVAL, "a packet with %zu descriptors", n_fds);
        if (n_fds > 0) {
                memset(&control, 0, sizeof control);
                msg.msg_control = control.bytes;
                msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
        }

        ssize_t n;
        do
                n = sendmsg(sock, &msg, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return -EAGAIN;
        if (n < 0)
                return err_set(e, errno, "sending a packet");
        return 0;
}

/* Takes the descriptors of a packet: up to max go into fds, and the others are closed. Returns how many came. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t max, size_t *n_fds)
{
        size_t came = 0;

        *n_fds = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < n; i++, came++) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
                        if (*n_fds < max)
                                fds[(*n_fds)++] = fd;
                        else
                                close(fd);
                }
        }
        return came;
}

int channel_recv(int sock, void *packet, size_t size, int *fds, size_t max_fds, size_t *n_fds, struct err *e)
{
        union control control;
        struct iovec io = { .iov_base = packet, .iov_len = size };
        struct msghdr msg = {
                .msg_iov = &io,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof control.bytes,
        };

        *n_fds = 0;
        ssize_t n;
        do
                n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return -EAGAIN;
        if (n < 0)
                return err_set(e, errno, "receiving a packet");

        size_t came = take_fds(&msg, fds, max_fds, n_fds);
        if (n == 0 && came == 0)
                return 0;
        bool whole = (size_t)n == size && came <= max_fds && (msg.msg_flags & MSG_TRUNC) == 0;
        if (whole && (msg.msg_flags & MSG_CTRUNC) == 0)
                return 1;

        for (size_t i = 0; i < *n_fds; i++)
                close(fds[i]);
        *n_fds = 0;
        /* Descriptors were lost although the buffer had room: this process can open no more. The packet itself is good,
         * and the caller can handle it without descriptors. */
        if (whole && came < CHANNEL_MAX_FDS)
                return 1;
        return err_say(e, EPROTO, "a packet of %zd bytes and %zu descriptors, not of %zu bytes", n, came, size);
}
