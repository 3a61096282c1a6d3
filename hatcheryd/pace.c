/* The pace of restarts: see pace.h. */
#include "hatcheryd/pace.h"

enum { SECOND_MS = 100, MAX_MS = 5000 };

void pace_failed(struct pace *p, int64_t now_ms)
{
        int64_t delay = 0;
        for (unsigned i = 0; i < p->failures && delay < MAX_MS; i++)
                delay = delay == 0 ? SECOND_MS : 2 * delay;
        p->failures++;
        p->not_before_ms = now_ms + (delay > MAX_MS ? MAX_MS : delay);
}

void pace_settled(struct pace *p)
{
        *p = (struct pace){ 0 };
}
