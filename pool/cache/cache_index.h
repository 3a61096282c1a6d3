/* The entries of a compile cache, their owners, and the choice of the entry that is removed when the cache is full.
 * Pure: it reads no file, and the caller gives the time. Private to cache*.c.
 *
 * Each entry belongs to a peer, and to a name that the peer gives. Entries that were not used for an hour go first, of
 * any owner: otherwise entries of clients that never come back would stay for ever. After them goes the least recently
 * used entry of the name that holds most, of the peer that holds most. So a client that compiles much evicts its own
 * entries, and so does one that invents a thousand names. */
#pragma once

#include "pool/base/heap.h"
#include "pool/cache/cache.h"

#include <sys/queue.h>
#include <time.h>

enum { CACHE_IDLE_S = 3600 };

struct cache_holder;

/* The facts about an entry that are known without reading it. */
struct known {
        struct cache_key key;
        uint64_t cost; /* the bytes that it takes of the cache's bound */
        uint64_t size; /* of the file */
        struct timespec used;
        struct cache_holder *name; /* the owner */
        TAILQ_ENTRY(known) link;   /* of all entries, the last used at the end */
        TAILQ_ENTRY(known) beside; /* in the list of its name's entries, in the same order */
};

TAILQ_HEAD(known_list, known);

struct cache_index {
        uint64_t bytes; /* the bytes that all entries take */
        size_t count;
        void *by_key, *peers, *names; /* trees of tsearch */
        struct heap heaviest;         /* peers */
        struct known_list used;
};

void cache_index_init(struct cache_index *index);

/* Forgets all entries. */
void cache_index_fini(struct cache_index *index);

struct known *cache_index_find(const struct cache_index *index, const struct cache_key *key);

/* Adds a copy of *is, whose key must be new, as the last used entry. NULL: there is no memory. */
struct known *cache_index_learn(struct cache_index *index, const struct known *is);
void cache_index_forget(struct cache_index *index, struct known *k);

/* The entry becomes the last used one. */
void cache_index_use(struct cache_index *index, struct known *k);

/* NULL: there is no entry. */
struct known *cache_index_next_to_go(const struct cache_index *index, time_t now);
