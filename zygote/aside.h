/* Runs the zygote's loop aside: on a hidden stack (hidden.h). A stack keeps data of current and of returned calls, such
 * as what the zygote read and its orders. A child gets a copy of the stack on which it is forked. So the loop runs
 * aside. The first stack is for data that children may have: the interpreter's start, and the forks. */
#pragma once

#include "proto/base/err.h"

struct aside;

/* Runs life(context) aside until it returns, and returns its result. Called on the first stack. */
int aside_run(int (*life)(struct aside *a, void *context, struct err *e), void *context, struct err *e);

/* Called aside: runs act(argument) on the first stack, and returns its result. If a is NULL, just calls act. */
long aside_leave(struct aside *a, long (*act)(void *argument), void *argument);
