/* What the parts of the asynchronous client share. Each part is one file:
 *
 *     async.c             the client's life, its settings, and one dispatch
 *     async_connection.c  the connection: made, lost, made again
 *     async_queue.c       messages that wait for the socket
 *     async_answers.c     what the server says
 *     async_call.c        calls: sent, cancelled, abandoned
 *     async_stream.c      output, input and credit of a call
 *     async_end.c         calls that end without an answer, and those that are sent again
 *     async_index.c       calls by id, and by the time at which something is due
 *
 * A callback may do anything. So code that goes on after a callback looks up the call again by its id, and checks
 * whether the client's flag `freed` is set. A call in or after its last callback has the state CALL_OVER and is in no
 * list. */
#pragma once

#include "client/async.h"
#include "client/inflow.h"

#include <sys/queue.h>

struct dial;

/* One message that waits for the socket. */
struct outgoing {
        TAILQ_ENTRY(outgoing) in_queue;
        LIST_ENTRY(outgoing) in_call; /* while call is not NULL */
        struct hatchery_call *call;   /* the call that it belongs to; NULL: of a call that has ended, or of no call */
        bool opens;                   /* true: the request itself; false: a later message about it */
        int64_t made_us;              /* when its deadline was written into it */
        size_t len, done;
        uint8_t *frame;
};

enum call_state {
        CALL_QUEUED, /* its request is not written to the end */
        CALL_SENT,
        CALL_RESTS,  /* refused, and sent again at retry_us */
        CALL_FAILED, /* in the list of calls whose user must still be told */
        CALL_OVER,
};

/* The reason of a failure, shared by any number of calls. */
struct reason {
        unsigned holders;
        bool has_refusal;
        struct hatchery_refusal refusal; /* its message points to the one below */
        char message[sizeof((hatchery_v1_Error *)0)->message];
        struct err error;
};

struct hatchery_call {
        struct hatchery_client *client;
        uint64_t id;
        enum request_kind kind;
        enum call_state state;
        const struct hatchery_call_ops *ops;
        void *data;
        struct hatchery_call *next_of_id; /* in the index of ids */
        TAILQ_ENTRY(hatchery_call) link;  /* in the list of all calls, or of failed ones */
        LIST_HEAD(, outgoing) waiting;    /* its messages in the queue */

        int64_t deadline_us; /* by clock_us; 0: none */
        int64_t retry_us;
        int64_t due_us; /* when something is due: its order in the heap */
        size_t due_at;  /* its place in the heap, an index from 1; 0: not in it */

        bool only_connected, cancelled;
        bool begun; /* the user was told of the run, or wrote input: a second run would show */
        bool ran;   /* an earlier sending of the request may have run */
        enum hatchery_retry retry;
        uint8_t *kept; /* the request's frame, for another sending */
        size_t kept_len;

        enum hatchery_failure_kind failure;
        bool may_have_run;
        struct reason *reason; /* NULL: there was no memory for one */

        /* Of an Execute. */
        bool stream, live_input, has_terminal;
        bool manual_credit;
        uint64_t window;
        uint64_t allowed;    /* bytes of output that the server may still send */
        uint64_t unconsumed; /* bytes that came, and that the user is not done with */
        uint64_t owed;       /* bytes that the user is done with, and for which no credit was sent */
        uint64_t total[2];   /* bytes of each stream that came */
        uint64_t input_room; /* bytes of input that the server still takes */
        bool input_ended, input_closed;
        bool hungry; /* the user waits for room */
        bool listed; /* there is room: the call is in the list of hungry ones */
        TAILQ_ENTRY(hatchery_call) hungry_link;

        uint64_t target; /* for a Signal: the id of the call whose user is told the outcome */
};

TAILQ_HEAD(call_list, hatchery_call);

enum connection_state {
        CONNECTION_RESTS,   /* until retry_us */
        CONNECTION_DIALING, /* dial goes on */
        CONNECTION_UP,
        CONNECTION_OVER, /* no connection is made any more */
};

struct hatchery_client {
        char address[288];
        struct hatchery_client_config config;
        int epoll_fd;
        bool dispatching, freed;
        bool told_full; /* the user waits for room */
        bool more;      /* a whole message may be in memory already */
        void (*wake)(void *data);
        void *wake_data;

        enum connection_state connection;
        int fd;
        bool wants_write; /* the socket is watched for room */
        bool mute;        /* the server reads no more */
        bool proven;      /* the server has answered on this connection */
        struct dial *dial;
        unsigned attempts; /* failed attempts since the last proven connection */
        int64_t retry_us;
        int64_t last_words_us; /* while mute: how long to wait for the server's reason */
        int64_t heard_us;      /* when the last bytes came */
        struct inflow in;

        TAILQ_HEAD(, outgoing) queue;
        size_t unsent; /* bytes in it */

        uint64_t last_id;
        size_t n_calls;
        struct call_list calls;  /* in the order of hatchery_client_send */
        struct call_list failed; /* their users must still be told */
        struct call_list hungry;
        size_t n_buckets; /* a power of two; 0: none yet */
        struct hatchery_call **buckets;
        struct hatchery_call **due; /* a heap, its first at [1] */
        size_t n_due, room_due;
};

/* ---------------------------------------------------------------- async.c */

/* Announces work that no descriptor shows. */
void client_wake(struct hatchery_client *c);

/* ---------------------------------------------------------------- async_connection.c */

void connection_step(struct hatchery_client *c, int64_t now_us);

/* When connection work is due even if no descriptor is ready; INT64_MAX: never. */
int64_t connection_next_us(const struct hatchery_client *c);

/* Ends the connection. refusal: the server's reason, or NULL. Calls back. */
void connection_lost(struct hatchery_client *c, enum hatchery_failure_kind kind, const struct err *why,
                     const struct hatchery_refusal *refusal);

/* Writes as much as the socket takes. */
void connection_flush(struct hatchery_client *c);

void connection_close(struct hatchery_client *c);

static inline bool connection_takes(const struct hatchery_client *c)
{
        return c->connection == CONNECTION_UP && !c->mute;
}

/* ---------------------------------------------------------------- async_queue.c */

/* Takes ownership of frame, even if it fails. call may be NULL. made_us: when the deadline in the frame was written.
 * -ENOMEM. */
int queue_put(struct hatchery_client *c, struct hatchery_call *call, bool opens, uint8_t *frame, size_t len,
              int64_t made_us);

/* Encodes a message about a call, and puts it into the queue. */
int queue_message(struct hatchery_client *c, struct hatchery_call *call, const struct request *q);

/* Fills parts with messages from the front of the queue, for one write. Returns how many parts; 0: nothing waits. */
struct iovec;
size_t queue_gather(struct hatchery_client *c, struct iovec *parts, size_t max);

/* The socket took so many of these bytes. */
void queue_written(struct hatchery_client *c, size_t bytes);

/* Takes a call's messages out of the queue. True: its request is partly written, so the rest of it is still sent. */
bool queue_withdraw(struct hatchery_client *c, struct hatchery_call *call);

/* The connection is gone. Drops messages about requests that were sent. A request that was not wholly sent begins
 * anew. */
void queue_cut(struct hatchery_client *c);

void queue_fini(struct hatchery_client *c);

/* ---------------------------------------------------------------- async_answers.c */

/* Handles one message. Calls back. The caller releases a. */
void answers_take(struct hatchery_client *c, struct hatchery_answer *a);

/* Handles a message of this id that can't be decoded. Calls back. */
void answers_unreadable(struct hatchery_client *c, uint64_t id, const struct err *why);

/* ---------------------------------------------------------------- async_call.c */

/* Takes the call out of all lists, and frees it. */
void call_free(struct hatchery_call *call);

/* Takes the call out of all lists: its last callback comes now. */
void call_leave(struct hatchery_call *call);

/* Tells the server that the call is not wanted any more. */
int call_send_cancel(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_stream.c */

/* Counts bytes of output that came. False: more than the server was allowed to send. */
bool stream_came(struct hatchery_call *call, uint64_t bytes);

/* Sends the owed credit, if it is worth a message. */
int stream_give_credit(struct hatchery_call *call);

/* Sets the counters for a request that is sent from its beginning, perhaps again. */
void stream_reset(struct hatchery_call *call);

/* Tells users who wait for room that there is room. Calls back. */
void stream_feed(struct hatchery_client *c);

bool stream_can_feed(const struct hatchery_client *c);
void stream_list_hungry(struct hatchery_call *call);
void stream_unlist(struct hatchery_call *call);
void stream_not_hungry(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_end.c */

struct reason *reason_new(const struct err *why, const struct hatchery_refusal *refusal);
void reason_drop(struct reason *r);

/* Notes the failure. The dispatch that is under way, or the next one, tells the user. */
void end_fail(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, struct reason *reason);
void end_fail_say(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, int code,
                  const char *sentence);

/* Tells the users of the calls that failed so far. Calls back. */
void end_tell(struct hatchery_client *c);

/* Is the call sent again after this refusal? If so, this puts it to rest until then. */
bool end_retries(struct hatchery_call *call, const struct hatchery_refusal *r);

/* Does all that is due by now. Calls back if it finds the server dead. */
void end_expire(struct hatchery_client *c, int64_t now_us);

/* Sets the time at which something is due for the call in its present state. */
void end_schedule(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_index.c */

int index_insert(struct hatchery_client *c, struct hatchery_call *call);
void index_remove(struct hatchery_client *c, struct hatchery_call *call);
struct hatchery_call *index_find(const struct hatchery_client *c, uint64_t id);

/* Sets when the call is due; INT64_MAX: never. It can't fail: index_insert has taken the memory. */
void index_due(struct hatchery_client *c, struct hatchery_call *call, int64_t due_us);
struct hatchery_call *index_first_due(const struct hatchery_client *c);
void index_fini(struct hatchery_client *c);
