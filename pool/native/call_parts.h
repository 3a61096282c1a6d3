/* What the parts of a call share: private to call*.c. call.c begins and ends a call; call_stream.c passes output, input
 * and signals in between. */
#pragma once

#include "pool/core/core.h"
#include "pool/native/call.h"
#include "pool/native/outbox.h"
#include "proto/wire/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Why the core reads no more of a program's output. */
enum call_wait {
        CALL_FLOWS,
        CALL_WAITS_FOR_CREDIT, /* credit from the client */
        CALL_WAITS_FOR_ROOM,   /* room on the connection, which holds many unsent bytes */
};

struct call {
        struct sink sink; /* the first member, since the core gives it back in each callback */
        uint64_t id;      /* the request's id */
        struct connection *connection;
        struct outbox *outbox;       /* where the call's answers go; the call counts among the outbox's users */
        struct execution *execution; /* the call's own execution, or that of the keyed run */
        struct keyed *keyed;         /* the run whose answer the call shares with other calls; NULL: none */
        LIST_ENTRY(call) of_keyed;
        struct run_id *run_id; /* NULL: none */
        LIST_ENTRY(call) of_run_id;
        bool cancelled;                 /* by its caller, through CancelRun */
        char trace[WIRE_MAX_TRACE + 1]; /* "": none */
        LIST_ENTRY(call) link;
        struct call *same_place; /* the next one in its bucket of the table */

        /* Streams. */
        bool streams;
        bool hurries; /* cancelled: output that can't be sent at once is thrown away */
        bool dropped; /* some output was thrown away, so none may follow it */
        bool deaf;    /* the client was told that its program takes no more input */
        enum call_wait wait;
        TAILQ_ENTRY(call) turn; /* in connection.waiting, while it waits for room */
        uint64_t credit;        /* bytes of output that may be sent */
        uint64_t input_credit;  /* bytes of input that the client may send */
        int64_t arrived_us;
        int64_t began_us;   /* when its run began */
        int64_t signals_us; /* when the next signal would come if signals came as fast as allowed */
};

/* ---------------------------------------------------------------- call.c */

/* Ends the call, and answers it with this refusal. */
void call_refuse(struct call *call, enum refusal_code code, const char *sentence);

/* Ends the call, and answers it with a message that was encoded without an id. The call's execution has ended. */
void call_answer_made(struct call *call, struct span made, enum parcel_kind kind);

/* ---------------------------------------------------------------- call_stream.c */

/* The call's callbacks for the core. */
size_t call_on_output(struct sink *sink, enum stream which, struct span bytes, uint64_t offset, int64_t at_us);
void call_on_stage(struct sink *sink, enum stage stage, int64_t at_us);
void call_on_input_wanted(struct sink *sink);

/* Gives both sides their first credit, and notes the time. */
void call_stream_begin(struct call *call);

/* The call is about to end, so its output waits for nothing. The call may be gone after this. */
void call_stream_hurry(struct call *call);

/* The call has ended: it is removed from the calls that wait for room. */
void call_stream_end(struct call *call);
