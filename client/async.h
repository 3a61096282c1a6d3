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
#define HATCHERY_API_MINOR   0
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
        /* There is none: it was lost, or an attempt failed. The next attempt comes after retry_ms; -1: there is none.
         */
        void (*disconnected)(void *data, struct hatchery_client *c, const struct err *why, int64_t retry_ms);
        /* After HATCHERY_FULL: hatchery_client_send takes requests again. */
        void (*room)(void *data, struct hatchery_client *c);
};

/* Zero in a field means what its comment says. */
struct hatchery_client_config {
        const char *address; /* as hatchery_connect has it, NULL included. Copied */
        bool compress;       /* as hatchery_set_compress */
        uint32_t max_answer; /* the longest message that is accepted. 0: WIRE_MAX_ANSWER */
        size_t max_unsent;   /* bytes of requests and input that are held until the socket takes them. 0: 64 MiB */
        uint32_t max_calls;  /* calls that have not ended. 0: 10,000 */
        bool once;           /* one connection and no other: when it is lost or can't be made, all is over */
        uint32_t connect_ms; /* time for one attempt. 0: 10 s */
        uint32_t backoff_first_ms; /* pause after the first attempt that failed; each further one doubles. 0: 100 ms */
        uint32_t backoff_most_ms;  /* ... up to this. Each pause is shortened by chance, by up to a half. 0: 10 s */
        uint32_t grace_ms;         /* how long after its deadline an answer may still come. 0: 5 s */
        const struct hatchery_client_ops *ops; /* NULL, or any of them NULL: not told. Borrowed */
        void *data;                            /* handed to ops */
};

/* Begins to connect. Does not wait for it, nor for the name to be looked up. config is not kept. -EINVAL: the address
 * is none. The client is released by hatchery_client_free. */
int hatchery_client_new(struct hatchery_client **c, const struct hatchery_client_config *config, struct err *e);

/* Closes the connection; the server cancels what it has of it. No callback is called for calls that have not ended.
 * NULL is accepted. */
void hatchery_client_free(struct hatchery_client *c);

/* Borrowed, and the same for the client's life. Readable: hatchery_client_dispatch has something to do. */
int hatchery_client_fd(const struct hatchery_client *c);

/* When hatchery_client_dispatch is to be called even if the descriptor is not readable, from now. -1: never. Ask again
 * after each function of this header that was called. */
int hatchery_client_timeout_ms(const struct hatchery_client *c);

/* Does what can be done without waiting, and calls back. One dispatch does a bounded piece of work; what is left of it
 * makes the next timeout 0. */
void hatchery_client_dispatch(struct hatchery_client *c);

/* For a program without a loop: waits for up to timeout_ms (-1: for ever) until there is something to do, and
 * dispatches once. HATCHERY_TIMEOUT: there was nothing. -EINTR: a signal came. */
int hatchery_client_wait(struct hatchery_client *c, int timeout_ms, struct err *e);

/* wake is called wherever a function other than dispatch may have made the timeout shorter: for those who do not ask
 * for it before each waiting. It must only arrange for a later dispatch. NULL: nobody. */
void hatchery_client_on_wake(struct hatchery_client *c, void (*wake)(void *data), void *data);

bool hatchery_client_is_connected(const struct hatchery_client *c);

/* Calls that have not ended, signals of hatchery_call_signal among them. */
size_t hatchery_client_calls(const struct hatchery_client *c);

/* ---------------------------------------------------------------- how a call ends */

/* An Error of the server, typed. */
struct hatchery_refusal {
        hatchery_v1_Error_Code code;
        uint64_t retry_after_ms; /* 0: at no time that is known */
        const char *message;     /* a sentence for a person */
        /* The program may have begun to run. False: the server says that it did not. A sandbox reaches nothing outside
         * of itself, so running a program again does no harm by itself; what its output was used for may. */
        bool may_have_run;
};

/* Is this answer a refusal? Fills r, which points into a. */
bool hatchery_refusal_of(const struct hatchery_answer *a, struct hatchery_refusal *r);

enum hatchery_failure_kind {
        HATCHERY_NOT_CONNECTED = 1, /* there was no connection, and the call does not wait for one, or none comes */
        HATCHERY_LOST,              /* the connection ended before the answer came */
        HATCHERY_DEADLINE,          /* the deadline passed, and no answer came in its grace */
        HATCHERY_PROTOCOL,          /* the server sent what can't be understood; the connection was closed */
        HATCHERY_WITHDRAWN,         /* cancelled before it was sent */
};

/* Why there is no answer. Valid during the callback. */
struct hatchery_failure {
        enum hatchery_failure_kind kind;
        /* The whole request may have reached the server, so the program may have run. False: it did not, and sending it
         * again is safe. The library itself never sends a request twice where this is true. */
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

/* Any may be NULL: not told. What they are handed is valid until they return. */
struct hatchery_call_ops {
        /* Of a request with `stream`: a stage begins. */
        void (*stage)(void *data, struct hatchery_call *call, hatchery_v1_Stage_Kind kind, uint64_t at_us);
        /* Of a request with `stream`. Without manual_credit the bytes count as consumed when it returns. */
        void (*output)(void *data, struct hatchery_call *call, const struct hatchery_output *output);
        /* Of a request with live_input, after hatchery_call_write took less than it was given: there is room again. */
        void (*input_room)(void *data, struct hatchery_call *call, size_t room);
        /* The program takes no more input: hatchery_call_write gives -EPIPE from now on. */
        void (*input_closed)(void *data, struct hatchery_call *call);
        /* One for each hatchery_call_signal that was taken, in their order, unless the call ends before. sent is false
         * where no program of it was running; refusal is not NULL where the server refuses the signal. */
        void (*signalled)(void *data, struct hatchery_call *call, bool sent, const struct hatchery_refusal *refusal);

        /* The end: what the server answered, a refusal (hatchery_refusal_of) included. Which it is,
         * a->answer.m.which_answer tells. a may be kept by hatchery_answer_move. */
        void (*answered)(void *data, struct hatchery_call *call, struct hatchery_answer *a);
        /* The end: there is no answer. */
        void (*failed)(void *data, struct hatchery_call *call, const struct hatchery_failure *f);
};

enum hatchery_retry {
        HATCHERY_RETRY_NEVER,
        /* Refusals RESOURCE_EXHAUSTED that name a time are sent again after it: they were not run. */
        HATCHERY_RETRY_REFUSED,
        /* ... and UNAVAILABLE that name a time. The server may have lost a run that had begun, so a program may be run
         * twice. Not where the user was told of output or a stage, or wrote input: it would see a second beginning. */
        HATCHERY_RETRY_LOST,
};

struct hatchery_call_options {
        /* From now until the answer. 0: that of the request (execute.deadline_us), which it else replaces there. What
         * is left of it when the request is sent is what the server is told; the client itself waits grace_ms longer. A
         * call that is not sent by then fails. Requests other than Execute have the client's deadline alone. */
        uint64_t deadline_us;
        bool only_connected; /* fails rather than wait for a connection; also where one is lost before it is sent */
        enum hatchery_retry retry; /* up to the deadline, and else for ever */
        /* Output becomes credit by hatchery_call_consumed alone. So no more than `window` bytes are unconsumed. */
        bool manual_credit;
        uint32_t window; /* bytes of output that the server may send ahead. 0, or less: WIRE_FIRST_CREDIT */
};

/* Takes a request of a kind that has an answer: Execute, Ping, GetStatus, Cancel, Signal. q is encoded at once and not
 * kept; its id is chosen here, and q->id is ignored. options and ops may be NULL; ops and data are borrowed until the
 * end. *call (which may be NULL) is the user's until the end, too. HATCHERY_FULL: too much is held. -ENOTCONN: it would
 * have to wait for a connection, and does not or none comes. -EMSGSIZE: no frame holds it. */
int hatchery_client_send(struct hatchery_client *c, const struct request *q,
                         const struct hatchery_call_options *options, const struct hatchery_call_ops *ops, void *data,
                         struct hatchery_call **call, struct err *e);

/* As requests carry it; unique in the client. */
uint64_t hatchery_call_id(const struct hatchery_call *call);

/* The client that it belongs to. */
struct hatchery_client *hatchery_call_client(const struct hatchery_call *call);

/* Ends it early. The end is told as ever: a Result CANCELLED or Error CANCELLED by the server, or the failure
 * HATCHERY_WITHDRAWN where nothing was sent yet; or its own end, which may already be on its way. Idempotent. 0 or
 * -ENOMEM. */
int hatchery_call_cancel(struct hatchery_call *call);

/* As cancel, but nothing more is called, and the call must not be used afterwards: its user has gone. */
void hatchery_call_abandon(struct hatchery_call *call);

/* So many bytes of its output are done with: the server may send as many more. For manual_credit. More than what came
 * is an error of the caller: -EINVAL. After -ENOMEM the credit is given with that of the next bytes. */
int hatchery_call_consumed(struct hatchery_call *call, uint64_t bytes);

/* Bytes of output that came and were not consumed yet. */
uint64_t hatchery_call_unconsumed(const struct hatchery_call *call);

/* How many bytes hatchery_call_write takes now. */
size_t hatchery_call_room(const struct hatchery_call *call);

/* Input for a request with live_input. Returns how many of the bytes were taken, from 0 on: no more than there is room;
 * input_room tells when there is again. -EPIPE: the program takes no more, or eof was said. -EINVAL: it has no live
 * input. -ENOMEM. */
ssize_t hatchery_call_write(struct hatchery_call *call, const void *bytes, size_t len);

/* No input follows. On a terminal it is as if Ctrl-D were typed; to type that and go on, write "\x04". 0, -EPIPE,
 * -EINVAL, -ENOMEM. */
int hatchery_call_eof(struct hatchery_call *call);

/* A signal to the program's process group; `signalled` tells what became of it. 0, HATCHERY_FULL, -ENOMEM. */
int hatchery_call_signal(struct hatchery_call *call, uint32_t number);

/* The terminal has another size. 0, -EINVAL where it has none, HATCHERY_FULL, -ENOMEM. */
int hatchery_call_resize(struct hatchery_call *call, uint32_t rows, uint32_t columns);

/* Moves an answer with its memory. `to` is overwritten, and released by hatchery_answer_fini. */
void hatchery_answer_move(struct hatchery_answer *to, struct hatchery_answer *from);
