/* What an entry of the compile cache is found by: a hash over everything that its artifacts depend on, and over who
 * asks, so that no client can tell, or choose, what another one gets. Pure. */
#pragma once

#include "pool/cache/cache.h"
#include "pool/config/config.h"
#include "proto/base/submission.h"

struct compile_key_of {
        const char *language, *version;
        const struct config_runtime *runtime; /* the commands, and what they are run with */
        struct span peer;                     /* who asks */
        const struct submission *execute;     /* its files, and the name that the caller gives */
        struct span entry;
};

void compile_key(struct cache_key *key, const struct compile_key_of *of);
