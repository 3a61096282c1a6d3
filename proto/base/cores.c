/* Processors: see cores.h. */
#include "proto/base/cores.h"

#include <sched.h>

unsigned cores(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        return n < 1 ? 1 : (unsigned)n;
}
