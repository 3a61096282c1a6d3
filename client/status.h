/* `hatchery ping`, `hatchery status` and `hatchery languages`. */
#pragma once

#include "client/options.h"

/* Each prints its result and returns the exit code. */
int status_ping(const struct options *o);
int status_show(const struct options *o);
int status_languages(const struct options *o);
