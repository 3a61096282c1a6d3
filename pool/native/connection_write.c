/* Writes answers to a connection, as frames. Bytes that the kernel does not take at once are kept, within bounds. */
#include "pool/core/core.h"
#include "pool/native/answers.h"
#include "pool/native/connection_parts.h"
#include "pool/native/reply.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        SHED_FROM = 256 << 10,   /* unsent bytes; closing connections with less would free almost no memory */
        ROOM_BYTES = 128 << 10,  /* unsent bytes; with no more than these, streams may go on */
        WRITE_AT_ONCE = 1 << 20, /* without it, a very fast reader would keep the loop busy with all waiting bytes */
};

size_t connection_unsent(const struct connection *c)
{
        return c->out ? evbuffer_get_length(c->out) : 0;
}

void connection_drop_unsent(struct connection *c)
{
        if (c->out)
                evbuffer_free(c->out);
        c->out = NULL;
        heap_remove(&c->native->hoards, &c->hoard);
}

/* Puts the connection into the heap of connections with many unsent bytes, ordered by their number. */
static void note_hoard(struct connection *c)
{
        const int64_t key = -(int64_t)connection_unsent(c);

        if (heap_has(&c->hoard) && c->hoard.key == key)
                return;
        heap_remove(&c->native->hoards, &c->hoard);
        if (-key >= SHED_FROM && c->state != CONNECTION_DOOMED)
                heap_insert(&c->native->hoards, &c->hoard, key);
}

static void weigh(struct connection *c)
{
        connection_weigh(c);
        note_hoard(c);
}

void connection_await_room(struct connection *c)
{
        struct timeval timeout = clock_delay(c->native->config->write_timeout_us);
        if (c->state != CONNECTION_DOOMED && !event_pending(&c->writable, EV_WRITE, NULL) &&
            event_add(&c->writable, &timeout) < 0)
                connection_doom(c);
}

static void resume_reading(struct connection *c)
{
        if (!c->paused || connection_unsent(c) > c->native->config->max_unsent_bytes / 2)
                return;
        c->paused = false;
        connection_go_on(c);
}

/* True: some bytes were written, or none had to be. */
static bool write_some(struct connection *c)
{
        int n;

        if (!c->out)
                return true;
        do
                n = evbuffer_write_atmost(c->out, c->fd, WRITE_AT_ONCE);
        while (n < 0 && errno == EINTR);
        return n > 0 || (n < 0 && errno == EAGAIN);
}

static void flush(struct connection *c)
{
        if (!write_some(c)) {
                connection_doom(c);
                return;
        }
        if (connection_unsent(c) == 0)
                connection_drop_unsent(c);
        else
                connection_await_room(c);
        weigh(c);
        resume_reading(c);
        if (c->state == CONNECTION_ENDING && connection_unsent(c) == 0)
                connection_linger(c);
        else if (connection_unsent(c) <= ROOM_BYTES)
                c->native->connection_ops->has_room(c);
}

/* If all clients together hold too much memory, the connections with the most unsent bytes are closed, because their
 * clients do not read. */
static void shed(struct native *n)
{
        while (budget_is_over(n->memory) && n->hoards.top) {
                struct connection *worst = connection_of_hoard(n->hoards.top);
                log_warn(n->log,
                         "max_memory is reached: a connection is closed, because its client has not read "
                         "%zu bytes of answers",
                         connection_unsent(worst));
                connection_doom(worst);
        }
}

void connection_on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        struct connection *c = arg;

        if (what & EV_TIMEOUT) {
                log_info(c->native->log, "a connection is closed: the client took none of %zu bytes of answers in time",
                         connection_unsent(c));
                connection_doom(c);
                return;
        }
        flush(c);
}

static void free_frame(const void *data, size_t len, void *frame)
{
        (void)data;
        (void)len;
        free(frame);
}

/* Takes frame over; its first bytes have been sent. */
static int keep(struct connection *c, uint8_t *frame, size_t len, size_t sent)
{
        if (!c->out)
                c->out = evbuffer_new();
        if (c->out && evbuffer_add_reference(c->out, frame + sent, len - sent, free_frame, frame) == 0)
                return 0;
        log_error(c->native->log, "no memory for an answer of %zu bytes", len);
        free(frame);
        return -ENOMEM;
}

/* Sends as much of a frame as the kernel takes at once; negative: the connection is broken. */
static ssize_t send_now(const struct connection *c, const uint8_t *frame, size_t len)
{
        ssize_t n;
        do
                n = write(c->fd, frame, len < WRITE_AT_ONCE ? len : WRITE_AT_ONCE);
        while (n < 0 && errno == EINTR);
        return n < 0 && errno == EAGAIN ? 0 : n;
}

/* Takes frame over. */
static void put(struct connection *c, uint8_t *frame, size_t len)
{
        const struct config *config = c->native->config;
        size_t before = connection_unsent(c);

        /* After reading was paused, runs that were accepted before still bring answers. This check bounds these
         * answers. */
        if (before > config->max_unsent_bytes + config->max_answer_bytes) {
                log_info(c->native->log,
                         "a connection is closed: %zu bytes of answers wait for a client that does not read", before);
                free(frame);
                connection_doom(c);
                return;
        }
        ssize_t sent = before == 0 ? send_now(c, frame, len) : 0;
        if (sent == (ssize_t)len) {
                free(frame);
                return;
        }
        if (sent < 0)
                free(frame);
        if (sent < 0 || keep(c, frame, len, (size_t)sent) < 0) {
                connection_doom(c);
                return;
        }
        connection_await_room(c);
        weigh(c);
        if (connection_unsent(c) > config->max_unsent_bytes && c->state == CONNECTION_OPEN && !c->paused) {
                c->paused = true;
                connection_go_on(c);
        }
        shed(c->native);
}

/* The answer could not be made into a frame: sends a refusal in its place. */
static enum refusal_code refuse_answer(struct connection *c, uint64_t id, int r, const struct err *e)
{
        struct refusal refusal;
        refuse(&refusal, r == -EMSGSIZE ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INTERNAL, "%s", e->text);
        connection_refuse(c, id, &refusal);
        return refusal.code;
}

static bool takes_answers(const struct connection *c)
{
        return c->state == CONNECTION_OPEN || c->state == CONNECTION_ENDING;
}

static struct reply_bounds bounds_of(const struct connection *c)
{
        return (struct reply_bounds){ .max = c->native->config->max_answer_bytes, .compress = c->compress };
}

void connection_answer(struct connection *c, struct answer *a)
{
        struct reply_bounds bounds = bounds_of(c);
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (!takes_answers(c))
                return;
        /* Output messages are not packed: there may be very many, and packing takes ten times as long as all other work
         * on them. */
        if (a->m.which_answer == hatchery_v1_ServerMessage_output_tag)
                bounds.compress = false;
        int r = reply_frame(a, &bounds, &frame, &len, &e);
        if (r == 0) {
                put(c, frame, len);
        } else if (a->m.which_answer == hatchery_v1_ServerMessage_error_tag) {
                log_error(c->native->log, "an error can't be sent: %s", e.text);
                connection_doom(c);
        } else {
                enum refusal_code code = refuse_answer(c, a->m.id, r, &e);
                if (a->m.which_answer == hatchery_v1_ServerMessage_result_tag)
                        core_refused(c->native->core, code);
        }
}

void connection_answer_made(struct connection *c, uint64_t id, struct span made)
{
        const struct reply_bounds bounds = bounds_of(c);
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (!takes_answers(c))
                return;
        int r = reply_frame_made(id, made, &bounds, &frame, &len, &e);
        if (r == 0)
                put(c, frame, len);
        else
                refuse_answer(c, id, r, &e);
}

void connection_refuse(struct connection *c, uint64_t id, const struct refusal *r)
{
        struct answer a;

        answers_refusal(&a, id, r);
        connection_answer(c, &a);
}
