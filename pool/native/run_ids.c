/* Runs by run_id: see run_ids.h. */
#include "pool/native/run_ids.h"

#include "pool/native/call_parts.h"
#include "proto/wire/wire.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(WIRE_MAX_RUN_ID <= UINT8_MAX, "a length fits into a byte");

/* All bytes count in a comparison; those that are not used are 0. */
struct key {
        uint8_t trusted, caller_len, id_len;
        uint8_t caller[CALLER_MAX];
        uint8_t id[WIRE_MAX_RUN_ID];
};

struct run_id {
        struct key key; /* first, since the tree compares it */
        LIST_HEAD(, call) calls;
};

static int compare(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(struct key));
}

static struct key key_of(const struct scope *scope, struct span id)
{
        struct key key = { .trusted = scope->trusted, .caller_len = scope->caller.len, .id_len = (uint8_t)id.len };

        memcpy(key.caller, scope->caller.bytes, scope->caller.len);
        memcpy(key.id, id.data, id.len);
        return key;
}

static struct run_id *find(const struct run_ids *all, const struct key *key)
{
        struct run_id *const *found = tfind(key, (void *const *)&all->tree, compare);
        return found ? *found : NULL;
}

int run_ids_add(struct run_ids *all, struct call *call, const struct scope *scope, struct span id,
                const struct keyed *keyed)
{
        const struct key key = key_of(scope, id);
        struct run_id *run = find(all, &key);

        if (run && !(keyed && LIST_FIRST(&run->calls)->keyed == keyed))
                return RUN_ID_TAKEN;
        if (!run) {
                run = calloc(1, sizeof *run);
                if (!run)
                        return -ENOMEM;
                run->key = key;
                LIST_INIT(&run->calls);
                if (!tsearch(run, &all->tree, compare)) {
                        free(run);
                        return -ENOMEM;
                }
        }
        call->run_id = run;
        LIST_INSERT_HEAD(&run->calls, call, of_run_id);
        return 0;
}

void run_ids_remove(struct run_ids *all, struct call *call)
{
        struct run_id *run = call->run_id;

        if (!run)
                return;
        call->run_id = NULL;
        LIST_REMOVE(call, of_run_id);
        if (!LIST_EMPTY(&run->calls))
                return;
        tdelete(run, &all->tree, compare);
        free(run);
}

struct call *run_ids_find(const struct run_ids *all, const struct scope *scope, struct span id, bool *found)
{
        const struct key key = key_of(scope, id);
        const struct run_id *run = find(all, &key);
        struct call *call;

        *found = run != NULL;
        if (!run)
                return NULL;
        LIST_FOREACH(call, &run->calls, of_run_id)
        if (!call->cancelled)
                return call;
        return NULL;
}
