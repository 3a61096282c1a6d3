/* The statistics of a language's slots and runs: counters, the times of each stage and of recycling, and the present
 * pace of answers. Pure. */
#pragma once

#include "pool/base/stages.h"
#include "proto/base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATS_RECENT = 512, STATS_STATUSES = 16 };

struct stats {
        uint64_t runs;                     /* runs that ended */
        uint64_t failures;                 /* runs and sandboxes that Hatchery failed */
        uint64_t discarded;                /* slots whose teardown could not be proved */
        uint64_t results[STATS_STATUSES];  /* outcomes that were told, by their status as the core numbers it */
        uint64_t cache_hits, cache_misses; /* compile stages that the cache answered, and that were run instead */

        uint32_t recycle_us[STATS_RECENT]; /* a ring */
        size_t recycles;

        int64_t last_end_us; /* while there is work; 0: there was none */
        double interval_us;  /* average time between ends of runs, weighted towards recent ones; 0: not known */

        /* In us, since the start. They take 288 KiB, but a run touches only the parts that it adds to: other zeroed
         * pages take no memory.
         */
        struct histogram stage[STAGE_COUNT];
};

/* more: there is other work, so the time to the next end counts for the pace. */
void stats_run_ended(struct stats *s, int64_t now_us, bool more);
/* Work comes after there was none: the time since the last end does not count for the pace, however that last work
 * ended. */
void stats_work_begins(struct stats *s);
void stats_recycled(struct stats *s, int64_t took_us);

/* Adds the stages of a run that ended; collected: it asked for files. And adds those of its slot. */
void stats_run_stages(struct stats *s, const uint64_t took_us[STAGES_OF_RUN], bool collected);
void stats_slot_stages(struct stats *s, uint64_t teardown_us, uint64_t refill_us);

/* A program was compiled, or refused by the compiler. Programs from the cache do not count. */
void stats_compiled(struct stats *s, uint64_t took_us);

/* The percentile (0 to 100) of recent recycle times; 0 while there are none. */
uint64_t stats_recycle_percentile(const struct stats *s, unsigned percentile);

/* The time after which a client with waiting requests before it should try again: when they have run, at the present
 * pace. */
uint64_t stats_retry_after_ms(const struct stats *s, unsigned waiting, int64_t now_us);
