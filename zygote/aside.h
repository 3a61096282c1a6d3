/* Runs the zygote's loop on a hidden stack (hidden.h). Frames of calls, living and returned, keep what the zygote read
 * and what it was ordered. A child gets a copy of the stack that it is born on. So the loop runs aside. The first stack
 * is for what children may have: the interpreter's start, and births. */
#pragma once

#include "proto/base/err.h"

struct aside;

/* Runs life(context) aside until it returns, and returns its result. Called on the first stack. */
int aside_run(int (*life)(struct aside *a, void *context, struct err *e), void *context, struct err *e);

/* From aside: act(argument) on the first stack. Without aside (NULL), calls it. */
long aside_leave(struct aside *a, long (*act)(void *argument), void *argument);
