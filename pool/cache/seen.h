/* The last programs that a language has run once, by their cache keys. Keeping the artifacts of a program takes one
 * more sandbox. That is not worth it for a program that never comes again. Pure. */
#pragma once

#include "pool/cache/cache.h"

#include <stdbool.h>
#include <stddef.h>

enum { SEEN_MAX = 256 };

/* Starts zeroed. */
struct seen {
        struct cache_key at[SEEN_MAX];
        size_t n, next;
};

/* Adds a key; the oldest one gives way. */
void seen_add(struct seen *s, const struct cache_key *key);

/* True: the key was there; it is removed. So of many equal programs that come at once only one is kept, and a program
 * that can't be kept is not tried each time. */
bool seen_take(struct seen *s, const struct cache_key *key);
