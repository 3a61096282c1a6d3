/* Runs by the run_id that their callers gave them, each in its caller's scope. By the run_id a caller can end a run
 * from any of its connections. Several calls have one run_id only if they wait for the same answer: see
 * idempotency.h. */
#pragma once

#include "pool/native/scope.h"
#include "proto/base/span.h"

struct call;
struct keyed;
struct run_id;

struct run_ids {
        void *tree; /* of tsearch */
};

enum { RUN_ID_TAKEN = 1 };

/* Gives the call this run_id. keyed: the run whose answer the call waits for, or NULL. RUN_ID_TAKEN: another run
 * of this caller has this run_id. -ENOMEM. */
int run_ids_add(struct run_ids *all, struct call *call, const struct scope *scope, struct span id,
                const struct keyed *keyed);

/* Does nothing for a call without a run_id. */
void run_ids_remove(struct run_ids *all, struct call *call);

/* The first call of this run_id that CancelRun has not cancelled yet; NULL: there is none. *found is true if any call
 * has this run_id. */
struct call *run_ids_find(const struct run_ids *all, const struct scope *scope, struct span id, bool *found);
