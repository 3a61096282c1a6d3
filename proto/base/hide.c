/* Memory that children do not get: see hide.h. */
#include "proto/base/hide.h"

#include <errno.h>
#include <sys/mman.h>

/* Two calls are made, since a filter may swallow one of them (see hide.h). The kernel handles them independently, and
 * either alone is enough. */
int hide_from_children(void *memory, size_t size)
{
        return madvise(memory, size, MADV_WIPEONFORK) < 0 || madvise(memory, size, MADV_DONTFORK) < 0 ? -errno : 0;
}
