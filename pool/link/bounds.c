/* Limits and zygotes: see bounds.h. */
#include "pool/link/bounds.h"

static int64_t lesser(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

void bounds_cut(int64_t limit[LIMIT_COUNT], const struct ceilings *of_zygote)
{
        limit[LIMIT_MEMORY] = lesser(limit[LIMIT_MEMORY], of_zygote->memory_bytes);
        limit[LIMIT_DISK] = lesser(limit[LIMIT_DISK], of_zygote->disk_bytes);
        limit[LIMIT_PIDS] = lesser(limit[LIMIT_PIDS], of_zygote->pids);
}

bool bounds_hold(const int64_t limit[LIMIT_COUNT], const struct ceilings *of_zygote)
{
        return limit[LIMIT_MEMORY] <= of_zygote->memory_bytes && limit[LIMIT_DISK] <= of_zygote->disk_bytes &&
               limit[LIMIT_PIDS] <= of_zygote->pids;
}
