/* Idempotency keys: see idempotency.h. */
#include "pool/native/idempotency.h"

#include "hatchery.pb.h"
#include "pool/base/digest.h"
#include "pool/native/answers.h"
#include "pool/native/call_parts.h"
#include "pool/native/connection_parts.h"
#include "proto/base/clock.h"
#include "proto/base/own.h"
#include "proto/wire/pbspan.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct keyed {
        uint8_t key[DIGEST_SIZE]; /* digest of scope, client and key; the first member, since the tree compares it */
        struct sink sink;
        uint8_t body[DIGEST_SIZE]; /* digest of the request */
        struct native *native;
        struct execution *execution; /* NULL: not begun, or ended */
        LIST_HEAD(, call) calls;     /* calls that wait for the answer */
        char trace[WIRE_MAX_TRACE + 1];

        uint8_t *answer; /* encoded without an id; NULL: there is none yet */
        size_t answer_len;
        int64_t until_us;
        struct scope scope;
        struct kept kept; /* used with an answer */
};

static int compare(const void *a, const void *b)
{
        return memcmp(a, b, DIGEST_SIZE);
}

static struct keyed *of_sink(struct sink *sink)
{
        return (struct keyed *)(void *)((char *)sink - offsetof(struct keyed, sink));
}

static struct keyed *of_kept(struct kept *kept)
{
        return (struct keyed *)(void *)((char *)kept - offsetof(struct keyed, kept));
}

/* ---------------------------------------------------------------- memory */

void idempotency_init(struct idempotency *all)
{
        *all = (struct idempotency){ 0 };
        kept_init(&all->kept);
}

size_t idempotency_weight(const struct idempotency *all)
{
        return all->bytes + all->kept.peer_bytes;
}

static void weigh(struct idempotency *all, struct budget *memory)
{
        budget_set(memory, &all->held, idempotency_weight(all));
}

/* The run has no calls, and is in no list. */
static void forget(struct idempotency *all, struct keyed *k, struct budget *memory)
{
        all->bytes -= sizeof *k + k->answer_len;
        weigh(all, memory);
        tdelete(k, &all->tree, compare);
        free(k->answer);
        free(k);
}

static bool forget_kept(struct idempotency *all, struct kept *kept, struct budget *memory)
{
        if (!kept)
                return false;
        kept_remove(&all->kept, kept);
        forget(all, of_kept(kept), memory);
        return true;
}

bool idempotency_forget_one(struct idempotency *all, struct budget *memory)
{
        return forget_kept(all, kept_next_to_go(&all->kept), memory);
}

void idempotency_tick(struct idempotency *all, struct budget *memory)
{
        const int64_t now = clock_us();
        struct kept *oldest;

        while ((oldest = kept_oldest(&all->kept)) && of_kept(oldest)->until_us <= now)
                forget_kept(all, oldest, memory);
}

void idempotency_relieve(struct idempotency *all, struct budget *memory)
{
        while (budget_is_over(memory) && idempotency_forget_one(all, memory))
                ;
}

void idempotency_fini(struct idempotency *all, struct budget *memory)
{
        while (idempotency_forget_one(all, memory))
                ;
}

static void keep(struct keyed *k, uint8_t *answer, size_t len)
{
        struct idempotency *all = &k->native->idempotency;
        struct budget *memory = k->native->memory;

        k->answer = answer;
        k->answer_len = len;
        k->until_us = clock_us() + IDEMPOTENCY_KEPT_US;
        all->bytes += len;
        if (!kept_add(&all->kept, &k->kept, &k->scope, sizeof *k + len)) {
                forget(all, k, memory);
                return;
        }
        weigh(all, memory);
        while (idempotency_weight(all) > memory->max / IDEMPOTENCY_SHARE && idempotency_forget_one(all, memory))
                ;
}

/* ---------------------------------------------------------------- the answer */

/* Gives the answer to all calls that wait for it, and keeps the answer if it is worth keeping. */
static void answer_all(struct keyed *k, struct answer *a, bool worth_keeping)
{
        const bool is_error = a->m.which_answer == hatchery_v1_ServerMessage_error_tag;
        struct native *n = k->native;
        OWN_MEM uint8_t *bytes = NULL;
        struct call *call;
        size_t len = 0;
        struct err e = { 0 };

        k->execution = NULL;
        int r = answer_encode(a, 0, &bytes, &len, &e);
        while ((call = LIST_FIRST(&k->calls))) {
                LIST_REMOVE(call, of_keyed);
                call->keyed = NULL;
                if (r == 0)
                        call_answer_made(call, (struct span){ bytes, len }, is_error ? PARCEL_ERROR : PARCEL_LAST);
                else
                        call_refuse(call, r == -ENOMEM ? REFUSAL_RESOURCE_EXHAUSTED : REFUSAL_INTERNAL, e.text);
        }
        if (r == 0 && worth_keeping)
                keep(k, own_steal_ptr(&bytes), len);
        else
                forget(&n->idempotency, k, n->memory);
}

static void on_finished(struct sink *sink, const struct outcome *outcome)
{
        struct keyed *k = of_sink(sink);
        struct answer a;

        answers_result(&a, 0, outcome);
        snprintf(a.m.answer.result.trace, sizeof a.m.answer.result.trace, "%s", k->trace);
        answer_all(k, &a, outcome->end.status != OUTCOME_CANCELLED);
}

static void on_refused(struct sink *sink, const struct refusal *refusal)
{
        struct answer a;

        answers_refusal(&a, 0, refusal);
        answer_all(of_sink(sink), &a, refusal->retry_after_ms == 0 && refusal->code != REFUSAL_CANCELLED);
}

static const struct sink_ops ops = { .finished = on_finished, .refused = on_refused };

/* ---------------------------------------------------------------- keys */

static void digest_key(const struct scope *scope, const struct submission *x, uint8_t out[DIGEST_SIZE])
{
        struct digest d;

        digest_init(&d);
        digest_number(&d, scope->trusted);
        digest_span(&d, (struct span){ scope->caller.bytes, scope->caller.len });
        digest_span(&d, x->client);
        digest_span(&d, x->idempotency_key);
        digest_end(&d, out);
}

/* run_id and deadline_us are left out: a repeated request may have another run_id, and less time left. */
static void digest_body(struct span execute, uint8_t out[DIGEST_SIZE])
{
        struct digest d;
        struct span field;
        uint32_t tag;

        digest_init(&d);
        while (pbspan_next(&execute, &tag, &field))
                if (tag != hatchery_v1_Execute_run_id_tag && tag != hatchery_v1_Execute_deadline_us_tag)
                        digest_span(&d, field);
        digest_end(&d, out);
}

static int no_memory(struct refusal *refusal)
{
        return refuse(refusal, REFUSAL_RESOURCE_EXHAUSTED, "no memory for an idempotency key; try again later");
}

static struct keyed *make(struct native *n, const struct scope *scope, const uint8_t key[DIGEST_SIZE],
                          const uint8_t body[DIGEST_SIZE])
{
        struct keyed *k = calloc(1, sizeof *k);

        if (!k)
                return NULL;
        memcpy(k->key, key, sizeof k->key);
        memcpy(k->body, body, sizeof k->body);
        k->sink.ops = &ops;
        k->native = n;
        k->scope = *scope;
        LIST_INIT(&k->calls);
        if (!tsearch(k, &n->idempotency.tree, compare)) {
                free(k);
                return NULL;
        }
        n->idempotency.bytes += sizeof *k;
        weigh(&n->idempotency, n->memory);
        return k;
}

/* NULL: there is none, or its time is over. */
static struct keyed *find(struct native *n, const uint8_t key[DIGEST_SIZE])
{
        idempotency_tick(&n->idempotency, n->memory);
        struct keyed *const *found = tfind(key, &n->idempotency.tree, compare);
        return found ? *found : NULL;
}

int idempotency_look(struct native *n, const struct scope *scope, const struct request *request, struct keyed **keyed,
                     struct span *answer, struct refusal *refusal)
{
        const struct submission *x = &request->execute;
        uint8_t key[DIGEST_SIZE], body[DIGEST_SIZE];

        if (x->stream || x->live_input || x->has_terminal)
                return refuse(
                        refusal, REFUSAL_INVALID_ARGUMENT,
                        "an idempotency_key can't come with stream, live_stdin or terminal, whose output can't be "
                        "had a second time; leave one of them out");
        digest_key(scope, x, key);
        digest_body(request->execute_bytes, body);
        *keyed = find(n, key);
        if (!*keyed) {
                *keyed = make(n, scope, key, body);
                return *keyed ? IDEMPOTENCY_BEGINS : no_memory(refusal);
        }
        if (memcmp((*keyed)->body, body, sizeof body) != 0)
                return refuse(
                        refusal, REFUSAL_INVALID_ARGUMENT,
                        "this idempotency_key belongs to another request of the last minute; choose a new key for "
                        "each new request");
        if (!(*keyed)->answer)
                return IDEMPOTENCY_JOINS;
        *answer = (struct span){ (*keyed)->answer, (*keyed)->answer_len };
        return IDEMPOTENCY_ANSWERED;
}

/* ---------------------------------------------------------------- a keyed run */

int keyed_begin(struct keyed *k, const struct caller *caller, struct submission *submission, struct payload *payload,
                const char *trace, struct refusal *refusal)
{
        snprintf(k->trace, sizeof k->trace, "%s", trace);
        return core_execute(k->native->core, caller, submission, payload, &k->sink, &k->execution, refusal);
}

void keyed_drop(struct keyed *k)
{
        forget(&k->native->idempotency, k, k->native->memory);
}

void keyed_join(struct keyed *k, struct call *call)
{
        call->keyed = k;
        call->execution = k->execution;
        LIST_INSERT_HEAD(&k->calls, call, of_keyed);
}

void keyed_leave(struct call *call)
{
        struct keyed *k = call->keyed;

        LIST_REMOVE(call, of_keyed);
        call->keyed = NULL;
        if (!LIST_EMPTY(&k->calls) || !k->execution)
                return; /* no execution: the calls of this run get the answer at present */
        execution_abandon(k->execution);
        forget(&k->native->idempotency, k, k->native->memory);
}

bool keyed_is_shared(const struct call *call)
{
        return call->keyed && (LIST_FIRST(&call->keyed->calls) != call || LIST_NEXT(call, of_keyed));
}
