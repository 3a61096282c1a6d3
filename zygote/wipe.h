/* What is left in memory of a process's start, which its children would get: arguments and environment, frames of calls
 * that have returned, freed memory. */
#pragma once

#include "proto/base/err.h"

/* The kernel shows a process's first arguments and environment to whoever reads /proc/self, and every sandbox inherits
 * ours: options that name paths of the host, and the environment of whoever started the server. title takes their
 * place. */
int wipe_arguments(const char *title, struct err *e);

/* Below the caller's frame. */
void wipe_stack(void);

/* From begin to end all that is freed is wiped; end also wipes what was freed just before, and is still kept at hand.
 */
void wipe_freed_begin(void);
void wipe_freed_end(void);
