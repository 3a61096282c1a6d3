/* Reads from a connection, and makes frames of the bytes. The work is done in pieces of bounded time, so that a client
 * that sends very much does not make the others wait.
 *
 * If the bytes of one read are too much for one piece, the rest is kept for a later turn. A large request waits for its
 * turn among the large requests, and is then unpacked piece by piece. Meanwhile nothing more is read. So a connection
 * holds at most the bytes of one read, and one request. */
#include "pool/native/connection_parts.h"
#include "proto/base/clock.h"
#include "proto/base/limit.h"
#include "proto/base/own.h"
#include "proto/wire/lz4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
        SMALL_FRAME = 4096,        /* memory for a frame of this size is never refused */
        LARGE_FRAME = 256 << 10,   /* packed or not; a request up to this size costs less than a millisecond */
        READ_AT_ONCE = 64 << 10,   /* bytes of a large frame */
        UNPACK_STEP = 4096,        /* packed bytes: they may become 1 MiB */
        MOST_TURNS = 5,            /* turns of a gateway's callers that one turn of its connection may take */
        SHARED_UNREAD = 256 << 10, /* unread bytes that a gateway's connection may always have: many callers share it */
};

struct unread {
        /* Bytes that were read and not handled yet. */
        uint8_t *rest;
        size_t rest_len, rest_at;

        /* A large request that waits for its turn. */
        uint8_t *large;
        size_t large_len;
        struct lz4_unpacker *unpacker; /* NULL: the request is not packed */
        bool unpacking;                /* unpacking has begun */
};

/* ---------------------------------------------------------------- kept bytes */

static struct unread *unread(struct connection *c)
{
        if (!c->unread)
                c->unread = calloc(1, sizeof *c->unread);
        return c->unread;
}

static void drop_large(struct unread *u)
{
        lz4_unpacker_free(u->unpacker);
        free(u->large);
        u->unpacker = NULL;
        u->large = NULL;
        u->large_len = 0;
        u->unpacking = false;
}

void connection_drop_unread(struct connection *c)
{
        turns_leave(&c->native->turns, &c->turn);
        inbox_fini(&c->in);
        if (!c->unread)
                return;
        drop_large(c->unread);
        free(c->unread->rest);
        free(c->unread);
        c->unread = NULL;
}

size_t connection_unread(const struct connection *c)
{
        const struct unread *u = c->unread;
        size_t bytes = c->in.room;

        if (u)
                bytes += u->rest_len + u->large_len + (u->unpacking ? lz4_unpacker_size(u->unpacker) : 0);
        return bytes;
}

static void no_memory(struct connection *c)
{
        connection_fail(c, REFUSAL_RESOURCE_EXHAUSTED, "no memory for a request; come back later");
}

static bool has_rest(const struct connection *c)
{
        return c->unread && c->unread->rest;
}

static bool has_large(const struct connection *c)
{
        return c->unread && c->unread->large;
}

/* ---------------------------------------------------------------- frames */

static void read_failed(struct connection *c, int r, const struct err *e)
{
        char text[2 * ERR_TEXT_SIZE], most[LIMIT_TEXT_SIZE];

        if (r == -EMSGSIZE) {
                snprintf(
                        text, sizeof text,
                        "a request is %s at most here, and this one is larger: send less, or let the server's operator "
                        "raise max_request_bytes (%s)",
                        limit_text(most, LIMIT_UNIT_BYTES, c->native->config->max_request_bytes), e->text);
                connection_fail(c, REFUSAL_INVALID_ARGUMENT, text);
                return;
        }
        connection_fail(c, r == -ENOMEM ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INVALID_ARGUMENT, e->text);
}

/* Keeps a large request for a later turn. Takes *body and unpacker over. */
static void put_off(struct connection *c, uint8_t **body, size_t len, struct lz4_unpacker *unpacker)
{
        struct unread *u = unread(c);

        if (!u) {
                lz4_unpacker_free(unpacker);
                no_memory(c);
                return;
        }
        u->large = own_steal_ptr(body);
        u->large_len = len;
        u->unpacker = unpacker;
}

/* Unpacks until the given time, or to the end if the time is 0. */
static int unpack(struct lz4_unpacker *u, int64_t until, uint8_t **out, size_t *len, struct err *e)
{
        int r;
        do
                r = lz4_unpacker_step(u, UNPACK_STEP, out, len, e);
        while (r == LZ4_MORE && (until == 0 || clock_us() < until));
        return r;
}

static void take_packed(struct connection *c, uint8_t **body, size_t len)
{
        struct lz4_unpacker *unpacker = NULL;
        struct err e = { 0 };

        c->compress = true;
        int r = lz4_unpacker_new(&unpacker, *body, len, c->native->config->max_request_bytes, &e);
        if (r == 0 && (len > LARGE_FRAME || lz4_unpacker_size(unpacker) > LARGE_FRAME)) {
                put_off(c, body, len, unpacker);
                return;
        }
        uint8_t *plain = NULL;
        if (r == 0)
                r = unpack(unpacker, 0, &plain, &len, &e);
        lz4_unpacker_free(unpacker);
        if (r < 0)
                read_failed(c, r, &e);
        else
                c->native->connection_ops->message(c, plain, len);
}

/* Takes the body over. */
static void take_frame(struct connection *c, const struct frame *f, uint8_t *body)
{
        OWN_MEM uint8_t *owned = body;

        timer_stop(&c->timer);
        if (f->compressed)
                take_packed(c, &owned, f->length);
        else if (f->length > LARGE_FRAME)
                put_off(c, &owned, f->length, NULL);
        else
                c->native->connection_ops->message(c, own_steal_ptr(&owned), f->length);
}

/* True if the next frame may be taken. */
static bool may_take(const struct connection *c)
{
        return c->state == CONNECTION_OPEN && !c->paused && !has_large(c);
}

/* One turn of a gateway's connection is as long as one turn of each of its callers, or of MOST_TURNS callers. */
static int64_t turn_us(const struct connection *c)
{
        const unsigned turns = c->n_callers < MOST_TURNS ? c->n_callers : MOST_TURNS;
        return turns > 1 ? turns * TURN_US : TURN_US;
}

/* Takes whole frames from *data, at least one, until the time is over. Moves *data and *len on. */
static void take_frames(struct connection *c, const uint8_t **data, size_t *len)
{
        const int64_t until = clock_us() + turn_us(c);
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        do {
                int r = inbox_take(&c->in, data, len, c->native->config->max_request_bytes, &f, &body, &e);
                if (r == INBOX_FRAME)
                        take_frame(c, &f, body);
                else if (r < 0)
                        read_failed(c, r, &e);
                if (r != INBOX_FRAME)
                        return;
        } while (*len > 0 && may_take(c) && clock_us() < until);
}

static void take_direct(struct connection *c, size_t n)
{
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        int r = inbox_filled(&c->in, n, &f, &body, &e);
        if (r < 0)
                read_failed(c, r, &e);
        else if (r == INBOX_FRAME)
                take_frame(c, &f, body);
}

/* ---------------------------------------------------------------- turns */

static void take_rest(struct connection *c)
{
        struct unread *u = c->unread;
        OWN_MEM uint8_t *bytes = own_steal_ptr(&u->rest); /* a frame may end the connection, which frees u */
        size_t all = u->rest_len, at = u->rest_at;
        const uint8_t *data = bytes + at;
        size_t len = all - at;

        u->rest_len = 0;
        take_frames(c, &data, &len);
        if (len == 0 || c->state != CONNECTION_OPEN)
                return;
        u = c->unread; /* u still exists, since the connection is open */
        u->rest = own_steal_ptr(&bytes);
        u->rest_len = all;
        u->rest_at = all - len;
}

/* True: there is more to unpack. */
static bool take_large(struct connection *c)
{
        struct unread *u = c->unread;
        OWN_MEM uint8_t *plain = NULL;
        size_t len = u->large_len;
        struct err e = { 0 };
        int r = 0;

        if (u->unpacker) {
                u->unpacking = true;
                r = unpack(u->unpacker, clock_us() + TURN_US, &plain, &len, &e);
                if (r == LZ4_MORE)
                        return true;
        } else {
                plain = own_steal_ptr(&u->large);
        }
        drop_large(u);
        if (r < 0)
                read_failed(c, r, &e);
        else
                c->native->connection_ops->message(c, own_steal_ptr(&plain), len);
        return false;
}

bool connection_read_turn(struct connection *c)
{
        bool more = false;

        /* A large request whose unpacking has begun goes on even while paused, because no other large request can begin
         * before its end. */
        if (c->state != CONNECTION_OPEN || (c->paused && !(has_large(c) && c->unread->unpacking)))
                return false;
        if (has_large(c))
                more = take_large(c);
        else if (has_rest(c))
                take_rest(c);
        connection_weigh(c);
        if (!more)
                connection_go_on(c);
        return more;
}

static void await_frame(struct connection *c)
{
        if (inbox_is_partial(&c->in) && !timer_is_set(&c->timer) &&
            timer_set(&c->timer, c->native->config->frame_timeout_us) < 0)
                connection_doom(c);
}

void connection_go_on(struct connection *c)
{
        if (c->state != CONNECTION_OPEN)
                return;
        bool reads = !c->paused && !has_large(c) && !has_rest(c);
        if (!c->paused && has_large(c))
                turns_wait_large(&c->native->turns, &c->turn,
                                 c->unread->unpacker ? lz4_unpacker_size(c->unread->unpacker) : c->unread->large_len);
        else if (!c->paused && has_rest(c))
                turns_wait(&c->native->turns, &c->turn);
        if (reads)
                await_frame(c);
        else
                timer_stop(&c->timer);
        if (c->state == CONNECTION_OPEN && reads != c->reads && connection_watch(c, reads) < 0)
                connection_doom(c);
}

/* ---------------------------------------------------------------- the socket */

static void keep_rest(struct connection *c, const uint8_t *data, size_t len)
{
        struct unread *u = unread(c);
        uint8_t *rest = u ? malloc(len) : NULL;

        if (!rest) {
                no_memory(c);
                return;
        }
        memcpy(rest, data, len);
        u->rest = rest;
        u->rest_len = len;
        u->rest_at = 0;
}

static void take_read(struct connection *c, const uint8_t *data, size_t len)
{
        take_frames(c, &data, &len);
        if (c->state == CONNECTION_OPEN && len > 0)
                keep_rest(c, data, len);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct connection *c = arg;
        size_t room;

        uint8_t *direct = c->state == CONNECTION_OPEN ? inbox_direct(&c->in, &room) : NULL;
        if (direct && room > READ_AT_ONCE)
                room = READ_AT_ONCE;
        ssize_t n = direct ? recv(fd, direct, room, 0) : recv(fd, c->native->scratch, NATIVE_SCRATCH, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                connection_doom(c); /* the client is gone: see connection.h */
                return;
        }
        if (c->state != CONNECTION_OPEN)
                return;

        if (direct)
                take_direct(c, (size_t)n);
        else
                take_read(c, c->native->scratch, (size_t)n);
        connection_weigh(c);
        /* While memory is not far over its limit, a frame may become whole. Then only its request is refused, not the
         * connection. A gateway sends a large frame on a connection that serves no other caller. */
        if (c->state == CONNECTION_OPEN && connection_unread(c) > (c->trusted ? SHARED_UNREAD : SMALL_FRAME) &&
            budget_is_far_over(c->native->memory))
                connection_fail(c, REFUSAL_RESOURCE_EXHAUSTED,
                                "all clients together make this server hold as much memory as it may; come back later");
        connection_go_on(c);
}

static void on_gone(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        connection_doom(arg);
}

int connection_watch(struct connection *c, bool reads)
{
        const short what = reads ? EV_READ : EV_CLOSED;

        if (event_initialized(&c->readable))
                event_del(&c->readable);
        c->reads = reads;
        if (event_assign(&c->readable, c->native->base, c->fd, what | EV_PERSIST, reads ? on_readable : on_gone, c) < 0)
                return -EIO;
        return event_add(&c->readable, NULL) < 0 ? -EIO : 0;
}
