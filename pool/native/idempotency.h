/* Requests with an idempotency key, each in its caller's scope. The first request with a key makes a keyed run. Later
 * requests with the same key and the same bytes join the run, and all get its answer. Afterwards the answer is kept for
 * a minute, for repeats that come later.
 *
 * A keyed run belongs to all calls that wait for it. The run goes on as long as at least one call waits. Kept
 * answers are bounded in bytes, and their memory is in the front's budget. When they hold too much, the peer whose
 * answers hold most loses its oldest one (kept.h). */
#pragma once

#include "pool/base/budget.h"
#include "pool/native/kept.h"
#include "pool/native/scope.h"
#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct call;
struct keyed;
struct native;
struct request;

enum {
        IDEMPOTENCY_KEPT_US = 60000000, /* an answer is kept for this time */
        IDEMPOTENCY_SHARE = 8,          /* kept answers hold at most 1/IDEMPOTENCY_SHARE of the budget */
};

struct idempotency {
        void *tree;               /* of tsearch: all keyed runs */
        struct kept_answers kept; /* of keyed runs that have ended */
        size_t bytes;             /* memory of all keyed runs */
        uint64_t held;            /* what the budget counts */
};

void idempotency_init(struct idempotency *all);

/* Forgets all answers. No run is under way any more. */
void idempotency_fini(struct idempotency *all, struct budget *memory);

/* Forgets answers whose time is over. */
void idempotency_tick(struct idempotency *all, struct budget *memory);

/* Memory of all keyed runs and of their peers, in bytes. */
size_t idempotency_weight(const struct idempotency *all);

/* Forgets the answer that is the next to go. False: there is none. */
bool idempotency_forget_one(struct idempotency *all, struct budget *memory);

/* Forgets answers until the budget is met or no answer is left. Requests are worth more than repeats. */
void idempotency_relieve(struct idempotency *all, struct budget *memory);

/* What a request with a key is to do. */
enum {
        IDEMPOTENCY_BEGINS = 0, /* this request is the first; *keyed was made for it */
        IDEMPOTENCY_JOINS = 2,  /* *keyed is under way */
        IDEMPOTENCY_ANSWERED,   /* *answer is kept; it is valid until the loop goes on */
};

/* Returns one of these, or REFUSED. A new *keyed must be begun by keyed_begin, or freed by keyed_drop. */
int idempotency_look(struct native *n, const struct scope *scope, const struct request *request, struct keyed **keyed,
                     struct span *answer, struct refusal *refusal);

/* Hands the submission to the core, as core_execute does. */
int keyed_begin(struct keyed *k, const struct caller *caller, struct submission *submission, struct payload *payload,
                const char *trace, struct refusal *refusal);

/* Frees a keyed run that has not begun. */
void keyed_drop(struct keyed *k);

/* The call waits for the answer from here on, until keyed_leave or the answer. */
void keyed_join(struct keyed *k, struct call *call);

/* The call waits no more. If no other call waits, the run is abandoned. */
void keyed_leave(struct call *call);

/* Does another call wait for the same answer? */
bool keyed_is_shared(const struct call *call);
