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
 * A callback may do anything, so what was looked up before it is looked up again after it: a call by its id, the client
 * by its flag `freed`. A call that has had its last callback, or is about to, has the state CALL_OVER and is in no
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
        struct hatchery_call *call;   /* whose it is; NULL: of none that has not ended */
        bool opens;                   /* the request itself; else something about it */
        int64_t made_us;              /* when its deadline was written into it */
        size_t len, done;
        uint8_t *frame;
};

enum call_state {
        CALL_QUEUED, /* its request is not written to the end */
        CALL_SENT,
        CALL_RESTS,  /* was refused, and is sent again at retry_us */
        CALL_FAILED, /* in the list of those that are to be told so */
        CALL_OVER,
};

/* Why calls failed, for any number of them. */
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
        TAILQ_ENTRY(hatchery_call) link;  /* among all, or among those that failed */
        LIST_HEAD(, outgoing) waiting;    /* its messages in the queue */

        int64_t deadline_us; /* by clock_us; 0: none */
        int64_t retry_us;
        int64_t due_us; /* its place in the heap of times */
        size_t due_at;  /* ... as an index from 1; 0: not there */

        bool only_connected, cancelled;
        bool begun; /* the user was told of its run, or wrote input: a second run would show */
        bool ran;   /* an earlier sending of it may have run */
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
        uint64_t unconsumed; /* ... that came, and that the user has not done with */
        uint64_t owed;       /* ... that the user has done with, and that are no credit yet */
        uint64_t total[2];   /* ... of each stream that came */
        uint64_t input_room; /* bytes of input that the server takes */
        bool input_ended, input_closed;
        bool hungry; /* its user waits for room, */
        bool listed; /* and there is some for it */
        TAILQ_ENTRY(hatchery_call) hungry_link;

        uint64_t target; /* of a signal by hatchery_call_signal: the call that is to be told */
};

TAILQ_HEAD(call_list, hatchery_call);

enum connection_state {
        CONNECTION_RESTS,   /* until retry_us */
        CONNECTION_DIALING, /* dial goes on */
        CONNECTION_UP,
        CONNECTION_OVER, /* and there is no other */
};

struct hatchery_client {
        char address[288];
        struct hatchery_client_config config;
        int epoll_fd;
        bool dispatching, freed;
        bool told_full; /* the user waits for room */
        bool more;      /* a whole message may be in memory */
        void (*wake)(void *data);
        void *wake_data;

        enum connection_state connection;
        int fd;
        bool wants_write; /* the socket is watched for it */
        bool mute;        /* the server reads no more */
        bool proven;      /* the server has answered on this connection */
        struct dial *dial;
        unsigned attempts; /* that failed, since the last proven one */
        int64_t retry_us;
        int64_t last_words_us; /* while mute: until when its reason is awaited */
        int64_t heard_us;      /* when something came last */
        struct inflow in;

        TAILQ_HEAD(, outgoing) queue;
        size_t unsent; /* bytes in it */

        uint64_t last_id;
        size_t n_calls;
        struct call_list calls;  /* in the order in which they were sent */
        struct call_list failed; /* to be told so */
        struct call_list hungry;
        size_t n_buckets; /* a power of two; 0: none yet */
        struct hatchery_call **buckets;
        struct hatchery_call **due; /* a heap, its first at [1] */
        size_t n_due, room_due;
};

/* ---------------------------------------------------------------- async.c */

/* Something is to be done that no descriptor tells of. */
void client_wake(struct hatchery_client *c);

/* ---------------------------------------------------------------- async_connection.c */

void connection_step(struct hatchery_client *c, int64_t now_us);

/* When it is to be called even if nothing happens; INT64_MAX: never. */
int64_t connection_next_us(const struct hatchery_client *c);

/* The connection is at its end. refusal: what the server said of it, or NULL. Calls back. */
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

/* Takes frame over, also where it fails. call may be NULL. made_us: when a deadline in it was right. -ENOMEM. */
int queue_put(struct hatchery_client *c, struct hatchery_call *call, bool opens, uint8_t *frame, size_t len,
              int64_t made_us);

/* Encodes a message about a call, and puts it into the queue. */
int queue_message(struct hatchery_client *c, struct hatchery_call *call, const struct request *q);

/* Some of the queue, for one writing. Returns how many parts; 0: nothing waits. */
struct iovec;
size_t queue_gather(struct hatchery_client *c, struct iovec *parts, size_t max);

/* So many bytes of that were written. */
void queue_written(struct hatchery_client *c, size_t bytes);

/* A call's messages are not to be sent. True: its request is cut off in the middle, and is sent to its end. */
bool queue_withdraw(struct hatchery_client *c, struct hatchery_call *call);

/* The connection is gone: what is about requests that were sent goes with it. What is not sent begins anew. */
void queue_cut(struct hatchery_client *c);

void queue_fini(struct hatchery_client *c);

/* ---------------------------------------------------------------- async_answers.c */

/* One message. Calls back. a is released by the caller. */
void answers_take(struct hatchery_client *c, struct hatchery_answer *a);

/* A message of this id came that can't be read. Calls back. */
void answers_unreadable(struct hatchery_client *c, uint64_t id, const struct err *why);

/* ---------------------------------------------------------------- async_call.c */

/* Out of all lists and of memory. */
void call_free(struct hatchery_call *call);

/* Out of all lists: it has its last callback now. */
void call_leave(struct hatchery_call *call);

/* Tells the server that it is not wanted any more. */
int call_send_cancel(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_stream.c */

/* Bytes of output came. False: beyond what was allowed. */
bool stream_came(struct hatchery_call *call, uint64_t bytes);

/* Gives what is owed, where it is worth a message. */
int stream_give_credit(struct hatchery_call *call);

/* The request is (again) at its beginning. */
void stream_reset(struct hatchery_call *call);

/* Tells those who wait for room that there is some. Calls back. */
void stream_feed(struct hatchery_client *c);

bool stream_can_feed(const struct hatchery_client *c);
void stream_list_hungry(struct hatchery_call *call);
void stream_unlist(struct hatchery_call *call);
void stream_not_hungry(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_end.c */

struct reason *reason_new(const struct err *why, const struct hatchery_refusal *refusal);
void reason_drop(struct reason *r);

/* The call is to be told of this failure by the dispatch that is under way, or the next one. */
void end_fail(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, struct reason *reason);
void end_fail_say(struct hatchery_call *call, enum hatchery_failure_kind kind, bool may_have_run, int code,
                  const char *sentence);

/* Tells those that failed before now. Calls back. */
void end_tell(struct hatchery_client *c);

/* Is this refusal one after which the call is sent again? Then it rests. */
bool end_retries(struct hatchery_call *call, const struct hatchery_refusal *r);

/* What is due by now. Calls back where the server is found dead. */
void end_expire(struct hatchery_client *c, int64_t now_us);

/* When something is due for the call in its present state. */
void end_schedule(struct hatchery_call *call);

/* ---------------------------------------------------------------- async_index.c */

int index_insert(struct hatchery_client *c, struct hatchery_call *call);
void index_remove(struct hatchery_client *c, struct hatchery_call *call);
struct hatchery_call *index_find(const struct hatchery_client *c, uint64_t id);

/* Room for its time was taken by index_insert. INT64_MAX: at no time. */
void index_due(struct hatchery_client *c, struct hatchery_call *call, int64_t due_us);
struct hatchery_call *index_first_due(const struct hatchery_client *c);
void index_fini(struct hatchery_client *c);
