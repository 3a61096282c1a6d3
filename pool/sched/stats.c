/* Counters: see stats.h. */
#include "pool/sched/stats.h"

#include <stdlib.h>
#include <string.h>

void stats_run_ended(struct stats *s, int64_t now_us, bool more)
{
        static const double weight = 1.0 / 8;

        s->runs++;
        if (s->last_end_us > 0) {
                double interval = (double)(now_us - s->last_end_us);
                s->interval_us = s->interval_us > 0 ? s->interval_us + (interval - s->interval_us) * weight : interval;
        }
        s->last_end_us =
                more ? now_us : 0; /* a pause does not count as a slow run: only the pace while there is work counts */
}

void stats_work_begins(struct stats *s)
{
        s->last_end_us = 0;
}

void stats_recycled(struct stats *s, int64_t took_us)
{
        if (took_us < 0)
                took_us = 0;
        s->recycle_sum_us += (uint64_t)took_us;
        s->recycle_us[s->recycles++ % STATS_RECENT] = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
}

void stats_run_stages(struct stats *s, const uint64_t took_us[STAGES_OF_RUN], bool collected)
{
        for (int i = 0; i < STAGES_OF_RUN; i++)
                if (i != STAGE_COLLECT || collected)
                        histogram_add(&s->stage[i], took_us[i]);
}

void stats_slot_stages(struct stats *s, uint64_t teardown_us, uint64_t refill_us)
{
        histogram_add(&s->stage[STAGE_TEARDOWN], teardown_us);
        histogram_add(&s->stage[STAGE_REFILL], refill_us);
}

void stats_compiled(struct stats *s, uint64_t took_us)
{
        histogram_add(&s->stage[STAGE_COMPILE], took_us);
}

static int compare(const void *left, const void *right)
{
        uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
        return a < b ? -1 : a > b;
}

uint64_t stats_recycle_percentile(const struct stats *s, unsigned percentile)
{
        uint32_t sorted[STATS_RECENT];
        size_t n = s->recycles < STATS_RECENT ? s->recycles : STATS_RECENT;
        if (n == 0)
                return 0;
        memcpy(sorted, s->recycle_us, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare);
        return sorted[(n - 1) * percentile / 100];
}

uint64_t stats_retry_after_ms(const struct stats *s, unsigned waiting, int64_t now_us)
{
        double interval = s->interval_us;
        if (s->last_end_us > 0 && (double)(now_us - s->last_end_us) > interval)
                interval = (double)(now_us - s->last_end_us); /* the pace has become slower */
        double ms = interval > 0 ? interval * waiting / 1000 : 1000;
        return ms < 10 ? 10 : ms > 60000 ? 60000 : (uint64_t)ms;
}
