/* The system calls of the pool. The rest of its confinement is that of proto/confine/confine.h. */
#pragma once

#include "proto/base/err.h"

/* Allows only the system calls of the pool's loop, so everything else must be set up before. directory: the loop may
 * open, rename and remove files in it; -1: none. */
int confine_pool_calls(int directory, struct err *e);
