/* A session's reading: frames from bytes, in pieces of bounded time, so that no client's flood keeps the others
 * waiting.
 *
 * What was read in one go and not looked at within a piece is kept, and goes on in a later turn. A large request gets a
 * turn among the large ones, where it is unpacked bit by bit. Meanwhile nothing more is read: so what a connection
 * holds is bounded by one reading and one request. */
#include "pool/native/connection_parts.h"
#include "pool/native/requests.h"
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
        SMALL_FRAME = 4096,      /* room for one is never refused */
        LARGE_FRAME = 256 << 10, /* packed or not; up to this a request costs less than a millisecond */
        READ_AT_ONCE = 64 << 10, /* of a large frame */
        UNPACK_STEP = 4096,      /* of packed bytes: they may become 1 MiB */
};

struct unread {
        /* Bytes that were read and not looked at. */
        uint8_t *rest;
        size_t rest_len, rest_at;

        /* A large request that has its turn to come. */
        uint8_t *large;
        size_t large_len;
        struct lz4_unpacker *unpacker; /* NULL: it is not packed */
        bool unpacking;                /* begun */
};

/* ---------------------------------------------------------------- what is kept */

static struct unread *unread(struct session *s)
{
        if (!s->unread)
                s->unread = calloc(1, sizeof *s->unread);
        return s->unread;
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

void session_drop_unread(struct session *s)
{
        turns_leave(&s->pool->turns, &s->turn);
        inbox_fini(&s->in);
        if (!s->unread)
                return;
        drop_large(s->unread);
        free(s->unread->rest);
        free(s->unread);
        s->unread = NULL;
}

size_t session_unread(const struct session *s)
{
        const struct unread *u = s->unread;
        size_t bytes = s->in.room;

        if (u)
                bytes += u->rest_len + u->large_len + (u->unpacking ? lz4_unpacker_size(u->unpacker) : 0);
        return bytes;
}

static void no_memory(struct session *s)
{
        session_fail(s, REFUSAL_RESOURCE_EXHAUSTED, "no memory for a request; come back later");
}

static bool has_rest(const struct session *s)
{
        return s->unread && s->unread->rest;
}

static bool has_large(const struct session *s)
{
        return s->unread && s->unread->large;
}

/* ---------------------------------------------------------------- frames */

static void read_failed(struct session *s, int r, const struct err *e)
{
        char text[2 * ERR_TEXT_SIZE], most[LIMIT_TEXT_SIZE];

        if (r == -EMSGSIZE) {
                snprintf(
                        text, sizeof text,
                        "a request is %s at most here, and this one is larger: send less, or let the server's operator "
                        "raise max_request_bytes (%s)",
                        limit_text(most, LIMIT_UNIT_BYTES, s->pool->config.max_request_bytes), e->text);
                session_fail(s, REFUSAL_INVALID_ARGUMENT, text);
                return;
        }
        session_fail(s, r == -ENOMEM ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INVALID_ARGUMENT, e->text);
}

/* Takes both over. */
static void put_off(struct session *s, uint8_t **body, size_t len, struct lz4_unpacker *unpacker)
{
        struct unread *u = unread(s);

        if (!u) {
                lz4_unpacker_free(unpacker);
                no_memory(s);
                return;
        }
        u->large = own_steal_ptr(body);
        u->large_len = len;
        u->unpacker = unpacker;
}

/* Unpacks until the time is over, or all of it where no time is given. */
static int unpack(struct lz4_unpacker *u, int64_t until, uint8_t **out, size_t *len, struct err *e)
{
        int r;
        do
                r = lz4_unpacker_step(u, UNPACK_STEP, out, len, e);
        while (r == LZ4_MORE && (until == 0 || clock_us() < until));
        return r;
}

static void take_packed(struct session *s, uint8_t **body, size_t len)
{
        struct lz4_unpacker *unpacker = NULL;
        struct err e = { 0 };

        s->compress = true;
        int r = lz4_unpacker_new(&unpacker, *body, len, s->pool->config.max_request_bytes, &e);
        if (r == 0 && (len > LARGE_FRAME || lz4_unpacker_size(unpacker) > LARGE_FRAME)) {
                put_off(s, body, len, unpacker);
                return;
        }
        uint8_t *plain = NULL;
        if (r == 0)
                r = unpack(unpacker, 0, &plain, &len, &e);
        lz4_unpacker_free(unpacker);
        if (r < 0)
                read_failed(s, r, &e);
        else
                dispatch_request(s, plain, len);
}

/* Takes the body over. */
static void take_frame(struct session *s, const struct frame *f, uint8_t *body)
{
        OWN_MEM uint8_t *owned = body;

        event_del(&s->timer);
        if (f->compressed)
                take_packed(s, &owned, f->length);
        else if (f->length > LARGE_FRAME)
                put_off(s, &owned, f->length, NULL);
        else
                dispatch_request(s, own_steal_ptr(&owned), f->length);
}

/* May the next frame be taken? */
static bool may_take(const struct session *s)
{
        return s->state == SESSION_OPEN && !s->paused && !has_large(s);
}

/* Whole frames from *data, moving it and *len on, until the time is over; at least one. */
static void take_frames(struct session *s, const uint8_t **data, size_t *len)
{
        const int64_t until = clock_us() + TURN_US;
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        do {
                int r = inbox_take(&s->in, data, len, s->pool->config.max_request_bytes, &f, &body, &e);
                if (r == INBOX_FRAME)
                        take_frame(s, &f, body);
                else if (r < 0)
                        read_failed(s, r, &e);
                if (r != INBOX_FRAME)
                        return;
        } while (*len > 0 && may_take(s) && clock_us() < until);
}

static void take_direct(struct session *s, size_t n)
{
        struct frame f;
        uint8_t *body;
        struct err e = { 0 };

        int r = inbox_filled(&s->in, n, &f, &body, &e);
        if (r < 0)
                read_failed(s, r, &e);
        else if (r == INBOX_FRAME)
                take_frame(s, &f, body);
}

/* ---------------------------------------------------------------- turns */

static void take_rest(struct session *s)
{
        struct unread *u = s->unread;
        OWN_MEM uint8_t *bytes = own_steal_ptr(&u->rest); /* a frame may end the session, and what it keeps */
        size_t all = u->rest_len, at = u->rest_at;
        const uint8_t *data = bytes + at;
        size_t len = all - at;

        u->rest_len = 0;
        take_frames(s, &data, &len);
        if (len == 0 || s->state != SESSION_OPEN)
                return;
        u = s->unread; /* there still, since the session is open */
        u->rest = own_steal_ptr(&bytes);
        u->rest_len = all;
        u->rest_at = all - len;
}

/* True: there is more to unpack. */
static bool take_large(struct session *s)
{
        struct unread *u = s->unread;
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
                read_failed(s, r, &e);
        else
                dispatch_request(s, own_steal_ptr(&plain), len);
        return false;
}

bool session_read_turn(struct session *s)
{
        bool more = false;

        /* What is begun goes on, since nobody else's large request is begun before its end. */
        if (s->state != SESSION_OPEN || (s->paused && !(has_large(s) && s->unread->unpacking)))
                return false;
        if (has_large(s))
                more = take_large(s);
        else if (has_rest(s))
                take_rest(s);
        session_weigh(s);
        if (!more)
                session_go_on(s);
        return more;
}

static void await_frame(struct session *s)
{
        struct timeval delay = clock_delay(s->pool->config.frame_timeout_us);
        if (inbox_is_partial(&s->in) && !event_pending(&s->timer, EV_TIMEOUT, NULL) && event_add(&s->timer, &delay) < 0)
                session_doom(s);
}

void session_go_on(struct session *s)
{
        if (s->state != SESSION_OPEN)
                return;
        bool reads = !s->paused && !has_large(s) && !has_rest(s);
        if (!s->paused && has_large(s))
                turns_wait_large(&s->pool->turns, &s->turn,
                                 s->unread->unpacker ? lz4_unpacker_size(s->unread->unpacker) : s->unread->large_len);
        else if (!s->paused && has_rest(s))
                turns_wait(&s->pool->turns, &s->turn);
        if (reads)
                await_frame(s);
        else
                event_del(&s->timer);
        if (s->state == SESSION_OPEN && reads != s->reads && session_watch(s, reads) < 0)
                session_doom(s);
}

/* ---------------------------------------------------------------- the socket */

static void keep_rest(struct session *s, const uint8_t *data, size_t len)
{
        struct unread *u = unread(s);
        uint8_t *rest = u ? malloc(len) : NULL;

        if (!rest) {
                no_memory(s);
                return;
        }
        memcpy(rest, data, len);
        u->rest = rest;
        u->rest_len = len;
        u->rest_at = 0;
}

static void take_read(struct session *s, const uint8_t *data, size_t len)
{
        take_frames(s, &data, &len);
        if (s->state == SESSION_OPEN && len > 0)
                keep_rest(s, data, len);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
        (void)what;
        struct session *s = arg;
        size_t room;

        uint8_t *direct = s->state == SESSION_OPEN ? inbox_direct(&s->in, &room) : NULL;
        if (direct && room > READ_AT_ONCE)
                room = READ_AT_ONCE;
        ssize_t n = direct ? recv(fd, direct, room, 0) : recv(fd, s->pool->session_scratch, POOL_SCRATCH, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                session_doom(s); /* gone: see session.h */
                return;
        }
        if (s->state != SESSION_OPEN)
                return;

        if (direct)
                take_direct(s, (size_t)n);
        else
                take_read(s, s->pool->session_scratch, (size_t)n);
        session_weigh(s);
        /* Within the margin a frame may become whole, so that its request alone is refused, not the connection. */
        if (s->state == SESSION_OPEN && session_unread(s) > SMALL_FRAME && budget_is_far_over(&s->pool->memory))
                session_fail(s, REFUSAL_RESOURCE_EXHAUSTED,
                             "all clients together make this server hold as much memory as it may; come back later");
        session_go_on(s);
}

static void on_gone(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        (void)what;
        session_doom(arg);
}

int session_watch(struct session *s, bool reads)
{
        const short what = reads ? EV_READ : EV_CLOSED;

        if (event_initialized(&s->readable))
                event_del(&s->readable);
        s->reads = reads;
        if (event_assign(&s->readable, s->pool->base, s->fd, what | EV_PERSIST, reads ? on_readable : on_gone, s) < 0)
                return -EIO;
        return event_add(&s->readable, NULL) < 0 ? -EIO : 0;
}
