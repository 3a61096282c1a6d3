/* Connecting: see dial.h. */
#include "client/dial.h"

#include "client/address.h"
#include "client/lookup.h"
#include "proto/base/own.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct dial {
        int epoll_fd;
        int64_t end_us;
        int64_t try_end_us; /* when the try of the present address is given up */
        struct lookup *lookup;
        struct addrinfo *list, *next;
        struct sockaddr_un local; /* the address, if it is a unix socket */
        bool local_waits;         /* local was not tried yet */
        int fd;
        int code; /* an errno: why the last address failed */
        char address[ADDRESS_SIZE];
};

static int watch(struct dial *d, int fd, uint32_t events, struct err *e)
{
        struct epoll_event event = { .events = events };
        if (epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                return err_set(e, errno, "watch a descriptor");
        return 0;
}

/* Closing is not enough: the lookup's thread still holds its descriptor open, so epoll would go on watching it. */
static void unwatch(struct dial *d, int fd)
{
        epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void drop_lookup(struct dial *d)
{
        if (!d->lookup)
                return;
        unwatch(d, lookup_fd(d->lookup));
        lookup_free(d->lookup);
        d->lookup = NULL;
}

static void drop_socket(struct dial *d)
{
        if (d->fd < 0)
                return;
        unwatch(d, d->fd);
        close(d->fd);
        d->fd = -1;
}

void dial_free(struct dial *d)
{
        if (!d)
                return;
        drop_lookup(d);
        drop_socket(d);
        if (d->list)
                freeaddrinfo(d->list);
        free(d);
}

static int begin(struct dial *d, struct err *e)
{
        char host[ADDRESS_HOST_SIZE], port[ADDRESS_PORT_SIZE];
        int r;

        if (address_is_local(d->address)) {
                d->local_waits = true;
                return address_local(d->address, &d->local, e);
        }
        r = address_split(d->address, host, port, e);
        if (r == 0)
                r = lookup_new(&d->lookup, host, port, e);
        if (r == 0)
                r = watch(d, lookup_fd(d->lookup), EPOLLIN, e);
        return r;
}

int dial_new(struct dial **out, const char *address, int epoll_fd, int64_t end_us, struct err *e)
{
        struct dial *d = calloc(1, sizeof *d);
        if (!d)
                return err_set(e, ENOMEM, "connect to %s", address);
        d->fd = -1;
        d->epoll_fd = epoll_fd;
        d->end_us = d->try_end_us = end_us;
        strncpy(d->address, address, sizeof d->address - 1);
        int r = begin(d, e);
        if (r < 0) {
                dial_free(d);
                return r;
        }
        *out = d;
        return 0;
}

/* Begins to connect to one address. 0: d->fd is connecting, or connected already. */
static int try_one(struct dial *d, int family, const struct sockaddr *sa, socklen_t size, struct err *e)
{
        d->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (d->fd < 0)
                return err_set(e, errno, "make a socket");
        int r = family == AF_UNIX ? 0 : address_tune(d->fd, e);
        if (r == 0 && connect(d->fd, sa, size) < 0 && errno != EINPROGRESS && errno != EINTR)
                r = err_set(e, errno, "connect to %s", d->address);
        if (r == 0)
                r = watch(d, d->fd, EPOLLOUT, e);
        if (r < 0)
                drop_socket(d);
        return r;
}

/* Goes on to the next address. -ENOENT: no address is left. Otherwise the value of try_one. */
static int try_next(struct dial *d, int64_t now_us, struct err *e)
{
        int left = 0;

        if (d->local_waits) {
                d->local_waits = false;
                /* The length is that of this path: a gateway's system call filter allows only short addresses. */
                const size_t len = offsetof(struct sockaddr_un, sun_path) + strlen(d->local.sun_path) + 1;
                return try_one(d, AF_UNIX, (const struct sockaddr *)&d->local, (socklen_t)len, e);
        }
        for (const struct addrinfo *ai = d->next; ai; ai = ai->ai_next)
                left++;
        if (left == 0)
                return -ENOENT;
        const struct addrinfo *ai = d->next;
        d->next = ai->ai_next;
        d->try_end_us = now_us + (d->end_us - now_us) / left;
        return try_one(d, ai->ai_family, ai->ai_addr, ai->ai_addrlen, e);
}

/* The state of the present address: 0 connected, an errno failed, -1 still connecting. */
static int look(const struct dial *d, int64_t now_us)
{
        struct pollfd p = { .fd = d->fd, .events = POLLOUT };
        int code = 0;
        socklen_t size = sizeof code;

        if (poll(&p, 1, 0) <= 0 || p.revents == 0)
                return now_us >= d->try_end_us ? ETIMEDOUT : -1;
        if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
                return errno;
        return code;
}

static int step_lookup(struct dial *d, int64_t now_us, struct err *e)
{
        int r = lookup_take(d->lookup, &d->list, e);
        if (r == LOOKUP_PENDING)
                return now_us < d->end_us ? r : address_failed(d->address, ETIMEDOUT, e);
        drop_lookup(d);
        d->next = d->list;
        return r;
}

int dial_step(struct dial *d, int64_t now_us, int *fd, struct err *e)
{
        if (d->lookup) {
                int r = step_lookup(d, now_us, e);
                if (r != 0)
                        return r;
        }
        for (;;) {
                if (d->fd >= 0) {
                        int code = look(d, now_us);
                        if (code < 0)
                                return DIAL_PENDING;
                        if (code == 0) {
                                unwatch(d, d->fd);
                                *fd = own_steal_fd(&d->fd);
                                return 0;
                        }
                        d->code = code;
                        drop_socket(d);
                }
                struct err why = { 0 };
                int r = try_next(d, now_us, &why);
                if (r == -ENOENT && !why.code)
                        return address_failed(d->address, d->code ? d->code : EHOSTUNREACH, e);
                if (r < 0)
                        d->code = -r;
        }
}

int64_t dial_next_us(const struct dial *d)
{
        return d->lookup ? d->end_us : d->try_end_us;
}
