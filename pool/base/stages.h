/* Where the time of a run went, and that of its slot afterwards: an unbroken row of stages, each beginning where the
 * one before it ends, on the pool's clock. Pure; docs/protocol.md says what ends each. */
#pragma once

#include <stdint.h>

enum stage {
        STAGE_QUEUE,
        STAGE_DISPATCH,
        STAGE_RUN,
        STAGE_DRAIN,
        STAGE_COLLECT,
        STAGES_OF_RUN, /* the answer leaves here; what follows is the slot's */
        STAGE_TEARDOWN = STAGES_OF_RUN,
        STAGE_REFILL,
        STAGE_COMPILE, /* of programs that are compiled first; their other stages are the compiled program's */
        STAGE_COUNT,
};

/* "queue", ...: what clients see. */
extern const char *const stage_name[STAGE_COUNT];

enum { STAGE_BOUNDS = 18 };

/* Up to which times clients see a stage counted: docs/protocol.md lists them. */
extern const uint64_t stage_bound_us[STAGE_BOUNDS];

/* How long each stage of a run took, whose sum is exactly end_us[STAGE_COLLECT] - began_us. A stage whose end was not
 * reached (0), or was seen only after the end of a later one, ends with that later one, which then took no time: a
 * program that was killed over its job was being dispatched until then. */
void stages_of_run(int64_t began_us, const int64_t end_us[STAGES_OF_RUN], uint64_t took_us[STAGES_OF_RUN]);

/* Those of its slot: the run was answered, the next sandbox ordered, what was there before gone, the next one warm. The
 * last three may come in any order but the last; an order that waits for nothing of the slot's is nobody's time. */
void stages_of_slot(int64_t answered_us, int64_t ordered_us, int64_t gone_us, int64_t warm_us, uint64_t *teardown_us,
                    uint64_t *refill_us);
