/* Channels to zygotes: see channel_end.h. */
#include "pool/link/channel_end.h"

#include "pool/base/loop.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* The reports of one zygote are handled for at most BATCH_US at a time, so that other zygotes do not wait. A report may
 * end a run, and its answer may take long to make. */
enum { BATCH_US = 1000, MAX_PENDING = 16 * CHANNEL_MAX_SLOTS };

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct channel_end *c = arg;
        const int64_t until = clock_us() + BATCH_US;

        do {
                struct report report;
                int fds[CHANNEL_MAX_FDS];
                size_t n_fds;
                struct err e = { 0 };

                int r = channel_recv(c->sock, &report, sizeof report, fds, CHANNEL_MAX_FDS, &n_fds, &e);
                if (r == -EAGAIN)
                        return;
                if (r > 0)
                        r = c->on_report(c->owner, &report, fds, n_fds, &e);
                else if (r == 0)
                        r = err_say(&e, EPIPE, "it has ended");
                if (r < 0) {
                        if (c->broken.code)
                                e = c->broken;
                        c->on_end(c->owner, e.text);
                        return;
                }
        } while (clock_us() < until);
}

static int send_order(struct channel_end *c, const struct order *order, int fd, struct err *e)
{
        return channel_send(c->sock, order, sizeof *order, &fd, fd >= 0 ? 1 : 0, e);
}

/* If an order can't be sent, this shuts the channel as if the zygote had closed it: the next read finds end of file. */
static void give_up(struct channel_end *c, const struct err *why)
{
        c->broken = *why;
        err_wrap(&c->broken, "an order can't be sent");
        shutdown(c->sock, SHUT_RDWR);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct channel_end *c = arg;
        struct err e = { 0 };
        size_t sent = 0;
        int r = 0;

        for (; sent < c->n_pending; sent++) {
                r = send_order(c, &c->pending[sent].order, c->pending[sent].fd, &e);
                if (r < 0)
                        break;
                own_close(&c->pending[sent].fd);
        }
        c->n_pending -= sent;
        memmove(c->pending, c->pending + sent, c->n_pending * sizeof *c->pending);
        if (r < 0 && r != -EAGAIN)
                give_up(c, &e);
        else if (c->n_pending > 0 && event_add(&c->writable, NULL) < 0) {
                err_set(&e, ENOMEM, "waiting for room");
                give_up(c, &e);
        }
}

int channel_end_open(struct channel_end *c, struct event_base *base, int sock, struct err *e)
{
        OWN_FD int owned = sock;

        if (evutil_make_socket_nonblocking(owned) < 0)
                return err_set(e, errno, "a zygote's channel");
        if (event_assign(&c->readable, base, owned, EV_READ | EV_PERSIST, on_readable, c) < 0 ||
            event_assign(&c->writable, base, owned, EV_WRITE, on_writable, c) < 0 ||
            loop_urgent(&c->readable, LOOP_REPORTS) < 0 || loop_urgent(&c->writable, LOOP_REPORTS) < 0 ||
            event_add(&c->readable, NULL) < 0)
                return err_say(e, EIO, "a zygote's channel can't be watched");
        c->sock = own_steal_fd(&owned);
        return 0;
}

void channel_end_close(struct channel_end *c)
{
        if (c->sock < 0)
                return;
        event_del(&c->readable);
        event_del(&c->writable);
        close(c->sock);
        c->sock = -1;
        for (size_t i = 0; i < c->n_pending; i++)
                own_close(&c->pending[i].fd);
        free(c->pending);
        c->pending = NULL;
        c->n_pending = c->room = 0;
}

static int put_off(struct channel_end *c, const struct order *order, int fd, struct err *e)
{
        if (c->n_pending == MAX_PENDING)
                return err_say(e, ENOBUFS, "the zygote takes none");
        if (c->n_pending == c->room) {
                size_t room = c->room ? 2 * c->room : 16;
                struct channel_pending *pending = realloc(c->pending, room * sizeof *pending);
                if (!pending)
                        return err_set(e, ENOMEM, "an order");
                c->pending = pending;
                c->room = room;
        }
        if (event_add(&c->writable, NULL) < 0)
                return err_set(e, ENOMEM, "waiting for room");
        int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0 && copy < 0)
                return err_set(e, errno, "a descriptor");
        c->pending[c->n_pending++] = (struct channel_pending){ *order, copy };
        return 0;
}

void channel_end_order(struct channel_end *c, const struct order *order, int fd)
{
        struct err e = { 0 };

        if (c->sock < 0)
                return;
        int r = c->n_pending > 0 ? -EAGAIN : send_order(c, order, fd, &e);
        if (r == -EAGAIN)
                r = put_off(c, order, fd, &e);
        if (r < 0)
                give_up(c, &e);
}
