/* Checks whether the kernel can start a file as a program. A compiler that succeeds may have made a library. That is a
 * fault of the sources, not a failed run. The bytes come from a sandbox, and are not trusted. Pure. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>

/* True for a script that begins with #!, and for an ELF file with an entry point. */
bool program_can_start(struct span file);
