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

static struct connection *connection_new(struct native *n, int fd, const struct peer *peer)
{
        struct connection *c = calloc(1, sizeof *c);
        if (!c)
                return NULL;
        c->native = n;
        c->fd = fd;
        c->peer = *peer;
        c->seen_results = n->n_results;
        c->turn = (struct turn){ .take = on_turn, .owner = c };
        if (event_assign(&c->writable, n->base, fd, EV_WRITE, connection_on_writable, c) < 0 ||
            timer_init(&c->timer, n->base, LOOP_CLIENTS, on_timer, c) < 0 || connection_watch(c, true) < 0) {
                free(c);
                return NULL;
        }
        LIST_INIT(&c->calls);
        TAILQ_INIT(&c->waiting);
        LIST_INSERT_HEAD(&n->connections, c, link);
        n->n_connections++;
        return c;
}

void connection_accept(struct native *n, int fd, const struct peer *peer)
{
        bool full = n->n_connections - n->n_doomed - n->n_turned_away >= n->max_connections;
        const int on = 1, keep_idle_s = 60;

        struct connection *c = full && n->n_turned_away >= MAX_TURNED_AWAY ? NULL : connection_new(n, fd, peer);
        if (!c) {
                log_warn(n->log, "a connection is closed at once: there is no room for more");
                close(fd);
                return;
        }
        /* Sets options of TCP; a unix socket neither has nor needs them. Keepalive finds a peer that vanished silently.
         */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep_idle_s, sizeof keep_idle_s);
        if (full) {
                char text[128];
                c->turned_away = true;
                n->n_turned_away++;
                snprintf(text, sizeof text, "this server serves %u connections and they are taken; try again later",
                         n->max_connections);
                connection_fail(c, REFUSAL_RESOURCE_EXHAUSTED, text);
        }
}
