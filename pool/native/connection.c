/* A session's life: see session.h. Reading is in session_read.c, writing in session_write.c. */
#include "pool/native/connection_parts.h"

#include "proto/base/clock.h"

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

void session_weigh(struct session *s)
{
        budget_set(&s->pool->memory, &s->held, session_unsent(s) + session_unread(s));
}

/* ---------------------------------------------------------------- the end */

static void abandon_runs(struct session *s)
{
        struct run *r;
        while ((r = LIST_FIRST(&s->runs)))
                run_abandon(r);
}

void session_doom(struct session *s)
{
        struct pool *p = s->pool;

        if (s->state == SESSION_DOOMED)
                return;
        s->state = SESSION_DOOMED;
        event_del(&s->readable);
        event_del(&s->writable);
        event_del(&s->timer);
        session_drop_unsent(s);
        session_drop_unread(s);
        session_weigh(s);
        if (s->turned_away)
                p->n_turned_away--;
        s->turned_away = false;
        p->n_doomed++;
        turns_wait(&p->turns, &s->turn);
}

void session_free(struct session *s)
{
        struct pool *p = s->pool;

        session_doom(s);
        turns_leave(&p->turns, &s->turn);
        abandon_runs(s);
        LIST_REMOVE(s, link);
        p->n_sessions--;
        p->n_doomed--;
        session_weigh(s);
        close(s->fd);
        free(s);
        pool_progress(p);
}

static bool on_turn(void *arg)
{
        struct session *s = arg;

        if (s->state != SESSION_DOOMED)
                return session_read_turn(s);
        session_free(s);
        return false;
}

void session_linger(struct session *s)
{
        struct timeval delay = clock_delay(LINGER_US);

        s->state = SESSION_LINGERING;
        shutdown(s->fd, SHUT_WR);
        if (event_add(&s->timer, &delay) < 0 || session_watch(s, true) < 0)
                session_doom(s);
}

void session_end(struct session *s)
{
        if (s->state != SESSION_OPEN)
                return;
        s->state = SESSION_ENDING;
        event_del(&s->readable);
        event_del(&s->timer);
        session_drop_unread(s);
        session_weigh(s);
        abandon_runs(s);
        if (session_unsent(s) == 0)
                session_linger(s);
}

void session_fail(struct session *s, enum refusal_code code, const char *sentence)
{
        struct refusal r;

        if (s->state != SESSION_OPEN)
                return;
        refuse(&r, code, "%s", sentence);
        log_debug(&s->pool->log, "a connection is closed: %s", sentence);
        abandon_runs(s);
        session_refuse(s, 0, &r);
        session_end(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct session *s = arg;

        if (s->state == SESSION_OPEN)
                session_fail(s, REFUSAL_INVALID_ARGUMENT,
                             "a frame was begun and not finished in time; send each frame in one go");
        else
                session_doom(s);
}

struct run *session_find(const struct session *s, uint64_t id)
{
        struct run *r;
        LIST_FOREACH(r, &s->runs, of_session)
        if (r->request.id == id)
                return r;
        return NULL;
}

/* ---------------------------------------------------------------- the beginning */

static struct session *session_new(struct pool *p, int fd, const struct peer *peer)
{
        struct session *s = calloc(1, sizeof *s);
        if (!s)
                return NULL;
        s->pool = p;
        s->fd = fd;
        s->peer = *peer;
        s->seen_results = p->n_results;
        s->turn = (struct turn){ .take = on_turn, .owner = s };
        if (event_assign(&s->writable, p->base, fd, EV_WRITE, session_on_writable, s) < 0 ||
            evtimer_assign(&s->timer, p->base, on_timer, s) < 0 || session_watch(s, true) < 0) {
                free(s);
                return NULL;
        }
        LIST_INIT(&s->runs);
        LIST_INSERT_HEAD(&p->sessions, s, link);
        p->n_sessions++;
        return s;
}

void session_accept(struct pool *p, int fd, const struct peer *peer)
{
        bool full = p->n_sessions - p->n_doomed - p->n_turned_away >= p->config.max_connections;
        const int on = 1, keep_idle_s = 60;

        struct session *s = full && p->n_turned_away >= MAX_TURNED_AWAY ? NULL : session_new(p, fd, peer);
        if (!s) {
                log_warn(&p->log, "a connection is closed at once: there is no room for more");
                close(fd);
                return;
        }
        /* A unix socket has no such options, nor a need for them. A peer that vanished without a word is noticed in the
         * end. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keep_idle_s, sizeof keep_idle_s);
        if (full) {
                char text[128];
                s->turned_away = true;
                p->n_turned_away++;
                snprintf(text, sizeof text, "this server serves %u connections and they are taken; try again later",
                         p->config.max_connections);
                session_fail(s, REFUSAL_RESOURCE_EXHAUSTED, text);
        }
}
