/* The time of a run, and of its slot afterwards, as an unbroken row of stages on the pool's clock: each begins where
 * the one before it ends. Pure; docs/protocol.md says which event ends each. */
#pragma once

#include <stdint.h>

enum stage {
        STAGE_QUEUE,
        STAGE_DISPATCH,
        STAGE_RUN,
        STAGE_DRAIN,
        STAGE_COLLECT,
        STAGES_OF_RUN, /* the answer leaves here; later stages are the slot's */
        STAGE_TEARDOWN = STAGES_OF_RUN,
        STAGE_REFILL,
        STAGE_COMPILE, /* for programs that are compiled first; the other stages are then the compiled program's */
        STAGE_COUNT,
};

/* "queue", ...: the names that clients see. */
extern const char *const stage_name[STAGE_COUNT];

enum { STAGE_BOUNDS = 18 };

/* Up to which times clients see a stage counted: docs/protocol.md lists them. */
extern const uint64_t stage_bound_us[STAGE_BOUNDS];

/* How long each stage of a run took, whose sum is exactly end_us[STAGE_COLLECT] - began_us. If a stage's end was not
 * reached (0), or was seen only after the end of a later stage, it ends with that later one, which then took no time.
 * For example, a program that is killed while it reads its job was being dispatched until then. */
void stages_of_run(int64_t began_us, const int64_t end_us[STAGES_OF_RUN], uint64_t took_us[STAGES_OF_RUN]);

/* The stages of its slot, by four times: the run was answered, the next sandbox was ordered, the old one was gone, the
 * next one was warm. The order may come before or after the old one is gone; time in which the slot waits for an order
 * belongs to no stage. */
void stages_of_slot(int64_t answered_us, int64_t ordered_us, int64_t gone_us, int64_t warm_us, uint64_t *teardown_us,
                    uint64_t *refill_us);
