/* One client's connection: frames come in, answers go out, in any order. It owns the socket, the unfinished frame, the
 * answers not yet taken, and (by list) its executions: when the connection ends, they are abandoned.
 *
 * End of file from the client means that it is gone. A dead client looks the same as one that only shut down its
 * sending side, and runs of dead clients must be killed; so clients must not half-close. */
#pragma once

#include "pool/base/peer.h"
#include "pool/base/refusal.h"
#include "pool/base/timer.h"
#include "pool/native/call_table.h"
#include "pool/native/inbox.h"
#include "pool/native/native_parts.h"
#include "pool/native/turns.h"
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
        CONNECTION_ENDING,    /* nothing more is read; remaining answers are sent */
        CONNECTION_LINGERING, /* all is sent; it reads and forgets for a moment, because closing with unread bytes would
                               * reset the connection, and the client would lose the last answer */
        CONNECTION_DOOMED,    /* to be freed when its turn comes */
};

/* Calls of a connection to its owner. */
struct connection_ops {
        /* A message has come, and is unpacked. Takes body over. */
        void (*message)(struct connection *c, uint8_t *body, size_t len);
        /* The client takes no more answers: the calls end. */
        void (*ended)(struct connection *c);
        /* Little is unsent by now: streams may go on. */
        void (*has_room)(struct connection *c);
};

struct connection {
        struct native *native;
        int fd;
        enum connection_state state;
        bool turned_away; /* it came when there was no room */
        bool compress;    /* the client has sent LZ4, so it can read it */
        bool paused;      /* it is not read from: too many answers wait */
        bool reads;       /* its socket is watched for bytes, not only for the peer's end */
        struct peer peer;
        uint64_t held; /* bytes of memory that the budget counts for it */
        struct inbox in;
        struct unread *unread;  /* read bytes that wait for their turn; NULL: there never were any */
        struct evbuffer *out;   /* bytes that the kernel did not take yet; NULL: none */
        struct heap_node hoard; /* in the front's heap of such connections, while much waits in out */
        struct event readable;
        struct event writable; /* with write_timeout */
        struct timer timer;    /* for the unfinished frame; later for lingering */
        struct turn turn;
        LIST_HEAD(, call) calls;    /* requests that have no answer yet, */
        unsigned in_flight;         /* their number, */
        size_t held_by_calls;       /* and their bytes of memory */
        struct call_table by_id;    /* the same, */
        TAILQ_HEAD(, call) waiting; /* of them, those whose output waits for room */
        uint64_t seen_results;      /* the front's number of results at this connection's last one, or at its
                                     * beginning */
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

/* The same for a message that was encoded before, without its id. */
void connection_answer_made(struct connection *c, uint64_t id, struct span made);

/* Refuses the connection as a whole: sends an Error with id 0, then ends it. */
void connection_fail(struct connection *c, enum refusal_code code, const char *sentence);

/* Sends remaining answers, then closes. Its executions are abandoned. */
void connection_end(struct connection *c);

/* Frees it at once. Must not be called from within an event of the connection. */
void connection_free(struct connection *c);
