/* The common part of all ways to ask a peer: see lane.h. */
#include "bench/peers/lane.h"

#include <stdio.h>

void peers_wrong(struct peers_verdict *v, const char *fmt, ...)
{
        va_list args;
        va_start(args, fmt);
        v->right = false;
        vsnprintf(v->why, sizeof v->why, fmt, args);
        va_end(args);
}
