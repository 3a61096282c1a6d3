/* Memory that no child gets: see hidden.h. */
#include "zygote/hidden.h"

#include "proto/base/hide.h"

#include <errno.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

void *hidden_new(size_t size)
{
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return NULL;
        int r = hide_from_children(memory, size);
        if (r < 0) {
                munmap(memory, size);
                errno = -r;
                return NULL;
        }
#ifdef __SANITIZE_ADDRESS__
        __lsan_register_root_region(memory, size);
#endif
        return memory;
}

void hidden_free(void *memory, size_t size)
{
        if (!memory)
                return;
#ifdef __SANITIZE_ADDRESS__
        __lsan_unregister_root_region(memory, size);
#endif
        munmap(memory, size);
}
