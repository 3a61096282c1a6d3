/* One client: see session.h. */
#include "pool/session.h"

#include "pool/clock.h"
#include "pool/dispatch.h"
#include "pool/reply.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        LINGER_US = 1000000,
        MAX_TURNED_AWAY = 64,
        SMALL_FRAME = 4096,    /* room for one is never refused */
        SHED_FROM = 256 << 10, /* bytes unsent; closing connections that hold less would free nothing */
};

static size_t unsent(const struct session *s)
{
        return s->out ? evbuffer_get_length(s->out) : 0;
}

/* Tells the pool's budget how much memory it holds now. */
static void weigh(struct session *s)
{
        budget_set(&s->pool->memory, &s->held, unsent(s) + s->in.room);
}

static void drop_unsent(struct session *s)
{
        if (s->out)
                evbuffer_free(s->out);
        s->out = NULL;
}

/* ---------------------------------------------------------------- the end */

static void abandon_runs(struct session *s)
{
        struct run *r;
        while ((r = LIST_FIRST(&s->runs)))
                run_abandon(r);
}

/* Whoever finds the end may be deep in calls that still look at the session, so it is freed by an event of its own. */
static void doom(struct session *s)
{
        if (s->state == SESSION_DOOMED)
                return;
        s->state = SESSION_DOOMED;
        event_del(&s->readable);
        event_del(&s->writable);
        event_del(&s->timer);
        drop_unsent(s);
        weigh(s);
        event_active(&s->reaper, EV_TIMEOUT, 1);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        session_free(arg);
}

void session_free(struct session *s)
{
        struct pool *p = s->pool;

        abandon_runs(s);
        event_del(&s->readable);
        event_del(&s->writable);
        event_del(&s->timer);
        event_del(&s->reaper);
        LIST_REMOVE(s, link);
        p->n_sessions--;
        if (s->turned_away)
                p->n_turned_away--;
        drop_unsent(s);
        inbox_fini(&s->in);
        weigh(s);
        close(s->fd);
        free(s);
        pool_progress(p);
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_gone(evutil_socket_t fd, short what, void *arg);

static int listen_for(struct session *s, short what, event_callback_fn callback)
{
        event_del(&s->readable);
        if (event_assign(&s->readable, s->pool->base, s->fd, what | EV_PERSIST, callback, s) < 0)
                return -EIO;
        return event_add(&s->readable, NULL) < 0 ? -EIO : 0;
}

/* Nothing more is read, but the peer's end is noticed: its runs are to end with it. */
static void pause_reading(struct session *s)
{
        s->paused = true;
        event_del(&s->timer);
        if (listen_for(s, EV_CLOSED, on_gone) < 0)
                doom(s);
}

/* All is sent. */
static void linger(struct session *s)
{
        struct timeval delay = clock_delay(LINGER_US);

        s->state = SESSION_LINGERING;
        shutdown(s->fd, SHUT_WR);
        event_add(&s->timer, &delay);
        if (listen_for(s, EV_READ, on_readable) < 0)
                doom(s);
}

void session_end(struct session *s)
{
        if (s->state != SESSION_OPEN)
                return;
        s->state = SESSION_ENDING;
        event_del(&s->readable);
        event_del(&s->timer);
        inbox_fini(&s->in);
        weigh(s);
        abandon_runs(s);
        if (unsent(s) == 0)
                linger(s);
}

void session_fail(struct session *s, hatchery_v1_Error_Code code, const char *sentence)
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

/* ---------------------------------------------------------------- writing */

static void wait_for_room(struct session *s)
{
        struct timeval timeout = clock_delay(s->pool->config.write_timeout_us);
        if (!event_pending(&s->writable, EV_WRITE, NULL))
                event_add(&s->writable, &timeout);
}

static void resume_reading(struct session *s)
{
        if (!s->paused || s->state != SESSION_OPEN || unsent(s) > s->pool->config.max_unsent_bytes / 2)
                return;
        s->paused = false;
        if (listen_for(s, EV_READ, on_readable) < 0) {
                doom(s);
                return;
        }
        if (inbox_is_partial(&s->in)) {
                struct timeval delay = clock_delay(s->pool->config.frame_timeout_us);
                event_add(&s->timer, &delay);
        }
}

static void flush(struct session *s)
{
        while (unsent(s) > 0) {
                int n = evbuffer_write(s->out, s->fd);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        wait_for_room(s);
                        break;
                }
                if (n <= 0) {
                        doom(s);
                        return;
                }
        }
        if (unsent(s) == 0)
                drop_unsent(s);
        weigh(s);
        resume_reading(s);
        if (s->state == SESSION_ENDING && unsent(s) == 0)
                linger(s);
}

/* Where all clients together hold too much, those go that have the most answers waiting: they do not read. */
static void shed(struct pool *p)
{
        while (budget_is_over(&p->memory)) {
                struct session *s, *worst = NULL;
                LIST_FOREACH(s, &p->sessions, link)
                if (!worst || unsent(s) > unsent(worst))
                        worst = s;
                if (!worst || unsent(worst) < SHED_FROM)
                        return;
                log_warn(
                        &p->log,
                        "max_memory is reached: a connection is closed, whose client has not taken %zu bytes of answers",
                        unsent(worst));
                doom(worst);
        }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        struct session *s = arg;

        if (what & EV_TIMEOUT) {
                log_info(&s->pool->log, "a connection is closed: the client took none of %zu bytes of answers in time",
                         unsent(s));
                doom(s);
                return;
        }
        flush(s);
}

static void free_frame(const void *data, size_t len, void *frame)
{
        (void)data;
        (void)len;
        free(frame);
}

/* Takes frame over, of which the first bytes have been sent. */
static int keep(struct session *s, uint8_t *frame, size_t len, size_t sent)
{
        if (!s->out)
                s->out = evbuffer_new();
        if (s->out && evbuffer_add_reference(s->out, frame + sent, len - sent, free_frame, frame) == 0)
                return 0;
        log_error(&s->pool->log, "no memory for an answer of %zu bytes", len);
        free(frame);
        return -ENOMEM;
}

/* What of a frame the kernel takes at once; negative: the connection is broken. */
static ssize_t send_now(const struct session *s, const uint8_t *frame, size_t len)
{
        ssize_t n;
        do
                n = write(s->fd, frame, len);
        while (n < 0 && errno == EINTR);
        return n < 0 && errno == EAGAIN ? 0 : n;
}

/* Takes frame over. */
static void put(struct session *s, uint8_t *frame, size_t len)
{
        const struct config *c = &s->pool->config;
        size_t before = unsent(s);

        /* Runs that were accepted before reading stopped still bring their answers; this is the bound on those. */
        if (before > c->max_unsent_bytes + c->max_answer_bytes) {
                log_info(&s->pool->log,
                         "a connection is closed: %zu bytes of answers wait for a client that does not read", before);
                free(frame);
                doom(s);
                return;
        }
        ssize_t sent = before == 0 ? send_now(s, frame, len) : 0;
        if (sent == (ssize_t)len) {
                free(frame);
                return;
        }
        if (sent < 0)
                free(frame);
        if (sent < 0 || keep(s, frame, len, (size_t)sent) < 0) {
                doom(s);
                return;
        }
        wait_for_room(s);
        weigh(s);
        if (unsent(s) > c->max_unsent_bytes && s->state == SESSION_OPEN && !s->paused)
                pause_reading(s);
        shed(s->pool);
}

void session_answer(struct session *s, struct answer *a)
{
        const struct reply_bounds bounds = { .max = s->pool->config.max_answer_bytes, .compress = s->compress };
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (s->state == SESSION_DOOMED || s->state == SESSION_LINGERING)
                return;
        int r = reply_frame(a, &bounds, &frame, &len, &e);
        if (r == 0) {
                put(s, frame, len);
                return;
        }
        if (a->m.which_answer == hatchery_v1_ServerMessage_error_tag) {
                log_error(&s->pool->log, "an error can't be sent: %s", e.text);
                doom(s);
                return;
        }
        struct refusal refusal;
        refuse(&refusal, r == -EMSGSIZE ? hatchery_v1_Error_Code_RESOURCE_EXHAUSTED : hatchery_v1_Error_Code_INTERNAL,
               "%s", e.text);
        session_refuse(s, a->m.id, &refusal);
}

void session_refuse(struct session *s, uint64_t id, const struct refusal *r)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_error_tag } };
        hatchery_v1_Error *error = &a.m.answer.error;

        error->code = r->code;
        error->retry_after_ms = r->retry_after_ms;
        snprintf(error->message, sizeof error->message, "%s", r->text);
        session_answer(s, &a);
}

/* ---------------------------------------------------------------- reading */

static void read_failed(struct session *s, int r, const struct err *e)
{
        session_fail(s,
                     r == -ENOMEM ? hatchery_v1_Error_Code_RESOURCE_EXHAUSTED : hatchery_v1_Error_Code_INVALID_ARGUMENT,
                     e->text);
}

/* Everything whole in what was read. */
static void take_frames(struct session *s, const uint8_t *data, size_t len)
{
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        while (s->state == SESSION_OPEN) {
                int r = inbox_take(&s->in, &data, &len, s->pool->config.max_request_bytes, &f, &body, &e);
                if (r == INBOX_MORE)
                        return;
                if (r < 0) {
                        read_failed(s, r, &e);
                        return;
                }
                event_del(&s->timer);
                dispatch_frame(s, &f, body);
        }
}

static void take_direct(struct session *s, size_t n)
{
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        int r = inbox_filled(&s->in, n, &f, &body, &e);
        if (r < 0)
                read_failed(s, r, &e);
        else if (r == INBOX_FRAME) {
                event_del(&s->timer);
                dispatch_frame(s, &f, body);
        }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct session *s = arg;
        size_t room;

        uint8_t *direct = s->state == SESSION_OPEN ? inbox_direct(&s->in, &room) : NULL;
        ssize_t n = direct ? recv(fd, direct, room, 0) : recv(fd, s->pool->session_scratch, POOL_SCRATCH, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                doom(s); /* gone: see session.h */
                return;
        }
        if (s->state != SESSION_OPEN)
                return;

        if (direct)
                take_direct(s, (size_t)n);
        else
                take_frames(s, s->pool->session_scratch, (size_t)n);
        weigh(s);
        /* Within the margin a frame may become whole, so that its request alone is refused, not the connection. */
        if (s->state == SESSION_OPEN && s->in.room > SMALL_FRAME && budget_is_far_over(&s->pool->memory))
                session_fail(s, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED,
                             "all clients together make this server hold as much memory as it may; come back later");

        if (s->state == SESSION_OPEN && !s->paused && inbox_is_partial(&s->in) &&
            !event_pending(&s->timer, EV_TIMEOUT, NULL)) {
                struct timeval delay = clock_delay(s->pool->config.frame_timeout_us);
                event_add(&s->timer, &delay);
        }
}

static void on_gone(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        doom(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        struct session *s = arg;

        if (s->state == SESSION_OPEN)
                session_fail(s, hatchery_v1_Error_Code_INVALID_ARGUMENT,
                             "a frame was begun and not finished in time; send each frame in one go");
        else
                doom(s);
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
        if (event_assign(&s->readable, p->base, fd, EV_READ | EV_PERSIST, on_readable, s) < 0 ||
            event_assign(&s->writable, p->base, fd, EV_WRITE, on_writable, s) < 0 ||
            evtimer_assign(&s->timer, p->base, on_timer, s) < 0 ||
            evtimer_assign(&s->reaper, p->base, on_reap, s) < 0 || event_add(&s->readable, NULL) < 0) {
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
        bool full = p->n_sessions - p->n_turned_away >= p->config.max_connections;
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
                session_fail(s, hatchery_v1_Error_Code_RESOURCE_EXHAUSTED, text);
        }
}
