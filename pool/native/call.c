/* Executions of a connection: see call.h. */
#include "pool/native/call.h"

#include "pool/base/invariant.h"
#include "pool/native/answers.h"
#include "pool/native/call_parts.h"
#include "pool/native/connection_parts.h"
#include "proto/base/own.h"
#include "proto/wire/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLIGHT_RETRY_MS = 10 };

_Static_assert(sizeof((struct peer *)0)->bytes <= CALLER_MAX, "the core has room for a client's address");

/* ---------------------------------------------------------------- the end */

static void leave(struct call *call)
{
        struct connection *c = call->connection;

        call_stream_end(call);
        LIST_REMOVE(call, link);
        call_table_remove(&c->by_id, call);
        INVARIANT(c->in_flight > 0, "a call leaves a connection that has none");
        c->in_flight--;
        c->held_by_calls -= sizeof *call;
        free(call);
        connection_weigh(c);
}

/* Counts an answer to Execute: a client that has this answer must not get an older status afterwards. */
static void count_result(struct connection *c)
{
        c->seen_results = ++c->native->n_results;
}

static void on_finished(struct sink *sink, const struct outcome *outcome)
{
        struct call *call = (struct call *)sink;
        struct connection *c = call->connection;
        struct answer a;

        answers_result(&a, call->id, outcome);
        leave(call);
        count_result(c);
        connection_answer(c, &a);
}

static void on_refused(struct sink *sink, const struct refusal *refusal)
{
        struct call *call = (struct call *)sink;
        struct connection *c = call->connection;
        const uint64_t id = call->id;

        leave(call);
        count_result(c);
        connection_refuse(c, id, refusal);
}

void call_refuse(struct call *call, enum refusal_code code, const char *sentence)
{
        struct connection *c = call->connection;
        const uint64_t id = call->id;
        struct refusal refusal;

        refuse(&refusal, code, "%s", sentence);
        core_refused(c->native->core, code);
        execution_abandon(call->execution);
        leave(call);
        count_result(c);
        connection_refuse(c, id, &refusal);
}

void call_cancel(struct call *call)
{
        const struct connection *c = call->connection;
        const uint64_t id = call->id;

        call_stream_hurry(call);
        if (call_find(c, id) == call)
                execution_cancel(call->execution);
}

void call_abandon_all(struct connection *c)
{
        struct call *call;

        while ((call = LIST_FIRST(&c->calls))) {
                execution_abandon(call->execution);
                leave(call);
        }
        call_table_fini(&c->by_id);
}

/* ---------------------------------------------------------------- the beginning */

/* For a call whose output comes with the outcome. */
static const struct sink_ops captured = {
        .input_wanted = call_on_input_wanted,
        .finished = on_finished,
        .refused = on_refused,
};

/* For a call whose output comes as the program writes it. */
static const struct sink_ops streamed = {
        .output = call_on_output,
        .input_wanted = call_on_input_wanted,
        .stage = call_on_stage,
        .finished = on_finished,
        .refused = on_refused,
};

static bool is_draining(const struct connection *c)
{
        struct core_facts facts;

        core_facts(c->native->core, &facts);
        return facts.draining;
}

/* While the server drains, core_execute refuses the request, with a better reason than this one. */
static int check_room(const struct connection *c, struct refusal *refusal)
{
        const unsigned max = c->native->config->max_in_flight;

        if (c->in_flight < max || is_draining(c))
                return 0;
        refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED,
               "%u requests of this connection are in flight, and %u are possible; wait for an answer first",
               c->in_flight, max);
        refusal->retry_after_ms = FLIGHT_RETRY_MS;
        return REFUSED;
}

static struct call *new_call(struct connection *c, const struct request *request)
{
        struct call *call = calloc(1, sizeof *call);

        if (!call)
                return NULL;
        call->id = request->id;
        call->connection = c;
        call->streams = request->execute.stream;
        call->sink.ops = call->streams ? &streamed : &captured;
        call_stream_begin(call);
        return call;
}

static int no_memory(struct refusal *refusal)
{
        struct err e = { 0 };

        err_set(&e, ENOMEM, "a run");
        return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "%s; try again later", e.text);
}

static int execute(struct call *call, struct submission *submission, uint8_t **body, size_t len,
                   struct refusal *refusal)
{
        struct connection *c = call->connection;
        struct payload payload = { .buffer = *body, .len = len };
        struct caller caller = { .len = c->peer.len };

        memcpy(caller.bytes, c->peer.bytes, c->peer.len);
        int r = core_execute(c->native->core, &caller, submission, &payload, &call->sink, &call->execution, refusal);
        *body = payload.buffer; /* NULL if the core has taken it over */
        /* The queue is full, or memory is short. If the client asks for the status next, the status must not be older.
         */
        if (r != 0 && refusal->code == REFUSAL_RESOURCE_EXHAUSTED)
                count_result(c);
        return r;
}

void call_begin(struct connection *c, struct request *request, uint8_t **body, size_t len)
{
        OWN_MEM struct call *call = new_call(c, request);
        bool listed = call && call_table_add(&c->by_id, call);
        struct refusal refusal;

        int r = check_room(c, &refusal);
        if (r == 0 && !listed)
                r = no_memory(&refusal);
        if (r != 0)
                core_refused(c->native->core, refusal.code);
        else
                r = execute(call, &request->execute, body, len, &refusal);
        if (r != 0) {
                if (listed)
                        call_table_remove(&c->by_id, call);
                connection_refuse(c, request->id, &refusal);
                return;
        }
        LIST_INSERT_HEAD(&c->calls, call, link);
        c->in_flight++;
        c->held_by_calls += sizeof *call;
        call = NULL;
        connection_weigh(c);
}

struct call *call_find(const struct connection *c, uint64_t id)
{
        return call_table_find(&c->by_id, id);
}
