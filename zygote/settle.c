/* The heap before the first fork: see settle.h. */
#include "zygote/settle.h"

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum {
        LARGE = 100000, /* bytes; malloc would map memory of its own for a much larger request */
        /* There are few larger holes. malloc_trim has emptied their whole pages, so a child copies none of those. */
        LARGEST_HOLE = (8 << 10) + 8,
        SMALLEST_HOLE = 24, /* glibc's smallest piece */
        GRAIN = 16,         /* the step from one of glibc's sizes to the next; a size is a multiple of it plus 8 */
        /* The thread caches a freed piece of this size or less for the next request, so the piece is a hole again. */
        CACHED = 1032,
};

/* Fills all holes of one size, and of larger sizes that are left. The last piece comes from the heap's end. */
static void fill(size_t size, const char *end)
{
        const char *volatile piece; /* volatile: a compiler may leave out a request whose result is not used */

        do
                piece = malloc(size);
        while (piece && piece < end);
        if (size > CACHED)
                free((void *)piece);
}

void settle_heap(void)
{
        malloc_trim(0);
        /* Trimming puts all free memory into one list. The next large request sorts that list and writes to each piece.
         * That happens here once, and not in each child, which would copy 70 pages. */
        void *volatile large = malloc(LARGE);
        free(large);

        const struct mallinfo2 info = mallinfo2();
        if (info.arena == 0) /* another allocator */
                return;
        const char *end = (const char *)sbrk(0) - info.keepcost;
        for (size_t size = LARGEST_HOLE; size >= SMALLEST_HOLE; size -= GRAIN)
                fill(size, end);
}
