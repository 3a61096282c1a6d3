/* `hatchery ping` and `hatchery status`. */
#pragma once

#include "client/options.h"

/* Both return the exit code; what there is to say was printed. */
int status_ping(const struct options *o);
int status_show(const struct options *o);
