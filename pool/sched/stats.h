/* What a language's slots and runs have done so far: counters, the time that each stage and recycling take, and how
 * fast requests are answered at present. Pure. */
#pragma once

#include "pool/base/stages.h"
#include "proto/base/histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATS_RECENT = 512, STATS_STATUSES = 16 };

struct stats {
        uint64_t runs;                     /* seen to their end */
        uint64_t failures;                 /* runs and sandboxes that Hatchery failed */
        uint64_t discarded;                /* slots whose teardown could not be proved */
        uint64_t results[STATS_STATUSES];  /* outcomes that were told, by their status as the core numbers it */
        uint64_t cache_hits, cache_misses; /* compile stages that the cache answered, and that were run instead */

        uint32_t recycle_us[STATS_RECENT]; /* a ring */
        size_t recycles;

        int64_t last_end_us; /* while there is work; 0: there was none */
        double interval_us;  /* between ends of runs, the recent ones weighing most; 0: not known */

        /* In us, since the start. 288 KiB, of which a run touches what it adds to: in zeroed pages only that is real.
         */
        struct histogram stage[STAGE_COUNT];
};

/* more: there is other work, so that the time to the next end is of the pace. */
void stats_run_ended(struct stats *s, int64_t now_us, bool more);
/* Work comes, and there was none: the time since the last end is none of the pace, however that last work ended. */
void stats_work_begins(struct stats *s);
void stats_recycled(struct stats *s, int64_t took_us);

/* Where the time of a run went that was seen to its end; collected: it asked for files. And that of its slot. */
void stats_run_stages(struct stats *s, const uint64_t took_us[STAGES_OF_RUN], bool collected);
void stats_slot_stages(struct stats *s, uint64_t teardown_us, uint64_t refill_us);

/* A program was compiled, or was not found to be one: what the cache has is not compiled. */
void stats_compiled(struct stats *s, uint64_t took_us);

/* The percentile (0 to 100) of recent recycle times; 0 while there are none. */
uint64_t stats_recycle_percentile(const struct stats *s, unsigned percentile);

/* When a client should try again that finds waiting requests before it: when they have run, at the present pace. */
uint64_t stats_retry_after_ms(const struct stats *s, unsigned waiting, int64_t now_us);
