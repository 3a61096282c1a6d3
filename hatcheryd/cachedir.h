/* The directory of the compile cache of one instance: below the configured one, so that no server sees what another one
 * made, and owned by its pool, which is another user at each instance. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/base/err.h"

#include <stdbool.h>

/* Can the configured directory be had? One that is missing is made, with those above it; where nothing is to be left
 * behind, what was made goes again. A negative errno with a sentence if not. */
int cachedir_try(const char *path, bool leaves_nothing, struct err *e);

/* Makes it where it is missing, and gives the pool what is in it. The descriptor is the caller's; a negative errno with
 * a sentence: the server can do without. */
int cachedir_open(const char *path, const struct instance *instance, struct err *e);
