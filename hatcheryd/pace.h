/* When a dead process may be started again: the first time at once, and then after a pause that grows with each
 * failure. Pure functions. */
#pragma once

#include <stdint.h>

struct pace {
        unsigned failures;     /* in a row */
        int64_t not_before_ms; /* on the same clock as now_ms */
};

/* The process died at its start, or soon after. */
void pace_failed(struct pace *p, int64_t now_ms);

/* The process has done its work. */
void pace_settled(struct pace *p);
