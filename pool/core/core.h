/* The core of the pool. It admits submissions, lets them wait, gives each a warm sandbox for each of its steps, and
 * reports how they ended. A front may know only this header. Nothing here knows a connection, a socket or a message: a
 * front (pool/native is one) turns its callers' requests into submissions, and the reports to its sinks into answers.
 *
 * All of it runs in one thread, that of the loop. Times are microseconds on CLOCK_MONOTONIC, sizes are bytes. */
#pragma once

#include "pool/base/budget.h"
#include "pool/base/refusal.h"
#include "pool/base/stages.h"
#include "pool/core/outcome.h"
#include "proto/base/err.h"
#include "proto/base/log.h"
#include "proto/base/span.h"
#include "proto/base/submission.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct config;
struct core;
struct execution;
struct language_facts;
struct sink;

/* ---------------------------------------------------------------- one execution */

enum stream { STREAM_STDOUT, STREAM_STDERR };

enum {
        CORE_INPUT_ROOM = 256 << 10, /* bytes of live input that may wait for the program */
        CORE_MAX_SIGNAL = 31,        /* no real-time signals */
};

/* A front's side of one execution. Exactly one of finished and refused is called, exactly once; neither after
 * execution_abandon. All arguments are valid only during the call. All are called from the loop, or from within a call
 * of the core. finished and refused are the last calls for the execution, which is gone then. */
struct sink_ops {
        /* NULL: output is captured, and comes with the outcome. Otherwise the sink gets output as it comes, and the
         * outcome has none. offset: the number of earlier bytes of the stream. at_us: the time at which the bytes were
         * read. If the sink did not take them then, at_us is the present time. Returns how many of the bytes the sink
         * takes, from the first on. If the sink takes fewer than all, it gets the rest after execution_resume. Until
         * then neither stream is read further. */
        size_t (*output)(struct sink *, enum stream, struct span, uint64_t offset, int64_t at_us);

        /* For a submission with live_input. Called when all bytes that execution_input took are written, or when at
         * least half of the room is free again. Also called when the program still runs, but takes no more input. NULL:
         * not called. */
        void (*input_wanted)(struct sink *);

        /* STAGE_COMPILE or STAGE_RUN begins. NULL: not called. */
        void (*stage)(struct sink *, enum stage, int64_t at_us);

        void (*finished)(struct sink *, const struct outcome *);
        void (*refused)(struct sink *, const struct refusal *);
};

/* The first member of a front's own struct, which must live until finished, refused or execution_abandon. */
struct sink {
        const struct sink_ops *ops;
};

enum { CALLER_MAX = 64 };

/* The client of a submission: shares are counted for it, and the compile cache keeps its entries apart. Any bytes. */
struct caller {
        uint8_t len;
        uint8_t bytes[CALLER_MAX];
};

/* The memory of a submission's bytes: an accepted execution takes it over, and frees it at its end. */
struct payload {
        uint8_t *buffer; /* of malloc */
        size_t len;
};

/* Takes a submission. 0 and *out: it waits or runs from here on, and its sink learns of its end later. REFUSED: the
 * refusal says why, and the sink is never called again. A stage may begin before *out is set. In either case the core
 * may take over the arrays of the submission and the payload: the caller frees whatever is left in the two structs. */
int core_execute(struct core *c, const struct caller *caller, struct submission *submission, struct payload *payload,
                 struct sink *sink, struct execution **out, struct refusal *refusal);

/* A front has refused a submission without asking the core: the core counts this refusal with its own. */
void core_refused(struct core *c, enum refusal_code code);

/* Live input: the bytes are copied. end: no more bytes follow. -EAGAIN: there is no room for them, nothing was taken,
 * and input_wanted will be called. -EPIPE: the program takes no more input, which is not a mistake of the caller.
 * -EINVAL: the execution has no live input, or the input has ended, or bytes is longer than CORE_INPUT_ROOM. -ENOMEM.
 */
int execution_input(struct execution *x, struct span bytes, bool end);

/* How many bytes execution_input would take now. -EPIPE and -EINVAL as above. */
int execution_input_room(const struct execution *x);

/* The sink can take more: it gets output again. Do not call it from within `output`: the result of `output` says how
 * much the sink takes. */
void execution_resume(struct execution *x);

/* Sends a signal to the processes of the running program, as a terminal would. -ESRCH: none runs, and nothing happens.
 * -EINVAL: not a number from 1 to CORE_MAX_SIGNAL. */
int execution_signal(struct execution *x, int number);

/* Changes the size of the terminal that its program has, or will have. -EINVAL: it has none, or the size is out of
 * bounds. */
int execution_resize(struct execution *x, const struct terminal_size *size);

/* Ends the execution. The sink gets `finished` if a program had begun, else `refused`. That call may come before this
 * function returns. */
void execution_cancel(struct execution *x);

/* The caller is gone: the sink is never called again. */
void execution_abandon(struct execution *x);

/* ---------------------------------------------------------------- the core itself */

/* Requests of the core to the process around it. */
struct core_ops {
        /* Asks the supervisor for another zygote of this language. Negative: the request was not sent. */
        int (*renew)(void *owner, const char *language);
        /* serves: this zygote serves now. kill: this zygote has ended, or must end. */
        void (*serves)(void *owner, const char *language, uint32_t generation);
        void (*kill)(void *owner, const char *language, uint32_t generation);
        /* Every language that can come up has its warm sandboxes. Called once. */
        void (*ready)(void *owner);
        /* While the core drains: an execution has ended. */
        void (*progress)(void *owner);
};

struct core_options {
        struct event_base *base;
        struct log *log;
        const struct config *config; /* core_reload sets another */
        struct budget *memory;       /* memory that clients make the pool hold */
        struct cache *cache;         /* the compile cache; NULL: there is none */
        unsigned cores;
        const char *instance; /* the prefix of sandboxes' names */
        const struct core_ops *ops;
        void *owner;
};

/* Everything in the options is borrowed, and outlives the core. */
int core_new(struct core **out, const struct core_options *options, struct err *e);

/* Executions are abandoned, zygotes lose their channels. */
void core_free(struct core *c);

/* Adds a zygote for this language, and takes sock over. sock is -1 if the zygote's descriptor was lost. */
void core_adopt_zygote(struct core *c, struct span language, uint32_t generation, int sock);

/* was is the core's configuration until now. -ENOMEM: nothing has changed. */
int core_reload(struct core *c, const struct config *was, const struct config *is, struct err *e);

/* From here on the server reports that it is not ready, but it still takes work. So clients can choose another server
 * before core_drain. */
void core_leave(struct core *c);

/* No new submission is taken any more. */
void core_drain(struct core *c);

/* The drain took too long: waiting executions are refused, running ones are ended. */
void core_shut_down(struct core *c);

/* To be called when no execution is left, or when none is awaited. The zygotes end in good order. */
void core_close(struct core *c);

/* To be called about every second. */
void core_tick(struct core *c);

/* The number of accepted executions whose end was not told yet. */
unsigned core_running(const struct core *c);

/* ---------------------------------------------------------------- facts about the core */

struct core_facts {
        unsigned queued;
        size_t n_languages;
        bool ready;   /* every configured language is ready, and core_leave was not called */
        bool leaving; /* core_leave or core_drain was called */
        bool draining;
        bool came_up;             /* each language has become ready, or has proved to be broken */
        const uint64_t *refusals; /* of submissions since the start, by code (REFUSAL_CODES) */
};

void core_facts(const struct core *c, struct core_facts *facts);

/* The i-th of the languages, in the configuration's order. The pointers in the facts are valid until the loop goes
 * on. */
void core_language(const struct core *c, size_t i, struct language_facts *facts);
