/* A second stack, on which an interpreter can stand still in the middle of something while its process goes on. Forked
 * with the process; one thread alone uses it. */
#pragma once

#include "proto/err.h"

struct perl_stack;

/* A stack as large as the process's own may become. life(context) begins with the first perl_stack_enter. NULL with e
 * set; lives as long as the process. */
struct perl_stack *perl_stack_new(void (*life)(void *context), void *context, struct err *e);

/* Goes on there, until life calls perl_stack_leave or has returned. Must not be called once life has returned. */
void perl_stack_enter(struct perl_stack *s);

/* Called from inside: returns to who entered. Comes back with the next perl_stack_enter. */
void perl_stack_leave(struct perl_stack *s);
