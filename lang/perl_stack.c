/* A second stack: see perl_stack.h. */
#include "lang/perl_stack.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

#define SMALLEST ((size_t)8 << 20)
#define LARGEST  ((size_t)64 << 20)
#define GUARD    ((size_t)64 << 10)

struct perl_stack {
        ucontext_t inside, outside;
        void (*life)(void *context);
        void *context;
        char *bottom;
        size_t size;
        const void *outside_bottom; /* for AddressSanitizer, which wants to know of every switch */
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

/* makecontext hands over ints alone. */
static void begin(unsigned high, unsigned low)
{
        struct perl_stack *s = (struct perl_stack *)((uintptr_t)high << 32 | low);
        switch_ends(NULL, &s->outside_bottom, &s->outside_size);
        s->life(s->context);
        switch_begins(NULL, s->outside_bottom, s->outside_size);
}

/* A function of its own, since getcontext is to the compiler as setjmp is. */
static int prepare(struct perl_stack *s)
{
        if (getcontext(&s->inside) < 0)
                return -1;
        s->inside.uc_stack.ss_sp = s->bottom;
        s->inside.uc_stack.ss_size = s->size;
        s->inside.uc_link = &s->outside;
        makecontext(&s->inside, (void (*)(void))begin, 2, (unsigned)((uintptr_t)s >> 32), (unsigned)(uintptr_t)s);
        return 0;
}

static size_t room(void)
{
        struct rlimit limit;
        if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur < SMALLEST)
                return SMALLEST;
        return limit.rlim_cur > LARGEST ? LARGEST : (size_t)limit.rlim_cur & ~(GUARD - 1);
}

struct perl_stack *perl_stack_new(void (*life)(void *context), void *context, struct err *e)
{
        size_t size = room();
        struct perl_stack *s = calloc(1, sizeof *s);
        char *map =
                mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (s && map != MAP_FAILED)
                *s = (struct perl_stack){ .life = life, .context = context, .bottom = map + GUARD, .size = size };
        if (!s || map == MAP_FAILED || mprotect(map, GUARD, PROT_NONE) < 0 || prepare(s) < 0) {
                err_set(e, errno, "a stack");
                if (map != MAP_FAILED)
                        munmap(map, GUARD + size);
                free(s);
                return NULL;
        }
#ifdef __SANITIZE_ADDRESS__
        __lsan_register_root_region(s->bottom, size);
#endif
        return s;
}

void perl_stack_enter(struct perl_stack *s)
{
        void *fake = NULL;
        switch_begins(&fake, s->bottom, s->size);
        swapcontext(&s->outside, &s->inside);
        switch_ends(fake, NULL, NULL);
}

void perl_stack_leave(struct perl_stack *s)
{
        void *fake = NULL;
        switch_begins(&fake, s->outside_bottom, s->outside_size);
        swapcontext(&s->inside, &s->outside);
        switch_ends(fake, &s->outside_bottom, &s->outside_size);
}
