/* The listeners, and what all connections share: see http_server.h. */
#include "gateway/http_internal.h"

#include "proto/base/clock.h"
#include "proto/base/own.h"

#include <errno.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { ALL_METHODS = 0x1ff, DESCRIPTORS_KEPT = 64 }; /* evhttp takes all methods, because http_head.c checks them */

/* accept failed, because the machine has run out of descriptors or memory. The listener would report the failure again
 * at once, so it is disabled until the next tick. data is evhttp's own. */
static void accept_failed(struct evconnlistener *listener, void *data)
{
        (void)data;
        evconnlistener_disable(listener);
}

static const struct contract *find_contract(const struct contract *const *all, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(all[i]->name, name) == 0)
                        return all[i];
        return NULL;
}

static int take_contracts(struct http_listener *l, const struct gateway_listener *from,
                          const struct contract *const *all, size_t n_all, struct err *e)
{
        const struct contract *health = find_contract(all, n_all, "health");
        bool has_health = false;
        size_t n = 0;

        while (from->contracts[n])
                n++;
        l->contracts = calloc(n + 1, sizeof(const struct contract *));
        if (!l->contracts)
                return err_set(e, ENOMEM, "the listener %s", from->address);
        for (size_t i = 0; i < n; i++) {
                l->contracts[i] = find_contract(all, n_all, from->contracts[i]);
                if (!l->contracts[i])
                        return err_say(e, EINVAL, "%s: there is no contract \"%s\"", from->address, from->contracts[i]);
                has_health = has_health || l->contracts[i] == health;
        }
        l->n_contracts = n;
        if (health && !has_health) /* a load balancer asks each listener */
                l->contracts[l->n_contracts++] = health;
        return n > 0 ? 0 : err_say(e, EINVAL, "%s: the listener has no contract", from->address);
}

static int listen_on(struct http_listener *l, const struct gateway_listener *from, struct err *e)
{
        struct http_server *s = l->server;
        int on = 1;

        /* Accepted sockets inherit these options. Small writes of a stream go out at once, and a lost peer is
         * detected. */
        (void)setsockopt(from->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        (void)setsockopt(from->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void)setsockopt(from->fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 60 }, sizeof(int));
        (void)setsockopt(from->fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ 15 }, sizeof(int));
        (void)setsockopt(from->fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 4 }, sizeof(int));
        l->http = evhttp_new(s->base);
        if (!l->http)
                return err_set(e, ENOMEM, "the listener %s", from->address);
        /* The bounds of http_head.c are tighter. These bounds hold if a mistake in http_head.c lets a request
         * through. */
        evhttp_set_max_headers_size(l->http, HEAD_MAX + 1024);
        evhttp_set_max_body_size(l->http, (ev_ssize_t)s->max_body);
        evhttp_set_allowed_methods(l->http, ALL_METHODS);
        evhttp_set_default_content_type(l->http, NULL);
        evhttp_set_bevcb(l->http, conn_accept, l);
        evhttp_set_gencb(l->http, conn_request, l);
        l->listener =
                evconnlistener_new(s->base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, from->fd);
        if (!l->listener || !evhttp_bind_listener(l->http, l->listener))
                return err_set(e, ENOMEM, "the listener %s", from->address);
        evconnlistener_set_error_cb(l->listener, accept_failed);
        return 0;
}

/* How many connections fit into half the memory and into the descriptors. */
static size_t most_connections(uint64_t memory)
{
        struct rlimit files;
        size_t most = memory / 2 / CONN_COST;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
                size_t open =
                        files.rlim_cur > 2 * DESCRIPTORS_KEPT ? files.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
                most = most < open ? most : open;
        }
        return most > 16 ? most : 16;
}

int http_server_new(struct http_server **out, struct gateway *g, struct event_base *base, const struct log *log,
                    const struct gateway_options *o, const struct contract *const *contracts, size_t n_contracts,
                    struct err *e)
{
        struct http_server *s = calloc(1, sizeof *s);
        int r = 0;

        if (!s)
                return err_set(e, ENOMEM, "the gateway");
        TAILQ_INIT(&s->conns);
        s->gateway = g;
        s->base = base;
        s->log = log;
        s->max_body = (uint64_t)o->max_request_bytes / 3 * 4 + (1 << 20);
        s->max_memory = o->max_memory;
        s->max_conns = most_connections(o->max_memory);
        s->now_ms = clock_ms();
        s->scratch = evbuffer_new();
        if (!wslay_load(&s->wslay))
                log_warn(log, "libwslay.so.1 is not installed: there are no WebSockets");
        s->listeners = calloc(o->n_listeners ? o->n_listeners : 1, sizeof *s->listeners);
        if (!s->scratch || !s->listeners)
                r = err_set(e, ENOMEM, "the gateway");
        for (size_t i = 0; r == 0 && i < o->n_listeners; i++) {
                struct http_listener *l = &s->listeners[s->n_listeners++];
                const struct gateway_listener *from = &o->listeners[i];
                l->server = s;
                guard_init(&l->guard, from->address, from->hosts, from->origins);
                r = take_contracts(l, from, contracts, n_contracts, e);
                if (r == 0)
                        r = listen_on(l, from, e);
        }
        if (r < 0) {
                http_server_free(s);
                return r;
        }
        *out = s;
        return 0;
}

void http_server_free(struct http_server *s)
{
        if (!s)
                return;
        /* A connection is freed on the turn of the loop after its close. */
        http_server_drain(s);
        while (!TAILQ_EMPTY(&s->conns)) {
                struct conn *c;
                TAILQ_FOREACH(c, &s->conns, link)
                conn_close(c);
                event_base_loop(s->base, EVLOOP_NONBLOCK);
        }
        for (size_t i = 0; i < s->n_listeners; i++) {
                if (s->listeners[i].http)
                        evhttp_free(s->listeners[i].http);
                free(s->listeners[i].contracts);
        }
        free(s->listeners);
        wslay_unload(&s->wslay);
        if (s->scratch)
                evbuffer_free(s->scratch);
        free(s);
}

void http_server_tick(struct http_server *s)
{
        struct conn *c, *next;

        s->now_ms = clock_ms();
        for (c = TAILQ_FIRST(&s->conns); c; c = next) {
                next = TAILQ_NEXT(c, link);
                conn_tick(c, s->now_ms);
        }
        for (size_t i = 0; i < s->n_listeners && !s->draining; i++)
                evconnlistener_enable(s->listeners[i].listener); /* accept_failed may have disabled it */
}

void http_server_drain(struct http_server *s)
{
        if (s->draining)
                return;
        s->draining = true;
        for (size_t i = 0; i < s->n_listeners; i++)
                if (s->listeners[i].listener)
                        evconnlistener_disable(s->listeners[i].listener);
}

bool http_server_is_drained(const struct http_server *s)
{
        const struct conn *c;

        TAILQ_FOREACH(c, &s->conns, link)
        if (!conn_is_idle(c) && c->phase != CONN_LINGER && c->phase != CONN_DEAD)
                return false;
        return true;
}

void http_server_hold(struct http_server *s, int64_t bytes)
{
        s->held += (uint64_t)bytes;
}

struct http_counts http_server_counts(const struct http_server *s)
{
        return (struct http_counts){ s->n_conns, s->n_exchanges, s->held };
}
