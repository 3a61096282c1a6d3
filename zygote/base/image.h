/* Copies of our own programs in memory, which processes run from. A program can read in /proc/self/maps which files its
 * process runs from, and can open its executable by /proc/self/exe. A sandbox runs from the zygote's files. A copy
 * shows no path of the host, can't be changed, and shares its locks with no other file. */
#pragma once

#include "proto/base/err.h"

#include <sys/types.h>

/* Copies the file at path into a sealed memory file called name, with these mode bits. Returns its descriptor,
 * close-on-exec, or a negative errno. */
int image_copy(const char *path, const char *name, mode_t mode, struct err *e);
