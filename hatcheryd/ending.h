/* The end of a server, in parts: a notice, during which it is not ready and serves all the same; then the gateway,
 * whose clients are told by HTTP and whose runs need the pool; then the pool, and the zygotes with it. Each part has
 * its time, and all parts together take no more than the notice, the drain and a little. */
#pragma once

#include "hatcheryd/keeper.h"
#include "hatcheryd/workers.h"
#include "pool/config/config.h"
#include "proto/base/log.h"

#include <stdbool.h>
#include <stdint.h>

enum ending_part { ENDING_NONE, ENDING_NOTICE, ENDING_GATEWAY, ENDING_POOL };

struct ending {
        const struct log *log; /* borrowed, as are the next three */
        const struct config *config;
        struct keeper *keeper;
        struct workers *workers;
        enum ending_part part; /* ENDING_NONE: the server serves */
        int64_t drain_at_ms;   /* the end of the notice */
        int64_t drain_by_ms;   /* runs may take so long */
        int64_t stop_by_ms;    /* then all that is left is killed */
};

/* To be called once. Without a notice the drain begins at once. */
void ending_begin(struct ending *x, bool has_notice);

/* Begins the next part if the one before is over; does nothing while the server serves. */
void ending_go_on(struct ending *x);

/* On the clock of clock_ms: when ending_go_on is due; INT64_MAX: never. */
int64_t ending_next_ms(const struct ending *x);

/* Kills all processes, and starts no more. */
void ending_kill_all(struct ending *x);
