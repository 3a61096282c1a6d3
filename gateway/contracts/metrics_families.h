/* Which metrics there are, and how each is made from the pool's status. Pure. docs/operating.md lists them. */
#pragma once

#include "proto/wire/answer.h"

#include <stdio.h>

/* Writes all families. The status is the pool's, so the text is the same through each worker. */
void metrics_families(FILE *to, const struct answer *status);
