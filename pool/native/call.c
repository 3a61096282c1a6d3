/* Executions of a connection: see call.h. */
#include "pool/native/call.h"

#include "pool/base/invariant.h"
#include "pool/native/answers.h"
#include "pool/native/call_parts.h"
#include "pool/native/connection_parts.h"
#include "pool/native/idempotency.h"
#include "pool/native/outbox.h"
#include "pool/native/run_ids.h"
#include "proto/base/own.h"
#include "proto/wire/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FLIGHT_RETRY_MS = 10 };

_Static_assert(sizeof((struct peer *)0)->bytes <= CALLER_MAX, "the core has room for a client's address");

/* ---------------------------------------------------------------- the end */

/* Removes the call from all lists and tables, and frees it. Returns its outbox, which is needed for the answer. */
static struct outbox *leave(struct call *call)
{
        struct connection *c = call->connection;
        struct outbox *o = call->outbox;

        if (call->trace[0])
                log_debug(c->native->log, "a run of trace %s has ended", call->trace);
        call_stream_end(call);
        LIST_REMOVE(call, link);
        call_table_remove(&c->by_id, call);
        run_ids_remove(&c->native->run_ids, call);
        outbox_count(o, -1);
        c->held_by_calls -= sizeof *call;
        free(call);
        connection_weigh(c);
        return o;
}

/* Counts an answer to Execute: a client that has this answer must not get an older status afterwards. */
static void count_result(struct connection *c)
{
        c->seen_results = ++c->native->n_results;
}

static void on_finished(struct sink *sink, const struct outcome *outcome)
{
        struct call *call = (struct call *)sink;
        struct answer a;

        answers_result(&a, call->id, outcome);
        memcpy(a.m.answer.result.trace, call->trace, sizeof call->trace);
        struct outbox *o = leave(call);
        count_result(o->connection);
        outbox_answer(o, &a);
        outbox_release(o);
}

static void end_refused(struct call *call, const struct refusal *refusal)
{
        const uint64_t id = call->id;
        struct outbox *o = leave(call);

        count_result(o->connection);
        outbox_refuse(o, id, refusal);
        outbox_release(o);
}

static void on_refused(struct sink *sink, const struct refusal *refusal)
{
        end_refused((struct call *)sink, refusal);
}

void call_answer_made(struct call *call, struct span made, enum parcel_kind kind)
{
        const uint64_t id = call->id;
        struct outbox *o = leave(call);

        count_result(o->connection);
        outbox_answer_made(o, id, made, kind);
        outbox_release(o);
}

/* Leaves the call's execution. The execution goes on only if other calls wait for it. */
static void give_up(struct call *call)
{
        if (call->keyed)
                keyed_leave(call);
        else if (call->execution)
                execution_abandon(call->execution);
        call->execution = NULL;
}

void call_refuse(struct call *call, enum refusal_code code, const char *sentence)
{
        struct refusal refusal;

        refuse(&refusal, code, "%s", sentence);
        core_refused(call->connection->native->core, code);
        give_up(call);
        end_refused(call, &refusal);
}

void call_cancel(struct call *call)
{
        const struct connection *c = call->connection;
        const uint64_t id = call->id;

        if (keyed_is_shared(call)) {
                call_refuse(call, REFUSAL_CANCELLED,
                            "cancelled; the run goes on for another request with its "
                            "idempotency_key");
                return;
        }
        call_stream_hurry(call);
        if (call_find(c, id) == call)
                execution_cancel(call->execution);
}

/* The end of one call may also end other calls, so each call is looked up anew. */
bool call_cancel_run(struct native *n, const struct scope *scope, struct span run_id)
{
        bool found, ever = false;
        struct call *call;

        while ((call = run_ids_find(&n->run_ids, scope, run_id, &found))) {
                call->cancelled = true;
                call_cancel(call);
                ever = true;
        }
        return ever || found;
}

void call_lost(struct outbox *o, uint64_t id)
{
        struct call *call = call_find(o->connection, id);

        if (call && call->outbox == o)
                call_refuse(call, REFUSAL_RESOURCE_EXHAUSTED, outbox_lost_text);
}

void call_abandon_all(struct connection *c)
{
        struct call *call;

        while ((call = LIST_FIRST(&c->calls))) {
                give_up(call);
                outbox_release(leave(call));
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

/* While the server drains, each request passes here: the core then refuses it for the drain, a better reason. */
static int check_room(const struct outbox *o, struct refusal *refusal)
{
        const struct connection *c = o->connection;
        const struct config *config = c->native->config;
        const unsigned max = c->trusted ? config->caller_in_flight : config->max_in_flight;
        const unsigned in_flight = outbox_in_flight(o);

        if (in_flight < max || is_draining(c))
                return 0;
        refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED,
               "%u requests of this %s are in flight, and %u are possible; wait for an answer first", in_flight,
               c->trusted ? "caller" : "connection", max);
        refusal->retry_after_ms = FLIGHT_RETRY_MS;
        return REFUSED;
}

struct scope call_scope(const struct connection *c, const struct request *request)
{
        struct scope scope = { .trusted = c->trusted };
        const struct span peer = c->trusted ? request->on_behalf.peer : (struct span){ c->peer.bytes, c->peer.len };

        scope.caller.len = (uint8_t)peer.len;
        memcpy(scope.caller.bytes, peer.data, peer.len);
        return scope;
}

static struct call *new_call(struct connection *c, const struct request *request)
{
        struct call *call = calloc(1, sizeof *call);
        const struct span trace = request->on_behalf.trace;

        if (!call)
                return NULL;
        call->id = request->id;
        call->connection = c;
        call->streams = request->execute.stream;
        call->sink.ops = call->streams ? &streamed : &captured;
        if (trace.len > 0)
                memcpy(call->trace, trace.data, trace.len);
        call_stream_begin(call);
        return call;
}

static int no_memory(struct refusal *refusal)
{
        struct err e = { 0 };

        err_set(&e, ENOMEM, "a run");
        return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "%s; try again later", e.text);
}

/* Puts the call into the tables where others find it. leave takes it out again. */
static int enter(struct call *call, const struct scope *scope, struct span run_id, const struct keyed *keyed,
                 struct refusal *refusal)
{
        struct connection *c = call->connection;
        int r = 0;

        if (!call_table_add(&c->by_id, call))
                return no_memory(refusal);
        if (run_id.len > 0)
                r = run_ids_add(&c->native->run_ids, call, scope, run_id, keyed);
        if (r == 0)
                return 0;
        call_table_remove(&c->by_id, call);
        if (r != RUN_ID_TAKEN)
                return no_memory(refusal);
        return refuse(refusal, REFUSAL_ABORTED, "a run with the run_id %.*s is in flight already; name each run apart",
                      (int)run_id.len, (const char *)run_id.data);
}

/* The parts that begin an execution: the request and its bytes. The core may take both over. */
struct beginning {
        struct request *request;
        uint8_t **body;
        size_t len;
        struct scope scope;
};

/* Lets the core execute the request, for the call alone or for all calls of a keyed run. */
static int execute(struct call *call, struct keyed *keyed, const struct beginning *b, struct refusal *refusal)
{
        struct core *core = call->connection->native->core;
        struct submission *submission = &b->request->execute;
        struct payload payload = { .buffer = *b->body, .len = b->len };
        int r;

        if (keyed)
                r = keyed_begin(keyed, &b->scope.caller, submission, &payload, call->trace, refusal);
        else
                r = core_execute(core, &b->scope.caller, submission, &payload, &call->sink, &call->execution, refusal);
        *b->body = payload.buffer; /* NULL if the core has taken it over */
        /* The refusal is about the queue, whose status the client may ask for next. */
        if (r != 0 && refusal->code == REFUSAL_RESOURCE_EXHAUSTED)
                count_result(call->connection);
        return r;
}

/* Begins the call. keyed: the run to which the call belongs, or NULL. joins: that run is already under way. */
static int begin(struct call *call, struct keyed *keyed, bool joins, const struct beginning *b, struct refusal *refusal)
{
        struct connection *c = call->connection;

        int r = enter(call, &b->scope, b->request->execute.run_id, keyed, refusal);
        if (r != 0) {
                core_refused(c->native->core, refusal->code);
                return r;
        }
        if (!joins)
                r = execute(call, keyed, b, refusal);
        if (r != 0) {
                call_table_remove(&c->by_id, call);
                run_ids_remove(&c->native->run_ids, call);
                return r;
        }
        if (keyed)
                keyed_join(keyed, call);
        LIST_INSERT_HEAD(&c->calls, call, link);
        outbox_count(call->outbox, 1);
        c->held_by_calls += sizeof *call;
        connection_weigh(c);
        return 0;
}

/* 0: the call is under way. REFUSED. IDEMPOTENCY_ANSWERED with *answer: the call is not needed. */
static int begin_keyed(struct call *call, const struct beginning *b, struct span *answer, struct refusal *refusal)
{
        struct native *n = call->connection->native;
        struct keyed *keyed = NULL;

        const int state = idempotency_look(n, &b->scope, b->request, &keyed, answer, refusal);
        if (state == REFUSED)
                core_refused(n->core, refusal->code);
        if (state == REFUSED || state == IDEMPOTENCY_ANSWERED)
                return state;
        int r = begin(call, keyed, state == IDEMPOTENCY_JOINS, b, refusal);
        if (r != 0 && state == IDEMPOTENCY_BEGINS)
                keyed_drop(keyed);
        return r;
}

/* 0: the call is under way. REFUSED, or IDEMPOTENCY_ANSWERED with *answer. */
static int begin_call(struct call *call, struct outbox *o, const struct beginning *b, struct span *answer,
                      struct refusal *refusal)
{
        call->outbox = o;
        int r = b->request->execute.idempotency_key.len > 0 ? begin_keyed(call, b, answer, refusal)
                                                            : begin(call, NULL, false, b, refusal);
        if (r == 0 && call->trace[0])
                log_debug(call->connection->native->log, "a run of trace %s begins", call->trace);
        return r;
}

/* Begins the request. o is the outbox of the connection's client, or of the caller for whom the client asks. */
static void begin_at(struct outbox *o, const struct beginning *b)
{
        struct connection *c = o->connection;
        const struct request *request = b->request;
        const uint64_t id = request->id;
        OWN_MEM struct call *call = new_call(c, request);
        struct span answer;
        struct refusal refusal;

        int r = call ? check_room(o, &refusal) : no_memory(&refusal);
        if (r != 0)
                core_refused(c->native->core, refusal.code);
        if (r == 0 && call)
                r = begin_call(call, o, b, &answer, &refusal);
        if (r == 0) {
                call = NULL;
                return;
        }
        if (r == REFUSED)
                outbox_refuse(o, id, &refusal);
        else
                outbox_answer_made(o, id, answer, PARCEL_LAST);
        outbox_release(o);
}

void call_begin(struct connection *c, struct request *request, uint8_t **body, size_t len)
{
        const struct beginning b = { request, body, len, call_scope(c, request) };
        struct outbox *o = outbox_enter(c, &b.scope.caller);
        struct refusal refusal;

        idempotency_relieve(&c->native->idempotency, c->native->memory);
        if (o) {
                begin_at(o, &b);
                return;
        }
        no_memory(&refusal);
        core_refused(c->native->core, refusal.code);
        connection_refuse(c, request->id, &refusal);
}

struct call *call_find(const struct connection *c, uint64_t id)
{
        return call_table_find(&c->by_id, id);
}
