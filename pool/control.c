/* Orders of the supervisor: see control.h. */
#include "pool/control.h"

#include "pool/base/loop.h"
#include "pool/pool.h"
#include "pool/sched/language.h"
#include "pool/sched/registry.h"
#include "pool/state.h"
#include "proto/base/own.h"
#include "proto/ipc/channel.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <string.h>

struct control_socket {
        struct pool *pool;
        int fd;
        struct event readable;
};

/* *fd may be -1: this process could have no more descriptors, and it was lost on the way. */
static void on_zygote(struct pool *p, const struct control *c, int *fd)
{
        struct span name = { (const uint8_t *)c->language, strnlen(c->language, sizeof c->language) };
        struct language *l = languages_named(p, name);
        if (l)
                language_adopt(l, c->generation, own_steal_fd(fd));
        else /* a configuration was lost on the way; the zygote finds its channel closed, and ends */
                log_error(&p->log, "a zygote came for %.*s, which is not configured", (int)name.len, c->language);
}

static int carry_out(struct pool *p, const struct control *c, int *fd, struct err *e)
{
        bool wants_fd = c->kind == CONTROL_ZYGOTE || c->kind == CONTROL_RELOAD;
        if (*fd >= 0 && !wants_fd)
                return err_say(e, EPROTO, "order %u with a descriptor", c->kind);

        switch (c->kind) {
        case CONTROL_ZYGOTE:
                on_zygote(p, c, fd);
                return 0;
        case CONTROL_DRAIN:
                pool_drain(p);
                return 0;
        case CONTROL_RELOAD:
                if (*fd >= 0)
                        pool_reload(p, *fd);
                else
                        log_error(&p->log, "reload: no descriptor is left for the configuration; the old one stays");
                return 0;
        default:
                return err_say(e, EPROTO, "an order of no kind (%u)", c->kind);
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
                log_error(&s->pool->log, "the supervisor is gone");
                pool_stop(s->pool, 1);
                return;
        }
        if (r > 0)
                r = carry_out(s->pool, &c, &fd, &e);
        if (r < 0) {
                log_error(&s->pool->log, "the supervisor's socket: %s", e.text);
                pool_stop(s->pool, 1);
        }
}

int control_new(struct control_socket **out, struct pool *p, int fd, struct err *e)
{
        struct control_socket *s = calloc(1, sizeof *s);
        if (!s)
                return err_set(e, ENOMEM, "the supervisor's socket");
        *s = (struct control_socket){ .pool = p, .fd = fd };
        if (evutil_make_socket_nonblocking(fd) < 0 ||
            event_assign(&s->readable, p->base, fd, EV_READ | EV_PERSIST, on_readable, s) < 0 ||
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
                log_error(&c->pool->log, "telling the supervisor: %s", e.text);
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
