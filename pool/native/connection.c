/* A connection's life: see connection.h. Reading is in connection_read.c, writing in connection_write.c. */
#include "pool/native/connection_parts.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        LINGER_US = 1000000,
        MAX_TURNED_AWAY = 64,
        TEXT_SIZE = 128,
};

void connection_weigh(struct connection *c)
{
        budget_set(c->native->memory, &c->held,
                   connection_unsent(c) + connection_unread(c) + c->held_by_calls + call_table_weight(&c->by_id));
}

/* ---------------------------------------------------------------- the end */

void connection_doom(struct connection *c)
{
        struct native *n = c->native;

        if (c->state == CONNECTION_DOOMED)
                return;
        c->state = CONNECTION_DOOMED;
        event_del(&c->readable);
        event_del(&c->writable);
        timer_stop(&c->timer);
        connection_drop_unsent(c);
        connection_drop_unread(c);
        connection_weigh(c);
        if (c->turned_away)
                n->n_turned_away--;
        else if (c->trusted)
                n->n_trusted_up--;
        c->turned_away = false;
        n->n_doomed++;
        turns_wait(&n->turns, &c->turn);
}

void connection_free(struct connection *c)
{
        struct native *n = c->native;

        connection_doom(c);
        turns_leave(&n->turns, &c->turn);
        c->native->connection_ops->ended(c);
        LIST_REMOVE(c, link);
        n->n_connections--;
        n->n_doomed--;
        connection_weigh(c);
        close(c->fd);
        free(c);
        n->progress(n->owner);
}

static bool on_turn(void *arg)
{
        struct connection *c = arg;

        if (c->state != CONNECTION_DOOMED)
                return connection_read_turn(c);
        connection_free(c);
        return false;
}

static bool on_losing(void *arg)
{
        outboxes_tell_losses(arg);
        return false;
}

void connection_linger(struct connection *c)
{
        c->state = CONNECTION_LINGERING;
        shutdown(c->fd, SHUT_WR);
        if (timer_set(&c->timer, LINGER_US) < 0 || connection_watch(c, true) < 0)
                connection_doom(c);
}

void connection_end(struct connection *c)
{
        if (c->state != CONNECTION_OPEN)
                return;
        c->state = CONNECTION_ENDING;
        event_del(&c->readable);
        timer_stop(&c->timer);
        connection_drop_unread(c);
        connection_weigh(c);
        c->native->connection_ops->ended(c);
        if (connection_unsent(c) == 0)
                connection_linger(c);
}

void connection_fail(struct connection *c, enum refusal_code code, const char *sentence)
{
        struct refusal r;

        if (c->state != CONNECTION_OPEN)
                return;
        refuse(&r, code, "%s", sentence);
        log_debug(c->native->log, "a connection is closed: %s", sentence);
        c->native->connection_ops->ended(c);
        connection_refuse(c, 0, &r);
        connection_end(c);
}

static void on_timer(void *arg)
{
        struct connection *c = arg;

        if (c->state == CONNECTION_OPEN)
                connection_fail(c, REFUSAL_INVALID_ARGUMENT,
                                "a frame was begun and not finished in time; send each frame in one go");
        else
                connection_doom(c);
}

/* ---------------------------------------------------------------- the beginning */

static struct connection *new_connection(struct native *n, int fd, const struct peer *peer)
{
        struct connection *c = calloc(1, sizeof *c);
        if (!c)
                return NULL;
        outbox_init(&c->own, c);
        TAILQ_INIT(&c->ready);
        TAILQ_INIT(&c->stalled);
        STAILQ_INIT(&c->lost);
        c->native = n;
        c->fd = fd;
        c->peer = *peer;
        c->seen_results = n->n_results;
        c->turn = (struct turn){ .take = on_turn, .owner = c };
        c->losing = (struct turn){ .take = on_losing, .owner = c };
        if (event_assign(&c->writable, n->base, fd, EV_WRITE, connection_on_writable, c) < 0 ||
            timer_init(&c->timer, n->base, LOOP_CLIENTS, on_timer, c) < 0 || connection_watch(c, true) < 0) {
                free(c);
                return NULL;
        }
        LIST_INIT(&c->calls);
        LIST_INSERT_HEAD(&n->connections, c, link);
        n->n_connections++;
        return c;
}

/* NULL: there is no memory, and the socket is closed. */
static struct connection *open_connection(struct native *n, int fd, const struct peer *peer)
{
        const int on = 1, keep_idle_s = 60;
        struct connection *c = new_connection(n, fd, peer);

        if (!c) {
                log_warn(n->log, "a connection is closed at once: there is no memory for it");
                close(fd);
                return NULL;
        }
        /* Sets options of TCP. A unix socket does not have these options, and does not need them. Keepalive finds a
         * peer that vanished silently. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep_idle_s, sizeof keep_idle_s);
        return c;
}

void connection_turn_away(struct native *n, int fd, const struct peer *peer, enum refusal_code code,
                          const char *sentence)
{
        if (n->n_turned_away >= MAX_TURNED_AWAY) {
                log_warn(n->log, "a connection is closed at once: there is no room to say why it is not served");
                close(fd);
                return;
        }
        struct connection *c = open_connection(n, fd, peer);
        if (!c)
                return;
        c->turned_away = true;
        n->n_turned_away++;
        connection_fail(c, code, sentence);
}

/* Gateways have a limit of their own: clients may take all other connections, but not those of gateways. */
static unsigned room(const struct native *n, bool trusted)
{
        const unsigned ordinary = n->n_connections - n->n_doomed - n->n_turned_away - n->n_trusted_up;
        const unsigned taken = trusted ? n->n_trusted_up : ordinary;
        const unsigned most = trusted ? NATIVE_MAX_TRUSTED : n->max_connections;

        return taken < most ? most - taken : 0;
}

void connection_accept(struct native *n, int fd, const struct peer *peer, bool trusted)
{
        char text[TEXT_SIZE];

        if (room(n, trusted) == 0) {
                snprintf(text, sizeof text, "this server serves %u connections and they are taken; try again later",
                         trusted ? NATIVE_MAX_TRUSTED : n->max_connections);
                connection_turn_away(n, fd, peer, REFUSAL_RESOURCE_EXHAUSTED, text);
                return;
        }
        struct connection *c = open_connection(n, fd, peer);
        if (!c || !trusted)
                return;
        c->trusted = true;
        n->n_trusted_up++;
}
