/* One client's connection: frames come in, answers go out, in any order. It owns the socket, the unfinished frame, the
 * answers not yet taken, and (by list) the runs that it asked for: when it ends, they end.
 *
 * End of file from the client means that it is gone. A client that died looks the same as one that only shut down its
 * sending side, and runs of the dead are to be killed; so clients must not half-close. */
#pragma once

#include "pool/base/peer.h"
#include "pool/base/refusal.h"
#include "pool/core/run.h"
#include "pool/native/inbox.h"
#include "pool/native/turns.h"
#include "pool/state.h"
#include "proto/wire/answer.h"

#include <event2/buffer.h>

enum session_state {
        SESSION_OPEN,
        SESSION_ENDING,    /* nothing more is read; what is to be sent leaves */
        SESSION_LINGERING, /* all is sent; reads and forgets for a moment, because closing with bytes unread would reset
                            * the connection, and take the last answer from the client */
        SESSION_DOOMED,    /* to be freed when its turn comes */
};

struct session {
        struct pool *pool;
        int fd;
        enum session_state state;
        bool turned_away; /* came when there was no room */
        bool compress;    /* has sent LZ4, so it can read it */
        bool paused;      /* not read from: too many answers wait */
        bool reads;       /* its socket is watched for bytes, not for the peer's end alone */
        struct peer peer;
        uint64_t held; /* bytes of memory, as the pool's budget has them */
        struct inbox in;
        struct unread *unread;  /* what was read and has its turn to come; NULL: nothing ever had */
        struct evbuffer *out;   /* what the kernel did not take yet; NULL: nothing */
        struct heap_node hoard; /* in the pool's heap of those, while much waits in out */
        struct event readable;
        struct event writable; /* with write_timeout */
        struct event timer;    /* of the unfinished frame, then of lingering */
        struct turn turn;
        LIST_HEAD(, run) runs;
        unsigned in_flight;
        uint64_t seen_results; /* the pool's number of results, when it had its last one, or came */
        LIST_ENTRY(session) link;
};

static inline struct session *session_of_hoard(struct heap_node *node)
{
        return (struct session *)(void *)((char *)node - offsetof(struct session, hoard));
}

/* Takes over a connected socket. */
void session_accept(struct pool *p, int fd, const struct peer *peer);

/* The answer to one request. */
void session_answer(struct session *s, struct answer *a);
void session_refuse(struct session *s, uint64_t id, const struct refusal *r);

/* The same of a message that was encoded before, without its id. */
void session_answer_made(struct session *s, uint64_t id, struct span made);

/* The connection as a whole is refused: an Error with id 0, then the end. */
void session_fail(struct session *s, enum refusal_code code, const char *sentence);

/* Sends what is to be sent, then closes. Its runs are abandoned. */
void session_end(struct session *s);

/* Frees at once; only where no event of the session can be running. */
void session_free(struct session *s);

/* A request of this id has no answer yet. */
struct run *session_find(const struct session *s, uint64_t id);
