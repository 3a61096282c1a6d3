/* Copies in memory of our own programs, to run from. A process shows the files that it runs from to whoever reads its
 * /proc/self/maps, and opens its program for whoever opens /proc/self/exe; every sandbox is such a process. A copy
 * tells no path of the host, can't be changed by anybody, and is locked by nobody else's lock. */
#pragma once

#include "proto/base/err.h"

#include <sys/types.h>

/* Copies the file at path into a sealed memory file called name, with these mode bits. Returns its descriptor,
 * close-on-exec, or a negative errno. */
int image_copy(const char *path, const char *name, mode_t mode, struct err *e);
