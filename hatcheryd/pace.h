/* When a dead process may be started again: at once the first time, and later and later while it keeps failing.
 * Pure. */
#pragma once

#include <stdint.h>

struct pace {
        unsigned failures;     /* in a row */
        int64_t not_before_ms; /* on the clock of now_ms */
};

/* The process died at its start, or soon after. */
void pace_failed(struct pace *p, int64_t now_ms);

/* The process has done its work. */
void pace_settled(struct pace *p);
