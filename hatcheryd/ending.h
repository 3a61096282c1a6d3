/* The end of a server has three parts. During the notice, the server reports that it is not ready, and still serves.
 * Then the gateway drains, while the pool still runs the gateway's programs. Then the pool drains, and the zygotes end
 * with it. Each part has a time limit. All parts together take at most the time of the notice, the time of the drain,
 * and 10 s. */
#pragma once

#include "hatcheryd/keeper.h"
#include "hatcheryd/workers.h"
#include "pool/config/config.h"
#include "proto/base/log.h"

#include <stdbool.h>
#include <stdint.h>

enum ending_part { ENDING_NONE, ENDING_NOTICE, ENDING_GATEWAY, ENDING_POOL };

struct ending {
        const struct log *log; /* this pointer and the next three are borrowed */
        const struct config *config;
        struct keeper *keeper;
        struct workers *workers;
        enum ending_part part; /* ENDING_NONE: the server serves */
        int64_t drain_at_ms;   /* the end of the notice */
        int64_t drain_by_ms;   /* the end of the time for runs */
        int64_t stop_by_ms;    /* when all remaining processes are killed */
};

/* To be called once. Without a notice the drain begins at once. */
void ending_begin(struct ending *x, bool has_notice);

/* Begins the next part if the part before is over. Does nothing before ending_begin. */
void ending_go_on(struct ending *x);

/* When ending_go_on must be called next, by the clock of clock_ms. INT64_MAX: never. */
int64_t ending_next_ms(const struct ending *x);

/* Kills all processes. No process is started any more. */
void ending_kill_all(struct ending *x);
