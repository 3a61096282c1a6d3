/* Is a file what the kernel can start as a program? A compiler that ends well may have made a library all the same, and
 * that is an error of the sources, not a failed run. The bytes come from a sandbox. Pure. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>

/* A script with a first line that names its interpreter, or an ELF file that has a place to begin at. */
bool program_can_start(struct span file);
