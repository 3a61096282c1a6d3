/* An outbox: the frames that wait to be sent to one caller on one connection, and that caller's streams.
 *
 * An ordinary connection has one outbox, its own, for its client; the frames go straight into connection.out. A trusted
 * connection has one more outbox for each caller that has a request in flight there, or frames that wait. Its outboxes
 * take turns, one frame each, so that one caller's many answers do not delay other callers' answers. Its own outbox has
 * the answers that concern no caller.
 *
 * A caller whose frames hold too much memory loses them. Each request that loses a frame gets an Error instead, and the
 * connection goes on. */
#pragma once

#include "pool/base/heap.h"
#include "pool/native/scope.h"
#include "proto/base/span.h"
#include "proto/wire/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct book;
struct call;
struct connection;
struct parcel;

struct outbox {
        struct connection *connection;
        struct book *book; /* of the caller; NULL: this is the connection's own outbox */
        unsigned users;    /* users from outbox_enter, and lost frames */
        bool losing;       /* a frame was lost, and its request has not been refused yet */
        size_t bytes;      /* size of the frames that wait here */
        size_t loose;      /* size of those frames that may be lost */
        STAILQ_HEAD(, parcel) frames;
        TAILQ_ENTRY(outbox) turn;    /* in the connection's list of outboxes with frames */
        TAILQ_HEAD(, call) waiting;  /* calls whose output waits for room */
        struct call *has_turn;       /* the call that goes on at present */
        TAILQ_ENTRY(outbox) stalled; /* in the connection's list of outboxes with waiting calls */
        LIST_ENTRY(outbox) of_book;
        struct heap_node hoard; /* in the front's heap, while many bytes wait */
};

/* The kinds of frames that a request gets. */
enum parcel_kind {
        PARCEL_PART,  /* an answer follows it */
        PARCEL_LAST,  /* the answer */
        PARCEL_ERROR, /* the answer, and so small that it is never lost */
};

struct frame_label {
        uint64_t id; /* the request's id; 0: the frame belongs to no request */
        enum parcel_kind kind;
};

TAILQ_HEAD(outbox_list, outbox);

static inline struct outbox *outbox_of_hoard(struct heap_node *node)
{
        return (struct outbox *)(void *)((char *)node - offsetof(struct outbox, hoard));
}

/* ---------------------------------------------------------------- outboxes */

/* Begins the connection's own outbox. */
void outbox_init(struct outbox *o, struct connection *c);

/* The outbox for answers to this caller, to be given back by outbox_release. On an ordinary connection it is the
 * connection's own outbox. NULL: no memory. */
struct outbox *outbox_enter(struct connection *c, const struct caller *caller);
void outbox_release(struct outbox *o);

/* How many requests the outbox's caller has in flight: on this connection, or on all trusted connections. */
unsigned outbox_in_flight(const struct outbox *o);
void outbox_count(struct outbox *o, int one); /* 1: one more; -1: one less */

/* The bytes that wait for the outbox's caller. */
size_t outbox_unsent(const struct outbox *o);

/* ---------------------------------------------------------------- answers; in connection_write.c */

void outbox_answer(struct outbox *o, struct answer *a);
void outbox_refuse(struct outbox *o, uint64_t id, const struct refusal *r);

/* Sends a message that was encoded before, without its id. */
void outbox_answer_made(struct outbox *o, uint64_t id, struct span made, enum parcel_kind kind);

/* ---------------------------------------------------------------- frames of a trusted connection */

/* Takes frame over, even if it fails. -ENOMEM. */
int outbox_put(struct outbox *o, uint8_t *frame, size_t len, const struct frame_label *label);

/* Moves frames into connection.out while little is there. */
void outboxes_refill(struct connection *c);

/* ---------------------------------------------------------------- loss of frames, on a trusted connection */

extern const char outbox_lost_text[]; /* the refusal of requests whose answer is lost */

/* Loses this frame, and takes it over. The frame's request is refused in a later turn, since the core may be in the
 * middle of a call about it. Until then only Errors are sent to this caller, and all other frames are lost, too: output
 * may have no gap. */
void outbox_lose(struct outbox *o, uint8_t *frame, const struct frame_label *label);

/* Loses all frames that may be lost. */
void outbox_evict(struct outbox *o);

/* The turn in which the requests of lost frames are refused. */
void outboxes_tell_losses(struct connection *c);

/* The connection has ended: frees all frames. */
void outboxes_drop(struct connection *c);

/* Puts the outbox into the heap of outboxes where many bytes wait, or takes it out. */
void outbox_note(struct outbox *o);
