/* The directory of the compile cache of one instance: below the configured one, so that no server sees what another one
 * made, and owned by its pool, which is another user at each instance. */
#pragma once

#include "hatcheryd/instance.h"
#include "proto/err.h"

/* Makes it where it is missing, and gives the pool what is in it. The descriptor is the caller's; a negative errno with
 * a sentence: the server can do without. */
int cachedir_open(const char *path, const struct instance *instance, struct err *e);
