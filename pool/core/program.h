/* Can the kernel start a file as a program? A successful compiler may still have made a library; that is an error of
 * the sources, not a failed run. The bytes come from a sandbox. Pure. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>

/* True for a script whose first line names its interpreter, and for an ELF file with an entry point. */
bool program_can_start(struct span file);
