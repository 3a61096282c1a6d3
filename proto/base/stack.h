/* A second stack. Code on it can pause while the process continues on the first stack. Such code is an interpreter in
 * the middle of its start, or the zygote's loop while a child is made. Only one thread uses it. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct stack;

/* size is a multiple of 64 KiB; unused parts cost nothing. The first stack_enter calls life(context). Returns NULL
 * and sets e after a failure. */
struct stack *stack_new(size_t size, void (*life)(void *context), void *context, struct err *e);

/* After this call no forked child gets this stack, so the process must not fork while it runs on this stack. Returns 0,
 * or a negative errno. */
int stack_hide(struct stack *s);

/* Runs life on this stack. Returns when life calls stack_leave, or returns. Must not be called after life has returned.
 */
void stack_enter(struct stack *s);

/* Called on this stack: goes back to the caller of stack_enter. Returns at the next stack_enter. */
void stack_leave(struct stack *s);

/* Called on the first stack. Code that is paused on this stack never continues. */
void stack_free(struct stack *s);
