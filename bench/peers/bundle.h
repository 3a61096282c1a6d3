/* The OCI bundle that crun runs: a folder with config.json and an almost empty root, for one program. Its root is
 * read-only, so all containers can use it, in turn and in parallel. */
#pragma once

#include "bench/base/workload.h"
#include "proto/base/err.h"

#include <stddef.h>

/* Makes the folder, puts its path in folder, and fills it. After a failure, peers_bundle_remove removes what was
 * made. */
int peers_bundle_make(char *folder, size_t size, const struct program *program, struct err *e);
void peers_bundle_remove(const char *folder);
