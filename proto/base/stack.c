/* A second stack: see stack.h. */
#include "proto/base/stack.h"

#include "proto/base/hide.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#define GUARD ((size_t)64 << 10)

/* This struct lies at the top of the stack's own memory, so that it is hidden with the stack: it holds saved registers.
 */
struct stack {
        ucontext_t inside, outside;
        void (*life)(void *context);
        void *context;
        char *bottom;
        size_t size, room;          /* sizes of the stack, and of this struct above it */
        const void *outside_bottom; /* for AddressSanitizer, which must be notified of every switch */
        size_t outside_size;
};

#ifdef __SANITIZE_ADDRESS__
static void switch_begins(void **fake, const void *bottom, size_t size)
{
        __sanitizer_start_switch_fiber(fake, bottom, size);
}

static void switch_ends(void *fake, const void **bottom, size_t *size)
{
        __sanitizer_finish_switch_fiber(fake, bottom, size);
}
#else
static void switch_begins(void **fake, const void *bottom, size_t size)
{
        (void)fake, (void)bottom, (void)size;
}

static void switch_ends(void *fake, const void **bottom, size_t *size)
{
        (void)fake, (void)bottom, (void)size;
}
#endif

/* The first function on the stack. makecontext passes only ints, so the pointer comes in two parts. */
static void begin(unsigned high, unsigned low)
{
        struct stack *s = (struct stack *)((uintptr_t)high << 32 | low);
        switch_ends(NULL, &s->outside_bottom, &s->outside_size);
        s->life(s->context);
        switch_begins(NULL, s->outside_bottom, s->outside_size);
}

/* A function of its own, since the compiler treats getcontext like setjmp. */
static int prepare(struct stack *s)
{
        if (getcontext(&s->inside) < 0)
                return -1;
        s->inside.uc_stack.ss_sp = s->bottom;
        s->inside.uc_stack.ss_size = s->size;
        s->inside.uc_link = &s->outside;
        makecontext(&s->inside, (void (*)(void))begin, 2, (unsigned)((uintptr_t)s >> 32), (unsigned)(uintptr_t)s);
        return 0;
}

struct stack *stack_new(size_t size, void (*life)(void *context), void *context, struct err *e)
{
        size_t room = (sizeof(struct stack) + GUARD - 1) / GUARD * GUARD;
        char *map = mmap(NULL, GUARD + size + room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                         -1, 0);
        if (map == MAP_FAILED) {
                err_set(e, errno, "make a stack");
                return NULL;
        }
        struct stack *s = (void *)(map + GUARD + size);
        *s = (struct stack){ .life = life, .context = context, .bottom = map + GUARD, .size = size, .room = room };
        if (mprotect(map, GUARD, PROT_NONE) < 0 || prepare(s) < 0) {
                err_set(e, errno, "make a stack");
                munmap(map, GUARD + size + room);
                return NULL;
        }
#ifdef __SANITIZE_ADDRESS__
        __lsan_register_root_region(s->bottom, size + room);
#endif
        return s;
}

int stack_hide(struct stack *s)
{
        return hide_from_children(s->bottom, s->size + s->room);
}

void stack_free(struct stack *s)
{
        if (!s)
                return;
#ifdef __SANITIZE_ADDRESS__
        __lsan_unregister_root_region(s->bottom, s->size + s->room);
#endif
        munmap(s->bottom - GUARD, GUARD + s->size + s->room);
}

void stack_enter(struct stack *s)
{
        void *fake = NULL;
        switch_begins(&fake, s->bottom, s->size);
        swapcontext(&s->outside, &s->inside);
        switch_ends(fake, NULL, NULL);
}

void stack_leave(struct stack *s)
{
        void *fake = NULL;
        switch_begins(&fake, s->outside_bottom, s->outside_size);
        swapcontext(&s->inside, &s->outside);
        switch_ends(fake, &s->outside_bottom, &s->outside_size);
}
