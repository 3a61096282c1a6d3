/* The life of a connection: from evhttp's accept to the close of its socket. http_intake.c reads its requests.
 *
 * conn_accept makes the bufferevent. evhttp then sets the connection up. On the loop's next turn, conn_turn takes the
 * bufferevent's callbacks over. From then on evhttp has the callbacks only while it parses a request and writes the
 * answer. The connection holds a reference to the bufferevent, so the socket stays open after evhttp has freed its
 * connection. A refusal needs this: if a socket is closed with unread bytes, the kernel resets the connection, and the
 * peer would never read the answer. */
#include "gateway/http_internal.h"

#include "proto/base/clock.h"

#include <sys/socket.h>

static void count_held(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *data)
{
        (void)buffer;
        http_server_hold(data, (int64_t)info->n_added - (int64_t)info->n_deleted);
}

static void count_moved(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *data)
{
        struct conn *c = data;

        (void)buffer;
        if (info->n_deleted > 0 || info->orig_size == 0)
                c->moved_ms = clock_ms();
}

/* Drains the buffer first, so that count_held subtracts its bytes. */
static void free_buffer(struct evbuffer **buffer)
{
        if (!*buffer)
                return;
        evbuffer_drain(*buffer, evbuffer_get_length(*buffer));
        evbuffer_free(*buffer);
        *buffer = NULL;
}

struct evbuffer *conn_buffer(struct conn *c)
{
        struct evbuffer *b = evbuffer_new();
        if (b && !evbuffer_add_cb(b, count_held, c->listener->server)) {
                evbuffer_free(b);
                return NULL;
        }
        return b;
}

/* The connection will be freed only on the loop's next turn, but another one may take its place at once. */
static void uncount(struct conn *c)
{
        if (c->counted)
                c->listener->server->n_conns--;
        c->counted = false;
}

static void conn_free(struct conn *c)
{
        struct http_server *s = c->listener->server;

        TAILQ_REMOVE(&s->conns, c, link);
        uncount(c);
        s->held -= CONN_COST;
        free_buffer(&c->head);
        free_buffer(&c->body);
        free_buffer(&c->rest);
        free(c->refusal);
        if (c->turn)
                event_free(c->turn);
        if (c->bev) {
                struct evbuffer *in = bufferevent_get_input(c->bev), *out = bufferevent_get_output(c->bev);
                s->held -= evbuffer_get_length(in) + evbuffer_get_length(out);
                evbuffer_remove_cb(in, count_held, s);
                evbuffer_remove_cb(out, count_held, s);
                evbuffer_remove_cb(out, count_moved, c);
                bufferevent_setcb(c->bev, NULL, NULL, NULL, NULL);
                bufferevent_decref(c->bev);
        }
        free(c);
}

/* evhttp frees its connection because the peer has closed it, the last answer is written, or conn_close was called. */
static void freed_by_evhttp(struct evhttp_connection *evcon, void *data)
{
        struct conn *c = data;

        (void)evcon;
        c->evcon = NULL;
        c->phase = c->phase == CONN_NEXT && c->linger ? CONN_LINGER : CONN_DEAD;
        if (c->phase == CONN_DEAD)
                uncount(c);
        if (c->x)
                exchange_gone(c->x);
        event_active(c->turn, EV_TIMEOUT, 0);
}

void conn_close(struct conn *c)
{
        c->linger = false;
        if (c->evcon) {
                evhttp_connection_free(c->evcon);
                return;
        }
        if (c->phase == CONN_NEW)
                return; /* evhttp is still setting it up; it can be closed later, when it is idle */
        c->phase = CONN_DEAD;
        event_active(c->turn, EV_TIMEOUT, 0);
}

void conn_close_gently(struct conn *c)
{
        c->phase = CONN_NEXT;
        c->linger = true;
        evhttp_connection_free(c->evcon);
}

/* ---------------------------------------------------------------- the callbacks while evhttp has nothing to do */

static void read_failed(struct bufferevent *bev, short what, void *data)
{
        (void)bev;
        (void)what;
        conn_close(data);
}

static void throw_away(struct bufferevent *bev, void *data)
{
        struct evbuffer *in = bufferevent_get_input(bev);

        (void)data;
        evbuffer_drain(in, evbuffer_get_length(in));
}

static void take_over(struct conn *c)
{
        bufferevent_setcb(c->bev, conn_read, NULL, read_failed, c);
        bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
        bufferevent_enable(c->bev, EV_READ);
}

/* Closes the connection that has been idle for the longest time. It may be the newest connection. */
static void shed(struct http_server *s)
{
        struct conn *c;

        TAILQ_FOREACH(c, &s->conns, link)
        if (conn_is_idle(c)) {
                conn_close(c);
                return;
        }
}

void conn_begin(struct conn *c)
{
        struct http_server *s = c->listener->server;

        free(c->refusal);
        c->refusal = NULL;
        c->route = NULL;
        c->linger = false;
        c->scanned = 0;
        c->chunked = (struct chunked){ 0 };
        free_buffer(&c->head);
        free_buffer(&c->body);
        c->phase = CONN_HEAD;
        c->deadline_ms = clock_ms() + CONN_IDLE_MS;
        TAILQ_REMOVE(&s->conns, c, link);
        TAILQ_INSERT_TAIL(&s->conns, c, link);
        take_over(c);
        if (s->n_conns > s->max_conns)
                shed(s);
        if (c->phase == CONN_HEAD && c->rest && evbuffer_get_length(c->rest) > 0) {
                evbuffer_prepend_buffer(bufferevent_get_input(c->bev), c->rest);
                free_buffer(&c->rest);
                conn_read(c->bev, c);
        }
}

/* evhttp has set the connection up. The bufferevent's callbacks are evhttp's now, and their argument is the evcon. */
static void conn_set_up(struct conn *c)
{
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof address;
        void *evcon = NULL;
        int fd = bufferevent_getfd(c->bev);

        bufferevent_getcb(c->bev, &c->evhttp_read, &c->evhttp_write, &c->evhttp_event, &evcon);
        if (!c->evhttp_read || !evcon) {
                /* evhttp could not set the connection up, and has closed the socket. */
                bufferevent_setfd(c->bev, -1);
                conn_free(c);
                return;
        }
        c->evcon = evcon;
        evhttp_connection_set_closecb(c->evcon, freed_by_evhttp, c);
        (void)getpeername(fd, (struct sockaddr *)&address, &len);
        c->peer = peer_of_socket(fd, &address);
        conn_begin(c);
}

static void conn_turn(evutil_socket_t fd, short what, void *data)
{
        struct conn *c = data;

        (void)fd;
        (void)what;
        switch (c->phase) {
        case CONN_NEW:
                conn_set_up(c);
                break;
        case CONN_NEXT:
                conn_begin(c);
                break;
        case CONN_LINGER:
                c->deadline_ms = clock_ms() + CONN_LINGER_MS;
                bufferevent_setcb(c->bev, throw_away, NULL, read_failed, c);
                bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
                throw_away(c->bev, c);
                bufferevent_enable(c->bev, EV_READ);
                break;
        case CONN_DEAD:
                conn_free(c);
                break;
        default:
                break;
        }
}

/* ---------------------------------------------------------------- the beginning */

struct bufferevent *conn_accept(struct event_base *base, void *data)
{
        struct http_listener *l = data;
        struct http_server *s = l->server;
        struct conn *c = calloc(1, sizeof *c);

        if (!c)
                return NULL;
        c->listener = l;
        c->phase = CONN_NEW;
        TAILQ_INSERT_TAIL(&s->conns, c, link);
        s->n_conns++;
        c->counted = true;
        s->held += CONN_COST;
        c->turn = event_new(base, -1, 0, conn_turn, c);
        c->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
        if (!c->turn || !c->bev || !evbuffer_add_cb(bufferevent_get_input(c->bev), count_held, s) ||
            !evbuffer_add_cb(bufferevent_get_output(c->bev), count_held, s) ||
            !evbuffer_add_cb(bufferevent_get_output(c->bev), count_moved, c)) {
                conn_free(c);
                return NULL;
        }
        bufferevent_incref(c->bev); /* one reference for evhttp, one for c */
        event_active(c->turn, EV_TIMEOUT, 0);
        return c->bev;
}

/* ---------------------------------------------------------------- while evhttp has the callbacks */

static void answer_written(struct evhttp_request *req, void *data)
{
        struct conn *c = data;

        (void)req;
        /* Bytes of the next request wait in rest: evhttp begins to read now, and must not see unchecked bytes. Nothing
         * is read until conn_turn has taken the callbacks over again. */
        bufferevent_disable(c->bev, EV_READ);
        struct evbuffer *in = bufferevent_get_input(c->bev);
        if (evbuffer_get_length(in) > 0) {
                c->rest = conn_buffer(c);
                if (!c->rest || evbuffer_add_buffer(c->rest, in) < 0)
                        evbuffer_drain(in, evbuffer_get_length(in));
        }
        c->phase = CONN_NEXT;
        event_active(c->turn, EV_TIMEOUT, 0);
}

static void handle(struct conn *c)
{
        struct exchange *x = c->x;

        if (c->refusal)
                exchange_fail(x, c->refusal);
        else if (!c->route)
                reply_preflight(x);
        else
                c->route->handle(x);
}

void conn_request(struct evhttp_request *req, void *data)
{
        struct http_listener *l = data;
        struct conn *c = l->server->passing;

        if (!c || c->phase != CONN_PASSING || evhttp_request_get_connection(req) != c->evcon) {
                /* A connection that conn_accept had no memory for. */
                evhttp_connection_free(evhttp_request_get_connection(req));
                return;
        }
        c->phase = CONN_EXCHANGE;
        c->deadline_ms = 0;
        c->moved_ms = clock_ms();
        c->full = false;
        evhttp_request_set_on_complete_cb(req, answer_written, c);
        /* evhttp stops reading here. But a closed connection is noticed only by reading. So the socket is read on, and
         * up to CONN_BEHIND bytes are kept. evhttp_read must not be called now: it would end the process. */
        bufferevent_setcb(c->bev, NULL, c->evhttp_write, c->evhttp_event, c->evcon);
        bufferevent_setwatermark(c->bev, EV_READ, 0, CONN_BEHIND);
        bufferevent_enable(c->bev, EV_READ);
        c->x = exchange_new(c, req);
        if (!c->x) {
                evhttp_connection_free(c->evcon);
                return;
        }
        handle(c);
}

void conn_pass(struct conn *c)
{
        struct http_server *s = c->listener->server;

        c->phase = CONN_PASSING;
        bufferevent_setcb(c->bev, c->evhttp_read, c->evhttp_write, c->evhttp_event, c->evcon);
        s->passing = c;
        c->evhttp_read(c->bev, c->evcon);
        s->passing = NULL;
        if (c->phase == CONN_PASSING) {
                log_error(s->log, "evhttp did not take a request that was found to be good");
                conn_close(c);
        }
}

/* ---------------------------------------------------------------- time */

bool conn_is_idle(const struct conn *c)
{
        return c->phase == CONN_HEAD && c->scanned == 0 && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0;
}

static void too_slow(struct conn *c)
{
        struct failure why;

        failure_set(&why, 408, "DEADLINE_EXCEEDED", "the request did not come to its end in time");
        conn_refuse(c, &why);
}

void conn_tick(struct conn *c, int64_t now_ms)
{
        switch (c->phase) {
        case CONN_HEAD:
                if (conn_is_idle(c) && (c->listener->server->draining || now_ms >= c->deadline_ms))
                        conn_close(c);
                else if (now_ms >= c->deadline_ms)
                        too_slow(c);
                break;
        case CONN_BODY:
        case CONN_CHUNKED:
                if (now_ms >= c->deadline_ms)
                        too_slow(c);
                break;
        case CONN_LINGER:
                if (now_ms >= c->deadline_ms)
                        conn_close(c);
                break;
        case CONN_EXCHANGE:
        case CONN_ANSWERED:
        case CONN_SOCKET:
                if (c->deadline_ms > 0 && now_ms >= c->deadline_ms)
                        conn_close(c);
                else if ((c->full || evbuffer_get_length(bufferevent_get_output(c->bev)) > 0) &&
                         now_ms - c->moved_ms > CONN_STALL_MS)
                        conn_close(c);
                break;
        default:
                break;
        }
}
