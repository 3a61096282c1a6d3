/* A second stack, on which code can pause while its process goes on on the first: an interpreter in the middle of its
 * start, or the zygote's loop while a child is born. Only one thread uses it. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct stack;

/* size is a multiple of 64 KiB; unused parts cost nothing. life(context) begins with the first stack_enter. NULL with e
 * set. */
struct stack *stack_new(size_t size, void (*life)(void *context), void *context, struct err *e);

/* From here on no forked child gets this stack, so the process may not fork while it runs on it. Negative errno. */
int stack_hide(struct stack *s);

/* Goes on on this stack, until life calls stack_leave or has returned. Must not be called once life has returned. */
void stack_enter(struct stack *s);

/* Called from inside: goes back to the caller of stack_enter. Returns at the next stack_enter. */
void stack_leave(struct stack *s);

/* Called from outside. Code that is paused on the stack never goes on. */
void stack_free(struct stack *s);
