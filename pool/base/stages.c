/* Stages: see stages.h. */
#include "pool/base/stages.h"

const char *const stage_name[STAGE_COUNT] = {
        [STAGE_QUEUE] = "queue",   [STAGE_DISPATCH] = "dispatch", [STAGE_RUN] = "run",
        [STAGE_DRAIN] = "drain",   [STAGE_COLLECT] = "collect",   [STAGE_TEARDOWN] = "teardown",
        [STAGE_REFILL] = "refill", [STAGE_COMPILE] = "compile",
};

static int64_t later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

void stages_of_run(int64_t began_us, const int64_t end_us[STAGES_OF_RUN], uint64_t took_us[STAGES_OF_RUN])
{
        int64_t end[STAGES_OF_RUN], at = began_us;

        end[STAGE_COLLECT] = later(end_us[STAGE_COLLECT], began_us);
        for (int i = STAGE_COLLECT; i-- > 0;)
                end[i] = end_us[i] ? sooner(end_us[i], end[i + 1]) : end[i + 1];
        for (int i = 0; i < STAGES_OF_RUN; i++) {
                end[i] = later(end[i], at);
                took_us[i] = (uint64_t)(end[i] - at);
                at = end[i];
        }
}

void stages_of_slot(int64_t answered_us, int64_t ordered_us, int64_t gone_us, int64_t warm_us, uint64_t *teardown_us,
                    uint64_t *refill_us)
{
        int64_t gone = sooner(later(gone_us, answered_us), warm_us);
        int64_t refilling = sooner(later(gone, ordered_us), warm_us);

        *teardown_us = (uint64_t)later(gone - answered_us, 0);
        *refill_us = (uint64_t)(warm_us - refilling);
}
