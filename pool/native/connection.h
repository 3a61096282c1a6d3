/* One client's connection: frames come in, and answers go out, in any order. It owns the socket, the unfinished frame,
 * the answers that the client has not taken yet, and the list of the client's calls. When the connection ends, its
 * calls are abandoned.
 *
 * End of file means that the client is gone. A dead client looks the same as one that only shut down its sending side,
 * and the runs of dead clients must be killed. So clients must not half-close. */
#pragma once

#include "pool/base/refusal.h"
#include "pool/base/timer.h"
#include "pool/native/call_table.h"
#include "pool/native/inbox.h"
#include "pool/native/native_parts.h"
#include "pool/native/turns.h"
#include "proto/base/peer.h"
#include "proto/wire/answer.h"

#include <event2/buffer.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct call;
struct connection;

enum connection_state {
        CONNECTION_OPEN,
        CONNECTION_ENDING,    /* it reads nothing more, and sends the waiting answers */
        CONNECTION_LINGERING, /* all is sent; for a short time it reads and drops bytes. Closing it with unread bytes
                                 would reset it, and the client would lose its last answer */
        CONNECTION_DOOMED,    /* freed when its turn comes */
};

/* Callbacks from a connection to the code above it. */
struct connection_ops {
        /* A message has come, and is unpacked. Takes body over. */
        void (*message)(struct connection *c, uint8_t *body, size_t len);
        /* The connection takes no more answers: its calls end. */
        void (*ended)(struct connection *c);
        /* Only few bytes are unsent now: streams may go on. */
        void (*has_room)(struct connection *c);
};

struct connection {
        struct native *native;
        int fd;
        enum connection_state state;
        bool turned_away; /* the server had no room for it when it came */
        bool compress;    /* the client has sent LZ4, so it can read LZ4 */
        bool paused;      /* nothing is read from it, since too many answers wait */
        bool reads;       /* the socket is watched for bytes; false: only for the end of the peer */
        struct peer peer;
        uint64_t held; /* bytes of memory that the budget counts for it */
        struct inbox in;
        struct unread *unread;  /* bytes that were read and wait for a turn; NULL: there never were any */
        struct evbuffer *out;   /* frames that the kernel has not taken yet; NULL: none */
        struct heap_node hoard; /* in native.hoards, while much waits in out */
        struct event readable;
        struct event writable; /* watched with write_timeout */
        struct timer timer;    /* for the unfinished frame; later for lingering */
        struct turn turn;
        LIST_HEAD(, call) calls;    /* calls without an answer */
        unsigned in_flight;         /* how many calls */
        size_t held_by_calls;       /* bytes of memory of all calls */
        struct call_table by_id;    /* the same calls, by id */
        TAILQ_HEAD(, call) waiting; /* calls whose output waits for room */
        struct call *has_turn;      /* the call in waiting that goes on at present */
        uint64_t seen_results;      /* native.n_results when this connection began, or sent its last result */
        LIST_ENTRY(connection) link;
};

static inline struct connection *connection_of_hoard(struct heap_node *node)
{
        return (struct connection *)(void *)((char *)node - offsetof(struct connection, hoard));
}

/* Takes over a connected socket. */
void connection_accept(struct native *n, int fd, const struct peer *peer);

/* Sends the answer to one request. */
void connection_answer(struct connection *c, struct answer *a);
void connection_refuse(struct connection *c, uint64_t id, const struct refusal *r);

/* Sends a message that was encoded before, without its id. */
void connection_answer_made(struct connection *c, uint64_t id, struct span made);

/* Refuses the connection as a whole: sends an Error with id 0, then ends it. */
void connection_fail(struct connection *c, enum refusal_code code, const char *sentence);

/* Abandons its calls, sends the waiting answers, then closes. */
void connection_end(struct connection *c);

/* Frees it at once. Must not be called from within an event of the connection. */
void connection_free(struct connection *c);
