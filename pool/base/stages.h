/* The time of a run, and of its slot afterwards, as stages on the pool's clock without gaps: each stage begins where
 * the one before it ends. docs/protocol.md says which event ends each stage. Pure. */
#pragma once

#include "proto/base/stagebound.h"

#include <stdint.h>

enum stage {
        STAGE_QUEUE,
        STAGE_DISPATCH,
        STAGE_RUN,
        STAGE_DRAIN,
        STAGE_COLLECT,
        STAGES_OF_RUN, /* the answer is sent here; later stages belong to the slot */
        STAGE_TEARDOWN = STAGES_OF_RUN,
        STAGE_REFILL,
        STAGE_COMPILE, /* for compiled programs, whose other stages are those of the run step */
        STAGE_COUNT,
};

/* "queue", ...: the names that clients see. */
extern const char *const stage_name[STAGE_COUNT];

/* Calculates how long each stage of a run took. The sum is exactly end_us[STAGE_COLLECT] - began_us. A stage without an
 * end (0) ends when the next stage with an end does. So does a stage whose end was seen only after the end of a later
 * stage. The later stage then takes no time. For example, a program that is killed while it reads its job has spent its
 * whole time in STAGE_DISPATCH. */
void stages_of_run(int64_t began_us, const int64_t end_us[STAGES_OF_RUN], uint64_t took_us[STAGES_OF_RUN]);

/* Calculates the stages of the slot from four times: when the run was answered, the next sandbox was ordered, the old
 * sandbox was gone, and the next sandbox was warm. The order may come before or after the old one is gone; time in
 * which the slot waits for an order belongs to no stage. */
void stages_of_slot(int64_t answered_us, int64_t ordered_us, int64_t gone_us, int64_t warm_us, uint64_t *teardown_us,
                    uint64_t *refill_us);
