/* A session's writing: answers as frames, what the kernel does not take at once kept until it does, and the bounds on
 * that.
 */
#include "pool/native/connection_parts.h"
#include "pool/native/reply.h"
#include "proto/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        SHED_FROM = 256 << 10,   /* bytes unsent; closing connections that hold less would free nothing */
        WRITE_AT_ONCE = 1 << 20, /* a reader as fast as this would keep the loop for all that there is */
};

size_t session_unsent(const struct session *s)
{
        return s->out ? evbuffer_get_length(s->out) : 0;
}

void session_drop_unsent(struct session *s)
{
        if (s->out)
                evbuffer_free(s->out);
        s->out = NULL;
        heap_remove(&s->pool->hoards, &s->hoard);
}

/* Among those that hold much, by how much that is. */
static void note_hoard(struct session *s)
{
        const int64_t key = -(int64_t)session_unsent(s);

        if (heap_has(&s->hoard) && s->hoard.key == key)
                return;
        heap_remove(&s->pool->hoards, &s->hoard);
        if (-key >= SHED_FROM && s->state != SESSION_DOOMED)
                heap_insert(&s->pool->hoards, &s->hoard, key);
}

static void weigh(struct session *s)
{
        session_weigh(s);
        note_hoard(s);
}

static void wait_for_room(struct session *s)
{
        struct timeval timeout = clock_delay(s->pool->config.write_timeout_us);
        if (!event_pending(&s->writable, EV_WRITE, NULL) && event_add(&s->writable, &timeout) < 0)
                session_doom(s);
}

static void resume_reading(struct session *s)
{
        if (!s->paused || session_unsent(s) > s->pool->config.max_unsent_bytes / 2)
                return;
        s->paused = false;
        session_go_on(s);
}

static void flush(struct session *s)
{
        int n;
        do
                n = evbuffer_write_atmost(s->out, s->fd, WRITE_AT_ONCE);
        while (n < 0 && errno == EINTR);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
                session_doom(s);
                return;
        }
        if (session_unsent(s) == 0)
                session_drop_unsent(s);
        else
                wait_for_room(s);
        weigh(s);
        resume_reading(s);
        if (s->state == SESSION_ENDING && session_unsent(s) == 0)
                session_linger(s);
}

/* Where all clients together hold too much, those go that have the most answers waiting: they do not read. */
static void shed(struct pool *p)
{
        while (budget_is_over(&p->memory) && p->hoards.top) {
                struct session *worst = session_of_hoard(p->hoards.top);
                log_warn(
                        &p->log,
                        "max_memory is reached: a connection is closed, whose client has not taken %zu bytes of answers",
                        session_unsent(worst));
                session_doom(worst);
        }
}

void session_on_writable(evutil_socket_t fd, short what, void *arg)
{
        (void)fd;
        struct session *s = arg;

        if (what & EV_TIMEOUT) {
                log_info(&s->pool->log, "a connection is closed: the client took none of %zu bytes of answers in time",
                         session_unsent(s));
                session_doom(s);
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
                n = write(s->fd, frame, len < WRITE_AT_ONCE ? len : WRITE_AT_ONCE);
        while (n < 0 && errno == EINTR);
        return n < 0 && errno == EAGAIN ? 0 : n;
}

/* Takes frame over. */
static void put(struct session *s, uint8_t *frame, size_t len)
{
        const struct config *c = &s->pool->config;
        size_t before = session_unsent(s);

        /* Runs that were accepted before reading stopped still bring their answers; this is the bound on those. */
        if (before > c->max_unsent_bytes + c->max_answer_bytes) {
                log_info(&s->pool->log,
                         "a connection is closed: %zu bytes of answers wait for a client that does not read", before);
                free(frame);
                session_doom(s);
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
                session_doom(s);
                return;
        }
        wait_for_room(s);
        weigh(s);
        if (session_unsent(s) > c->max_unsent_bytes && s->state == SESSION_OPEN && !s->paused) {
                s->paused = true;
                session_go_on(s);
        }
        shed(s->pool);
}

/* Something could not be made a frame. */
static void refuse_answer(struct session *s, uint64_t id, int r, const struct err *e)
{
        struct refusal refusal;
        refuse(&refusal, r == -EMSGSIZE ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INTERNAL, "%s", e->text);
        session_refuse(s, id, &refusal);
}

static bool takes_answers(const struct session *s)
{
        return s->state == SESSION_OPEN || s->state == SESSION_ENDING;
}

static struct reply_bounds bounds_of(const struct session *s)
{
        return (struct reply_bounds){ .max = s->pool->config.max_answer_bytes, .compress = s->compress };
}

void session_answer(struct session *s, struct answer *a)
{
        const struct reply_bounds bounds = bounds_of(s);
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (!takes_answers(s))
                return;
        if (a->m.which_answer == hatchery_v1_ServerMessage_result_tag)
                s->seen_results = ++s->pool->n_results;
        int r = reply_frame(a, &bounds, &frame, &len, &e);
        if (r == 0) {
                put(s, frame, len);
        } else if (a->m.which_answer == hatchery_v1_ServerMessage_error_tag) {
                log_error(&s->pool->log, "an error can't be sent: %s", e.text);
                session_doom(s);
        } else {
                refuse_answer(s, a->m.id, r, &e);
        }
}

void session_answer_made(struct session *s, uint64_t id, struct span made)
{
        const struct reply_bounds bounds = bounds_of(s);
        uint8_t *frame;
        size_t len;
        struct err e = { 0 };

        if (!takes_answers(s))
                return;
        int r = reply_frame_made(id, made, &bounds, &frame, &len, &e);
        if (r == 0)
                put(s, frame, len);
        else
                refuse_answer(s, id, r, &e);
}

void session_refuse(struct session *s, uint64_t id, const struct refusal *r)
{
        struct answer a = { .m = { .id = id, .which_answer = hatchery_v1_ServerMessage_error_tag } };
        hatchery_v1_Error *error = &a.m.answer.error;

        error->code = (hatchery_v1_Error_Code)r->code;
        error->retry_after_ms = r->retry_after_ms;
        snprintf(error->message, sizeof error->message, "%s", r->text);
        session_answer(s, &a);
}
