/* Arenas on huge pages: see arena.h. */
#include "lang/python/arena.h"

#include <Python.h>
#include <stdint.h>
#include <sys/mman.h>

enum { MAX_FREED = 32 };

#define HUGE      ((size_t)2 << 20)
#define ROOM_SIZE ((size_t)64 << 20) /* reserved addresses; only touched pages take memory */

struct python_arenas {
        char *start, *next, *end;
        size_t size;            /* the size of one arena: that of the first request */
        void *freed[MAX_FREED]; /* arenas that were freed and not yet given out again */
        int n_freed;
};

static void *small_pages(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return p == MAP_FAILED ? NULL : p;
}

static void *take(void *context, size_t size)
{
        struct python_arenas *a = context;
        if (a->size == 0)
                a->size = size;
        if (size != a->size)
                return small_pages(size);
        if (a->n_freed > 0)
                return a->freed[--a->n_freed];
        if ((size_t)(a->end - a->next) < size)
                return small_pages(size);
        char *arena = a->next;
        a->next += size;
        return arena;
}

static void give_back(void *context, void *arena, size_t size)
{
        struct python_arenas *a = context;
        char *p = arena;
        if (p >= a->start && p < a->next && a->n_freed < MAX_FREED)
                a->freed[a->n_freed++] = p;
        else
                munmap(p, size);
}

struct python_arenas *python_arena_install(void)
{
        char *room = mmap(NULL, ROOM_SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                          -1, 0);
        if (room == MAP_FAILED)
                return NULL;
        struct python_arenas *a = PyMem_RawCalloc(1, sizeof *a);
        if (!a) {
                munmap(room, ROOM_SIZE + HUGE);
                return NULL;
        }
        a->start = a->next = room + (HUGE - (uintptr_t)room % HUGE);
        a->end = a->start + ROOM_SIZE;
        madvise(a->start, ROOM_SIZE, MADV_HUGEPAGE); /* may fail: then small pages are used */
        PyObjectArenaAllocator allocator = { a, take, give_back };
        PyObject_SetArenaAllocator(&allocator);
        return a;
}

void python_arena_close(struct python_arenas *a)
{
        if (!a)
                return;
        /* Keeps all of the last huge page, because its memory is taken already. */
        size_t used = ((size_t)(a->next - a->start) + HUGE - 1) & ~(HUGE - 1);
        munmap(a->start + used, (size_t)(a->end - a->start) - used);
        a->end = a->start + used;
}
