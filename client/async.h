/* libhatchery without waiting: one client drives one connection, carries any number of requests at one time, and makes
 * the connection anew when it is lost. docs/libhatchery.md tells how to use it; examples/async.c is a whole program.
 *
 * Driving. The user watches hatchery_client_fd for POLLIN, at most hatchery_client_timeout_ms long, and then calls
 * hatchery_client_dispatch. The descriptor stays the same for the client's life. client/event.h does all this on a
 * libevent base, and hatchery_client_wait does it for a program that has no loop.
 *
 * Callbacks. They are called from within hatchery_client_dispatch only, so no function of this header calls back before
 * it returns. Each function may be called in a callback, hatchery_client_free included.
 *
 * Ends. Each call that hatchery_client_send made has one end: `answered` or `failed`, exactly one, exactly once, as its
 * last callback. The call is freed when that callback returns, and must not be used afterwards. There are two
 * exceptions: after hatchery_call_abandon and after hatchery_client_free nothing is called any more.
 *
 * Threads. There are no globals. One client belongs to one thread at a time; clients are independent of each other.
 * Functions return HATCHERY_OK, a positive expected answer, or a negative errno with a sentence in e (which may be
 * NULL). */
#pragma once

#include "client/hatchery.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The version of the library's headers, and of the library that the program was linked with. A change of the major
 * number may break programs; the minor number counts additions. */
#define HATCHERY_API_MAJOR   1
#define HATCHERY_API_MINOR   1
#define HATCHERY_API_VERSION (HATCHERY_API_MAJOR * 1000 + HATCHERY_API_MINOR)
int hatchery_api_version(void);

/* An expected answer beside those of hatchery.h: the client holds as much as it may. Nothing was taken. */
enum { HATCHERY_FULL = 2 };

struct hatchery_client;
struct hatchery_call; /* one request, from hatchery_client_send to its end */

/* ---------------------------------------------------------------- the client */

struct hatchery_client_ops {
        /* A connection stands. It may still be refused by the server's first answer. */
        void (*connected)(void *data, struct hatchery_client *c);
        /* There is no connection: it was lost, or an attempt failed. The next attempt comes after retry_ms; -1: there
         * is no next attempt. */
        void (*disconnected)(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms);
        /* After HATCHERY_FULL: hatchery_client_send takes requests again. */
        void (*room)(void *data, struct hatchery_client *c);
};

/* Zero in a field means what its comment says. */
struct hatchery_client_config {
        const char *address; /* the same forms as for hatchery_connect, NULL included. Copied */
        bool compress;       /* as hatchery_set_compress */
        uint32_t max_answer; /* the longest message that is accepted. 0: WIRE_MAX_ANSWER */
        size_t max_unsent;   /* bytes of requests and input that are held until the socket takes them. 0: 64 MiB */
        uint32_t max_calls;  /* calls that have not ended. 0: 10,000 */
        bool once;           /* never connect again: if the connection is lost or can't be made, all calls fail */
        uint32_t connect_ms; /* time for one attempt. 0: 10 s */
        uint32_t backoff_first_ms; /* pause after the first attempt that failed; each further one doubles. 0: 100 ms */
        uint32_t backoff_most_ms;  /* ... up to this. Each pause is shortened by chance, by up to a half. 0: 10 s */
        uint32_t grace_ms;         /* how long after its deadline an answer may still come. 0: 5 s */
        const struct hatchery_client_ops *ops; /* NULL, or any member NULL: no callback. Borrowed */
        void *data;                            /* handed to ops */
};

/* Begins to connect. Waits neither for the connection nor for the name's lookup. config is not kept. -EINVAL: the
 * address is malformed. The client is released by hatchery_client_free. */
int hatchery_client_new(struct hatchery_client **c, const struct hatchery_client_config *config, struct err *e);

/* Closes the connection; the server cancels the requests of this connection. Calls that have not ended get no callback.
 * NULL is accepted. */
void hatchery_client_free(struct hatchery_client *c);

/* Borrowed, and the same for the client's life. Readable: hatchery_client_dispatch has something to do. */
int hatchery_client_fd(const struct hatchery_client *c);

/* In how many milliseconds hatchery_client_dispatch must be called even if the descriptor is not readable. -1: never.
 * Each call of a function of this header may change this time: ask again. */
int hatchery_client_timeout_ms(const struct hatchery_client *c);

/* Does what can be done without waiting, and calls back. One dispatch does a bounded piece of work; if work is left,
 * the next timeout is 0. */
void hatchery_client_dispatch(struct hatchery_client *c);

/* For a program without a loop: waits for up to timeout_ms (-1: for ever) until there is something to do, and
 * dispatches once. HATCHERY_TIMEOUT: there was nothing to do. -EINTR: a signal came. */
int hatchery_client_wait(struct hatchery_client *c, int timeout_ms, struct err *e);

/* wake is called when a function other than dispatch may have made the timeout shorter. It is for loops that do not ask
 * for the timeout before each wait. wake must only arrange for a later dispatch. NULL: no call. */
void hatchery_client_on_wake(struct hatchery_client *c, void (*wake)(void *data), void *data);

bool hatchery_client_is_connected(const struct hatchery_client *c);

/* Calls that have not ended, signals of hatchery_call_signal among them. */
size_t hatchery_client_calls(const struct hatchery_client *c);

/* ---------------------------------------------------------------- how a call ends */

/* An Error of the server, typed. */
struct hatchery_refusal {
        hatchery_v1_Error_Code code;
        uint64_t retry_after_ms; /* 0: the server names no time */
        const char *message;     /* a sentence for a person */
        /* The program may have begun to run. False: the server says that it did not. A sandbox reaches nothing outside
         * itself, so a second run alone does no harm. A second use of its output may. */
        bool may_have_run;
};

/* Is this answer a refusal? Fills r, which points into a. */
bool hatchery_refusal_of(const struct hatchery_answer *a, struct hatchery_refusal *r);

enum hatchery_failure_kind {
        HATCHERY_NOT_CONNECTED = 1, /* there was no connection, and the call does not wait for one, or none comes */
        HATCHERY_LOST,              /* the connection ended before the answer came */
        HATCHERY_DEADLINE,          /* the deadline and its grace passed without an answer */
        HATCHERY_PROTOCOL,          /* the server sent what can't be understood; the connection was closed */
        HATCHERY_WITHDRAWN,         /* cancelled before it was sent */
};

/* Why there is no answer. Valid during the callback. */
struct hatchery_failure {
        enum hatchery_failure_kind kind;
        /* The whole request may have reached the server, so the program may have run. False: the program did not run,
         * and sending the request again is safe. The library itself never repeats a request for which may_have_run is
         * true. */
        bool may_have_run;
        bool has_refusal; /* with LOST: the server said why it closed the connection */
        struct hatchery_refusal refusal;
        struct err error; /* an errno and a sentence, always */
};

/* ---------------------------------------------------------------- calls */

struct hatchery_output {
        hatchery_v1_Output_Stream stream;
        struct span bytes;
        uint64_t offset; /* how many bytes of this stream came before */
        uint64_t at_us;  /* since the run began */
};

/* Any member may be NULL: no callback. A callback's arguments are valid until it returns. */
struct hatchery_call_ops {
        /* For a request with `stream`: a stage begins. */
        void (*stage)(void *data, struct hatchery_call *call, hatchery_v1_Stage_Kind kind, uint64_t at_us);
        /* For a request with `stream`. Without manual_credit the bytes count as consumed when the callback returns. */
        void (*output)(void *data, struct hatchery_call *call, const struct hatchery_output *output);
        /* For a request with live_input, after hatchery_call_write took fewer bytes than it was given: there is room
         * again. */
        void (*input_room)(void *data, struct hatchery_call *call, size_t room);
        /* The program takes no more input: hatchery_call_write gives -EPIPE from now on. */
        void (*input_closed)(void *data, struct hatchery_call *call);
        /* Comes once for each accepted hatchery_call_signal, in their order, unless the call ends first. sent is false
         * if the call's program was not running. refusal is not NULL if the server refused the signal. */
        void (*signalled)(void *data, struct hatchery_call *call, bool sent, const struct hatchery_refusal *refusal);

        /* The end: the server answered, perhaps by a refusal (hatchery_refusal_of). a->answer.m.which_answer tells the
         * kind of answer. hatchery_answer_move keeps a. */
        void (*answered)(void *data, struct hatchery_call *call, struct hatchery_answer *a);
        /* The end: there is no answer. */
        void (*failed)(void *data, struct hatchery_call *call, const struct hatchery_failure *f);
};

enum hatchery_retry {
        HATCHERY_RETRY_NEVER,
        /* Sends a request again after a RESOURCE_EXHAUSTED that names a time: the request was not run. */
        HATCHERY_RETRY_REFUSED,
        /* Sends again also after an UNAVAILABLE that names a time. The server may have lost a run that had begun, so a
         * program may run twice. A call whose user got output or the stage RUN, or wrote input, is not sent again: the
         * user would see a second beginning. */
        HATCHERY_RETRY_LOST,
};

struct hatchery_call_options {
        /* The deadline, from now until the answer. It replaces execute.deadline_us; 0: execute.deadline_us counts. The
         * server is told how much of the deadline is left when the request is sent. The client itself waits grace_ms
         * longer. A call that is not sent by the deadline fails. For requests other than Execute, only the client
         * watches the deadline. */
        uint64_t deadline_us;
        bool only_connected; /* the call never waits for a connection: it fails, also if the connection is lost before
                                sending */
        enum hatchery_retry retry; /* until the deadline; without one, for ever */
        /* Only hatchery_call_consumed turns output into credit. So at most `window` bytes are unconsumed. */
        bool manual_credit;
        uint32_t window; /* bytes of output that the server may send ahead. A smaller value than WIRE_FIRST_CREDIT,
                            such as 0, means WIRE_FIRST_CREDIT */
};

/* Takes a request of a kind that has an answer: Execute, Ping, GetStatus, Cancel, CancelRun, Signal. q is encoded at
 * once and not kept; its id is chosen here, and q->id is ignored. options and ops may be NULL; ops and data are
 * borrowed until the end. *call is valid until the end, too; call may be NULL. HATCHERY_FULL: the client holds too much
 * already. -ENOTCONN: there is no connection, and the call may not wait for one, or none will come. -EMSGSIZE: the
 * request is too large for a frame. */
int hatchery_client_send(struct hatchery_client *c, const struct request *q,
                         const struct hatchery_call_options *options, const struct hatchery_call_ops *ops, void *data,
                         struct hatchery_call **call, struct err *e);

/* The id that the request carries; unique in the client. */
uint64_t hatchery_call_id(const struct hatchery_call *call);

/* The client that the call belongs to. */
struct hatchery_client *hatchery_call_client(const struct hatchery_call *call);

/* Ends a call early. The call still has its end: a Result CANCELLED or Error CANCELLED of the server; or the failure
 * HATCHERY_WITHDRAWN if nothing was sent yet; or an answer that was already on its way. Idempotent. 0 or -ENOMEM. */
int hatchery_call_cancel(struct hatchery_call *call);

/* Cancels a call whose user has gone. No callback comes any more, and the call must not be used afterwards. */
void hatchery_call_abandon(struct hatchery_call *call);

/* For manual_credit: the user is done with so many bytes of output, and the server may send as many more. -EINVAL: more
 * than came. After -ENOMEM the credit is sent together with the credit for the next bytes. */
int hatchery_call_consumed(struct hatchery_call *call, uint64_t bytes);

/* Bytes of output that came and were not consumed yet. */
uint64_t hatchery_call_unconsumed(const struct hatchery_call *call);

/* How many bytes hatchery_call_write takes now. */
size_t hatchery_call_room(const struct hatchery_call *call);

/* Input for a request with live_input. Returns how many bytes were taken: 0 or more, and at most hatchery_call_room.
 * The callback input_room tells when there is room again. -EPIPE: the program takes no more input, or hatchery_call_eof
 * was called. -EINVAL: the request has no live input. -ENOMEM. */
ssize_t hatchery_call_write(struct hatchery_call *call, const void *bytes, size_t len);

/* No input follows. On a terminal this types Ctrl-D. To type Ctrl-D and go on writing, write "\x04". 0, -EPIPE,
 * -EINVAL, -ENOMEM. */
int hatchery_call_eof(struct hatchery_call *call);

/* Sends a signal to the program's process group; `signalled` tells what became of the signal. 0, HATCHERY_FULL,
 * -ENOMEM. */
int hatchery_call_signal(struct hatchery_call *call, uint32_t number);

/* The terminal has another size. 0, -EINVAL (the call has no terminal), HATCHERY_FULL, -ENOMEM. */
int hatchery_call_resize(struct hatchery_call *call, uint32_t rows, uint32_t columns);

/* Moves an answer with its memory. `to` is overwritten, and released by hatchery_answer_fini. */
void hatchery_answer_move(struct hatchery_answer *to, struct hatchery_answer *from);
