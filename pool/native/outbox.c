/* Outboxes: see outbox.h. */
#include "pool/native/outbox.h"

#include "pool/base/invariant.h"
#include "pool/native/book.h"
#include "pool/native/connection_parts.h"

#include <errno.h>
#include <stdlib.h>

enum {
        SHED_FROM = 256 << 10,   /* bytes; to lose fewer bytes would free little memory */
        REFILL_BELOW = 256 << 10 /* bytes in connection.out, where the order is fixed */
};

struct parcel {
        STAILQ_ENTRY(parcel) next;
        struct outbox *outbox; /* set if the frame is lost: the parcel counts among this outbox's users */
        struct frame_label label;
        uint8_t *frame;
        size_t len;
};

STAILQ_HEAD(parcel_list, parcel);

const char outbox_lost_text[] = "the answer is lost: too many bytes of answers wait for this caller, who does not take "
                                "them; read answers as they come";

/* ---------------------------------------------------------------- outboxes */

void outbox_init(struct outbox *o, struct connection *c)
{
        *o = (struct outbox){ .connection = c };
        STAILQ_INIT(&o->frames);
        TAILQ_INIT(&o->waiting);
}

static struct outbox *find(struct connection *c, const struct book *book)
{
        struct outbox *o;

        LIST_FOREACH(o, &book->outboxes, of_book)
        if (o->connection == c)
                return o;
        return NULL;
}

static struct outbox *new_outbox(struct connection *c, struct book *book)
{
        struct outbox *o = calloc(1, sizeof *o);

        if (!o)
                return NULL;
        outbox_init(o, c);
        o->book = book;
        LIST_INSERT_HEAD(&book->outboxes, o, of_book);
        c->n_callers++;
        c->held_by_calls += sizeof *o + sizeof *book;
        return o;
}

struct outbox *outbox_enter(struct connection *c, const struct caller *caller)
{
        if (!c->trusted) {
                c->own.users++;
                return &c->own;
        }
        struct book *book = books_find(&c->native->books, caller);
        if (!book)
                return NULL;
        struct outbox *o = find(c, book);
        if (!o)
                o = new_outbox(c, book);
        if (o)
                o->users++;
        else
                books_settle(&c->native->books, book);
        return o;
}

/* Frees a caller's outbox that has neither a user nor a frame. */
static void settle(struct outbox *o)
{
        struct connection *c = o->connection;
        struct book *book = o->book;

        if (!book || o->users > 0 || !STAILQ_EMPTY(&o->frames))
                return;
        INVARIANT(TAILQ_EMPTY(&o->waiting), "an outbox is freed that a call waits for");
        heap_remove(&c->native->hoards, &o->hoard);
        LIST_REMOVE(o, of_book);
        c->n_callers--;
        c->held_by_calls -= sizeof *o + sizeof *book;
        free(o);
        books_settle(&c->native->books, book);
}

void outbox_release(struct outbox *o)
{
        INVARIANT(o->users > 0, "an outbox without a user is given back");
        o->users--;
        settle(o);
}

unsigned outbox_in_flight(const struct outbox *o)
{
        return o->book ? o->book->in_flight : o->connection->in_flight;
}

void outbox_count(struct outbox *o, int one)
{
        struct connection *c = o->connection;

        INVARIANT(one > 0 || c->in_flight > 0, "a call leaves a connection that has none");
        c->in_flight += (unsigned)one;
        if (o->book)
                o->book->in_flight += (unsigned)one;
}

size_t outbox_unsent(const struct outbox *o)
{
        return o->connection->trusted ? o->bytes : connection_unsent(o->connection);
}

/* ---------------------------------------------------------------- memory */

void outbox_note(struct outbox *o)
{
        struct connection *c = o->connection;
        const int64_t key = -(int64_t)(c->trusted ? o->loose : connection_unsent(c));

        if (heap_has(&o->hoard) && o->hoard.key == key)
                return;
        heap_remove(&c->native->hoards, &o->hoard);
        if (-key >= SHED_FROM && c->state != CONNECTION_DOOMED)
                heap_insert(&c->native->hoards, &o->hoard, key);
}

static void append(struct outbox *o, struct parcel *p)
{
        if (STAILQ_EMPTY(&o->frames))
                TAILQ_INSERT_TAIL(&o->connection->ready, o, turn);
        STAILQ_INSERT_TAIL(&o->frames, p, next);
        o->bytes += p->len;
        o->loose += p->label.kind == PARCEL_ERROR ? 0 : p->len;
        o->connection->queued += p->len;
}

static struct parcel *take_first(struct outbox *o)
{
        struct parcel *p = STAILQ_FIRST(&o->frames);

        STAILQ_REMOVE_HEAD(&o->frames, next);
        o->bytes -= p->len;
        o->loose -= p->label.kind == PARCEL_ERROR ? 0 : p->len;
        o->connection->queued -= p->len;
        if (STAILQ_EMPTY(&o->frames))
                TAILQ_REMOVE(&o->connection->ready, o, turn);
        return p;
}

int outbox_put(struct outbox *o, uint8_t *frame, size_t len, const struct frame_label *label)
{
        struct parcel *p = calloc(1, sizeof *p);

        if (!p) {
                free(frame);
                return -ENOMEM;
        }
        *p = (struct parcel){ .label = *label, .frame = frame, .len = len };
        append(o, p);
        return 0;
}

void outboxes_refill(struct connection *c)
{
        struct outbox *o;

        while ((o = TAILQ_FIRST(&c->ready)) && connection_unsent(c) - c->queued < REFILL_BELOW) {
                struct parcel *p = take_first(o);
                int r = connection_keep(c, p->frame, p->len, 0);

                free(p);
                if (!STAILQ_EMPTY(&o->frames)) {
                        TAILQ_REMOVE(&c->ready, o, turn);
                        TAILQ_INSERT_TAIL(&c->ready, o, turn);
                }
                outbox_note(o);
                settle(o);
                if (r < 0) {
                        connection_doom(c);
                        return;
                }
        }
}

/* ---------------------------------------------------------------- loss */

/* Frees p's frame, and puts p into the list of lost frames. */
static void note_lost(struct outbox *o, struct parcel *p)
{
        struct connection *c = o->connection;

        free(p->frame);
        p->frame = NULL;
        p->outbox = o;
        o->users++;
        o->losing = true;
        STAILQ_INSERT_TAIL(&c->lost, p, next);
        turns_wait(&c->native->turns, &c->losing);
}

void outbox_lose(struct outbox *o, uint8_t *frame, const struct frame_label *label)
{
        struct parcel *p = calloc(1, sizeof *p);

        if (!p) {
                free(frame);
                connection_doom(o->connection);
                return;
        }
        *p = (struct parcel){ .label = *label, .frame = frame };
        note_lost(o, p);
}

void outbox_evict(struct outbox *o)
{
        struct parcel_list all = STAILQ_HEAD_INITIALIZER(all);
        struct parcel *p;

        while (!STAILQ_EMPTY(&o->frames)) {
                p = take_first(o);
                STAILQ_INSERT_TAIL(&all, p, next);
        }
        while ((p = STAILQ_FIRST(&all))) {
                STAILQ_REMOVE_HEAD(&all, next);
                if (p->label.kind == PARCEL_ERROR)
                        append(o, p);
                else
                        note_lost(o, p);
        }
        connection_weigh(o->connection);
        outbox_note(o);
}

static void tell(struct outbox *o, const struct frame_label *label)
{
        struct refusal r;

        if (label->kind == PARCEL_PART) {
                o->connection->native->connection_ops->lost(o, label->id);
                return;
        }
        refuse(&r, REFUSAL_RESOURCE_EXHAUSTED, "%s", outbox_lost_text);
        outbox_refuse(o, label->id, &r);
}

static void free_lost(struct parcel *p)
{
        struct outbox *o = p->outbox;

        free(p);
        outbox_release(o);
}

void outboxes_tell_losses(struct connection *c)
{
        struct parcel_list lost = STAILQ_HEAD_INITIALIZER(lost);
        struct parcel *p;

        STAILQ_CONCAT(&lost, &c->lost);
        STAILQ_FOREACH(p, &lost, next)
        p->outbox->losing = false;
        while ((p = STAILQ_FIRST(&lost))) {
                STAILQ_REMOVE_HEAD(&lost, next);
                tell(p->outbox, &p->label);
                free_lost(p);
        }
}

void outboxes_drop(struct connection *c)
{
        struct outbox *o;
        struct parcel *p;

        while ((o = TAILQ_FIRST(&c->ready))) {
                while (!STAILQ_EMPTY(&o->frames)) {
                        p = take_first(o);
                        free(p->frame);
                        free(p);
                }
                outbox_note(o);
                settle(o);
        }
        turns_leave(&c->native->turns, &c->losing);
        while ((p = STAILQ_FIRST(&c->lost))) {
                STAILQ_REMOVE_HEAD(&c->lost, next);
                free_lost(p);
        }
}
