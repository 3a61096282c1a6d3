/* The key of a compile cache entry: a hash over everything that its artifacts depend on, and over the client. So no
 * client can find out, or choose, which artifacts another client gets. Pure. */
#pragma once

#include "pool/cache/cache.h"
#include "pool/config/config.h"
#include "proto/base/submission.h"

struct compile_key_of {
        const char *language, *version;
        const struct config_runtime *runtime; /* the commands, and their environment */
        struct span peer;                     /* the client */
        const struct submission *execute; /* the client's files, and the name that the caller gives (Execute.client) */
        struct span entry;
};

void compile_key(struct cache_key *key, const struct compile_key_of *of);
