/* `hatchery ping`, `hatchery status` and `hatchery languages`. */
#pragma once

#include "client/options.h"

/* Each returns the exit code; what there is to say was printed. */
int status_ping(const struct options *o);
int status_show(const struct options *o);
int status_languages(const struct options *o);
