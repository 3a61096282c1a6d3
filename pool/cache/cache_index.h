/* Which entries a compile cache has, whose they are, and which one goes next when there are too many. Pure: no file is
 * looked at here, and the time is handed in. Private to cache*.c.
 *
 * Each entry belongs to a peer, and to a name that the peer gives. What goes is the least recently used entry of the
 * name that holds most, of the peer that holds most. So a client that compiles much evicts what is its own, and so does
 * one that makes up a thousand names. Only an entry that was not used for an hour goes before that, whosever it is: the
 * entries of clients who never come back would otherwise stay for ever. */
#pragma once

#include "pool/base/heap.h"
#include "pool/cache/cache.h"

#include <sys/queue.h>
#include <time.h>

enum { CACHE_IDLE_S = 3600 };

struct cache_holder;

/* What is known of an entry without looking into it. */
struct known {
        struct cache_key key;
        uint64_t cost; /* bytes of the bound that it takes */
        uint64_t size; /* of the file */
        struct timespec used;
        struct cache_holder *name; /* whose it is */
        TAILQ_ENTRY(known) link;   /* of all entries, what was used last at the end */
        TAILQ_ENTRY(known) beside; /* of its name's, in the same order */
};

TAILQ_HEAD(known_list, known);

struct cache_index {
        uint64_t bytes; /* what all entries take */
        size_t count;
        void *by_key, *peers, *names; /* trees of tsearch */
        struct heap heaviest;         /* peers */
        struct known_list used;
};

void cache_index_init(struct cache_index *index);

/* Forgets all entries. */
void cache_index_fini(struct cache_index *index);

struct known *cache_index_find(const struct cache_index *index, const struct cache_key *key);

/* A copy of *is, whose key is not there yet, becomes the one that was used last. NULL: there is no memory. */
struct known *cache_index_learn(struct cache_index *index, const struct known *is);
void cache_index_forget(struct cache_index *index, struct known *k);

/* It becomes the one that was used last. */
void cache_index_use(struct cache_index *index, struct known *k);

/* NULL: there is no entry. */
struct known *cache_index_next_to_go(const struct cache_index *index, time_t now);
