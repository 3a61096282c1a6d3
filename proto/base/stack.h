/* A second stack, on which something can stand still while its process goes on on the first: an interpreter in the
 * middle of its start, or the zygote's loop while a child is born. One thread alone uses it. */
#pragma once

#include "proto/base/err.h"

#include <stddef.h>

struct stack;

/* size is a multiple of 64 KiB; what is not used of it costs nothing. life(context) begins with the first stack_enter.
 * NULL with e set. */
struct stack *stack_new(size_t size, void (*life)(void *context), void *context, struct err *e);

/* From here on no child that is forked gets it, so a child may not be born on it. Negative errno. */
int stack_hide(struct stack *s);

/* Goes on there, until life calls stack_leave or has returned. Must not be called once life has returned. */
void stack_enter(struct stack *s);

/* Called from inside: returns to who entered. Comes back with the next stack_enter. */
void stack_leave(struct stack *s);

/* From outside. What stands still there never goes on. */
void stack_free(struct stack *s);
