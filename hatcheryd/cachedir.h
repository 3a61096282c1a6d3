/* The directory of the compile cache of one instance: below the configured one, so that no server sees the files of
 * another. Its pool owns it; the pool's user differs for each instance. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/base/err.h"

#include <stdbool.h>

/* Can the configured directory be used? If it is missing, it is made, with those above it. With leaves_nothing, the
 * directories that this call made are removed again. A negative errno with a sentence if it can't be used. */
int cachedir_try(const char *path, bool leaves_nothing, struct err *e);

/* Makes the directory if it is missing, and makes the pool the owner of its files. The caller owns the descriptor. A
 * negative errno comes with a sentence, and is no reason to stop: the server can work without a cache. */
int cachedir_open(const char *path, const struct instance *instance, struct err *e);
