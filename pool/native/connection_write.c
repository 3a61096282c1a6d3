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
        ROOM_BYTES = 128 << 10,  /* streams may go on when at most this many bytes are unsent */
        WRITE_AT_ONCE = 1 << 20, /* bounded, since a client that reads very fast would keep the loop busy */
};

size_t connection_unsent(const struct connection *c)
{
        return c->queued + (c->out ? evbuffer_get_length(c->out) : 0);
}

void connection_drop_unsent(struct connection *c)
{
        if (c->out)
                evbuffer_free(c->out);
        c->out = NULL;
        outboxes_drop(c);
        heap_remove(&c->native->hoards, &c->own.hoard);
}

static void weigh(struct outbox *o)
{
        connection_weigh(o->connection);
        outbox_note(o);
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

/* False: the connection is broken. */
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
        outboxes_refill(c);
        if (connection_unsent(c) == 0)
                connection_drop_unsent(c);
        else
                connection_await_room(c);
        weigh(&c->own);
        resume_reading(c);
        if (c->state == CONNECTION_ENDING && connection_unsent(c) == 0)
                connection_linger(c);
        else if (c->trusted || connection_unsent(c) <= ROOM_BYTES)
                c->native->connection_ops->has_room(c);
}

/* Frees the answers of one client, or of one caller, that does not read. */
static void shed_worst(struct native *n)
{
        struct outbox *worst = outbox_of_hoard(n->hoards.top);
        const bool trusted = worst->connection->trusted;

        log_warn(n->log, "max_memory is reached: %s, %s has not taken %zu bytes of answers",
                 trusted ? "requests end" : "a connection is closed", trusted ? "whose caller" : "whose client",
                 outbox_unsent(worst));
        if (trusted)
                outbox_evict(worst);
        else
                connection_doom(worst->connection);
}

/* If all clients together hold too much, frees the answers kept for idempotency keys first. Then frees the answers that
 * wait for clients who do not read. */
static void shed(struct native *n)
{
        if (n->sheds)
                return;
        n->sheds = true;
        idempotency_relieve(&n->idempotency, n->memory);
        while (budget_is_over(n->memory) && n->hoards.top)
                shed_worst(n);
        n->sheds = false;
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

int connection_keep(struct connection *c, uint8_t *frame, size_t len, size_t sent)
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

/* Runs that were accepted before reading stopped still bring their answers. This check bounds those answers. */
static bool is_too_much(const struct outbox *o, const struct frame_label *label)
{
        const struct config *config = o->connection->native->config;

        return outbox_unsent(o) > config->max_unsent_bytes + config->max_answer_bytes &&
               !(o->connection->trusted && label->kind == PARCEL_ERROR);
}

/* Takes frame over. */
static void refuse_too_much(struct outbox *o, uint8_t *frame, const struct frame_label *label)
{
        struct connection *c = o->connection;

        log_info(c->native->log, "%s: %zu bytes of answers wait for a client that does not read",
                 c->trusted ? "a request ends" : "a connection is closed", outbox_unsent(o));
        if (c->trusted) {
                outbox_lose(o, frame, label);
                return;
        }
        free(frame);
        connection_doom(c);
}

/* Hands a frame to the socket, or lets it wait. Takes frame over. Negative: the connection is broken. 1: it waits. */
static int send_or_keep(struct outbox *o, uint8_t *frame, size_t len, const struct frame_label *label)
{
        struct connection *c = o->connection;
        const bool first = connection_unsent(c) == 0;
        ssize_t sent = first ? send_now(c, frame, len) : 0;

        if (sent < 0 || sent == (ssize_t)len) {
                free(frame);
                return sent < 0 ? -EIO : 0;
        }
        int r = c->trusted && !first ? outbox_put(o, frame, len, label) : connection_keep(c, frame, len, (size_t)sent);
        return r < 0 ? r : 1;
}

/* Takes frame over. */
static void put(struct outbox *o, uint8_t *frame, size_t len, const struct frame_label *label)
{
        struct connection *c = o->connection;

        if (o->losing && label->kind != PARCEL_ERROR) {
                outbox_lose(o, frame, label);
                return;
        }
        if (is_too_much(o, label)) {
                refuse_too_much(o, frame, label);
                return;
        }
        int r = send_or_keep(o, frame, len, label);
        if (r < 0)
                connection_doom(c);
        if (r <= 0)
                return;
        outboxes_refill(c);
        connection_await_room(c);
        weigh(o);
        if (connection_unsent(c) > c->native->config->max_unsent_bytes && c->state == CONNECTION_OPEN && !c->paused) {
                c->paused = true;
                connection_go_on(c);
        }
        shed(c->native);
}

/* An answer could not be encoded as a frame, so a refusal is sent instead. */
static enum refusal_code refuse_answer(struct outbox *o, uint64_t id, int r, const struct err *e)
{
        struct refusal refusal;
        refuse(&refusal, r == -EMSGSIZE ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INTERNAL, "%s", e->text);
        outbox_refuse(o, id, &refusal);
        return refusal.code;
}

static enum parcel_kind kind_of(const struct answer *a)
{
        switch (a->m.which_answer) {
        case hatchery_v1_ServerMessage_error_tag:
                return PARCEL_ERROR;
        case hatchery_v1_ServerMessage_output_tag:
        case hatchery_v1_ServerMessage_stage_tag:
        case hatchery_v1_ServerMessage_credit_tag:
                return PARCEL_PART;
        default:
                return PARCEL_LAST;
        }
}

static bool takes_answers(const struct connection *c)
{
        return c->state == CONNECTION_OPEN || c->state == CONNECTION_ENDING;
}

static struct reply_bounds bounds_of(const struct connection *c)
{
        return (struct reply_bounds){ .max = c->native->config->max_answer_bytes, .compress = c->compress };
}

void outbox_answer(struct outbox *o, struct answer *a)
{
        struct connection *c = o->connection;
        const struct frame_label label = { .id = a->m.id, .kind = kind_of(a) };
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
                put(o, frame, len, &label);
        } else if (label.kind == PARCEL_ERROR) {
                log_error(c->native->log, "an error can't be sent: %s", e.text);
                connection_doom(c);
        } else {
                enum refusal_code code = refuse_answer(o, a->m.id, r, &e);
                if (a->m.which_answer == hatchery_v1_ServerMessage_result_tag)
                        core_refused(c->native->core, code);
        }
}

void outbox_answer_made(struct outbox *o, uint64_t id, struct span made, enum parcel_kind kind)
{
        struct connection *c = o->connection;
        const struct frame_label label = { .id = id, .kind = kind };
        const struct reply_bounds bounds = bounds_of(c);
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (!takes_answers(c))
                return;
        int r = reply_frame_made(id, made, &bounds, &frame, &len, &e);
        if (r == 0)
                put(o, frame, len, &label);
        else
                refuse_answer(o, id, r, &e);
}

void outbox_refuse(struct outbox *o, uint64_t id, const struct refusal *r)
{
        struct answer a;

        answers_refusal(&a, id, r);
        outbox_answer(o, &a);
}

void connection_answer(struct connection *c, struct answer *a)
{
        outbox_answer(&c->own, a);
}

void connection_answer_made(struct connection *c, uint64_t id, struct span made)
{
        outbox_answer_made(&c->own, id, made, PARCEL_LAST);
}

void connection_refuse(struct connection *c, uint64_t id, const struct refusal *r)
{
        outbox_refuse(&c->own, id, r);
}
