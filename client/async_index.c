/* Finds calls by id (a hash table with chains; ids are consecutive numbers), and by the time at which something is due
 * (a heap). Both take their memory when a call is inserted, so nothing can fail later. */
#include "client/async_parts.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 64 };

static struct hatchery_call **bucket_of(const struct hatchery_client *c, uint64_t id)
{
        return &c->buckets[id & (c->n_buckets - 1)];
}

static int grow_buckets(struct hatchery_client *c)
{
        size_t before = c->n_buckets;
        struct hatchery_call **old = c->buckets;

        if (c->n_calls < before)
                return 0;
        size_t n = before ? before * 2 : FIRST_BUCKETS;
        struct hatchery_call **buckets = calloc(n, sizeof(void *));
        if (!buckets)
                return -ENOMEM;
        c->buckets = buckets;
        c->n_buckets = n;
        for (size_t i = 0; i < before; i++) {
                for (struct hatchery_call *call = old[i], *next; call; call = next) {
                        next = call->next_of_id;
                        struct hatchery_call **bucket = bucket_of(c, call->id);
                        call->next_of_id = *bucket;
                        *bucket = call;
                }
        }
        free(old);
        return 0;
}

static int grow_due(struct hatchery_client *c)
{
        if (c->n_calls + 2 <= c->room_due)
                return 0;
        size_t room = c->room_due ? c->room_due * 2 : FIRST_BUCKETS;
        struct hatchery_call **due = realloc(c->due, room * sizeof(void *));
        if (!due)
                return -ENOMEM;
        c->due = due;
        c->room_due = room;
        return 0;
}

int index_insert(struct hatchery_client *c, struct hatchery_call *call)
{
        int r = grow_buckets(c);
        if (r == 0)
                r = grow_due(c);
        if (r < 0)
                return r;
        struct hatchery_call **bucket = bucket_of(c, call->id);
        call->next_of_id = *bucket;
        *bucket = call;
        c->n_calls++;
        return 0;
}

struct hatchery_call *index_find(const struct hatchery_client *c, uint64_t id)
{
        if (c->n_buckets == 0)
                return NULL;
        struct hatchery_call *call = *bucket_of(c, id);
        while (call && call->id != id)
                call = call->next_of_id;
        return call;
}

void index_remove(struct hatchery_client *c, struct hatchery_call *call)
{
        struct hatchery_call **at = bucket_of(c, call->id);
        while (*at != call)
                at = &(*at)->next_of_id;
        *at = call->next_of_id;
        c->n_calls--;
        index_due(c, call, INT64_MAX);
}

/* ---------------------------------------------------------------- times */

static void place(struct hatchery_client *c, struct hatchery_call *call, size_t at)
{
        c->due[at] = call;
        call->due_at = at;
}

/* Puts a call into the heap: starts at the free place `at`, and moves to where its time belongs. */
static void sift(struct hatchery_client *c, struct hatchery_call *call, size_t at)
{
        while (at > 1 && c->due[at / 2]->due_us > call->due_us) {
                place(c, c->due[at / 2], at);
                at /= 2;
        }
        for (;;) {
                size_t child = at * 2;
                if (child < c->n_due && c->due[child + 1]->due_us < c->due[child]->due_us)
                        child++;
                if (child > c->n_due || c->due[child]->due_us >= call->due_us)
                        break;
                place(c, c->due[child], at);
                at = child;
        }
        place(c, call, at);
}

void index_due(struct hatchery_client *c, struct hatchery_call *call, int64_t due_us)
{
        call->due_us = due_us;
        if (due_us < INT64_MAX) {
                sift(c, call, call->due_at ? call->due_at : ++c->n_due);
        } else if (call->due_at) {
                size_t hole = call->due_at;
                struct hatchery_call *last = c->due[c->n_due--];
                call->due_at = 0;
                if (last != call)
                        sift(c, last, hole);
        }
}

struct hatchery_call *index_first_due(const struct hatchery_client *c)
{
        return c->n_due > 0 ? c->due[1] : NULL;
}

void index_fini(struct hatchery_client *c)
{
        free(c->buckets);
        free(c->due);
}
