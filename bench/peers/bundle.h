/* The OCI bundle that crun runs: a folder with config.json and an almost empty root, for one program, used by every
 * container in turn and in parallel, because its root is read-only. */
#pragma once

#include "bench/base/workload.h"
#include "proto/base/err.h"

#include <stddef.h>

/* Makes the folder, puts its path in folder, and fills it. What is left after a failure is removed by _remove, too. */
int peers_bundle_make(char *folder, size_t size, const struct program *program, struct err *e);
void peers_bundle_remove(const char *folder);
