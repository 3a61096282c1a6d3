/* Wipes what a process's start leaves in memory: arguments and environment, frames of calls that have returned, freed
 * memory. Children would get a copy of it. */
#pragma once

#include "proto/base/err.h"

/* /proc/self shows a process's first arguments and environment, and every sandbox inherits the zygote's. They name
 * paths of the host, and show the environment in which the server was started. title replaces them. */
int wipe_arguments(const char *title, struct err *e);

/* Wipes the stack below the caller's frame. */
void wipe_stack(void);

/* All memory that is freed between begin and end is wiped. end also wipes memory that was freed shortly before begin
 * and that the allocator still holds. */
void wipe_freed_begin(void);
void wipe_freed_end(void);
