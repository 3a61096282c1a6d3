/* The index of the compile cache: see cache_index.h. */
#include "pool/cache/cache_index.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The owner of entries: a peer, or one of its names. A holder exists as long as it has entries. */
struct cache_holder {
        uint8_t id[2 * CACHE_OWNER_SIZE]; /* the first member, for compare_holders. A peer's id is shorter */
        uint64_t bytes;
        struct heap_node weight;   /* in the heap of peers or of a peer's names: the heaviest on top */
        struct cache_holder *peer; /* NULL: this holder is a peer */
        struct heap names;         /* used in a peer */
        struct known_list entries; /* used in a name */
};

static int compare_keys(const void *a, const void *b)
{
        return memcmp(&((const struct known *)a)->key, &((const struct known *)b)->key, sizeof(struct cache_key));
}

/* A peer's id is filled up with zeros, so all ids can be compared at full length. */
static int compare_holders(const void *a, const void *b)
{
        return memcmp(a, b, sizeof((const struct cache_holder *)a)->id);
}

void cache_index_init(struct cache_index *index)
{
        *index = (struct cache_index){ 0 };
        TAILQ_INIT(&index->used);
}

void cache_index_fini(struct cache_index *index)
{
        struct known *k;

        while ((k = TAILQ_FIRST(&index->used)))
                cache_index_forget(index, k);
}

struct known *cache_index_find(const struct cache_index *index, const struct cache_key *key)
{
        struct known wanted = { .key = *key };
        void *found = tfind(&wanted, &index->by_key, compare_keys);
        return found ? *(struct known **)found : NULL;
}

/* ---------------------------------------------------------------- holders */

static void reweigh(struct heap *h, struct cache_holder *holder, int64_t change)
{
        holder->bytes += (uint64_t)change;
        heap_remove(h, &holder->weight);
        heap_insert(h, &holder->weight, -(int64_t)holder->bytes);
}

static void weigh(struct cache_index *index, struct cache_holder *name, int64_t change)
{
        reweigh(&name->peer->names, name, change);
        reweigh(&index->heaviest, name->peer, change);
        index->bytes += (uint64_t)change;
}

static void drop_if_empty(struct cache_index *index, struct cache_holder *holder)
{
        if (!holder || holder->bytes > 0)
                return;
        heap_remove(holder->peer ? &holder->peer->names : &index->heaviest, &holder->weight);
        tdelete(holder, holder->peer ? &index->names : &index->peers, compare_holders);
        free(holder);
}

/* Finds or makes the holder; a new one weighs nothing yet. */
static struct cache_holder *holder_of(void **tree, const uint8_t *id, size_t len, struct cache_holder *peer)
{
        struct cache_holder wanted = { .peer = peer };
        memcpy(wanted.id, id, len);
        void *found = tfind(&wanted, tree, compare_holders);
        if (found)
                return *(struct cache_holder **)found;
        struct cache_holder *new = malloc(sizeof *new);
        if (!new)
                return NULL;
        *new = wanted;
        TAILQ_INIT(&new->entries);
        if (tsearch(new, tree, compare_holders))
                return new;
        free(new);
        return NULL;
}

static struct cache_holder *name_of_key(struct cache_index *index, const struct cache_key *key)
{
        _Static_assert(offsetof(struct cache_key, name) == CACHE_OWNER_SIZE,
                       "name lies directly behind peer, so both can be read as one id");
        struct cache_holder *peer = holder_of(&index->peers, key->peer, CACHE_OWNER_SIZE, NULL);
        struct cache_holder *name = peer ? holder_of(&index->names, key->peer, 2 * CACHE_OWNER_SIZE, peer) : NULL;
        if (!name)
                drop_if_empty(index, peer);
        return name;
}

/* ---------------------------------------------------------------- entries */

struct known *cache_index_learn(struct cache_index *index, const struct known *is)
{
        struct known *k = malloc(sizeof *k);
        struct cache_holder *name = k ? name_of_key(index, &is->key) : NULL;
        if (name) {
                *k = *is;
                k->name = name;
        }
        if (!name || !tsearch(k, &index->by_key, compare_keys)) {
                struct cache_holder *peer = name ? name->peer : NULL;
                drop_if_empty(index, name);
                drop_if_empty(index, peer);
                free(k);
                return NULL;
        }
        TAILQ_INSERT_TAIL(&index->used, k, link);
        TAILQ_INSERT_TAIL(&name->entries, k, beside);
        weigh(index, name, (int64_t)k->cost);
        index->count++;
        return k;
}

void cache_index_forget(struct cache_index *index, struct known *k)
{
        struct cache_holder *name = k->name, *peer = name->peer;

        tdelete(k, &index->by_key, compare_keys);
        TAILQ_REMOVE(&index->used, k, link);
        TAILQ_REMOVE(&name->entries, k, beside);
        weigh(index, name, -(int64_t)k->cost);
        index->count--;
        drop_if_empty(index, name);
        drop_if_empty(index, peer);
        free(k);
}

void cache_index_use(struct cache_index *index, struct known *k)
{
        TAILQ_REMOVE(&index->used, k, link);
        TAILQ_INSERT_TAIL(&index->used, k, link);
        TAILQ_REMOVE(&k->name->entries, k, beside);
        TAILQ_INSERT_TAIL(&k->name->entries, k, beside);
}

static struct cache_holder *heaviest(const struct heap *h)
{
        return (struct cache_holder *)(void *)((char *)h->top - offsetof(struct cache_holder, weight));
}

struct known *cache_index_next_to_go(const struct cache_index *index, time_t now)
{
        struct known *oldest = TAILQ_FIRST(&index->used);

        if (!oldest || now - oldest->used.tv_sec > CACHE_IDLE_S)
                return oldest;
        return TAILQ_FIRST(&heaviest(&heaviest(&index->heaviest)->names)->entries);
}
