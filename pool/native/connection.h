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
#include "pool/native/outbox.h"
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
        CONNECTION_LINGERING, /* all is sent; for a short time it reads and drops bytes. A close with unread bytes would
                                 reset the connection, and the client would lose its last answer */
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
        /* A part of the answer to this request was lost, for lack of memory. So the request ends, if it still runs. */
        void (*lost)(struct outbox *o, uint64_t id);
};

struct connection {
        struct native *native;
        int fd;
        enum connection_state state;
        bool turned_away; /* it is not served: it gets a refusal and is closed */
        bool trusted;     /* its client is a gateway, which asks on behalf of many callers */
        bool compress;    /* the client has sent LZ4, so it can read LZ4 */
        bool paused;      /* nothing is read from it, since too many answers wait */
        bool reads;       /* the socket is watched for bytes; false: only for the end of the peer */
        struct peer peer;
        uint64_t held; /* bytes of memory that the budget counts for it */
        struct inbox in;
        struct unread *unread;      /* bytes that were read and wait for a turn; NULL: there never were any */
        struct evbuffer *out;       /* frames that the kernel has not taken yet; NULL: none */
        struct outbox own;          /* for its client; on a trusted connection, for answers that concern no caller */
        struct outbox_list ready;   /* trusted: outboxes with frames */
        struct outbox_list stalled; /* outboxes with calls whose output waits for room */
        STAILQ_HEAD(, parcel) lost; /* trusted: frames that were lost */
        struct turn losing;         /* in which the requests of the lost frames are ended */
        size_t queued;              /* trusted: bytes of frames in all outboxes */
        unsigned n_callers;         /* trusted: outboxes of callers */
        struct event readable;
        struct event writable; /* watched with write_timeout */
        struct timer timer;    /* limits the unfinished frame; later the lingering */
        struct turn turn;
        LIST_HEAD(, call) calls; /* calls without an answer */
        unsigned in_flight;      /* how many calls */
        size_t held_by_calls;    /* bytes of memory of all calls and callers */
        struct call_table by_id; /* the same calls */
        uint64_t seen_results;   /* native.n_results at this connection's last result, or at its beginning */
        LIST_ENTRY(connection) link;
};

/* Takes over a connected socket. trusted: the peer is the server's own gateway. */
void connection_accept(struct native *n, int fd, const struct peer *peer, bool trusted);

/* Takes over a socket that is not served: sends it this refusal, then closes it. */
void connection_turn_away(struct native *n, int fd, const struct peer *peer, enum refusal_code code,
                          const char *sentence);

/* Sends the answer to one request that concerns no caller: see outbox.h. */
void connection_answer(struct connection *c, struct answer *a);
void connection_refuse(struct connection *c, uint64_t id, const struct refusal *r);
void connection_answer_made(struct connection *c, uint64_t id, struct span made);

/* Refuses the connection as a whole: sends an Error with id 0, then ends it. */
void connection_fail(struct connection *c, enum refusal_code code, const char *sentence);

/* Abandons its calls, sends the waiting answers, then closes. */
void connection_end(struct connection *c);

/* Frees it at once. Must not be called from within an event of the connection. */
void connection_free(struct connection *c);
