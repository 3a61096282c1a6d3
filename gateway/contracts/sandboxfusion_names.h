/* Names of files as SandboxFusion's users write them: relative to the work directory, or absolute. */
#pragma once

#include "proto/base/span.h"

#include <stdbool.h>
#include <stddef.h>

/* The directory in which programs are started. */
#define FUSION_WORK_DIRECTORY "/home/sandbox"

enum { FUSION_NAME_MAX = 1024 };

/* Puts the name relative to the work directory into out, as the pool takes names: no ".", no "..", no "//". Returns the
 * length of the name. -EINVAL: why is the rest of a sentence that begins with the name. */
int fusion_name(struct span given, char out[FUSION_NAME_MAX + 1], const char **why);
