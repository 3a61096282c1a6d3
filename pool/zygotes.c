/* Channels to zygotes: see zygotes.h. */
#include "pool/zygotes.h"

#include "pool/language.h"
#include "pool/state.h"
#include "proto/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* Reports taken in one go, so that one zygote does not keep clients waiting. */
enum { BATCH = 64, MAX_PENDING = 16 * CHANNEL_MAX_SLOTS };

void zygote_init(struct zygote *z, struct language *language)
{
        *z = (struct zygote){ .language = language, .sock = -1 };
}

bool zygote_is_open(const struct zygote *z)
{
        return z->sock >= 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct zygote *z = arg;

        for (int i = 0; i < BATCH && z->sock >= 0; i++) {
                struct report report;
                int fds[CHANNEL_MAX_FDS];
                size_t n_fds;
                struct err e = { 0 };

                int r = channel_recv(z->sock, &report, sizeof report, fds, CHANNEL_MAX_FDS, &n_fds, &e);
                if (r == -EAGAIN)
                        return;
                if (r > 0)
                        r = language_report(z->language, &report, fds, n_fds, &e);
                else if (r == 0)
                        r = err_say(&e, EPIPE, "it has ended");
                if (r < 0)
                        language_lost(z->language, e.text);
        }
}

static void on_writable(evutil_socket_t fd, short what, void *arg);

int zygote_open(struct zygote *z, int sock, struct err *e)
{
        struct event_base *base = z->language->pool->base;
        OWN_FD int owned = sock;

        if (evutil_make_socket_nonblocking(owned) < 0)
                return err_set(e, errno, "a zygote's channel");
        if (event_assign(&z->readable, base, owned, EV_READ | EV_PERSIST, on_readable, z) < 0 ||
            event_assign(&z->writable, base, owned, EV_WRITE, on_writable, z) < 0 || event_add(&z->readable, NULL) < 0)
                return err_say(e, EIO, "a zygote's channel can't be watched");
        z->sock = own_steal_fd(&owned);
        return 0;
}

void zygote_close(struct zygote *z)
{
        if (z->sock < 0)
                return;
        event_del(&z->readable);
        event_del(&z->writable);
        close(z->sock);
        z->sock = -1;
        for (size_t i = 0; i < z->n_pending; i++)
                own_close(&z->pending[i].fd);
        free(z->pending);
        z->pending = NULL;
        z->n_pending = z->room = 0;
}

/* Makes the channel end as if the zygote had closed it: the next look at it finds end of file. */
static void give_up(struct zygote *z, const char *why)
{
        log_error(&z->language->pool->log, "%s: an order can't be sent: %s", z->language->name, why);
        shutdown(z->sock, SHUT_RDWR);
}

static int send_order(struct zygote *z, const struct order *order, int fd, struct err *e)
{
        return channel_send(z->sock, order, sizeof *order, &fd, fd >= 0 ? 1 : 0, e);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct zygote *z = arg;
        struct err e = { 0 };
        size_t sent = 0;
        int r = 0;

        for (; sent < z->n_pending; sent++) {
                r = send_order(z, &z->pending[sent].order, z->pending[sent].fd, &e);
                if (r < 0)
                        break;
                own_close(&z->pending[sent].fd);
        }
        z->n_pending -= sent;
        memmove(z->pending, z->pending + sent, z->n_pending * sizeof *z->pending);
        if (r < 0 && r != -EAGAIN)
                give_up(z, e.text);
        else if (z->n_pending > 0)
                event_add(&z->writable, NULL);
}

static int put_off(struct zygote *z, const struct order *order, int fd, struct err *e)
{
        if (z->n_pending == MAX_PENDING)
                return err_say(e, ENOBUFS, "the zygote takes none");
        if (z->n_pending == z->room) {
                size_t room = z->room ? 2 * z->room : 16;
                struct zygote_pending *pending = realloc(z->pending, room * sizeof *pending);
                if (!pending)
                        return err_set(e, ENOMEM, "an order");
                z->pending = pending;
                z->room = room;
        }
        int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0 && copy < 0)
                return err_set(e, errno, "a descriptor");
        z->pending[z->n_pending++] = (struct zygote_pending){ *order, copy };
        event_add(&z->writable, NULL);
        return 0;
}

void zygote_order(struct zygote *z, const struct order *order, int fd)
{
        struct err e = { 0 };

        if (z->sock < 0)
                return;
        int r = z->n_pending > 0 ? -EAGAIN : send_order(z, order, fd, &e);
        if (r == -EAGAIN)
                r = put_off(z, order, fd, &e);
        if (r < 0)
                give_up(z, e.text);
}
