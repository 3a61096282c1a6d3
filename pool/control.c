/* The socket to the supervisor: see control.h. */
#include "pool/control.h"

#include "pool/base/loop.h"
#include "proto/base/own.h"
#include "proto/ipc/channel.h"
#include "proto/ipc/control.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct control_socket {
        const struct control_ops *ops;
        void *owner;
        struct log *log;
        int fd;
        struct event readable;
};

static int carry_out(const struct control_socket *s, const struct control *c, int *fd, struct err *e)
{
        bool wants_fd = c->kind == CONTROL_ZYGOTE || c->kind == CONTROL_RELOAD;
        if (*fd >= 0 && !wants_fd)
                return err_say(e, EPROTO, "order %u with a descriptor", c->kind);

        const struct span language = { (const uint8_t *)c->language, strnlen(c->language, sizeof c->language) };
        switch (c->kind) {
        case CONTROL_ZYGOTE:
                s->ops->zygote(s->owner, language, c->generation, own_steal_fd(fd));
                return 0;
        case CONTROL_NOTICE:
                s->ops->notice(s->owner);
                return 0;
        case CONTROL_DRAIN:
                s->ops->drain(s->owner, (int64_t)c->ms * 1000);
                return 0;
        case CONTROL_RELOAD:
                if (*fd >= 0)
                        s->ops->reload(s->owner, *fd);
                else
                        log_error(s->log, "reload: no descriptor is left for the configuration; the old one stays");
                return 0;
        default:
                return err_say(e, EPROTO, "an order of an unknown kind (%u)", c->kind);
        }
}

static void on_readable(evutil_socket_t sock, short what, void *arg)
{
        (void)what;
        struct control_socket *s = arg;
        struct control c;
        struct err e = { 0 };
        int received = -1;
        size_t n = 0;

        int r = channel_recv(sock, &c, sizeof c, &received, 1, &n, &e);
        OWN_FD int fd = n == 1 ? received : -1;
        if (r == -EAGAIN)
                return;
        if (r == 0) {
                log_error(s->log, "the supervisor is gone");
                s->ops->lost(s->owner);
                return;
        }
        if (r > 0)
                r = carry_out(s, &c, &fd, &e);
        if (r < 0) {
                log_error(s->log, "the supervisor's socket: %s", e.text);
                s->ops->lost(s->owner);
        }
}

int control_new(struct control_socket **out, struct event_base *base, struct log *log, const struct control_ops *ops,
                void *owner, int fd, struct err *e)
{
        struct control_socket *s = calloc(1, sizeof *s);
        if (!s)
                return err_set(e, ENOMEM, "the supervisor's socket");
        *s = (struct control_socket){ .ops = ops, .owner = owner, .log = log, .fd = fd };
        if (evutil_make_socket_nonblocking(fd) < 0 ||
            event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_readable, s) < 0 ||
            loop_urgent(&s->readable, LOOP_LIMITS) < 0 || event_add(&s->readable, NULL) < 0) {
                free(s);
                return err_say(e, EIO, "the supervisor's socket can't be watched");
        }
        *out = s;
        return 0;
}

void control_free(struct control_socket *c)
{
        if (!c)
                return;
        event_del(&c->readable);
        close(c->fd);
        free(c);
}

static int tell(struct control_socket *c, enum control_kind kind, const char *language, uint32_t generation)
{
        struct control packet = { .kind = kind, .generation = generation };
        struct err e = { 0 };

        snprintf(packet.language, sizeof packet.language, "%s", language);
        int r = channel_send(c->fd, &packet, sizeof packet, NULL, 0, &e);
        if (r < 0 && r != -EAGAIN)
                log_error(c->log, "telling the supervisor: %s", e.text);
        return r;
}

int control_ready(struct control_socket *c)
{
        return tell(c, CONTROL_READY, "", 0);
}

int control_alive(struct control_socket *c)
{
        return tell(c, CONTROL_ALIVE, "", 0);
}

int control_renew(struct control_socket *c, const char *language)
{
        return tell(c, CONTROL_RENEW, language, 0);
}

int control_serves(struct control_socket *c, const char *language, uint32_t generation)
{
        return tell(c, CONTROL_SERVES, language, generation);
}

int control_kill(struct control_socket *c, const char *language, uint32_t generation)
{
        return tell(c, CONTROL_KILL, language, generation);
}
