/* GetStatus: the state of the pool.
 *
 * Encoding a status costs the pool as much as the bookkeeping of several runs, and asking for it costs a client almost
 * nothing. So one encoded status serves all clients that ask within a short time. A new status is encoded for a client
 * that has had a later result, or whose connection is younger than the status. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct connection;

struct status_cache {
        uint8_t *message; /* a ServerMessage without its id; NULL: none yet */
        size_t len;
        int64_t until_us;
        uint64_t results; /* native.n_results when the status was made */
};

void status_cache_fini(struct status_cache *c);

void status_answer(struct connection *c, uint64_t id);
