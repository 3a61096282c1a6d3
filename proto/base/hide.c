/* Memory that children do not get: see hide.h. */
#include "proto/base/hide.h"

#include <errno.h>
#include <sys/mman.h>

/* The kernel handles the two calls independently, so either alone is enough. */
int hide_from_children(void *memory, size_t size)
{
        return madvise(memory, size, MADV_WIPEONFORK) < 0 || madvise(memory, size, MADV_DONTFORK) < 0 ? -errno : 0;
}
