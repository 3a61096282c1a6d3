/* The zygote's own life, on a hidden stack (hidden.h): what it read and what it was ordered stay in the frames of
 * calls, living and returned, and a child gets a copy of the stack that it is born on. So the life goes on aside, and
 * what is for children to have happens on the process's first stack: the interpreter's start, and births. */
#pragma once

#include "proto/base/err.h"

struct aside;

/* Runs life(context) aside until it returns, and returns what it returned. On the first stack. */
int aside_run(int (*life)(struct aside *a, void *context, struct err *e), void *context, struct err *e);

/* From aside: act(argument) on the first stack. Without aside (NULL), calls it. */
long aside_leave(struct aside *a, long (*act)(void *argument), void *argument);
