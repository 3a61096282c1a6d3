/* Which programs a language has run once, of late: the names of some last ones, by the key of what would be kept of
 * them. Keeping what was made of a program takes one sandbox more, which one that never comes again is not worth. Pure.
 */
#pragma once

#include "pool/cache/cache.h"

#include <stdbool.h>
#include <stddef.h>

enum { SEEN_MAX = 256 };

/* Of zeroed memory. */
struct seen {
        struct cache_key at[SEEN_MAX];
        size_t n, next;
};

/* The oldest gives way. */
void seen_add(struct seen *s, const struct cache_key *key);

/* True: it was there. It is not any more, so that only one of many that come at a time is kept, and what can't be kept
 * is not tried each time. */
bool seen_take(struct seen *s, const struct cache_key *key);
