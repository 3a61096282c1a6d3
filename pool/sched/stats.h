/* The statistics of a language's slots and runs: counters, the times of each stage, the times of recycling,
 * and the present pace of answers. Recycling lasts from the order of a slot's next sandbox until it is warm. Pure. */
#pragma once

#include "pool/base/stages.h"
#include "proto/base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATS_RECENT = 512, STATS_STATUSES = 16 };

struct stats {
        uint64_t runs;                     /* runs that ended */
        uint64_t failures;                 /* runs and sandboxes that failed by a fault of Hatchery */
        uint64_t discarded;                /* slots whose teardown could not be proved */
        uint64_t results[STATS_STATUSES];  /* outcomes that sinks got, by enum outcome_status */
        uint64_t cache_hits, cache_misses; /* compile stages that the cache had, and those that were run */

        uint32_t recycle_us[STATS_RECENT]; /* the last times of recycling, as a ring */
        size_t recycles;                   /* number of such times since the start */
        uint64_t recycle_sum_us;

        int64_t last_end_us; /* end of the last run, while there is work; 0: there was no work */
        double interval_us;  /* average time between ends of runs, weighted towards recent ones; 0: not known */

        /* Times of each stage in us, since the start. The histograms have 288 KiB. Only the pages of buckets that were
         * used take memory, because untouched zeroed pages take none. */
        struct histogram stage[STAGE_COUNT];
};

/* more: there is other work, so the time until the next run ends counts for the pace. */
void stats_run_ended(struct stats *s, int64_t now_us, bool more);
/* Work comes after a time without work. The time since the last run's end does not count for the pace, however that run
 * ended. */
void stats_work_begins(struct stats *s);
void stats_recycled(struct stats *s, int64_t took_us);

/* stats_run_stages adds the stages of a run that ended; collected: the run asked for files. stats_slot_stages adds the
 * stages of its slot. */
void stats_run_stages(struct stats *s, const uint64_t took_us[STAGES_OF_RUN], bool collected);
void stats_slot_stages(struct stats *s, uint64_t teardown_us, uint64_t refill_us);

/* A program was compiled, or refused by the compiler. Programs from the cache do not count. */
void stats_compiled(struct stats *s, uint64_t took_us);

/* The percentile (0 to 100) of recent recycle times; 0 while there are none. */
uint64_t stats_recycle_percentile(const struct stats *s, unsigned percentile);

/* The time after which a client should try again, if this many requests wait before it: at the present pace they have
 * run by then. */
uint64_t stats_retry_after_ms(const struct stats *s, unsigned waiting, int64_t now_us);
