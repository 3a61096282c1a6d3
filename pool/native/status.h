/* GetStatus: what the pool is doing.
 *
 * Encoding it costs as much as several runs' bookkeeping, and asking for it costs a client nothing. So what was encoded
 * serves all who ask within the next moment, unless it is older than a result that the one who asks has had, or than
 * its connection. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct connection;

struct status_cache {
        uint8_t *message; /* a ServerMessage without its id; NULL: none yet */
        size_t len;
        int64_t until_us;
        uint64_t results; /* the front's number of results at its making */
};

void status_cache_fini(struct status_cache *c);

void status_answer(struct connection *c, uint64_t id);
