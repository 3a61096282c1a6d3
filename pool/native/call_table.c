/* Calls by id: see call_table.h. A client that chooses colliding ids slows down only its own connection. */
#include "pool/native/call_table.h"

#include "pool/base/invariant.h"
#include "pool/native/call_parts.h"

#include <stdlib.h>

enum { FIRST_BITS = 4 };

static struct call **place(struct call **bucket, unsigned bits, uint64_t id)
{
        return &bucket[id * 0x9e3779b97f4a7c15u >> (64 - bits)];
}

static void put(struct call **bucket, unsigned bits, struct call *call)
{
        struct call **at = place(bucket, bits, call->id);

        call->same_place = *at;
        *at = call;
}

static bool grow(struct call_table *t)
{
        const unsigned bits = t->bucket ? t->bits + 1 : FIRST_BITS;
        struct call **bucket = calloc((size_t)1 << bits, sizeof(struct call *));

        if (!bucket)
                return false;
        for (size_t i = 0; t->bucket && i < (size_t)1 << t->bits; i++)
                for (struct call *call = t->bucket[i], *next; call; call = next) {
                        next = call->same_place;
                        put(bucket, bits, call);
                }
        free(t->bucket);
        t->bucket = bucket;
        t->bits = bits;
        return true;
}

bool call_table_add(struct call_table *t, struct call *call)
{
        if ((!t->bucket || t->n >= 1u << t->bits) && !grow(t) && !t->bucket)
                return false; /* a table that could not grow is slower, but still works */
        put(t->bucket, t->bits, call);
        t->n++;
        return true;
}

void call_table_remove(struct call_table *t, struct call *call)
{
        struct call **at = place(t->bucket, t->bits, call->id);

        while (*at && *at != call)
                at = &(*at)->same_place;
        INVARIANT(*at, "a call leaves a table that does not have it");
        *at = call->same_place;
        t->n--;
}

struct call *call_table_find(const struct call_table *t, uint64_t id)
{
        struct call *call = t->bucket ? *place(t->bucket, t->bits, id) : NULL;

        while (call && call->id != id)
                call = call->same_place;
        return call;
}

size_t call_table_weight(const struct call_table *t)
{
        return t->bucket ? sizeof(struct call *) << t->bits : 0;
}

void call_table_fini(struct call_table *t)
{
        INVARIANT(t->n == 0, "a table of %u calls is freed", t->n);
        free(t->bucket);
        *t = (struct call_table){ 0 };
}
